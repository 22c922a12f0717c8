//! Which jobs start: a function of those that could, what runs, and what the machine gives.
//!
//! Jobs are taken by priority, then by their numbers, and each that has room starts. A job without room does not hold up
//! smaller ones behind it, but only [`PATIENCE`] of them: then the room that is left is kept for it until it fits. So the
//! machine stays full, and a large job begins once at most that many have overtaken it and what runs has ended.

use super::JobId;

/// How many jobs behind it may start before one that waits for room.
pub const PATIENCE: u32 = 4;

/// What a job takes while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Threads, at least 1.
    pub threads: u32,
    /// Bytes; 0 where nobody said.
    pub memory: u64,
}

/// What there is for jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Threads, at least 1.
    pub threads: u32,
    /// Bytes; `None`: not counted.
    pub memory: Option<u64>,
}

impl Capacity {
    /// What is left beside `running`.
    pub fn free(self, running: &[Need]) -> Self {
        running.iter().fold(self, |free, need| free.without(*need))
    }

    /// Whether there is room for `need`.
    pub fn fits(self, need: Need) -> bool {
        need.threads <= self.threads && self.memory.is_none_or(|memory| need.memory <= memory)
    }

    fn without(self, need: Need) -> Self {
        Self {
            threads: self.threads.saturating_sub(need.threads),
            memory: self.memory.map(|memory| memory.saturating_sub(need.memory)),
        }
    }
}

/// A job that nothing but room keeps from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The job.
    pub id: JobId,
    /// A larger number goes first.
    pub priority: i32,
    /// What it takes.
    pub need: Need,
    /// Jobs behind it that were started first.
    pub overtaken: u32,
}

/// What is to be done now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The jobs to start, in this order.
    pub start: Vec<JobId>,
    /// Which of these overtakes which job.
    pub overtaken: Vec<(JobId, JobId)>,
    /// The job that all remaining room is kept for.
    pub kept_for: Option<JobId>,
}

