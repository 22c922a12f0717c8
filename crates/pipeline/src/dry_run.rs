//! What a run would take, before it is started: measured on a few of its own steps, never written anywhere.

use std::time::Instant;

use gyeol_engine::config::{EvaluateEvery, Select, SwaConfig, TrainConfig};
use gyeol_engine::{
    Action, Evaluation, FineTuning, Observer, Score, StepReport, TrainPaths, TrainPlan, TrainSet, Trained, Trainer,
};
use serde::Serialize;

use crate::boost;
use crate::division::Division;
use crate::masked_lm::Adaptation;
use crate::prepare::Prepared;
use crate::runs::Runs;
use crate::train::load_base;
use crate::{Error, Watcher, frozen, memory};

/// Steps measured, the first of which warms up.
const STEPS: u64 = 4;

/// A forward pass takes about a third of a training step.
const FORWARD_SHARE: f64 = 1.0 / 3.0;

/// What a run would take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Runs: one, or with `[folds]` one a fold, with `[boost]` one a round if none of them ends it, and all of these for each
    /// seed. Rows, steps and evaluations are those of one (the first), time and disk of all.
    pub runs: u32,
    /// Rows to train on.
    pub train_rows: usize,
    /// Rows to validate on.
    pub valid_rows: usize,
    /// Rows to predict.
    pub test_rows: usize,
    /// Tokens of one pass over the training rows.
    pub tokens_per_epoch: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Evaluations.
    pub evaluations: u64,
    /// Scalars of the model.
    pub parameters: usize,
    /// The instruction set computed with.
    pub isa: &'static str,
    /// What the recipe's precision comes to on it: `bf16` or `f32`.
    pub precision: &'static str,
    /// Tokens a second, measured.
    pub tokens_per_second: f64,
    /// Seconds of training, evaluation and prediction.
    pub seconds: f64,
    /// Memory of weights, their copies for the products, gradients, moments and the largest batch of the run, in bytes:
    /// computed from their shapes.
    pub memory_bytes: u64,
    /// Memory there is for them, in bytes; absent where the system does not tell.
    pub available_bytes: Option<u64>,
    /// Rows of a pass: as many as fit.
    pub batch_size: usize,
    /// Passes of a step.
    pub accumulate: usize,
    /// Disk of the model, the kept checkpoints and the resume state (twice while it is replaced), in bytes.
    pub disk_bytes: u64,
}

impl Estimate {
    /// The same training with each of `seeds` seeds.
    #[must_use]
    pub fn for_seeds(self, seeds: u32) -> Self {
        Self {
            runs: self.runs * seeds,
            seconds: self.seconds * f64::from(seeds),
            disk_bytes: self.disk_bytes * u64::from(seeds),
            ..self
        }
    }
}

