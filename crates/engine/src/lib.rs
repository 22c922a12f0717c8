//! Encoders with explicit forward and backward, their heads, losses, optimiser and trainer, and checkpoint directories.
//!
//! Nothing here reads a clock, the environment or a terminal: seeds, threads and paths are passed in, and
//! [`Trainer::run`] reports to an [`Observer`] that may ask it to save or stop.

pub mod config;
pub mod device;
#[cfg(test)]
mod golden;
mod heads;
pub mod hf;
mod joint;
mod kept;
mod layers;
mod load;
mod losses;
mod masking;
mod model;
mod models;
mod objectives;
mod optim;
mod params;
mod pass;
mod predict;
mod random;
mod sampling;
mod sentence;
mod side_by_side;
mod trainer;

pub use gyeol_kernels::{Isa, Operands, PinError};
pub use heads::{HeadKind, MlpShape};
pub use joint::{Joint, Trained};
pub use kept::KeptRows;
pub use load::{LoadReport, NewToken, NewTokens};
pub use losses::{ClassTargets, Loss, ScoreBuckets, ScoreScale};
pub use masking::Masking;
pub use model::{Extent, Masked, Memory, Model};
pub use objectives::{Accumulated, FineTuning, MaskedLm, Objective, TrainSet, Window};
pub use params::{ParamTable, Part, Role, Tensor};
pub use pass::DropoutStream;
pub use predict::PredictBytes;
pub use sampling::Balance;
pub use trainer::{
    Action, Averaged, Choice, Divergence, Evaluation, Guard, KeptCheckpoint, Limit, Observer, Outcome, Score, Side,
    StepReport, StopReason, TrainError, TrainPaths, TrainPlan, Trainer,
};
