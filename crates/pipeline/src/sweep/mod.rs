//! Sweeps: a search over a recipe's keys, whose trials are processes of their own.
//!
//! What to try, and what becomes of it, is decided in `gyeol_tune`. Here is what a sweep is ([`Spec`], from a sweep file and a
//! recipe by [`plan()`]), the directory from which it goes on after anything ([`Sweeps`]), and the [`Driver`] that runs its
//! trials. A trial's process is `gyeol train` under control (`protocol.rs`); so a trial that crashes, or runs out of memory, costs
//! itself alone.

mod best;
mod directory;
mod driver;
mod error;
mod names;
mod plan;
mod process;
mod protocol;
mod spec;

pub use best::best_recipe;
pub use directory::{ActiveSweep, Stamped, Sweep, Sweeps};
pub use driver::{Driver, Ended, SweepWatcher, Until};
pub use error::SweepError;
pub use plan::{Overrides, Planned, plan};
pub use process::Launcher;
pub use protocol::{Answer, Message};
pub use spec::{Spec, SweepMetric};