/// Runs a few steps of `prepared` and scales them up.
///
/// # Errors
/// As training.
pub fn estimate(prepared: &Prepared, runs: &Runs, watcher: &mut dyn Watcher) -> Result<Estimate, Error> {
    if prepared.recipe.adapt.is_some() && !prepared.starts_from_best() {
        let adaptation = Adaptation::new(prepared, watcher)?;
        match adaptation.made_before(runs)? {
            Some((report, _)) => watcher.note(&format!("the base is adapted already: {}", report.run)),
            None => watcher.warning(&format!("{} comes first and is not in this estimate", adaptation.describe()?)),
        }
    }
    boost::refuse_round(&prepared.recipe)?;
    let fit = memory::fit(prepared, None)?;
    fit.warning.iter().for_each(|text| watcher.warning(text));
    watcher.phase("loading weights");
    let (mut model, _) = load_base(prepared, None)?;
    let (schedule, stop_after) = prepared.schedule();
    let recipe = &fit.batch.of_config(schedule);
    let runs = prepared.folds.iter().max().filter(|_| prepared.division == Division::Folds).map_or(1, |last| last + 1);
    let fold = if prepared.division == Division::Folds { Some(prepared.fold(0)?) } else { None };
    let (train, valid) = match &fold {
        Some((train, valid)) => {
            let set = |rows| TrainSet { rows, ..prepared.train_set() };
            (set(train), Some(set(valid)))
        }
        None => (prepared.train_set(), prepared.valid_set()),
    };
    let plan = TrainPlan::new(recipe, train.rows.len());
    let plan = TrainPlan { steps: stop_after.map_or(plan.steps, |last| last.min(plan.steps)), ..plan };
    watcher.phase("measuring a few steps");
    let config =
        TrainConfig { max_steps: STEPS.min(plan.steps), evaluate_every: EvaluateEvery::Epoch, ..recipe.clone() };
    let fine_tuning = frozen::fine_tuning(prepared, &fit, watcher);
    let mut clock = Clock { began: Instant::now(), seconds: Vec::new(), tokens: Vec::new() };
    // Nothing is saved without an observer that asks for it, and without validation rows there are no checkpoints.
    let nowhere = std::path::PathBuf::new();
    let parameters = model.models().iter().map(|model| model.table().len()).sum::<usize>();
    rayon::scope(|_| {
        Trainer {
            model: &mut model,
            config: &config,
            objective: FineTuning { train, balance: None, valid: None, ..fine_tuning },
            seed: prepared.recipe.seed,
            stop_after: None,
            higher_is_better: true,
            guard: None,
            swa: SwaConfig::default(),
            paths: TrainPaths { state: nowhere.clone(), checkpoints: nowhere },
            fingerprint: String::new(),
        }
        .run(false, &mut clock)
    })?;
    let tokens_per_second = clock.speed();
    let tokens = |rows: &[u32], of: &[gyeol_data::Tokenised]| -> u64 {
        of.iter().flat_map(|of| rows.iter().map(|&row| of.length(row as usize) as u64)).sum()
    };
    let tokens_per_epoch = tokens(train.rows, train.tokens);
    let epochs = plan.steps as f64 / plan.steps_per_epoch as f64;
    let valid_tokens = valid.map_or(0, |valid| tokens(valid.rows, valid.tokens)) as f64;
    let test = prepared.test.as_ref().map_or(0, |test| tokens(&test.rows, &test.tokens)) as f64;
    let boost = prepared.recipe.boost.as_ref();
    // Its errors decide what the rows weigh in the next round.
    let errors = boost.map_or(0, |_| tokens_per_epoch) as f64;
    let runs = boost.map_or(runs, |boost| boost.rounds);
    // The validation rows are predicted once more at the end.
    let forward = valid_tokens * (plan.evaluations + 1) as f64 + test + errors;
    let seconds = (tokens_per_epoch as f64 * epochs + forward * FORWARD_SHARE) / tokens_per_second;
    let moments: usize = model.models().iter().map(|model| model.moments_len(recipe.optimizer)).sum();
    let weights = (parameters * size_of::<f32>()) as u64;
    let state = weights + (moments * size_of::<f32>()) as u64;
    let state = if recipe.ema > 0.0 { state + weights } else { state };
    let swa = prepared.recipe.swa;
    // The best one is kept beside the latest.
    let kept = recipe.keep.max(swa.checkpoints) + usize::from(swa.select == Select::Last);
    let checkpoints = if valid.is_some() { plan.evaluations.min(kept as u64) } else { 0 };
    Ok(Estimate {
        runs,
        train_rows: train.rows.len(),
        valid_rows: valid.map_or(0, |valid| valid.rows.len()),
        test_rows: prepared.test.as_ref().map_or(0, |test| test.rows.len()),
        tokens_per_epoch,
        steps: plan.steps,
        evaluations: if valid.is_some() { plan.evaluations } else { 0 },
        parameters,
        isa: prepared.arithmetic.isa(),
        precision: prepared.arithmetic.precision(),
        tokens_per_second,
        seconds: seconds * f64::from(runs),
        memory_bytes: fit.memory.total(),
        available_bytes: fit.available,
        batch_size: recipe.batch_size,
        accumulate: recipe.accumulate,
        // A fold, or a round, that is done keeps its model alone.
        disk_bytes: weights * (u64::from(runs) + checkpoints) + 2 * state,
    })
}

/// Times the steps.
struct Clock {
    began: Instant,
    seconds: Vec<f64>,
    tokens: Vec<usize>,
}

impl Clock {
    /// Tokens a second over all steps but the first, if there are others.
    fn speed(&self) -> f64 {
        let from = usize::from(self.seconds.len() > 1);
        self.tokens[from..].iter().sum::<usize>() as f64 / self.seconds[from..].iter().sum::<f64>()
    }
}

impl Observer for Clock {
    fn step_begins(&mut self) {
        self.began = Instant::now();
    }

    fn step(&mut self, report: &StepReport) -> Action {
        self.seconds.push(self.began.elapsed().as_secs_f64());
        self.tokens.push(report.tokens);
        Action::Continue
    }

    fn score(&mut self, _outputs: &[f32]) -> Score {
        f64::NAN.into()
    }

    fn evaluated(&mut self, _evaluation: &Evaluation) -> Action {
        Action::Continue
    }
}
