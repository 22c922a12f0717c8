//! The resume state: everything the rest of the run depends on, in one directory that is replaced as a whole.
//!
//! The order of the rows and the dropout are functions of the seed, so their "state" is the position alone.

use std::fs;

use gyeol_kernels::Span;
use serde::{Deserialize, Serialize};

use super::divergence::Losses;
use super::members::{member_name, parameters};
use super::{KeptCheckpoint, Observer, TrainError, TrainPlan, Trainer};
use crate::config::TrainConfig;
use crate::device::{Device, Store};
use crate::hf::{HfError, WeightPrecision, Weights, recover_directory, write_directory, write_file, write_safetensors};
use crate::joint::Trained;
use crate::objectives::Objective;

const FORMAT: u32 = 2;
const POSITION: &str = "state.json";
const ARENAS: &str = "arenas.safetensors";

/// The arenas of a state with their names in its file: the weights, their average if there is one, and what the optimiser
/// keeps of past gradients.
fn stores(config: &TrainConfig) -> impl Iterator<Item = (&'static str, Store)> {
    let name = |store| match store {
        Store::Weights => "weights",
        Store::Gradients => "gradients",
        Store::FirstMoments => "first_moments",
        Store::SecondMoments => "second_moments",
        Store::FactoredMoments => "factored_moments",
        Store::Average => "average",
    };
    let average = (config.ema > 0.0).then_some(&Store::Average);
    let stores = std::iter::once(&Store::Weights).chain(average).chain(config.optimizer.moments());
    stores.map(move |&store| (name(store), store))
}

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Optimiser steps taken.
    pub(super) step: u64,
    /// The epoch the next step belongs to.
    pub(super) epoch: u64,
    /// The number of the next step within its epoch.
    pub(super) window: u64,
    /// Forward passes taken: keys the dropout.
    pub(super) pass: u64,
    /// The best checkpoints, the best first.
    #[serde(with = "scores")]
    pub(super) best: Vec<KeptCheckpoint>,
    /// The steps of the latest checkpoints, where those are kept too.
    pub(super) latest: Vec<u64>,
    /// The best guarded figure of all evaluations.
    #[serde(with = "bits")]
    pub(super) best_guarded: Option<f64>,
    /// What tells whether the training goes off.
    pub(super) losses: Losses,
    /// Whether an evaluation comes before the next step.
    pub(super) evaluation_due: bool,
    /// Evaluations since the last improvement.
    pub(super) since_best: u32,
    /// Checkpoints that are no longer among the best and whose files are to go.
    pub(super) stale: Vec<u64>,
}

/// JSON has no NaN and its floats need not round-trip: scores are stored by their bits.
mod scores {
    use super::KeptCheckpoint;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(best: &[KeptCheckpoint], serializer: S) -> Result<S::Ok, S::Error> {
        let bits = |kept: &KeptCheckpoint| (kept.step, kept.score.to_bits(), kept.guarded.map(f64::to_bits));
        best.iter().map(bits).collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<KeptCheckpoint>, D::Error> {
        let kept = |(step, score, guarded): (u64, u64, Option<u64>)| KeptCheckpoint {
            step,
            score: f64::from_bits(score),
            guarded: guarded.map(f64::from_bits),
        };
        Ok(Vec::deserialize(deserializer)?.into_iter().map(kept).collect())
    }
}

mod bits {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(f64::to_bits).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(f64::from_bits))
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    fingerprint: String,
    parameters: usize,
    state: State,
    observer: serde_json::Value,
}

impl<M: Trained, O: Objective<M>> Trainer<'_, M, O> {
    pub(super) fn save_state(&mut self, state: &mut State, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let file = File {
            format: FORMAT,
            fingerprint: self.fingerprint.clone(),
            parameters: parameters(self.model.models()),
            state: state.clone(),
            observer: observer.saving(state.step),
        };
        self.model.models_mut().iter_mut().for_each(|model| model.device.settle());
        let models = self.model.models();
        write_directory(&self.paths.state, |staging| {
            let arenas: Vec<_> = models
                .iter()
                .enumerate()
                .flat_map(|(index, model)| {
                    stores(self.config).map(move |(name, store)| {
                        let values = model.device.download(store);
                        (member_name(name, index, models.len()), [values.len()], values)
                    })
                })
                .collect();
            write_safetensors(
                &staging.join(ARENAS),
                WeightPrecision::F32,
                arenas.iter().map(|(name, shape, values)| (&**name, &shape[..], &values[..])),
            )?;
            write_file(&staging.join(POSITION), |out| Ok(serde_json::to_writer_pretty(out, &file)?))
        })?;
        self.remove_stale(state)?;
        observer.saved();
        Ok(())
    }

    /// The saved state, with the weights and moments in the model; `None` if nothing was saved.
    pub(super) fn load_state(&mut self, observer: &mut dyn Observer) -> Result<Option<State>, TrainError> {
        let dir = self.paths.state.clone();
        recover_directory(&dir)?;
        let path = dir.join(POSITION);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(HfError::io(&path, "read")(error).into()),
        };
        let mut file: File =
            serde_json::from_slice(&text).map_err(|source| HfError::Json { path: path.clone(), source })?;
        let steps_per_epoch = TrainPlan::new(self.config, self.objective.rows().len()).steps_per_epoch;
        let problem = if file.format != FORMAT {
            Some(format!("its format is {}, this version reads {FORMAT}", file.format))
        } else if file.fingerprint != self.fingerprint {
            Some("it belongs to another recipe, table or base model; start a new run".to_owned())
        } else if file.parameters != parameters(self.model.models()) {
            Some(format!("it has {} parameters, the model {}", file.parameters, parameters(self.model.models())))
        } else if file.state.window >= steps_per_epoch {
            Some(format!("it stands {} steps into an epoch of {steps_per_epoch}; start a new run", file.state.window))
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(TrainError::State { path: dir, problem });
        }
        let weights = Weights::open_file(&dir.join(ARENAS))?;
        let mut values = Vec::new();
        let models = self.model.models_mut();
        let count = models.len();
        for (index, model) in models.iter_mut().enumerate() {
            for (name, store) in stores(self.config) {
                values.resize(model.device.download(store).len(), 0.0);
                weights.read_f32(&member_name(name, index, count), &[values.len()], &mut values)?;
                model.device.upload(store, Span::new(0, values.len()), &values);
            }
        }
        // The process may have ended after the state was saved and before these were removed.
        self.remove_stale(&mut file.state)?;
        observer.resumed(file.state.step, file.observer);
        Ok(Some(file.state))
    }
}
