//! A batch that fits into memory: what a run would take is computed from its shapes, and while that is more than there is, the
//! batch is made smaller and more of them make up a step. A step has the same rows then, and nearly the same gradient.

mod limit;

pub(crate) use limit::VARIABLE;

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytesize::ByteSize;
use gyeol_engine::config::{Optimizer, TrainConfig};
use gyeol_engine::device::Cpu;
use gyeol_engine::{MaskedLm, Memory, Model, PredictBytes, TrainPlan, TrainSet};

use crate::Error;
use crate::prepare::{Part, Prepared};

/// Rows of a pass, and passes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchShape {
    pub(crate) batch_size: usize,
    pub(crate) accumulate: usize,
}

impl BatchShape {
    pub(crate) fn of(config: &TrainConfig) -> Self {
        Self { batch_size: config.batch_size, accumulate: config.accumulate }
    }

    /// The settings with this batch.
    pub(crate) fn of_config(self, config: TrainConfig) -> TrainConfig {
        TrainConfig { batch_size: self.batch_size, accumulate: self.accumulate, ..config }
    }

    /// The next smaller batch that divides a step into equal parts: half, where that is a whole number. `None` below 1.
    fn smaller(self) -> Option<Self> {
        let divisor = (2..=self.batch_size).find(|divisor| self.batch_size.is_multiple_of(*divisor))?;
        Some(Self { batch_size: self.batch_size / divisor, accumulate: self.accumulate * divisor })
    }
}

/// What the settings of a kind of run are called that decide about its memory.
#[derive(Debug)]
pub(crate) struct Keys {
    batch_size: &'static str,
    /// Whether its recipe names an optimiser.
    optimizer: bool,
    /// What takes less, beside smaller batches.
    less: &'static str,
}

const FINE_TUNING: Keys = Keys {
    batch_size: "train.batch_size",
    optimizer: true,
    less: "a smaller model.base or model.max_length and more of model.freeze_layers take less",
};

/// Of [`fit_masked`], for an adaptation.
pub(crate) const ADAPTING: Keys = Keys {
    batch_size: "adapt.batch_size",
    optimizer: false,
    less: "a smaller model.base or adapt.max_length takes less",
};

/// Of [`fit_masked`], for an encoder from nothing.
pub(crate) const PRETRAINING: Keys = Keys {
    batch_size: "pretrain.batch_size",
    optimizer: false,
    less: "a smaller encoder or pretrain.max_length takes less",
};

/// How a run fits into memory.
#[derive(Debug)]
pub(crate) struct Fit {
    /// The batch to train with.
    pub(crate) batch: BatchShape,
    /// What that takes.
    pub(crate) memory: Memory,
    /// What there is, if anybody knows.
    pub(crate) available: Option<u64>,
    /// What a person should know.
    pub(crate) warning: Option<String>,
}

impl Fit {
    /// The batch, if it is not the one that `config` asks for.
    pub(crate) fn changed(&self, config: &TrainConfig) -> Option<BatchShape> {
        Some(self.batch).filter(|batch| *batch != BatchShape::of(config))
    }
}

/// Bytes of memory that work may take here: what `GYEOL_MEMORY` says, else what the machine and the control groups of this process
/// have left; `None` if nobody knows.
///
/// # Errors
/// If the variable says no amount.
pub fn available_memory() -> Result<Option<u64>, Error> {
    limit::available()
}

