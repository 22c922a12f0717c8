//! How large the batches of a run get. Which rows fall into one is a function of settings and seed, so that the memory of a run
//! is known before it begins.

use gyeol_data::Tokenised;

use super::{TrainPlan, window};
use crate::config::TrainConfig;
use crate::model::Extent;
use crate::sampling::{self, Balance};

/// Rows of all epochs that are gone through: what half a second does.
const MOST_ROWS: u64 = 10_000_000;

/// What a later batch is allowed to have more than any that was gone through, which are hundreds of thousands: one part in so many.
const MARGIN: usize = 8;

impl TrainPlan {
    /// The most tokens and the most sequences of any batch that the plan trains on, as each of `tokens` has its rows: of `rows`,
    /// drawn by `balance`, in the order of `seed`. The epochs of the first ten million rows are gone through; where there are
    /// more, an eighth is allowed for them.
    ///
    /// # Panics
    /// If `config.batch_size` is 0.
    pub fn largest_batches(
        &self,
        config: &TrainConfig,
        rows: &[u32],
        balance: Option<&Balance>,
        seed: u64,
        tokens: &[Tokenised],
    ) -> Vec<Extent> {
        let mut largest = vec![Extent::default(); tokens.len()];
        let epochs = self.steps.div_ceil(self.steps_per_epoch.max(1));
        // Where nothing is drawn, every epoch is the first again.
        let drawn = config.shuffle || balance.is_some();
        let epochs = if drawn { epochs } else { epochs.min(1) };
        let gone_through = epochs.min((MOST_ROWS / rows.len().max(1) as u64).max(1));
        for epoch in 0..gone_through {
            let order = sampling::order(rows, balance, config.shuffle, seed, epoch);
            let steps = self.steps_per_epoch.min(self.steps - epoch * self.steps_per_epoch);
            let windows = (0..steps).map(|step| window(&order, self, step));
            for batch in windows.flat_map(|window| window.chunks(config.batch_size)) {
                for (largest, of) in largest.iter_mut().zip(tokens) {
                    let tokens = batch.iter().map(|&row| of.length(row as usize)).sum();
                    largest.tokens = largest.tokens.max(tokens);
                    largest.sequences = largest.sequences.max(batch.len() * of.sequences());
                }
            }
        }
        if gone_through < epochs {
            largest.iter_mut().for_each(|largest| largest.tokens += largest.tokens.div_ceil(MARGIN));
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::ops::ControlFlow;
    use std::path::{Path, PathBuf};

    use gyeol_kernels::Operands;

    use super::*;
    use crate::config::SwaConfig;
    use crate::device::{AllocationError, Reference};
    use crate::heads::HeadKind;
    use crate::hf::EncoderConfig;
    use crate::model::Model;
    use crate::objectives::{Accumulated, Objective, Window};
    use crate::trainer::{Action, Evaluation, Observer, Score, StepReport, TrainPaths, Trainer};

    /// Learns nothing, and notes which batches there are.
    struct Noting<'a> {
        rows: &'a [u32],
        balance: Option<&'a Balance>,
        batches: &'a RefCell<Vec<Vec<u32>>>,
    }

    impl<M> Objective<M> for Noting<'_> {
        fn rows(&self) -> &[u32] {
            self.rows
        }

        fn balance(&self) -> Option<&Balance> {
            self.balance
        }

        fn evaluated_rows(&self) -> Option<usize> {
            None
        }

        fn accumulate(&mut self, _: &mut M, window: Window<'_>) -> Result<Accumulated, AllocationError> {
            let batches = window.rows.chunks(window.batch_size).map(<[u32]>::to_vec);
            self.batches.borrow_mut().extend(batches);
            Ok(Accumulated::default())
        }

        fn evaluate(
            &mut self,
            _: &mut M,
            _: usize,
            _: &mut dyn FnMut(usize) -> ControlFlow<()>,
        ) -> Result<Option<Vec<f32>>, AllocationError> {
            Ok(None)
        }
    }

    struct Silent;

    impl Observer for Silent {
        fn step(&mut self, _: &StepReport) -> Action {
            Action::Continue
        }

        fn score(&mut self, _: &[f32]) -> Score {
            f64::NAN.into()
        }

