//! The runs of a home directory: `<home>/runs/<run>/`, one directory a run.
//!
//! Here is where a run is created, found and listed; [`events`](Event) is what happened in it, [`Report`] what came of
//! it, and [`ActiveRun`] the right to write it. Nothing here trains, and nothing here knows what is in a recipe.

mod active;
mod error;
mod events;
mod files;
mod journal;
pub(crate) mod lock;
mod made_for;
mod notes;
mod remove;
mod report;
mod run;
mod sink;
mod summary;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use active::ActiveRun;
pub use error::RunError;
pub use events::{Event, EventKind};
pub use journal::Journal;
pub use made_for::MadeFor;
pub use notes::Notes;
pub use report::{
    AverageScore, BoostReport, BoostRound, ClassShare, ClassWeight, FoldScore, FoldsReport, Report, Sampled,
    SourceScores,
};
pub use run::{Run, Status, fold_name, round_name};
pub use sink::Sink;
pub use summary::RunSummary;

use crate::nearest::nearest;

/// The runs kept under one home directory.
#[derive(Debug, Clone)]
pub struct Runs {
    root: PathBuf,
    /// Told of the runs that are written.
    sink: Option<Arc<dyn Sink>>,
    /// What new runs are made for.
    made_for: MadeFor,
}

impl Runs {
    /// The runs under `home` (`.gyeol` by default), whether or not it exists yet.
    pub fn new(home: &Path) -> Self {
        Self { root: home.join("runs"), sink: None, made_for: MadeFor::default() }
    }

    /// The same runs, of which `sink` is told what this process writes.
    #[must_use]
    pub fn told_to(self, sink: Arc<dyn Sink>) -> Self {
        Self { sink: Some(sink), ..self }
    }

    /// The same runs; new ones, those of folds and rounds too, are made for that.
    #[must_use]
    pub fn made_for(self, made_for: MadeFor) -> Self {
        Self { made_for, ..self }
    }

    /// The same runs; new ones may serve many, as an adapted base does.
    pub(crate) fn for_all(&self) -> Self {
        self.clone().made_for(MadeFor::default())
    }

    /// The runs that `run` is one of.
    pub(crate) fn beside(run: &Run) -> Self {
        let root = run.dir().parent().unwrap_or(run.dir()).to_owned();
        Self { root, sink: run.sink().cloned(), made_for: MadeFor::default() }
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        self.root.parent().unwrap_or(&self.root)
    }

    /// The directory that holds the runs.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the directory of a new run, `<recipe name>-<n>`, writes its `recipe.toml`, and takes its lock.
    ///
    /// `n` counts from 001, and passes over numbers of which only folds or rounds are left. The directory is made in one step that fails if it is there, so that two processes never
    /// share a name.
    pub fn create(&self, recipe_name: &str, recipe_toml: &str) -> Result<ActiveRun, RunError> {
        fs::create_dir_all(&self.root).map_err(RunError::io("create the directory", &self.root))?;
        let mut number = self.next_number(recipe_name)?;
        loop {
            let name = format!("{recipe_name}-{number:03}");
            let dir = self.root.join(&name);
            match fs::create_dir(&dir) {
                Ok(()) => return ActiveRun::begin(self.at(name), &self.made_for, recipe_toml),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(RunError::io("create the directory", &dir)(error)),
            }
        }
    }

    /// Makes, or makes again where a process died before its recipe was written, the run called `name`. A fold, or a round, is
    /// only for the holder of its parent's lock to make.
    pub(crate) fn create_named(&self, name: &str, recipe_toml: &str) -> Result<ActiveRun, RunError> {
        let dir = self.root.join(name);
        fs::create_dir_all(&dir).map_err(RunError::io("create the directory", &dir))?;
        ActiveRun::begin(self.at(name.to_owned()), &self.made_for, recipe_toml)
    }

    /// What came of the run called `name`, if there is one, it is of exactly this recipe and has finished.
    pub(crate) fn report_of(&self, name: &str, recipe_toml: &str) -> Result<Option<Report>, RunError> {
        match self.find(name)? {
            Some(run) if run.is_of(recipe_toml)? && run.status()? == Status::Finished => run.report(),
            _ => Ok(None),
        }
    }

    /// The run called `name`, if there is one.
    pub fn find(&self, name: &str) -> Result<Option<Run>, RunError> {
        Ok(self.root.join(name).join(files::RECIPE).is_file().then(|| self.at(name.to_owned())))
    }

    fn at(&self, name: String) -> Run {
        Run::at(self.root.join(&name), name, self.sink.clone())
    }