/// Fits the batch of `prepared` into memory. A run that goes on from a saved state keeps the batch it `began` with: with
/// another it would end at other bits.
///
/// # Errors
/// If not even a batch of one row fits.
pub(crate) fn fit(prepared: &Prepared, began: Option<BatchShape>) -> Result<Fit, Error> {
    let (rows, tokens) = (&prepared.train.rows, &prepared.train.tokens);
    let averages = prepared.recipe.train.ema > 0.0;
    let (config, stop_after) = prepared.schedule();
    let plan = TrainPlan::new(&config, rows.len());
    let plan = TrainPlan { steps: stop_after.map_or(plan.steps, |last| last.min(plan.steps)), ..plan };
    let weighted = prepared.row_weights.is_some().then(|| prepared.train.set());
    let predicted: Vec<TrainSet<'_>> =
        prepared.valid_set().into_iter().chain(prepared.test.as_ref().map(Part::set)).chain(weighted).collect();
    let mut members = Vec::with_capacity(prepared.bases.len());
    for (member, base) in prepared.bases.iter().enumerate() {
        // Room for weights is asked for, but none of it is touched.
        let mut model = Model::new(prepared.arithmetic.device(), base.config.clone(), base.head.clone(), false)?;
        model.freeze(base.frozen);
        let bytes = |set: &TrainSet<'_>| model.predict_bytes(&set.tokens[member], set.rows, config.eval_batch_size);
        let predictions = predicted.iter().map(bytes).fold(PredictBytes::default(), PredictBytes::max);
        members.push((model, predictions));
    }
    let activations = once(|batch_size| {
        let config = TrainConfig { batch_size, ..config.clone() };
        let balance = prepared.sampling.balance.as_ref();
        let largest = plan.largest_batches(&config, rows, balance, prepared.recipe.seed, tokens);
        // All members' activations are kept until the backward passes, and where rows are predicted, one member after the other.
        let own = members
            .iter()
            .zip(largest)
            .map(|((model, predictions), batch)| model.activation_bytes(batch, true).max(predictions.own));
        own.sum::<u64>() + members.iter().map(|(_, predictions)| predictions.beside).max().unwrap_or(0)
    });
    let memory = |optimizer, batch_size: usize| {
        let of = |(model, _): &(Model<Cpu>, PredictBytes)| {
            let memory = model.memory(optimizer);
            // An average of the weights is as long as they are.
            Memory { moments: memory.moments + if averages { 4 * model.table().len() as u64 } else { 0 }, ..memory }
        };
        Memory { activations: activations(batch_size), ..members.iter().map(of).sum() }
    };
    fit_in(&FINE_TUNING, &prepared.recipe.train, limit::available()?, began, memory)
}

/// As [`fit`], of a masked-LM run of `model` by `config` from `seed`, whose settings are called `keys`.
pub(crate) fn fit_masked(
    keys: &Keys,
    config: &TrainConfig,
    seed: u64,
    objective: &MaskedLm<'_>,
    model: &Model<Cpu>,
    began: Option<BatchShape>,
) -> Result<Fit, Error> {
    let plan = TrainPlan::new(config, objective.train.len());
    let activations = once(|batch_size| {
        let config = TrainConfig { batch_size, ..config.clone() };
        objective.activation_bytes(model, &plan, &config, seed)
    });
    let memory = |optimizer, batch_size| Memory { activations: activations(batch_size), ..model.memory(optimizer) };
    fit_in(keys, config, limit::available()?, began, memory)
}

/// `bytes` of a batch size, found once for each: all epochs are gone through for it.
fn once(bytes: impl Fn(usize) -> u64) -> impl Fn(usize) -> u64 {
    let known = RefCell::new(BTreeMap::new());
    move |batch_size| *known.borrow_mut().entry(batch_size).or_insert_with(|| bytes(batch_size))
}

/// [`fit`] into `available` bytes, of a run that takes `memory(optimizer, batch_size)`.
fn fit_in(
    keys: &Keys,
    recipe: &TrainConfig,
    available: Option<u64>,
    began: Option<BatchShape>,
    memory: impl Fn(Optimizer, usize) -> Memory,
) -> Result<Fit, Error> {
    let asked = BatchShape::of(recipe);
    let need = |shape: BatchShape| memory(recipe.optimizer, shape.batch_size);
    let fits = |memory: Memory| available.is_none_or(|available| memory.total() <= available);
    let short = |shape: BatchShape| {
        let there = ByteSize::b(available.unwrap_or(u64::MAX));
        format!("batches of {} rows take {} of memory, and there are {there}", shape.batch_size, told(need(shape)))
    };
    let mut used = began.unwrap_or(asked);
    let mut warning = None;
    if began.is_none() {
        while !fits(need(used)) {
            used = used.smaller().ok_or_else(|| Error::Setting {
                key: keys.batch_size,
                problem: format!("even {}; {}", short(used), advice(keys, recipe, available, &memory)),
            })?;
        }
        warning = (used != asked).then(|| {
            let BatchShape { batch_size, accumulate } = used;
            format!(
                "{}: training with batch_size = {batch_size} and accumulate = {accumulate} instead, {} together, the \
                 same rows a step",
                short(asked),
                told(need(used))
            )
        });
    } else if !fits(need(used)) {
        warning = Some(format!("{}; the run began with them and goes on so", short(used)));
    }
    Ok(Fit { batch: used, memory: need(used), available, warning })
}

