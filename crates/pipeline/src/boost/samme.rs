//! SAMME (Zhu, Zou, Rosset, Hastie 2009, "Multi-class AdaBoost"): the weights of rows and the votes of models, as arithmetic.
//!
//! In all that the paper leaves open it is scikit-learn's `AdaBoostClassifier`: the shrinkage, when it ends, and that no
//! weight falls below the precision of a number. Nothing here trains.

/// The weights of rows, round by round.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Samme {
    /// Of each row; 1 together.
    weights: Vec<f64>,
    classes: usize,
    learning_rate: f64,
}

/// What a round comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// It votes with `alpha`, above 0, and the rows it is wrong about weigh more.
    Boosts {
        /// The weight of the rows it is wrong about, of all; above 0.
        error: f64,
        /// Its vote.
        alpha: f64,
    },
    /// It votes as one that boosts, but the rows it is wrong about would weigh more than a number holds: none follows.
    Overflows {
        /// The weight of the rows it is wrong about, of all; above 0.
        error: f64,
        /// Its vote.
        alpha: f64,
    },
    /// It is right about every row, and the last: there is nothing left to weigh more. It votes with 1.
    Perfect,
    /// It is no better than guessing: it does not vote, and none follows.
    Chance {
        /// The weight of the rows it is wrong about, of all; 1 − 1/K or more.
        error: f64,
    },
}

impl Samme {
    /// `rows` rows of `classes` classes, which all weigh the same.
    pub(super) fn new(rows: usize, classes: usize, learning_rate: f64) -> Self {
        Self { weights: vec![1.0 / rows as f64; rows], classes, learning_rate }
    }

    /// What the rows weigh in the next round; their mean is 1.
    pub(super) fn weights(&self) -> Vec<f32> {
        let rows = self.weights.len() as f64;
        self.weights.iter().map(|weight| (weight * rows) as f32).collect()
    }

    /// Takes a round that is `wrong` about some of the rows.
    ///
    /// # Panics
    /// If there are not as many of them as rows.
    pub(super) fn take(&mut self, wrong: &[bool]) -> Verdict {
        assert_eq!(wrong.len(), self.weights.len(), "a word for each row");
        let of_wrong = self.weights.iter().zip(wrong).filter(|(_, wrong)| **wrong).map(|(weight, _)| weight);
        let error = of_wrong.sum::<f64>() / self.weights.iter().sum::<f64>();
        if error <= 0.0 {
            return Verdict::Perfect;
        }
        let classes = self.classes as f64;
        if error >= 1.0 - 1.0 / classes {
            return Verdict::Chance { error };
        }
        let alpha = self.learning_rate * (((1.0 - error) / error).ln() + (classes - 1.0).ln());
        // Shares of votes are of a finite sum, whatever the learning rate.
        let alpha = alpha.min(f64::MAX);
        for (weight, _) in self.weights.iter_mut().zip(wrong).filter(|(_, wrong)| **wrong) {
            *weight *= alpha.exp();
        }
        let all: f64 = self.weights.iter().sum();
        if !all.is_finite() {
            return Verdict::Overflows { error, alpha };
        }
        // Right throughout, a row would in the end weigh nothing at all, and never come back.
        self.weights.iter_mut().for_each(|weight| *weight = (*weight / all).max(f64::EPSILON));
        Verdict::Boosts { error, alpha }
    }
}

#[cfg(test)]
mod tests {
    use gyeol_eval::{Outputs, Predictions};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    /// What scikit-learn does with models whose predictions are given.
    #[derive(Deserialize)]
    struct Case {
        name: String,
        classes: usize,
        learning_rate: f64,
        truth: Vec<u32>,
        /// Of the training rows, by round.
        predicted: Vec<Vec<u32>>,
        /// Of other rows, by round.
        others: Vec<Vec<u32>>,
        /// Of the rows, 1 together, as each round was fitted to them.
        weights: Vec<Vec<f64>>,
        errors: Vec<f64>,
        alphas: Vec<f64>,
        /// Of the other rows, row-major; of two classes one number a row. Absent where nothing is fitted.
        decision: Option<Vec<f64>>,
        prediction: Option<Vec<u32>>,
    }

    fn near(got: f64, want: f64) -> bool {
        (got - want).abs() <= 1e-9 * want.abs().max(1.0)
    }

    fn predictions(classes: usize, predicted: &[u32]) -> Predictions {
        let labels = (0..classes).map(|class| class.to_string()).collect();
        let of = |&class: &u32| (0..classes as u32).map(move |other| if other == class { 1.0 } else { 0.0 });
        let values = predicted.iter().flat_map(of).collect();
        let ids = (0..predicted.len()).map(|row| row.to_string()).collect();
        Predictions::new("id", ids, Outputs::Probabilities { labels, values }).unwrap()
    }

