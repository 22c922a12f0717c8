//! Runs of a tiny BERT on rows drawn from a formula, and an observer that answers as it is told.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gyeol_data::{Targets, Tokenised};
use gyeol_kernels::{Isa, Operands};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::*;
use crate::config::EvaluateEvery;
use crate::device::{Cpu, Store};
use crate::heads::HeadKind;
use crate::hf::{EncoderConfig, Weights};
use crate::joint::Joint;
use crate::kept::KeptRows;
use crate::losses::{self, ClassTargets, Loss};
use crate::model::Model;
use crate::objectives::{FineTuning, TrainSet};
use crate::pass::DropoutStream;
use crate::random::mix;
use crate::sampling::Balance;

pub(super) const SEED: u64 = 7;
pub(super) const ROWS: u64 = 32;
const CLASSES: u64 = 4;

/// Texts of 3 to 12 tokens, the class of each the remainder of its first word.
pub(super) fn rows() -> (Tokenised, Targets) {
    let mut classes = Vec::new();
    let text = |row: u64| -> (Vec<u32>, Vec<u8>) {
        let words = (0..1 + mix(row) % 10).map(|word| (5 + mix(row << 8 | word) % 56) as u32);
        let ids: Vec<u32> = std::iter::once(2).chain(words).chain([3]).collect();
        classes.push(ids[1] % CLASSES as u32);
        let segments = vec![0; ids.len()];
        (ids, segments)
    };
    let tokens = (0..ROWS).map(text).collect();
    (tokens, Targets::Classes(classes))
}

/// Where an observer is heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    /// After this step.
    Step(u64),
    /// After this step, with so many rows evaluated.
    Rows(u64, usize),
    /// After the evaluation of this step.
    Evaluated(u64),
}

/// An observer that answers as it is told, and takes notes.
pub(super) struct Script<'a> {
    answer: Box<dyn FnMut(Moment) -> Action + 'a>,
    /// The metric after a step.
    score: fn(u64) -> f64,
    /// That of the mean of so many checkpoints.
    average_score: fn(usize) -> f64,
    pub(super) step: u64,
    pub(super) moments: Vec<Moment>,
    pub(super) losses: Vec<(u64, f64)>,
    pub(super) outputs: Vec<(u64, Vec<f32>)>,
    pub(super) improved: Vec<u64>,
    /// The mean of how many checkpoints is evaluated.
    averaging: Option<usize>,
    /// Whether to break off there.
    pub(super) breaks_averaging: bool,
    /// The outputs of the means, and how many checkpoints each is of.
    pub(super) averages: Vec<(usize, Vec<f32>)>,
    pub(super) saves: Vec<u64>,
    pub(super) resumed_at: Option<u64>,
}

impl<'a> Script<'a> {
    pub(super) fn new(answer: impl FnMut(Moment) -> Action + 'a) -> Self {
        Self {
            answer: Box::new(answer),
            score: peak_at_six,
            average_score: |_| -1.0,
            averaging: None,
            breaks_averaging: false,
            averages: Vec::new(),
            step: 0,
            moments: Vec::new(),
            losses: Vec::new(),
            outputs: Vec::new(),
            improved: Vec::new(),
            saves: Vec::new(),
            resumed_at: None,
        }
    }

    /// Lets the run go on.
    pub(super) fn silent() -> Self {
        Self::new(|_| Action::Continue)
    }

    /// Gives `action` at `moment`.
    pub(super) fn once(moment: Moment, action: Action) -> Self {
        Self::new(move |now| if now == moment { action } else { Action::Continue })
    }

    pub(super) fn scoring(self, score: fn(u64) -> f64) -> Self {
        Self { score, ..self }
    }

    pub(super) fn averages_scoring(self, average_score: fn(usize) -> f64) -> Self {
        Self { average_score, ..self }
    }

    fn at(&mut self, moment: Moment) -> Action {
        self.moments.push(moment);
        (self.answer)(moment)
    }
}

/// Rises to step 6 and falls from there.
fn peak_at_six(step: u64) -> f64 {
    -(step as f64 - 6.1).abs()
}

/// Every evaluation is better than those before.
pub(super) fn rising(step: u64) -> f64 {
    step as f64
}

