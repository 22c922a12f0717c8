//! Masked language models in the same loop: a run that stops after every step ends at the bits of one that does not, also
//! where a step's texts have no hidden token.

use std::path::Path;

use gyeol_data::{MaskVocabulary, Tokenised};
use gyeol_kernels::{Isa, Operands};

use super::*;
use crate::device::Cpu;
use crate::heads::HeadKind;
use crate::hf::{EncoderConfig, Weights};
use crate::masking::Masking;
use crate::model::Model;
use crate::objectives::MaskedLm;

/// Stops after each step, or never; notes the losses.
struct Stopping {
    stops: bool,
    losses: Vec<Option<f64>>,
}

impl Observer for Stopping {
    fn step(&mut self, report: &StepReport) -> Action {
        self.losses.push(report.loss);
        if self.stops { Action::Stop } else { Action::Continue }
    }

    fn score(&mut self, losses: &[f32]) -> Score {
        (losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64).into()
    }

    fn evaluated(&mut self, _: &Evaluation) -> Action {
        Action::Continue
    }
}

/// What is trained on: `texts` of so many ordinary tokens, these settings, and the share of tokens to hide.
struct Case<'a> {
    texts: &'a [u32],
    settings: TrainConfig,
    share: f64,
}

impl Case<'_> {
    fn tokens(&self) -> Tokenised {
        let text = |(row, &length): (u32, &u32)| {
            let inner = (0..length).map(|token| 10 + (7 * row + 3 * token) % 40);
            let ids: Vec<u32> = std::iter::once(2).chain(inner).chain([3]).collect();
            let segments = vec![0; ids.len()];
            (ids, segments)
        };
        (0..).zip(self.texts).map(text).collect()
    }
}

/// The bits of all weights and moments at the end, and the loss of each step.
fn train(case: &Case<'_>, stops: bool) -> (Vec<Vec<u32>>, Vec<Option<f64>>) {
    let tokens = case.tokens();
    let origin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/masked_bert");
    let config = EncoderConfig::read(&origin).unwrap();
    let special = (0..config.vocab_size).map(|id| id < 5).collect();
    let vocabulary = MaskVocabulary { mask: 4, special, continues: vec![false; config.vocab_size] };
    let isa = Isa::fastest();
    let operands = if isa.has_bf16() { Operands::Bf16 } else { Operands::F32 };
    let mut model = Model::new(Cpu::new(isa, operands), config, HeadKind::MaskedLm, true).unwrap();
    model.load(&Weights::open(&origin).unwrap().unwrap(), &origin, 1).unwrap();
    let rows: Vec<u32> = (0..case.texts.len() as u32).collect();
    let dir = tempfile::tempdir().unwrap();
    let mut observer = Stopping { stops, losses: Vec::new() };
    loop {
        let masking = Masking { vocabulary: &vocabulary, share: case.share, whole_words: false };
        let outcome = Trainer {
            model: &mut model,
            config: &case.settings,
            objective: MaskedLm { tokens: &tokens, masking, train: &rows, valid: &[], valid_seed: 0 },
            seed: 5,
            stop_after: None,
            higher_is_better: false,
            guard: None,
            swa: SwaConfig::default(),
            paths: TrainPaths { checkpoints: dir.path().join("checkpoints"), state: dir.path().join("state") },
            fingerprint: String::new(),
        }
        .run(stops, &mut observer)
        .unwrap();
        if outcome.reason == StopReason::Finished {
            let stores = [Store::Weights, Store::FirstMoments, Store::SecondMoments];
            let bits = stores.map(|store| model.download(store).iter().map(|value| value.to_bits()).collect());
            return (bits.into(), observer.losses);
        }
    }
}

#[test]
fn steps_without_a_hidden_token_have_no_loss_move_nothing_and_resume_like_any() {
    // Texts of one or two ordinary tokens, of which few are hidden: many of the windows of two texts have none.
    let texts: Vec<u32> = (0..13).map(|row| 1 + row % 2).collect();
    let settings = TrainConfig { epochs: 3, batch_size: 2, learning_rate: 1e-2, keep: 1, ..TrainConfig::default() };
    let case = Case { texts: &texts, settings, share: 0.15 };
    let (expected, losses) = train(&case, false);
    let without = losses.iter().filter(|loss| loss.is_none()).count();
    assert_eq!(losses.len(), 21);
    assert!((5..20).contains(&without), "{without} of 21 steps have no hidden token");
    assert!(losses.iter().flatten().all(|&loss| loss > 0.0));
    let (found, again) = train(&case, true);
    assert_eq!(again, losses);
    assert!(found == expected, "the weights differ");
}

#[test]
fn steps_without_a_hidden_token_are_no_measure_of_whether_a_training_goes_off() {
    // Were they steps of loss 0, the ordinary ones after them would be far above where the training began.
    let texts: Vec<u32> = [[0; 20], [12; 20]].concat();
    let settings =
        TrainConfig { epochs: 1, batch_size: 1, shuffle: false, learning_rate: 1e-4, ..TrainConfig::default() };
    let (_, losses) = train(&Case { texts: &texts, settings, share: 0.5 }, false);
    assert!(losses[..20].iter().all(Option::is_none));
    assert!(losses[20..].iter().all(|loss| loss.is_some_and(|loss| loss > 1.0)), "{losses:?}");
}