    #[test]
    fn weights_errors_votes_and_predictions_are_those_of_scikit_learn() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/golden/samme.json")).unwrap();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let Case { name, classes, .. } = &case;
            let mut samme = Samme::new(case.truth.len(), *classes, case.learning_rate);
            let (mut errors, mut alphas, mut fitted) = (Vec::new(), Vec::new(), 0);
            for (round, predicted) in case.predicted.iter().enumerate() {
                let weights = &case.weights[round];
                assert_eq!(samme.weights.len(), weights.len(), "{name}");
                assert!(samme.weights.iter().zip(weights).all(|(got, want)| near(*got, *want)), "{name}: {samme:?}");
                fitted += 1;
                let wrong: Vec<bool> = predicted.iter().zip(&case.truth).map(|(one, other)| one != other).collect();
                match samme.take(&wrong) {
                    Verdict::Boosts { error, alpha } => {
                        errors.push(error);
                        alphas.push(alpha);
                    }
                    Verdict::Perfect => {
                        errors.push(0.0);
                        alphas.push(1.0);
                        break;
                    }
                    Verdict::Overflows { .. } | Verdict::Chance { .. } => break,
                }
            }
            assert_eq!(fitted, case.weights.len(), "{name}");
            let same = |got: &[f64], want: &[f64]| {
                got.len() == want.len() && got.iter().zip(want).all(|(got, want)| near(*got, *want))
            };
            assert!(same(&errors, &case.errors) && same(&alphas, &case.alphas), "{name}: {errors:?} {alphas:?}");
            let (Some(decision), Some(prediction)) = (&case.decision, &case.prediction) else { continue };
            let parts: Vec<Predictions> =
                case.others[..alphas.len()].iter().map(|predicted| predictions(*classes, predicted)).collect();
            let votes = Predictions::votes(&parts, &alphas).unwrap();
            assert_eq!(&votes.outputs().argmax(), prediction, "{name}");
            // A vote for a class is 1 for it and −1/(K − 1) for each other there; of two classes their difference.
            let shares = votes.outputs().values().iter().map(|share| f64::from(*share));
            let scaled: Vec<f64> = shares.map(|share| share - (1.0 - share) / (*classes as f64 - 1.0)).collect();
            let ours = match classes {
                2 => scaled.chunks(2).map(|row| row[1] - row[0]).collect(),
                _ => scaled,
            };
            assert_eq!(ours.len(), decision.len());
            assert!(ours.iter().zip(decision).all(|(got, want)| (got - want).abs() < 1e-6), "{name}: {ours:?}");
        }
    }

    proptest! {
        #[test]
        fn after_a_round_the_rows_it_was_wrong_about_weigh_as_much_as_guessing_gets_wrong(
            rounds in vec(vec(any::<bool>(), 12), 1..5), classes in 2usize..6
        ) {
            let mut samme = Samme::new(12, classes, 1.0);
            for wrong in rounds {
                let Verdict::Boosts { error, alpha } = samme.take(&wrong) else { break };
                prop_assert!(error > 0.0 && alpha > 0.0);
                let of_wrong = |weights: &[f32]| -> f32 {
                    weights.iter().zip(&wrong).filter(|(_, wrong)| **wrong).map(|(weight, _)| weight).sum()
                };
                let weights = samme.weights();
                prop_assert!((weights.iter().sum::<f32>() / 12.0 - 1.0).abs() < 1e-5);
                prop_assert!((of_wrong(&weights) / 12.0 - (1.0 - 1.0 / classes as f32)).abs() < 1e-5);
            }
        }

        #[test]
        fn weights_stay_above_nothing_however_many_rounds(wrong in 0usize..5, rounds in 1usize..80) {
            let mut samme = Samme::new(5, 2, 3.0);
            for round in 0..rounds {
                let of_round: Vec<bool> = (0..5).map(|row| row == (wrong + round % 2) % 5).collect();
                samme.take(&of_round);
                prop_assert!(samme.weights().iter().all(|weight| weight.is_finite() && *weight > 0.0));
            }
        }
    }

    #[test]
    fn weights_that_are_no_finite_numbers_end_the_rounds_with_a_vote_that_is_one() {
        for learning_rate in [1e3, 1e308] {
            let mut samme = Samme::new(5, 2, learning_rate);
            let Verdict::Overflows { error, alpha } = samme.take(&[true, false, false, false, false]) else {
                panic!("{learning_rate}: {samme:?}")
            };
            assert!((error - 0.2).abs() < 1e-12 && alpha > 709.0 && alpha.is_finite(), "{error} {alpha}");
        }
        let mut samme = Samme::new(5, 2, 100.0);
        assert!(matches!(samme.take(&[true, false, false, false, false]), Verdict::Boosts { .. }));
    }

    #[test]
    fn a_small_learning_rate_moves_weights_and_votes_less() {
        let wrong = [true, false, false, false, false];
        let after = |learning_rate| {
            let mut samme = Samme::new(5, 3, learning_rate);
            let Verdict::Boosts { alpha, .. } = samme.take(&wrong) else { panic!("one of five is wrong") };
            (alpha, samme.weights()[0])
        };
        let ((whole, heavy), (half, less)) = (after(1.0), after(0.5));
        assert!((whole - 2.0 * half).abs() < 1e-12 && heavy > less && less > 1.0, "{whole} {half} {heavy} {less}");
    }
}
