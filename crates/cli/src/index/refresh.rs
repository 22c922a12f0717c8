//! Making good what the store has missed.

use std::{collections::HashSet, path::PathBuf};

use anyhow::Result;
use gyeol_pipeline::runs::{Run, Runs};
use gyeol_store::{RunRow, RunStatus, Store, StoreError};

use super::{journal_bytes, now, record_of, sweeps::rebuild_sweeps};

/// A process that writes its run says so more often than this, in seconds.
const SILENCE: f64 = 15.0;

/// Brings the store up to date with the run directories, looking into those only that may have news; every run.
///
/// Those are directories without a row, rows whose process is gone or silent, and unfinished runs whose journal has grown.
pub(crate) fn refresh(store: &mut Store, runs: &Runs) -> Result<Vec<RunRow>> {
    let mut rows = store.runs()?;
    let directories: HashSet<String> = runs.directories()?.into_iter().collect();
    let gone: Vec<&str> = rows.iter().map(|row| &*row.name).filter(|name| !directories.contains(*name)).collect();
    let mut changed = !gone.is_empty();
    store.forget_runs(&gone)?;
    rows.retain(|row| directories.contains(&row.name));
    for row in &rows {
        if row.status != RunStatus::Finished
            && let Some(run) = runs.find(&row.name)?
            && has_news(row, &run)?
        {
            store.replace_run(&record_of(&run)?)?;
            changed = true;
        }
    }
    let known: HashSet<&str> = rows.iter().map(|row| &*row.name).collect();
    for name in directories.iter().filter(|name| !known.contains(&***name)) {
        if let Some(run) = runs.find(name)? {
            store.replace_run(&record_of(&run)?)?;
            changed = true;
        }
    }
    if changed { Ok(store.runs()?) } else { Ok(rows) }
}

fn has_news(row: &RunRow, run: &Run) -> Result<bool> {
    if row.status == RunStatus::Running {
        if !run.is_running()? {
            return Ok(true);
        }
        // It is being written by a version that tells no store, or by one that cannot.
        let silent = row.heartbeat.is_none_or(|alive| now() - alive > SILENCE);
        return Ok(silent && journal_bytes(run) != row.journal_bytes);
    }
    Ok(journal_bytes(run) != row.journal_bytes)
}

/// What [`rebuild`] did.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Rebuilt {
    /// How many runs there are.
    pub(crate) runs: usize,
    /// How many sweeps.
    pub(crate) sweeps: usize,
    /// Where the damaged store is now.
    pub(crate) put_aside: Option<PathBuf>,
}

/// Makes the index of runs anew from their directories, looking into every one; `done` is told how many are, and of how
/// many. A damaged store is put aside first.
pub(crate) fn rebuild(runs: &Runs, mut done: impl FnMut(usize, usize)) -> Result<Rebuilt> {
    let home = runs.home();
    let sound = Store::open(home).and_then(|store| store.check().map(|()| store));
    let (mut store, put_aside) = match sound {
        Ok(store) => (store, None),
        Err(StoreError::Damaged { .. }) => {
            let aside = Store::put_aside(home)?;
            (Store::open(home)?, aside)
        }
        Err(error) => return Err(error.into()),
    };
    let found = runs.list()?;
    let names: HashSet<&str> = found.iter().map(Run::name).collect();
    let rows = store.runs()?;
    let gone: Vec<&str> = rows.iter().map(|row| &*row.name).filter(|name| !names.contains(name)).collect();
    store.forget_runs(&gone)?;
    // A transaction each: other processes go on writing meanwhile.
    for (at, run) in found.iter().enumerate() {
        store.replace_run(&record_of(run)?)?;
        done(at + 1, found.len());
    }
    let sweeps = rebuild_sweeps(home, &mut store)?;
    Ok(Rebuilt { runs: found.len(), sweeps, put_aside })
}