    /// The runs of the folds of `parent` that there are, of fold 1 to `k`.
    pub fn folds_of(&self, parent: &str, k: u32) -> Result<Vec<Run>, RunError> {
        let folds = (1..=k).map(|fold| self.find(&run::fold_name(parent, fold)));
        Ok(folds.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// The runs of the rounds of `parent` that there are, of round 1 to `rounds`.
    pub fn rounds_of(&self, parent: &str, rounds: u32) -> Result<Vec<Run>, RunError> {
        let rounds = (1..=rounds).map(|round| self.find(&run::round_name(parent, round)));
        Ok(rounds.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// The run called `name`.
    ///
    /// # Errors
    /// [`RunError::Unknown`], with the nearest name there is.
    pub fn open(&self, name: &str) -> Result<Run, RunError> {
        let names = self.names()?;
        if names.iter().any(|known| known == name) {
            return Ok(self.at(name.to_owned()));
        }
        let nearest = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
        Err(RunError::Unknown { name: name.to_owned(), root: self.root.clone(), nearest, empty: names.is_empty() })
    }

    /// Every run, by name. A directory without `recipe.toml` is not a run; a missing home has none.
    pub fn list(&self) -> Result<Vec<Run>, RunError> {
        let names = self.names()?;
        Ok(names.into_iter().map(|name| self.at(name)).collect())
    }

    /// The latest run of exactly this resolved recipe that has not finished: what `--resume` continues.
    ///
    /// A run that another process is writing counts; taking it with [`Run::resume`] then says who holds it.
    pub fn unfinished(&self, recipe_name: &str, recipe_toml: &str) -> Result<Option<Run>, RunError> {
        self.latest(recipe_name, Some(recipe_toml), |status| status != Status::Finished)
    }

    /// The latest run of that recipe name that has not finished, whatever is in its recipe.
    pub fn unfinished_of_any_recipe(&self, recipe_name: &str) -> Result<Option<Run>, RunError> {
        self.latest(recipe_name, None, |status| status != Status::Finished)
    }

    /// The latest run of exactly this resolved recipe that has finished.
    pub fn finished(&self, recipe_name: &str, recipe_toml: &str) -> Result<Option<Run>, RunError> {
        self.latest(recipe_name, Some(recipe_toml), |status| status == Status::Finished)
    }

    fn latest(
        &self,
        recipe_name: &str,
        recipe_toml: Option<&str>,
        wanted: impl Fn(Status) -> bool,
    ) -> Result<Option<Run>, RunError> {
        for (_, name) in self.numbers(recipe_name)?.into_iter().rev() {
            let run = self.at(name);
            let fits = match recipe_toml {
                Some(toml) => run.is_of(toml)?,
                None => run.recipe_path().is_file(),
            };
            if fits && wanted(run.status()?) {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    /// The numbers taken by runs of `recipe_name`, with the run's name, in order.
    fn numbers(&self, recipe_name: &str) -> Result<Vec<(u64, String)>, RunError> {
        let mut numbers: Vec<(u64, String)> =
            self.directories()?.into_iter().filter_map(|name| Some((number_in(&name, recipe_name)?, name))).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The number above those of all runs of `recipe_name`, and of those that were removed without their folds or rounds:
    /// these would be taken for the new run's.
    fn next_number(&self, recipe_name: &str) -> Result<u64, RunError> {
        let taken = |name: String| {
            let run = self.at(name);
            let whole = run.part_of().and_then(|(whole, _)| number_in(whole, recipe_name));
            number_in(run.name(), recipe_name).or(whole)
        };
        Ok(self.directories()?.into_iter().filter_map(taken).max().map_or(1, |last| last + 1))
    }

    fn names(&self) -> Result<Vec<String>, RunError> {
        let mut names = self.directories()?;
        names.retain(|name| self.root.join(name).join(files::RECIPE).is_file());
        names.sort_unstable();
        Ok(names)
    }

    /// Names of the directories in the root, in no order: every run's, and of those that [`Runs::find`] does not take for
    /// one. A name that is not UTF-8 is not of our making.
    pub fn directories(&self) -> Result<Vec<String>, RunError> {
        let mut names = self.subdirectories()?;
        names.retain(|name| !name.starts_with(files::REMOVING));
        Ok(names)
    }

    fn subdirectories(&self) -> Result<Vec<String>, RunError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(RunError::io("list", &self.root)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(RunError::io("list", &self.root))?;
            // Most systems tell the type with the name: ten thousand runs are listed without a look at each.
            let file_type = entry.file_type().map_err(RunError::io("list", &self.root))?;
            if (file_type.is_dir() || file_type.is_symlink() && entry.path().is_dir())
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// The number of the run called `name`, if it is one of `recipe_name`.
fn number_in(name: &str, recipe_name: &str) -> Option<u64> {
    let digits = name.strip_prefix(recipe_name)?.strip_prefix('-')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_told;
