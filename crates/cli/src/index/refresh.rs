//! Making good what the store has missed.

use std::{collections::HashSet, path::PathBuf};

use anyhow::Result;
use gyeol_pipeline::runs::{Run, Runs};
use gyeol_store::{RunRow, RunStatus, Store, StoreError};

use super::{
    journal_bytes, now, record_if_there,
    sweeps::{rebuild_sweeps, refresh_sweeps},
};
use crate::output::Output;

/// A process that writes its run says so more often than this, in seconds.
const SILENCE: f64 = 15.0;

/// Brings the store up to date with the run directories, looking into those only that may have news; every run.
///
/// Those are directories without a row, rows whose process is gone or silent, unfinished runs whose journal has grown, and
/// runs of which something could not be read. So it is with sweeps that are said to be running.
pub(crate) fn refresh(store: &mut Store, runs: &Runs) -> Result<Vec<RunRow>> {
    refresh_sweeps(runs.home(), store)?;
    let mut rows = store.runs()?;
    let directories: HashSet<String> = runs.directories()?.into_iter().collect();
    let mut gone = Vec::new();
    let mut changed = false;
    for row in &rows {
        let run = if directories.contains(&row.name) { runs.find(&row.name)? } else { None };
        let Some(run) = run else {
            gone.push(row.name.clone());
            continue;
        };
        // What cannot be looked at is told in its row.
        if has_news(row, &run).unwrap_or(true)
            && let Some(record) = record_if_there(&run)
        {
            store.replace_run(&record)?;
            changed = true;
        }
    }
    let known: HashSet<&str> = rows.iter().map(|row| &*row.name).collect();
    for name in directories.iter().filter(|name| !known.contains(&***name)) {
        if let Some(run) = runs.find(name)?
            && let Some(record) = record_if_there(&run)
        {
            store.replace_run(&record)?;
            changed = true;
        }
    }
    store.forget_runs(&gone.iter().map(String::as_str).collect::<Vec<_>>())?;
    if changed {
        return Ok(store.runs()?);
    }
    let gone: HashSet<String> = gone.into_iter().collect();
    rows.retain(|row| !gone.contains(&row.name));
    Ok(rows)
}

fn has_news(row: &RunRow, run: &Run) -> Result<bool> {
    if row.unreadable_report.is_some() {
        return Ok(true);
    }
    if row.status == RunStatus::Finished {
        return Ok(false);
    }
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
/// many. A damaged store is put aside first, if `may_put_aside` has nothing against it.
pub(crate) fn rebuild(
    runs: &Runs,
    output: &Output,
    may_put_aside: impl FnOnce() -> Result<()>,
    mut done: impl FnMut(usize, usize),
) -> Result<Rebuilt> {
    let home = runs.home();
    let sound = Store::open(home).and_then(|store| store.check().map(|()| store));
    let (mut store, put_aside) = match sound {
        Ok(store) => (store, None),
        Err(StoreError::Damaged { .. }) => {
            may_put_aside()?;
            let aside = Store::put_aside(home)?;
            (Store::open(home)?, aside)
        }
        Err(error) => return Err(error.into()),
    };
    runs.remove_leftovers()?;
    // The rows first: a run that begins between the two looks has a row of its own making.
    let rows = store.runs()?;
    let found = runs.list()?;
    let names: HashSet<&str> = found.iter().map(Run::name).collect();
    let gone: Vec<&str> = rows.iter().map(|row| &*row.name).filter(|name| !names.contains(name)).collect();
    store.forget_runs(&gone)?;
    let mut count = 0;
    // A transaction each: other processes go on writing meanwhile.
    for (at, run) in found.iter().enumerate() {
        if let Some(record) = record_if_there(run) {
            if let Some(problem) = &record.row.unreadable_report {
                output.warning(&format!("{}: {problem}", run.name()));
            }
            store.replace_run(&record)?;
            count += 1;
        }
        done(at + 1, found.len());
    }
    let sweeps = rebuild_sweeps(home, &mut store, output)?;
    Ok(Rebuilt { runs: count, sweeps, put_aside })
}
