//! The queue: jobs that wait for their turn, and the rules by which they get it.
//!
//! [`Queue`] is what the store says of them. What follows from that is pure: [`standing`] says why a job waits,
//! [`schedule`] which jobs start, [`verdict`] what the end of an attempt means, [`forecast`] when jobs will be done. Nothing
//! here starts a process, reads a clock or knows what a command does.

mod daemons;
mod error;
pub mod forecast;
mod job;
mod rows;
pub mod schedule;
pub mod standing;
mod transitions;
pub mod verdict;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use daemons::{Daemon, Orders};
pub use error::QueueError;
pub use job::{Attempt, Job, JobId, Spec, State, Wish};

use crate::{Store, StoreError};

/// The jobs of a store. What a method changes is on disk when it returns.
#[derive(Debug)]
pub struct Queue {
    store: Store,
}

impl Queue {
    /// Opens the queue of the store under `home`, making it where there is none.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn open(home: &Path) -> Result<Self, StoreError> {
        Self::durable(Store::open(home)?)
    }

    /// The same to be read only, as [`Store::open_to_read`] has it.
    ///
    /// # Errors
    /// Those of [`Store::open_to_read`].
    pub fn open_to_read(home: &Path) -> Result<Self, StoreError> {
        Self::durable(Store::open_to_read(home)?)
    }

    fn durable(store: Store) -> Result<Self, StoreError> {
        // A job must survive a power cut, which costs a trip to the disk for each change.
        store
            .connection()
            .pragma_update(None, "synchronous", "FULL")
            .map_err(store.failed("have its writes reach the disk"))?;
        Ok(Self { store })
    }

    /// A number that changes when another process has changed the store. Cheap: no table is read.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn data_version(&mut self) -> Result<i64, StoreError> {
        let failed = self.store.failed("ask whether it changed");
        self.store.connection().pragma_query_value(None, "data_version", |row| row.get(0)).map_err(failed)
    }
}
