//! When jobs will be done: the schedule played forward with the time each is thought to take.

use std::collections::BTreeMap;

use super::{
    JobId,
    schedule::{Candidate, Capacity, Need, decide},
};

/// A job that is not over, as far as a forecast cares.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The job; whether it waits for room is not asked.
    pub job: Candidate,
    /// The planned jobs that come first.
    pub after: Vec<JobId>,
    /// Whether it runs.
    pub running: bool,
    /// Seconds it still takes; `None`: nobody knows.
    pub seconds: Option<f64>,
}

/// Seconds from now until each of `planned` is done. A job whose time nobody knows, and one that waits for the room it takes or
/// for it to be done, are left out.
pub fn forecast(planned: &[Planned], capacity: Capacity) -> BTreeMap<JobId, f64> {
    let mut done = BTreeMap::new();
    let mut waiting: Vec<Planned> = planned.iter().filter(|plan| !plan.running).cloned().collect();
    let ends = |plan: &Planned, now: f64| plan.seconds.map_or(f64::INFINITY, |seconds| now + seconds);
    let mut running: Vec<(JobId, Need, f64)> =
        planned.iter().filter(|plan| plan.running).map(|plan| (plan.job.id, plan.job.need, ends(plan, 0.0))).collect();
    let mut now = 0.0;
    loop {
        let open = |id: &JobId| waiting.iter().any(|plan| plan.job.id == *id) || running.iter().any(|job| job.0 == *id);
        let runnable = waiting.iter().filter(|plan| !plan.after.iter().any(open));
        let candidates: Vec<Candidate> = runnable.map(|plan| plan.job).collect();
        let needs: Vec<Need> = running.iter().map(|job| job.1).collect();
        let decision = decide(&candidates, &needs, capacity);
        for plan in waiting.extract_if(.., |plan| decision.start.contains(&plan.job.id)) {
            running.push((plan.job.id, plan.job.need, ends(&plan, now)));
        }
        for plan in &mut waiting {
            plan.job.overtaken += decision.overtaken.iter().filter(|(_, id)| *id == plan.job.id).count() as u32;
        }
        let next = running.iter().map(|job| job.2).fold(f64::INFINITY, f64::min);
        if next.is_infinite() {
            return done;
        }
        now = next;
        done.extend(running.extract_if(.., |job| job.2 <= now).map(|job| (job.0, now)));
    }
}

/// The median of `seconds`, for what a job of their kind takes; `None` if there are none.
pub fn median(mut seconds: Vec<f64>) -> Option<f64> {
    seconds.sort_unstable_by(f64::total_cmp);
    let middle = seconds.len() / 2;
    match seconds.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(seconds[middle]),
        _ => Some((seconds[middle - 1] + seconds[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(id: i64, threads: u32, seconds: Option<f64>) -> Planned {
        let job = Candidate { id: JobId(id), priority: 0, need: Need { threads, memory: 0 }, overtaken: 0 };
        Planned { job, after: vec![], running: false, seconds }
    }

    fn told(planned: &[Planned], threads: u32) -> Vec<(i64, f64)> {
        forecast(planned, Capacity { threads, memory: None }).into_iter().map(|(id, end)| (id.0, end)).collect()
    }

    #[test]
    fn jobs_follow_each_other_as_room_and_order_allow() {
        let running = Planned { running: true, ..plan(1, 1, Some(5.0)) };
        let dependent = Planned { after: vec![JobId(3)], ..plan(4, 1, Some(1.0)) };
        let planned = [running, plan(2, 2, Some(10.0)), plan(3, 1, Some(2.0)), dependent];
        // 3 passes 2, then 4, both beside 1; 2 needs the whole machine.
        assert_eq!(told(&planned, 2), [(1, 5.0), (2, 15.0), (3, 2.0), (4, 3.0)]);
    }

    #[test]
    fn nothing_is_said_of_what_waits_for_the_unknown() {
        let unknown = Planned { running: true, ..plan(1, 1, None) };
        let dependent = Planned { after: vec![JobId(1)], ..plan(4, 1, Some(1.0)) };
        assert_eq!(told(&[unknown, plan(2, 2, Some(3.0)), plan(3, 1, Some(3.0)), dependent], 2), [(3, 3.0)]);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(
            [median(vec![]), median(vec![3.0, 1.0, 9.0]), median(vec![4.0, 1.0, 2.0, 9.0])],
            [None, Some(3.0), Some(3.0)]
        );
    }
}