/// Decides which of `waiting` start beside what is `running`. A job that would not fit in an empty machine is passed over.
pub fn decide(waiting: &[Candidate], running: &[Need], capacity: Capacity) -> Decision {
    let mut order: Vec<Candidate> = waiting.iter().filter(|job| capacity.fits(job.need)).copied().collect();
    order.sort_unstable_by_key(|job| (std::cmp::Reverse(job.priority), job.id));
    let mut free = capacity.free(running);
    let mut decision = Decision::default();
    let mut passed: Vec<Candidate> = Vec::new();
    for job in order {
        if let Some(first) = passed.iter().find(|job| job.overtaken >= PATIENCE) {
            decision.kept_for = Some(first.id);
            break;
        }
        if !free.fits(job.need) {
            passed.push(job);
            continue;
        }
        free = free.without(job.need);
        decision.start.push(job.id);
        for passed in &mut passed {
            passed.overtaken += 1;
            decision.overtaken.push((job.id, passed.id));
        }
    }
    decision
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(id: i64, priority: i32, threads: u32) -> Candidate {
        Candidate { id: JobId(id), priority, need: Need { threads, memory: 0 }, overtaken: 0 }
    }

    fn started(waiting: &[Candidate], running: &[Need], threads: u32) -> Vec<i64> {
        let decision = decide(waiting, running, Capacity { threads, memory: None });
        decision.start.iter().map(|id| id.0).collect()
    }

    #[test]
    fn priority_goes_before_age() {
        let waiting = [candidate(1, 0, 1), candidate(2, 5, 1), candidate(3, 5, 1)];
        assert_eq!(started(&waiting, &[], 2), [2, 3]);
    }

    #[test]
    fn a_small_job_passes_a_large_one_that_has_no_room() {
        let waiting = [candidate(1, 0, 4), candidate(2, 0, 1)];
        assert_eq!(started(&waiting, &[Need { threads: 3, memory: 0 }], 4), [2]);
    }

    #[test]
    fn room_is_kept_for_a_job_that_was_overtaken_often() {
        let large = Candidate { overtaken: PATIENCE, ..candidate(1, 0, 4) };
        let decision = decide(
            &[large, candidate(2, 0, 1)],
            &[Need { threads: 3, memory: 0 }],
            Capacity { threads: 4, memory: None },
        );
        assert_eq!((decision.start, decision.kept_for), (vec![], Some(JobId(1))));
    }

    #[test]
    fn a_job_larger_than_the_machine_holds_nobody_up() {
        let huge = Candidate { overtaken: 99, ..candidate(1, 9, 8) };
        assert_eq!(started(&[huge, candidate(2, 0, 1)], &[], 4), [2]);
    }

    #[test]
    fn memory_is_counted_where_it_is_known() {
        let needs = |memory| Candidate { need: Need { threads: 1, memory }, ..candidate(1, 0, 1) };
        let running = [Need { threads: 1, memory: 6 }];
        let start =
            |memory, have| decide(&[needs(memory)], &running, Capacity { threads: 8, memory: have }).start.len();
        assert_eq!([start(4, Some(10)), start(5, Some(10)), start(5, None)], [1, 0, 1]);
    }

    fn need() -> impl Strategy<Value = Need> {
        (1u32..6, 0u64..6).prop_map(|(threads, memory)| Need { threads, memory })
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        prop::collection::vec((need(), -2i32..3, 0u32..8), 0..12).prop_map(|jobs| {
            let with_ids = jobs.into_iter().enumerate();
            let job =
                |(at, (need, priority, overtaken))| Candidate { id: JobId(at as i64 + 1), priority, need, overtaken };
            with_ids.map(job).collect()
        })
    }

    fn capacity() -> impl Strategy<Value = Capacity> {
        (1u32..6, prop::option::of(0u64..8)).prop_map(|(threads, memory)| Capacity { threads, memory })
    }

    fn sum(needs: &[Need]) -> (u32, u64) {
        needs.iter().fold((0, 0), |(threads, memory), need| (threads + need.threads, memory + need.memory))
    }

    proptest! {
        #[test]
        fn what_starts_has_room_and_what_waits_has_none(
            waiting in candidates(), already in prop::collection::vec(need(), 0..3), capacity in capacity(),
        ) {
            let decision = decide(&waiting, &already, capacity);
            let of = |id: &JobId| waiting.iter().find(|job| job.id == *id).unwrap();
            // Never over capacity: what was over before gets nothing on top.
            let mut running = already.clone();
            running.extend(decision.start.iter().map(|id| of(id).need));
            if !decision.start.is_empty() {
                let (threads, memory) = sum(&running);
                prop_assert!(threads <= capacity.threads);
                let unsaid = running.iter().all(|need| need.memory == 0);
                prop_assert!(unsaid || decision.start.iter().all(|id| of(id).need.memory == 0)
                    || capacity.memory.is_none_or(|have| memory <= have));
            }
            // A job with room starts, unless the room is kept for one before it that was overtaken often enough.
            let free = capacity.free(&running);
            let rank = |job: &Candidate| (std::cmp::Reverse(job.priority), job.id);
            for job in waiting.iter().filter(|job| !decision.start.contains(&job.id) && free.fits(job.need)) {
                let kept_for = of(&decision.kept_for.expect("a job with room waits for nobody"));
                let times = decision.overtaken.iter().filter(|(_, id)| *id == kept_for.id).count() as u32;
                prop_assert!(kept_for.overtaken + times >= PATIENCE && rank(kept_for) < rank(job));
                prop_assert!(capacity.fits(kept_for.need) && !free.fits(kept_for.need));
            }
        }

        #[test]
        fn a_large_job_is_overtaken_a_bounded_number_of_times(
            lengths in prop::collection::vec((1u32..5, 1u32..4), 40..80), threads in 2u32..5,
        ) {
            // Small jobs keep coming; at each tick what runs gets shorter. The first job needs the whole machine.
            let mut large = candidate(0, 0, threads);
            let mut running: Vec<(Need, u32)> = vec![(Need { threads: 1, memory: 0 }, 3)];
            let mut coming = lengths.into_iter().enumerate();
            let mut waiting: Vec<(Candidate, u32)> = Vec::new();
            let mut begun = false;
            for _ in 0..40 {
                if let Some((at, (length, needed))) = coming.next() {
                    waiting.push((candidate(at as i64 + 1, 0, needed.min(threads)), length));
                }
                let mut candidates: Vec<Candidate> = waiting.iter().map(|(job, _)| *job).collect();
                candidates.push(large);
                let needs: Vec<Need> = running.iter().map(|(need, _)| *need).collect();
                let decision = decide(&candidates, &needs, Capacity { threads, memory: None });
                begun |= decision.start.contains(&large.id);
                if begun {
                    break;
                }
                large.overtaken += decision.overtaken.iter().filter(|(_, id)| *id == large.id).count() as u32;
                prop_assert!(large.overtaken <= PATIENCE);
                running.extend(waiting.extract_if(.., |(job, _)| decision.start.contains(&job.id)).map(|(job, length)| (job.need, length)));
                running.retain_mut(|(_, left)| { *left -= 1; *left > 0 });
            }
            prop_assert!(begun, "the large job never began");
        }
    }
}
