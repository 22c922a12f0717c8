//! The directory of a sweep, `<home>/sweeps/<name>-<n>/`: what it is (`sweep.json`), the recipe its trials start from
//! (`recipe.toml`), what happened (`journal.jsonl`), and what the trials' processes said (`logs/`).
//!
//! The first two are written once, before the directory gets its name; so a sweep is there whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gyeol_data::write_atomic;
use gyeol_tune::study::{Event, Study};
use serde::{Deserialize, Serialize};

use super::{Spec, SweepError};
use crate::appender::{Appender, now};
use crate::nearest::nearest;
use crate::runs::lock::RunLock;

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// When, in seconds since 1970 (UTC).
    pub time: f64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// The sweeps of a home directory.
#[derive(Debug, Clone)]
pub struct Sweeps {
    root: PathBuf,
}

/// One sweep, to read.
#[derive(Debug)]
pub struct Sweep {
    dir: PathBuf,
    name: String,
    /// What it is.
    pub spec: Spec,
    /// What has come of it so far.
    pub study: Study,
    /// When it was last heard of, in seconds since 1970 (UTC).
    pub heard: f64,
}

/// A sweep that this process may go on with.
#[derive(Debug)]
pub struct ActiveSweep {
    /// The sweep.
    pub sweep: Sweep,
    journal: Appender,
    _lock: RunLock,
}

impl Sweeps {
    /// The sweeps under `home`, whether or not it exists yet.
    pub fn new(home: &Path) -> Self {
        Self { root: home.join("sweeps") }
    }

    /// The names of all sweeps, in order.
    pub fn names(&self) -> Result<Vec<String>, SweepError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(SweepError::io("list", &self.root)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(SweepError::io("list", &self.root))?;
            if entry.path().join(SPEC).is_file()
                && let Ok(name) = entry.file_name().into_string()
                && !name.starts_with('.')
            {
                names.push(name);
            }
        }
        names.sort_unstable_by_key(|name| (stem(name).map(str::to_owned), number(name), name.clone()));
        Ok(names)
    }

    /// The sweep called `name`; a name without a number is that of the latest.
    ///
    /// # Errors
    /// [`SweepError::Unknown`], with the nearest name there is.
    pub fn open(&self, name: &str) -> Result<Sweep, SweepError> {
        let names = self.names()?;
        let exact = names.iter().find(|known| *known == name);
        let latest = || names.iter().rfind(|known| stem(known) == Some(name));
        match exact.or_else(latest) {
            Some(name) => Sweep::read(self.root.join(name), name.clone()),
            None => Err(SweepError::Unknown {
                name: name.to_owned(),
                root: self.root.clone(),
                nearest: nearest(name, names.iter().flat_map(|known| [Some(known.as_str()), stem(known)]).flatten())
                    .map(str::to_owned),
            }),
        }
    }

    /// The latest sweep of this identity, if there is one.
    pub fn find(&self, identity: &str) -> Result<Option<Sweep>, SweepError> {
        let mut found: Option<Sweep> = None;
        for name in self.names()? {
            let sweep = match Sweep::read(self.root.join(&name), name) {
                Ok(sweep) => sweep,
                // One of another version, or a damaged one, is not the one that is looked for.
                Err(error) if error.is_user_error() => continue,
                Err(error) => return Err(error),
            };
            if sweep.spec.identity() == identity
                && found.as_ref().is_none_or(|other| other.spec.created < sweep.spec.created)
            {
                found = Some(sweep);
            }
        }
        Ok(found)
    }

    /// Makes a sweep, `<name>-<n>`, and takes it.
    pub fn create(&self, spec: &Spec) -> Result<ActiveSweep, SweepError> {
        fs::create_dir_all(&self.root).map_err(SweepError::io("create", &self.root))?;
        let taken = self.names()?.iter().filter(|known| stem(known) == Some(&*spec.name)).count();
        for number in taken + 1.. {
            let name = format!("{}-{number:03}", spec.name);
            let dir = self.root.join(&name);
            if dir.exists() {
                continue;
            }
            let draft = self.root.join(format!(".{name}-{}", std::process::id()));
            fs::create_dir_all(draft.join(LOGS)).map_err(SweepError::io("create", &draft))?;
            let json =
                serde_json::to_vec_pretty(spec).map_err(|source| SweepError::Spec { path: draft.clone(), source })?;
            for (file, bytes) in [(SPEC, &json[..]), (RECIPE, spec.recipe.as_bytes())] {
                let path = draft.join(file);
                write_atomic(&path, |out| out.write_all(bytes)).map_err(SweepError::io("write", &path))?;
            }
            match fs::rename(&draft, &dir) {
                Ok(()) => return Sweep::read(dir, name)?.take(),
                // Another process took the number.
                Err(_) if dir.exists() => fs::remove_dir_all(&draft).map_err(SweepError::io("remove", &draft))?,
                Err(error) => return Err(SweepError::io("rename", &draft)(error)),
            }
        }
        unreachable!("numbers do not end")
    }
}