impl Observer for Script<'_> {
    fn step(&mut self, report: &StepReport) -> Action {
        self.step = report.step;
        self.losses.push((report.step, report.loss.unwrap()));
        self.at(Moment::Step(report.step))
    }

    fn evaluated_rows(&mut self, done: usize) -> ControlFlow<()> {
        if self.averaging.is_some() {
            return if self.breaks_averaging { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        }
        match self.at(Moment::Rows(self.step, done)) {
            Action::Stop => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn score(&mut self, outputs: &[f32]) -> Score {
        if let Some(checkpoints) = self.averaging {
            self.averages.push((checkpoints, outputs.to_vec()));
            return (self.average_score)(checkpoints).into();
        }
        self.outputs.push((self.step, outputs.to_vec()));
        (self.score)(self.step).into()
    }

    fn average_begins(&mut self, checkpoints: usize) {
        self.averaging = Some(checkpoints);
    }

    fn evaluated(&mut self, evaluation: &Evaluation) -> Action {
        assert_eq!(evaluation.step, self.step);
        self.improved.extend(evaluation.improved.then_some(evaluation.step));
        self.at(Moment::Evaluated(evaluation.step))
    }

    fn saving(&mut self, step: u64) -> Value {
        json!({ "observed": step })
    }

    fn saved(&mut self) {
        self.saves.push(self.step);
    }

    fn resumed(&mut self, step: u64, kept: Value) {
        assert_eq!(kept, json!({ "observed": step }));
        self.step = step;
        self.resumed_at = Some(step);
    }
}

/// A run and the directory it writes to.
pub(super) struct Run {
    pub(super) dir: TempDir,
    pub(super) config: TrainConfig,
    /// Of the products: bfloat16 where the processor has it.
    pub(super) operands: Operands,
    pub(super) dropout: f32,
    pub(super) validate: bool,
    pub(super) balance: bool,
    /// Of all rows, those to evaluate on too.
    pub(super) row_weights: Option<Vec<f32>>,
    pub(super) stop_after: Option<u64>,
    pub(super) fingerprint: &'static str,
    pub(super) swa: SwaConfig,
}

/// What a run leaves behind, by its bits.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    pub(super) outcome: Outcome,
    weights: Vec<u32>,
    first_moments: Vec<u32>,
    second_moments: Vec<u32>,
    checkpoints: BTreeMap<PathBuf, Vec<u8>>,
}

impl Run {
    /// 22 rows to train on, six to a step: three epochs of four steps, the last of four rows; ten to evaluate on.
    pub(super) fn new() -> Self {
        let config = TrainConfig {
            epochs: 3,
            batch_size: 3,
            accumulate: 2,
            eval_batch_size: 4,
            learning_rate: 1e-3,
            warmup_steps: 2,
            evaluate_every: EvaluateEvery::Steps(3),
            keep: 2,
            ..TrainConfig::default()
        };
        Self {
            dir: tempfile::tempdir().unwrap(),
            config,
            operands: if Isa::fastest().has_bf16() { Operands::Bf16 } else { Operands::F32 },
            dropout: 0.1,
            validate: true,
            balance: false,
            row_weights: None,
            stop_after: None,
            fingerprint: "this run",
            swa: SwaConfig::default(),
        }
    }

    /// That with other settings.
    pub(super) fn with(change: impl FnOnce(&mut TrainConfig)) -> Self {
        let mut run = Self::new();
        change(&mut run.config);
        run
    }

    pub(super) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// `state.json`, if a state was saved.
    pub(super) fn saved(&self) -> Option<Value> {
        let text = fs::read(self.state().join("state.json")).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    pub(super) fn checkpoints(&self) -> PathBuf {
        self.dir.path().join("checkpoints")
    }

    pub(super) fn checkpoint(&self, step: u64) -> PathBuf {
        self.checkpoints().join(format!("step-{step:08}.safetensors"))
    }

    /// The pretrained model with room to train.
    fn model(&self) -> Model<Cpu> {
        let origin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bert_cls");
        let mut config = EncoderConfig::read(&origin).unwrap();
        config.set_dropout(self.dropout);
        let head = HeadKind::Classification { outputs: CLASSES as usize };
        let mut model = Model::new(Cpu::new(Isa::fastest(), self.operands), config, head, true).unwrap();
        model.load(&Weights::open(&origin).unwrap().unwrap(), &origin, SEED).unwrap();
        model
    }

    /// The model with the weights of a checkpoint of this run.
    pub(super) fn model_of(&self, step: u64) -> Model<Cpu> {
        let (mut model, path) = (self.model(), self.checkpoint(step));
        model.load(&Weights::open_file(&path).unwrap(), &path, SEED).unwrap();
        model
    }

    /// Trains a model of its own.
    pub(super) fn go(&self, resume: bool, script: &mut Script<'_>) -> Result<(Outcome, Model<Cpu>), TrainError> {
        let mut model = Joint::from(self.model());
        let (tokens, targets) = rows();
        let tokens = [tokens];
        let (valid, train): (Vec<u32>, Vec<u32>) = (0..ROWS as u32).partition(|row| row % 3 == 2);
        let set = |rows| TrainSet { tokens: &tokens, targets: &targets, rows };
        let Targets::Classes(classes) = targets.select(&train) else { unreachable!("rows have classes") };
        let balance = self.balance.then(|| Balance::new(&train, &classes));
        let mut trainer = Trainer {
            model: &mut model,
            config: &self.config,
            objective: FineTuning {
                loss: &loss(),
                train: set(&train),
                kept: vec![KeptRows::default()],
                kept_valid: vec![KeptRows::default()],
                row_weights: self.row_weights.as_deref(),
                balance: balance.as_ref(),
                valid: self.validate.then_some(set(&valid)),
            },
            seed: SEED,
            stop_after: self.stop_after,
            higher_is_better: true,
            guard: None,
            swa: self.swa,
            paths: TrainPaths { checkpoints: self.checkpoints(), state: self.state() },
            fingerprint: self.fingerprint.to_owned(),
        };
        let outcome = trainer.run(resume, script)?;
        Ok((outcome, model.into_members().remove(0)))
    }

    /// Trains, and looks at what is left.
    pub(super) fn end(&self, resume: bool, script: &mut Script<'_>) -> End {
        let (outcome, mut model) = self.go(resume, script).unwrap();
        let [weights, first_moments, second_moments] =
            [Store::Weights, Store::FirstMoments, Store::SecondMoments].map(|store| bits(&mut model, store));
        End { outcome, weights, first_moments, second_moments, checkpoints: files(&self.checkpoints()) }
    }

    /// The same training written out by hand: rows in the order of the file, no evaluation; those that weigh nothing are left
    /// out and count in the mean, all others weigh 1.
    pub(super) fn by_hand(&self) -> Model<Cpu> {
        let (tokens, targets) = rows();
        let train: Vec<u32> = (0..ROWS as u32).filter(|row| row % 3 != 2).collect();
        let mut model = self.model();
        let (mut step, mut pass) = (0, 0);
        for _ in 0..self.config.epochs {
            for window in train.chunks(6) {
                let share = 1.0 / loss().total_weight(&targets.select(window));
                let weighs = |row: &&u32| self.row_weights.as_ref().is_none_or(|weights| weights[**row as usize] > 0.0);
                let window: Vec<u32> = window.iter().filter(weighs).copied().collect();
                for rows in window.chunks(3) {
                    let kept = &KeptRows::default();
                    let (outputs, _) =
                        model.forward(&tokens.batch(rows), kept, DropoutStream::new(SEED, pass)).unwrap();
                    let (_, gradient) = losses::loss(&loss(), &outputs, &targets.select(rows), share);
                    model.backward(&gradient);
                    pass += 1;
                }
                model.optimise(&self.config, learning_rate(&self.config, step, 12), step + 1);
                step += 1;
            }
        }
        model
    }
}

/// Cross-entropy in which classes weigh differently, so that what a window is divided by is not its number of rows.
fn loss() -> Loss {
    Loss::CrossEntropy(ClassTargets { weights: Some(vec![0.25, 0.75, 1.0, 2.0]), label_smoothing: 0.1 })
}

pub(super) fn bits(model: &mut Model<Cpu>, store: Store) -> Vec<u32> {
    model.download(store).iter().map(|value| value.to_bits()).collect()
}

/// The files of a directory; none if it is not there.
pub(super) fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let Ok(entries) = fs::read_dir(dir) else { return BTreeMap::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap()))
        .collect()
}

pub(super) fn steps_of(best: &[KeptCheckpoint]) -> Vec<u64> {
    best.iter().map(|kept| kept.step).collect()
}
