//! What trials that were cut short at different lengths are worth to a sampler, which sees one value a trial.
//!
//! A trial that ran to its end is worth its best value. One that was cut after L evaluations has a value at L only, and values
//! at different lengths do not compare: an early loss is larger than a late one for no fault of the trial. BOHB (Falkner et al.,
//! ICML 2018) therefore models the longest length with enough trials and forgets the others; MOBSTER (Klein et al.,
//! arXiv:2003.10865) models all lengths together with a kernel over them, which only one kind of sampler could do. Here each
//! length is carried to the next instead, so that any sampler works: those that went beyond L say what a value at L comes to, and a
//! monotone regression through them (isotonic, by pooling adjacent violators: Barlow et al., 1972) reads it off. So
//! - among trials cut at the same length the order is that of their values;
//! - a trial is never thought better than those that were better at its length and went on have turned out on the whole;
//! - values keep the metric's units, so that a model of them, and not of ranks alone, makes sense.
//!
//! Beyond the trials that went on there is nothing to read off, and a trial keeps its distance to the nearest of them.

use crate::{
    pruners::{Curve, State},
    samplers::Outcome,
};

/// The outcome of each trial of `history`, in its order.
///
/// Trials that are paused, stopped or running count with what their values are expected to come to. A running trial without a
/// value is pending. A trial without a single number among its values failed, whatever it says.
pub fn outcomes(history: &[Curve]) -> Vec<Outcome> {
    let settled = |curve: &Curve| match curve.state {
        // Nothing is read off a trial that failed, however good it was before.
        State::Failed => Some(f64::INFINITY),
        State::Finished => Some(curve.best(usize::MAX)),
        // A trial that has diverged is worth what it had.
        _ => curve.values.last().filter(|value| value.is_nan()).map(|_| curve.best(usize::MAX)),
    };
    let mut worth: Vec<Option<f64>> = history.iter().map(settled).collect();
    let mut cut: Vec<usize> = (0..history.len()).filter(|index| worth[*index].is_none()).collect();
    // The longest first, so that what is read off is known. Trials of one length are all read off the same others.
    cut.sort_by_key(|index| std::cmp::Reverse(history[*index].values.len()));
    for same in cut.chunk_by(|one, other| history[*one].values.len() == history[*other].values.len()) {
        let length = history[same[0]].values.len();
        let beyond = history.iter().zip(&worth).filter_map(|(curve, worth)| Some((curve.best(length), (*worth)?)));
        let curve = Monotone::through(beyond.filter(|(there, worth)| there.is_finite() && worth.is_finite()).collect());
        for index in same {
            worth[*index] = Some(curve.at(history[*index].best(length)));
        }
    }
    let outcome = |(curve, worth): (&Curve, Option<f64>)| match curve.state {
        State::Failed => Outcome::Failed,
        State::Running | State::Paused if curve.values.is_empty() => Outcome::Pending,
        _ => worth.filter(|worth| worth.is_finite()).map_or(Outcome::Failed, Outcome::Value),
    };
    history.iter().zip(worth).map(outcome).collect()
}

/// A function that never falls: linear between points, with a slope of 1 outside them.
struct Monotone(Vec<(f64, f64)>);

impl Monotone {
    /// The least-squares fit through points (x, y).
    fn through(mut points: Vec<(f64, f64)>) -> Self {
        points.sort_by(|(a, c), (b, d)| a.total_cmp(b).then(c.total_cmp(d)));
        // Blocks of neighbours whose means would fall, pooled: the sum of their y and the places of their first and last.
        let mut blocks: Vec<(f64, usize, usize)> = Vec::new();
        for (place, (x, y)) in points.iter().enumerate() {
            let mut block = (*y, place, place);
            while let Some(before) = blocks.last() {
                let mean = |block: &(f64, usize, usize)| block.0 / (block.2 - block.1 + 1) as f64;
                if mean(before) < mean(&block) && points[before.2].0 < *x {
                    break;
                }
                block = (before.0 + block.0, before.1, block.2);
                blocks.pop();
            }
            blocks.push(block);
        }
        let ends = |(sum, first, last): &(f64, usize, usize)| {
            let mean = sum / (last - first + 1) as f64;
            let mut ends = vec![(points[*first].0, mean), (points[*last].0, mean)];
            ends.dedup();
            ends
        };
        Self(blocks.iter().flat_map(ends).collect())
    }

