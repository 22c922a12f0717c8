//! The schema, as the steps that lead to it. A step is never changed once released: a file of any earlier version opens.

use rusqlite::{Connection, TransactionBehavior};

/// Step `n` (from 1) makes version `n` of version `n - 1`.
const STEPS: &[&str] = &[
    include_str!("../migrations/001_runs.sql"),
    include_str!("../migrations/002_queue.sql"),
    include_str!("../migrations/003_given.sql"),
];

/// The version this program writes.
pub(crate) const LATEST: u32 = STEPS.len() as u32;

/// Brings the schema to [`LATEST`], in one transaction that excludes other processes; returns the version found.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<u32> {
    let version = |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: u32 = version(connection)?;
    if found >= LATEST {
        return Ok(found);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster, or be of a later version.
    let current: u32 = version(&transaction)?;
    for step in STEPS.iter().skip(current as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", LATEST.max(current))?;
    transaction.commit()?;
    Ok(current)
}
