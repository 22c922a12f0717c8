//! Who else wants to know what becomes of runs.

use std::fmt;

use super::{Event, Report, Run};

/// Told of every run that this process writes. The run's directory is the truth and has it already; a sink that cannot do
/// with it what it wants keeps that to itself, and the run goes on.
pub trait Sink: fmt::Debug + Send + Sync {
    /// A run begins, or goes on: its directory and recipe are there, and locked.
    fn opened(&self, run: &Run);

    /// An event is in its journal.
    fn recorded(&self, run: &Run, event: &Event);

    /// Its report is written.
    fn reported(&self, run: &Run, report: &Report);

    /// This process writes it no more; its lock is given up next.
    fn closed(&self, run: &Run);
}