    /// Its value at `x`; `x` itself where there are no points.
    fn at(&self, x: f64) -> f64 {
        let after = self.0.partition_point(|(place, _)| *place < x);
        match (after.checked_sub(1).map(|before| self.0[before]), self.0.get(after)) {
            (None, None) => x,
            (None, Some((first, y))) => y - (first - x),
            (Some((last, y)), None) => y + (x - last),
            (Some((left, low)), Some((right, high))) => low + (high - low) * (x - left) / (right - left),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn curve(values: &[f64], state: State) -> Curve {
        Curve { trial: 1, values: values.to_vec(), planned: None, state }
    }

    fn value(outcome: Outcome) -> f64 {
        match outcome {
            Outcome::Value(value) => value,
            other => panic!("{other:?} is no value"),
        }
    }

    fn assert_close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} and {b}");
    }

    #[test]
    fn trials_that_ended_are_worth_their_best() {
        let history = [curve(&[0.6, 0.4, f64::NAN], State::Finished), curve(&[0.7], State::Finished)];
        assert_eq!(outcomes(&history), [Outcome::Value(0.4), Outcome::Value(0.7)]);
    }

    #[test]
    fn without_longer_trials_values_are_what_they_are() {
        let history = [curve(&[0.6], State::Paused), curve(&[0.7], State::Stopped), curve(&[0.5], State::Running)];
        assert_eq!(outcomes(&history), [Outcome::Value(0.6), Outcome::Value(0.7), Outcome::Value(0.5)]);
    }

    #[test]
    fn a_value_is_carried_by_what_became_of_its_like() {
        let history = [
            curve(&[0.60, 0.30], State::Finished),
            curve(&[0.70, 0.50], State::Finished),
            curve(&[0.65], State::Paused), // halfway between the two
            curve(&[0.90], State::Paused), // 0.2 worse than the worse of them
            curve(&[0.55], State::Paused), // 0.05 better than the better
        ];
        let worth: Vec<f64> = outcomes(&history).into_iter().map(value).collect();
        for (worth, expected) in worth.into_iter().zip([0.30, 0.50, 0.40, 0.70, 0.25]) {
            assert_close(worth, expected);
        }
    }

    #[test]
    fn lengths_are_carried_one_to_the_next() {
        let history = [
            curve(&[0.6, 0.5, 0.3], State::Finished),
            curve(&[0.7, 0.6], State::Paused), // comes to 0.4
            curve(&[0.65], State::Paused),     // halfway between 0.3 and 0.4
        ];
        assert_close(value(outcomes(&history)[2]), 0.35);
    }

    #[test]
    fn what_has_no_number_failed_and_what_has_not_begun_is_pending() {
        let history = [
            curve(&[f64::NAN], State::Finished),
            curve(&[f64::NAN], State::Paused),
            curve(&[0.1], State::Failed),
            curve(&[], State::Running),
            curve(&[0.4], State::Finished),
        ];
        let expected = [Outcome::Failed, Outcome::Failed, Outcome::Failed, Outcome::Pending, Outcome::Value(0.4)];
        assert_eq!(outcomes(&history), expected);
    }

    #[test]
    fn the_regression_is_the_least_squares_one_that_never_falls() {
        // The example of scikit-learn's guide: sklearn.isotonic.isotonic_regression([5, 3, 1, 2, 8, 10, 7, 9, 6, 4]).
        let y = [5.0, 3.0, 1.0, 2.0, 8.0, 10.0, 7.0, 9.0, 6.0, 4.0];
        let fit = Monotone::through((0..).map(f64::from).zip(y).collect());
        for (x, expected) in (0..).map(f64::from).zip([2.75; 4].into_iter().chain([22.0 / 3.0; 6])) {
            assert_close(fit.at(x), expected);
        }
        let ties = Monotone::through(vec![(1.0, 3.0), (1.0, 5.0), (2.0, 6.0)]);
        assert_close(ties.at(1.0), 4.0);
        assert_close(ties.at(1.5), 5.0);
    }

    proptest! {
        #[test]
        fn trials_cut_at_one_length_keep_their_order(
            curves in prop::collection::vec((prop::collection::vec(0.0..1.0f64, 1..8), 0..4usize), 1..20)
        ) {
            let states = [State::Paused, State::Stopped, State::Running, State::Finished];
            let history: Vec<Curve> = curves.iter().map(|(values, state)| curve(values, states[*state])).collect();
            let outcomes = outcomes(&history);
            let cut = |index: &usize| history[*index].state != State::Finished;
            for one in (0..history.len()).filter(cut) {
                for other in (0..history.len()).filter(cut) {
                    let length = history[one].values.len();
                    if length == history[other].values.len() && history[one].best(length) <= history[other].best(length) {
                        prop_assert!(value(outcomes[one]) <= value(outcomes[other]) + 1e-12);
                    }
                }
            }
        }
    }
}
