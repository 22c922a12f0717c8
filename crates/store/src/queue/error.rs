//! What can go wrong with the queue.

use super::{JobId, State};
use crate::StoreError;

/// An error of the queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such job.
    #[error("no job {reference} in the queue; `gyeol queue ls --all` lists those there are")]
    Unknown {
        /// The number or name asked for.
        reference: String,
    },
    /// Several jobs have the name.
    #[error("{} jobs are named \"{name}\" ({}); say which by its number", ids.len(), list(ids))]
    Ambiguous {
        /// The name asked for.
        name: String,
        /// The jobs of that name.
        ids: Vec<JobId>,
    },
    /// The job's state does not allow what was asked for.
    #[error("job {id} is {state}: it cannot be {action}")]
    State {
        /// The job.
        id: JobId,
        /// Its state.
        state: State,
        /// What was asked for, as in "resumed".
        action: &'static str,
    },
    /// Other jobs wait for one that is to be removed.
    #[error("job {id} is not done, and {} for it; remove those first", waiting(dependants))]
    Needed {
        /// The job.
        id: JobId,
        /// The jobs that wait for it.
        dependants: Vec<JobId>,
    },
}

impl QueueError {
    /// Whether the user can mend it; otherwise the work failed.
    pub fn is_user_error(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}

fn list(ids: &[JobId]) -> String {
    ids.iter().map(JobId::to_string).collect::<Vec<_>>().join(", ")
}

fn waiting(ids: &[JobId]) -> String {
    match ids {
        [id] => format!("job {id} waits"),
        ids => format!("jobs {} wait", list(ids)),
    }
}