/// What would fit.
fn advice(
    keys: &Keys,
    recipe: &TrainConfig,
    available: Option<u64>,
    memory: impl Fn(Optimizer, usize) -> Memory,
) -> String {
    let least = memory(Optimizer::Adafactor, 1);
    let Memory { weights, gradients, moments, activations } = memory(recipe.optimizer, 1);
    let [weights, gradients, moments, activations] = [weights, gradients, moments, activations].map(ByteSize::b);
    let optimizer = match available {
        Some(available) if keys.optimizer && least.total() <= available => {
            format!("train.optimizer = \"adafactor\" takes {}; ", told(least))
        }
        _ => String::new(),
    };
    format!(
        "weights take {weights}, gradients {gradients}, the optimiser {moments}, activations {activations}: \
         {optimizer}{}; {} says it if there is more",
        keys.less,
        limit::VARIABLE
    )
}

fn told(memory: Memory) -> ByteSize {
    ByteSize::b(memory.total())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of 1000 bytes of parameters and 100 a row; an eighth of the parameters' bytes is spared by Adafactor.
    fn memory(optimizer: Optimizer, rows: usize) -> Memory {
        let moments = if optimizer == Optimizer::Adafactor { 0 } else { 125 };
        Memory { weights: 500, gradients: 375, moments, activations: 100 * rows as u64 }
    }

    fn fit(batch_size: usize, available: Option<u64>, began: Option<BatchShape>) -> Result<Fit, Error> {
        let recipe = TrainConfig { batch_size, accumulate: 3, ..TrainConfig::default() };
        fit_in(&FINE_TUNING, &recipe, available, began, memory)
    }

    fn shape(batch_size: usize, accumulate: usize) -> BatchShape {
        BatchShape { batch_size, accumulate }
    }

    #[test]
    fn a_batch_that_fits_or_whose_room_nobody_knows_stays() {
        for available in [None, Some(4200)] {
            let fit = fit(32, available, None).unwrap();
            assert_eq!((fit.batch, fit.warning), (shape(32, 3), None));
            assert_eq!((fit.memory.total(), fit.available), (4200, available));
        }
    }

    #[test]
    fn a_batch_is_halved_until_it_fits_and_a_step_keeps_its_rows() {
        for (available, fitting) in [(4199, shape(16, 6)), (2599, shape(8, 12)), (1100, shape(1, 96))] {
            let fit = fit(32, Some(available), None).unwrap();
            assert_eq!(fit.batch, fitting);
            assert!(fit.memory.total() <= available);
        }
        let told = fit(32, Some(2600), None).unwrap().warning.unwrap();
        assert_eq!(
            told,
            "batches of 32 rows take 4.1 KiB of memory, and there are 2.5 KiB: training with batch_size = 16 and \
             accumulate = 6 instead, 2.5 KiB together, the same rows a step"
        );
    }

    #[test]
    fn an_odd_batch_is_cut_into_equal_parts() {
        let of = |batch_size, available| fit(batch_size, Some(available), None).unwrap().batch;
        assert_eq!(of(15, 2499), shape(5, 9));
        assert_eq!(of(15, 1499), shape(1, 45));
        assert_eq!(of(7, 1699), shape(1, 21));
        assert_eq!(of(6, 1599), shape(3, 6));
    }

    #[test]
    fn when_not_even_one_row_fits_the_error_says_what_would() {
        let error = fit(8, Some(1000), None).unwrap_err();
        assert!(error.is_user_error());
        let told = error.to_string();
        assert!(told.starts_with("train.batch_size: even batches of 1 rows take 1.1 KiB of memory, and there are "));
        assert!(told.contains("train.optimizer = \"adafactor\" takes 975 B"), "{told}");
        assert!(!fit(8, Some(10), None).unwrap_err().to_string().contains("adafactor"));
    }

    #[test]
    fn a_run_that_goes_on_keeps_its_batch_whatever_there_is() {
        for available in [None, Some(1 << 40)] {
            let fit = fit(32, available, Some(shape(8, 12))).unwrap();
            assert_eq!((fit.batch, fit.warning), (shape(8, 12), None));
        }
        let fit = fit(32, Some(1), Some(shape(8, 12))).unwrap();
        assert_eq!(fit.batch, shape(8, 12));
        assert!(fit.warning.unwrap().ends_with("the run began with them and goes on so"));
    }
}
