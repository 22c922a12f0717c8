//! The key `early_terminate`.

use serde::{Deserialize, Serialize};

use super::{SweepFileError, keys::Keys, yaml::Node};
use crate::pruners::{Halving, Hyperband, InvalidRungs, Median, Pruner};

/// Which trials end early. Iterations are evaluations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EarlyTerminate {
    /// W&B's hyperband with bands from `min_iter` upwards.
    Hyperband {
        /// The first band, at least 1.
        min_iter: u64,
        /// The factor between bands, above 1; 3 where the file does not say.
        eta: f64,
        /// Whether a trial is judged by its value at the band, and not by its best so far. True where the file does not say,
        /// as in W&B's schema.
        strict: bool,
    },
    /// W&B's hyperband with bands from `max_iter` downwards. It is this one where a file has both `max_iter` and `min_iter`.
    HyperbandDownwards {
        /// The end, which is no band itself; at least `eta`, so that there is a band.
        max_iter: u64,
        /// How many bands at most, at least 1.
        s: u64,
        /// The factor between bands, above 1; 3 where the file does not say.
        eta: f64,
        /// As above.
        strict: bool,
    },
    /// Successive halving that pauses trials and takes the better ones up again. Not in W&B.
    Halving {
        /// The first rung, at least 1, which is also the default.
        min_iter: u64,
        /// The factor between rungs, above 1; 3 where the file does not say.
        eta: f64,
    },
    /// A trial ends when its best is worse than the median of the others at the same iteration. Not in W&B.
    Median {
        /// No trial ends within its first so many iterations; 0 where the file does not say.
        warmup: u64,
        /// None ends before so many trials have finished; 5 where the file does not say.
        startup_trials: u64,
    },
}

impl EarlyTerminate {
    /// The types there are, each with its defaults.
    pub fn types() -> [(&'static str, Self); 3] {
        let Median { startup, warmup } = Median::default();
        [
            ("hyperband", Self::Hyperband { min_iter: 1, eta: Halving::ETA, strict: true }),
            ("halving", Self::Halving { min_iter: 1, eta: Halving::ETA }),
            ("median", Self::Median { warmup: warmup as u64, startup_trials: startup as u64 }),
        ]
    }

    /// The name of its type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hyperband { .. } | Self::HyperbandDownwards { .. } => "hyperband",
            Self::Halving { .. } => "halving",
            Self::Median { .. } => "median",
        }
    }

    /// The pruner that decides so.
    ///
    /// # Errors
    /// If its numbers leave no rung, which reading a file has excluded.
    pub fn pruner(self) -> Result<Box<dyn Pruner>, InvalidRungs> {
        Ok(match self {
            Self::Hyperband { min_iter, eta, strict } => Box::new(Hyperband::from_min_iter(min_iter, eta, strict)?),
            Self::HyperbandDownwards { max_iter, s, eta, strict } => {
                let bands = u32::try_from(s).unwrap_or(u32::MAX);
                Box::new(Hyperband::from_max_iter(max_iter, bands, eta, strict)?)
            }
            Self::Halving { min_iter, eta } => Box::new(Halving::new(min_iter, eta)?),
            Self::Median { warmup, startup_trials } => {
                Box::new(Median { startup: startup_trials as usize, warmup: warmup as usize })
            }
        })
    }
}

#[derive(Clone, Copy)]
enum Type {
    Hyperband,
    Halving,
    Median,
}

/// Reads the value of `early_terminate`.
pub(super) fn read(file: &str, node: &Node) -> Result<EarlyTerminate, SweepFileError> {
    const PATH: &str = "early_terminate";
    let words = [("hyperband", Type::Hyperband), ("halving", Type::Halving), ("median", Type::Median)];
    let any = Keys::any(file, PATH, node)?;
    let kind = any.choice("type", &words)?.ok_or_else(|| any.missing("type: hyperband, halving or median"))?;
    match kind {
        Type::Hyperband => {
            let keys = Keys::new(file, PATH, node, &["type", "min_iter", "max_iter", "s", "eta", "strict"])?;
            let (eta, strict) = (eta(&keys)?, keys.boolean("strict")?.unwrap_or(true));
            let (min_iter, s) = (keys.integer("min_iter", 1)?, keys.integer("s", 1)?);
            match (keys.integer("max_iter", 1)?, s, min_iter) {
                (Some(max_iter), ..) if (max_iter as f64) < eta => Err(keys
                    .value_error("max_iter", format!("{max_iter} leaves no band; it has to be at least eta, {eta}"))),
                (Some(max_iter), Some(s), _) => Ok(EarlyTerminate::HyperbandDownwards { max_iter, s, eta, strict }),
                (Some(_), None, _) => Err(keys.missing("s, the number of bands, beside max_iter")),
                (None, _, Some(min_iter)) => Ok(EarlyTerminate::Hyperband { min_iter, eta, strict }),
                (None, _, None) => Err(keys.missing("min_iter, or max_iter and s")),
            }
        }
        Type::Halving => {
            let keys = Keys::new(file, PATH, node, &["type", "min_iter", "eta"])?;
            let min_iter = keys.integer("min_iter", 1)?.unwrap_or(1);
            Ok(EarlyTerminate::Halving { min_iter, eta: eta(&keys)? })
        }
        Type::Median => {
            let keys = Keys::new(file, PATH, node, &["type", "warmup", "startup_trials"])?;
            let warmup = keys.integer("warmup", 0)?.unwrap_or(0);
            Ok(EarlyTerminate::Median { warmup, startup_trials: keys.integer("startup_trials", 0)?.unwrap_or(5) })
        }
    }
}

fn eta(keys: &Keys<'_>) -> Result<f64, SweepFileError> {
    match keys.number("eta")? {
        Some(eta) if eta <= 1.0 => Err(keys.value_error("eta", format!("is {eta}, has to be above 1"))),
        eta => Ok(eta.unwrap_or(3.0)),
    }
}