        fn evaluated(&mut self, _: &Evaluation) -> Action {
            Action::Continue
        }
    }

    /// Texts of these lengths.
    fn tokens(lengths: &[usize]) -> Tokenised {
        lengths.iter().map(|&length| (vec![7; length], vec![0; length])).collect()
    }

    /// The most tokens of a batch that a trainer trains on, and those of the plan.
    fn trained_and_planned(
        config: &TrainConfig,
        lengths: &[usize],
        balance: Option<&Balance>,
        stop_after: Option<u64>,
    ) -> (usize, usize) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let encoder = EncoderConfig::read(&root.join("bert_cls")).unwrap();
        let head = HeadKind::Classification { outputs: 1 };
        let mut model = Model::new(Reference::scalar(Operands::F32), encoder, head, true).unwrap();
        let (rows, tokens): (Vec<u32>, _) = ((0..lengths.len() as u32).collect(), [tokens(lengths)]);
        let batches = RefCell::new(Vec::new());
        let paths = TrainPaths { checkpoints: PathBuf::new(), state: PathBuf::new() };
        Trainer {
            model: &mut model,
            config,
            objective: Noting { rows: &rows, balance, batches: &batches },
            seed: 5,
            stop_after,
            higher_is_better: true,
            guard: None,
            swa: SwaConfig::default(),
            paths,
            fingerprint: String::new(),
        }
        .run(false, &mut Silent)
        .unwrap();
        let trained = batches.borrow().iter().map(|batch| tokens[0].batch(batch).tokens()).max().unwrap();
        let plan = TrainPlan::new(config, rows.len());
        let plan = TrainPlan { steps: stop_after.unwrap_or(plan.steps), ..plan };
        let planned = plan.largest_batches(config, &rows, balance, 5, &tokens)[0];
        assert_eq!(planned.sequences, config.batch_size);
        (trained, planned.tokens)
    }

    const LENGTHS: [usize; 13] = [30, 3, 4, 5, 3, 17, 4, 9, 3, 26, 4, 5, 3];

    #[test]
    fn the_largest_batch_of_the_plan_is_the_largest_that_is_trained_on() {
        let config = TrainConfig { batch_size: 2, accumulate: 2, epochs: 3, ..TrainConfig::default() };
        for shuffle in [true, false] {
            for (max_steps, stop_after) in [(0, None), (9, None), (0, Some(2))] {
                let config = TrainConfig { shuffle, max_steps, ..config.clone() };
                let (trained, planned) = trained_and_planned(&config, &LENGTHS, None, stop_after);
                assert_eq!(trained, planned, "shuffled: {shuffle}, {max_steps} steps, stopped after {stop_after:?}");
            }
        }
        let config = TrainConfig { shuffle: false, ..config };
        assert_eq!(trained_and_planned(&config, &LENGTHS, None, None).1, 33, "not 30 and 26, which never meet");
    }

    #[test]
    fn more_epochs_than_can_be_gone_through_are_allowed_more() {
        let config = TrainConfig { batch_size: 2, epochs: u32::MAX, ..TrainConfig::default() };
        let rows: Vec<u32> = (0..LENGTHS.len() as u32).collect();
        let plan = TrainPlan::new(&config, rows.len());
        let planned = plan.largest_batches(&config, &rows, None, 5, &[tokens(&LENGTHS)]);
        // The two longest rows meet in some of the epochs.
        assert_eq!(planned, [Extent { tokens: 56 + 7, sequences: 2 }]);
    }

    #[test]
    fn a_row_that_is_drawn_again_counts_again() {
        let classes: Vec<u32> = (0..LENGTHS.len() as u32).map(|row| row.min(1)).collect();
        let balance = Balance::new(&(0..LENGTHS.len() as u32).collect::<Vec<_>>(), &classes);
        for shuffle in [true, false] {
            let config = TrainConfig { batch_size: 4, epochs: 2, shuffle, ..TrainConfig::default() };
            let (trained, planned) = trained_and_planned(&config, &LENGTHS, Some(&balance), None);
            assert_eq!(trained, planned, "shuffled: {shuffle}");
            assert!(planned > 30 + 26 + 17 + 9, "{planned}: more than the longest rows, each once");
        }
    }
}
