//! Which trials of a sweep end early, or pause: from the sweep file, or named on the command line.

use gyeol_tune::pruners::{Halving, Hyperband, InvalidRungs, Median, Never, Pruner};
use gyeol_tune::sweep_file::EarlyTerminate;
use serde::{Deserialize, Serialize};

/// Which trials end early, or pause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EarlyEnd {
    /// None: every trial runs to its end.
    None,
    /// W&B's hyperband, bands from below.
    Hyperband {
        /// The first band, in evaluations.
        min_iter: u64,
        /// The factor between bands.
        eta: f64,
        /// Whether a trial is judged by its last value, not by its best.
        strict: bool,
    },
    /// W&B's hyperband, bands from above.
    HyperbandDownwards {
        /// The end, in evaluations.
        max_iter: u64,
        /// How many bands at most.
        s: u64,
        /// The factor between bands.
        eta: f64,
        /// Whether a trial is judged by its last value, not by its best.
        strict: bool,
    },
    /// Successive halving, which pauses trials and takes the better ones up again.
    Halving {
        /// The first rung, in evaluations.
        min_iter: u64,
        /// The factor between rungs.
        eta: f64,
    },
    /// What is worse than the median of the others ends.
    Median {
        /// Evaluations of a trial before it can end.
        warmup: u64,
        /// Trials that have to have finished before any ends.
        startup_trials: u64,
    },
}

impl EarlyEnd {
    /// The names that [`EarlyEnd::named`] knows.
    pub const NAMES: [&'static str; 4] = ["none", "hyperband", "halving", "median"];

    /// The pruner of a name, with its defaults.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "hyperband" => Self::Hyperband { min_iter: 1, eta: Halving::ETA, strict: true },
            "halving" => Self::Halving { min_iter: 1, eta: Halving::ETA },
            "median" => {
                let Median { startup, warmup } = Median::default();
                Self::Median { warmup: warmup as u64, startup_trials: startup as u64 }
            }
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Hyperband { .. } | Self::HyperbandDownwards { .. } => "hyperband",
            Self::Halving { .. } => "halving",
            Self::Median { .. } => "median",
        }
    }

    pub(super) fn build(self) -> Result<Box<dyn Pruner>, InvalidRungs> {
        Ok(match self {
            Self::None => Box::new(Never),
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

impl From<Option<EarlyTerminate>> for EarlyEnd {
    fn from(file: Option<EarlyTerminate>) -> Self {
        match file {
            None => Self::None,
            Some(EarlyTerminate::Hyperband { min_iter, eta, strict }) => Self::Hyperband { min_iter, eta, strict },
            Some(EarlyTerminate::HyperbandDownwards { max_iter, s, eta, strict }) => {
                Self::HyperbandDownwards { max_iter, s, eta, strict }
            }
            Some(EarlyTerminate::Halving { min_iter, eta }) => Self::Halving { min_iter, eta },
            Some(EarlyTerminate::Median { warmup, startup_trials }) => Self::Median { warmup, startup_trials },
        }
    }
}
