//! Greedy selection with replacement (Caruana, Niculescu-Mizil, Crew, Ksikes 2004, "Ensemble Selection from Libraries of Models",
//! <https://doi.org/10.1145/1015330.1015432>).

use super::fit_target::{Quality, Target};

/// The weights of `steps` picks or fewer: the first is the best member, each further one the member whose addition to the
/// mean of the picks is the best, picked before or not; the first of equals. The mean may get worse again, so only the picks up to
/// the best one count, the shortest such. Weights are counts over picks.
///
/// `values` are the members' numbers. Each step costs one judgement a member, over a running sum.
pub(super) fn select(values: &[&[f32]], target: &Target<'_>, steps: usize) -> Vec<f64> {
    let mut sum = vec![0f64; values.first().map_or(0, |values| values.len())];
    let mut picks: Vec<usize> = Vec::with_capacity(steps);
    let mut best: Option<(usize, Quality)> = None;
    for step in 0..steps {
        let share = 1.0 / (step + 1) as f64;
        let pick = target.best(values.len(), |member, start, out| {
            let (sum, values) = (&sum[start..start + out.len()], &values[member][start..start + out.len()]);
            for ((out, sum), &value) in out.iter_mut().zip(sum).zip(values) {
                *out = ((sum + f64::from(value)) * share) as f32;
            }
        });
        let Some((pick, quality)) = pick else { break };
        picks.push(pick);
        sum.iter_mut().zip(values[pick]).for_each(|(sum, &value)| *sum += f64::from(value));
        if best.is_none_or(|(_, best)| target.better(quality, best)) {
            best = Some((step + 1, quality));
        }
    }
    picks.truncate(best.map_or(0, |(length, _)| length));
    let count = |member: usize| picks.iter().filter(|pick| **pick == member).count();
    (0..values.len()).map(|member| count(member) as f64 / picks.len() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metric, Truth};

    #[test]
    fn it_starts_from_the_best_member_and_adds_what_mends_it() {
        // The second is right about rows 0 to 2 and the third about row 3, surely.
        let members: [&[f32]; 3] = [
            &[0.4, 0.6, 0.4, 0.6, 0.9, 0.1, 0.9, 0.1],
            &[0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.6, 0.4],
            &[0.6, 0.4, 0.4, 0.6, 0.4, 0.6, 0.1, 0.9],
        ];
        let target = Target::new(Metric::Accuracy, Truth::Classes(&[0, 0, 0, 1]), 2);
        assert_eq!(select(&members, &target, 1), [0.0, 1.0, 0.0]);
        assert_eq!(select(&members, &target, 2), [0.0, 0.5, 0.5]);
    }

    #[test]
    fn picks_that_make_it_worse_do_not_count() {
        let members: [&[f32]; 2] = [&[1.0, 2.0, 3.0], &[3.0, 1.0, 2.0]];
        let target = Target::new(Metric::Rmse, Truth::Scores(&[1.0, 2.0, 3.0]), 1);
        assert_eq!(select(&members, &target, 20), [1.0, 0.0]);
    }

    #[test]
    fn of_equal_members_the_first_is_picked() {
        let members: [&[f32]; 2] = [&[1.0, 2.5], &[1.0, 2.5]];
        let target = Target::new(Metric::Rmse, Truth::Scores(&[1.0, 2.0]), 1);
        assert_eq!(select(&members, &target, 7), [1.0, 0.0]);
    }
}