const SPEC: &str = "sweep.json";
const RECIPE: &str = "recipe.toml";
const JOURNAL: &str = "journal.jsonl";
const LOGS: &str = "logs";

/// The name of a sweep without its number.
fn stem(name: &str) -> Option<&str> {
    let (stem, number) = name.rsplit_once('-')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(stem)
}

/// The number of a sweep.
fn number(name: &str) -> Option<u64> {
    name.rsplit_once('-')?.1.parse().ok()
}

impl Sweep {
    fn read(dir: PathBuf, name: String) -> Result<Self, SweepError> {
        let path = dir.join(SPEC);
        let bytes = fs::read(&path).map_err(SweepError::io("read", &path))?;
        let spec: Spec =
            serde_json::from_slice(&bytes).map_err(|source| SweepError::Spec { path: path.clone(), source })?;
        let mut study = spec.study()?;
        let journal = read_journal(&dir.join(JOURNAL))?;
        journal.iter().for_each(|line| study.apply(&line.event));
        let heard = journal.last().map_or(spec.created, |line| line.time);
        Ok(Self { dir, name, spec, study, heard })
    }

    /// Takes it, to go on with it.
    ///
    /// # Errors
    /// [`SweepError::Run`] while another process holds it.
    pub fn take(self) -> Result<ActiveSweep, SweepError> {
        let lock = RunLock::acquire(&self.dir, &self.name)?;
        // Whoever held it may have gone on since it was read.
        let sweep = Self::read(self.dir, self.name)?;
        let path = sweep.dir.join(JOURNAL);
        let journal = Appender::open(path.clone()).map_err(SweepError::io("open", &path))?;
        Ok(ActiveSweep { sweep, journal, _lock: lock })
    }

    /// Whether a process is at it.
    pub fn is_running(&self) -> Result<bool, SweepError> {
        Ok(RunLock::is_held(&self.dir)?)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every event with its time.
    pub fn journal(&self) -> Result<Vec<Stamped>, SweepError> {
        read_journal(&self.dir.join(JOURNAL))
    }

    /// The recipe its trials start from.
    pub(super) fn recipe_path(&self) -> PathBuf {
        self.dir.join(RECIPE)
    }

    /// Where the processes of a run say what they have to say to people.
    pub fn log_path(&self, run: &str) -> PathBuf {
        self.dir.join(LOGS).join(format!("{run}.log"))
    }

    /// The name of the run of a trial.
    pub(super) fn run_of(&self, trial: u32) -> String {
        format!("{}-trial-{trial}", self.name)
    }
}

impl ActiveSweep {
    /// Changes how many of the best trials are run again, and with which seeds: that decides about no trial.
    pub fn rerun_with(&mut self, finalists: usize, seeds: &[u64]) -> Result<(), SweepError> {
        let spec = &mut self.sweep.spec;
        if (spec.finalists, &spec.seeds[..]) == (finalists, seeds) {
            return Ok(());
        }
        (spec.finalists, spec.seeds) = (finalists, seeds.to_vec());
        let path = self.sweep.dir.join(SPEC);
        let json = serde_json::to_vec_pretty(spec).map_err(|source| SweepError::Spec { path: path.clone(), source })?;
        write_atomic(&path, |out| out.write_all(&json)).map_err(SweepError::io("write", &path))?;
        self.sweep.study.rerun_with(finalists, seeds);
        Ok(())
    }

    /// Writes down what happened, and takes it in.
    pub(super) fn record(&mut self, event: Event) -> Result<Stamped, SweepError> {
        let line = Stamped { time: now(), event };
        self.journal.append(&line, true).map_err(SweepError::io("append to", self.journal.path()))?;
        self.sweep.study.apply(&line.event);
        self.sweep.heard = line.time;
        Ok(line)
    }
}

/// The lines of a journal that are events; one torn by a crash is passed over.
fn read_journal(path: &Path) -> Result<Vec<Stamped>, SweepError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(SweepError::io("read", path)(error)),
    };
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A number that came back a little off would be another trial.
        #[test]
        fn numbers_come_back_from_the_journal_to_the_bit(value in proptest::num::f64::NORMAL, seconds in 0.0..1e7) {
            let assignment = [("rate".to_owned(), value.into())].into_iter().collect();
            let events = [
                Event::Began { trial: 1, origin: gyeol_tune::study::Origin::Sampler, assignment, run: "r".into() },
                Event::Reported { trial: 1, step: 3, epoch: value.abs().fract(), value },
                Event::Worked { trial: 1, seconds, overhead: seconds / 3.0 },
            ];
            for event in events {
                let line = Stamped { time: seconds, event };
                let read: Stamped = serde_json::from_str(&serde_json::to_string(&line).unwrap()).unwrap();
                prop_assert_eq!(read, line);
            }
        }
    }

    #[test]
    fn the_latest_sweep_of_a_name_is_that_of_the_largest_number() {
        let mut names = ["a-1000", "a-999", "b-001", "a-001"];
        names.sort_unstable_by_key(|name| (stem(name), number(name)));
        assert_eq!(names, ["a-001", "a-999", "a-1000", "b-001"]);
    }
}
