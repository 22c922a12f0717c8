//! From sweeps' directories to the store.

use std::path::Path;

use anyhow::Result;
use gyeol_pipeline::sweep::{Sweep, SweepError, Sweeps};
use gyeol_store::{Goal, Store, StoreError, SweepRow, SweepStatus, TrialOrigin, TrialRow, TrialState};
use gyeol_tune::{pruners::State, study};

use crate::output::Output;

/// Keeps the store up to date with sweeps that this process runs. One that cannot be written is told once; what is missed is read
/// from the sweep's directory by `gyeol runs rebuild`.
#[derive(Debug)]
pub(crate) struct SweepIndex {
    store: Option<Store>,
    output: Output,
}

impl SweepIndex {
    /// Opens the store under `home`.
    pub(crate) fn new(home: &Path, output: &Output) -> Self {
        let mut index = Self { store: None, output: *output };
        match Store::open(home) {
            Ok(store) => index.store = Some(store),
            Err(error) => index.give_up(&error),
        }
        index
    }

    /// Writes a sweep, with all its trials.
    pub(crate) fn sweep(&mut self, sweep: &Sweep, status: SweepStatus) {
        self.write(|store| put(store, sweep, status));
    }

    /// Writes one trial.
    pub(crate) fn trial(&mut self, sweep: &Sweep, trial: &study::Trial) {
        self.write(|store| store.put_trials(&[trial_row(sweep, trial)]));
    }

    fn write(&mut self, write: impl FnOnce(&mut Store) -> Result<(), StoreError>) {
        if let Some(Err(error)) = self.store.as_mut().map(write) {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &StoreError) {
        self.store = None;
        self.output.warning(&format!("{error}; the sweep goes on, and `gyeol runs rebuild` finds it"));
    }
}

/// Indexes every sweep under `home` and forgets those that are gone; how many there are. One that cannot be read is told.
pub(super) fn rebuild_sweeps(home: &Path, store: &mut Store, output: &Output) -> Result<usize> {
    let known = store.sweeps()?;
    let sweeps = Sweeps::new(home);
    let names = sweeps.names()?;
    for sweep in known.iter().filter(|sweep| !names.contains(&sweep.name)) {
        store.forget_sweep(&sweep.name)?;
    }
    let mut count = 0;
    for name in &names {
        let read = sweeps.open(name).and_then(|sweep| Ok((sweep.is_running()?, sweep)));
        match read {
            Ok((running, sweep)) => {
                put(store, &sweep, if running { SweepStatus::Running } else { standing(&sweep) })?;
                count += 1;
            }
            // Removed meanwhile.
            Err(SweepError::Unknown { .. }) => {}
            Err(error) => output.warning(&format!("{name}: {error}")),
        }
    }
    Ok(count)
}

/// Finds out how sweeps stand that are said to be running and whose process is gone.
pub(super) fn refresh_sweeps(home: &Path, store: &mut Store) -> Result<(), StoreError> {
    let sweeps = Sweeps::new(home);
    for row in store.sweeps()?.iter().filter(|row| row.status == SweepStatus::Running) {
        match sweeps.open(&row.name) {
            // Whether one is at work that nobody can look at, nobody knows.
            Ok(sweep) if sweep.name() == row.name && !sweep.is_running().unwrap_or(true) => {
                put(store, &sweep, standing(&sweep))?;
            }
            Err(SweepError::Unknown { .. }) => store.forget_sweep(&row.name)?,
            _ => {}
        }
    }
    Ok(())
}

/// How a sweep that nobody runs stands.
pub(crate) fn standing(sweep: &Sweep) -> SweepStatus {
    let at_work = sweep.study.trials().iter().any(|trial| trial.state == State::Running);
    if at_work || sweep.study.trials().is_empty() { SweepStatus::Paused } else { SweepStatus::Finished }
}

fn put(store: &mut Store, sweep: &Sweep, status: SweepStatus) -> Result<(), StoreError> {
    let spec = &sweep.spec;
    store.put_sweep(&SweepRow {
        name: sweep.name().to_owned(),
        metric: spec.metric.name(),
        goal: match spec.metric.goal {
            study::Goal::Minimize => Goal::Minimize,
            study::Goal::Maximize => Goal::Maximize,
        },
        method: spec.method.name().to_owned(),
        status,
        created: spec.created,
    })?;
    let rows: Vec<TrialRow> = sweep.study.trials().iter().map(|trial| trial_row(sweep, trial)).collect();
    store.put_trials(&rows)
}

fn trial_row(sweep: &Sweep, trial: &study::Trial) -> TrialRow {
    TrialRow {
        sweep: sweep.name().to_owned(),
        number: trial.number,
        origin: match trial.origin {
            study::Origin::Recipe => TrialOrigin::Recipe,
            study::Origin::Earlier => TrialOrigin::Earlier,
            study::Origin::Sampler => TrialOrigin::Sampler,
        },
        state: match trial.state {
            State::Running => TrialState::Running,
            State::Paused => TrialState::Paused,
            State::Finished => TrialState::Finished,
            State::Stopped => TrialState::Stopped,
            State::Failed => TrialState::Failed,
        },
        assignment: trial.assignment.clone(),
        run: Some(trial.run.clone()),
        score: trial.score,
        seconds: trial.seconds,
    }
}
