//! Runs that are trained as several others, one after the other: what [`folds`](crate::folds) and [`boost`](crate::boost) share.
//!
//! A part is a run like any other, with its own recipe, journal, report and model. The run it belongs to keeps no weights; a
//! part that is finished is never computed again.

use std::fs;
use std::path::PathBuf;

use gyeol_data::Task;
use gyeol_eval::Predictions;

use crate::fingerprints::code_version;
use crate::prepare::Prepared;
use crate::recipe::Recipe;
use crate::runs::{EventKind, Report, Run, Runs, Status};
use crate::session::{Session, Trained, batch_of, check_arithmetic};
use crate::totals::rate;
use crate::train::tune;
use crate::{Error, Watcher, class_weights, process};

/// What the parts of a run are trained from.
pub(crate) struct Parts<'a> {
    /// The run they belong to, prepared as a whole.
    pub(crate) prepared: &'a Prepared,
    /// The adapted base, and the report of the run that made it.
    pub(crate) adapted: Option<&'a (PathBuf, Report)>,
    pub(crate) runs: &'a Runs,
}

impl Parts<'_> {
    /// Refuses to add to `parts` that are of another recipe than `recipe` gives for their number, of another arithmetic,
    /// or of other tables or another adapted base: what is made of them together would be of neither.
    pub(crate) fn refuse_others(&self, parts: &[Run], recipe: impl Fn(u32) -> Recipe) -> Result<(), Error> {
        let prepared = self.prepared;
        for part in parts {
            let number = part.part_of().map_or(0, |(_, number)| number);
            // Left behind by a run of the same name that was removed.
            if !part.is_of(&recipe(number).to_toml()?)? {
                let name = part.name();
                let problem = format!(
                    "{name} is there already, and of another recipe; remove it (gyeol runs rm {name}), or give the new run \
                     another name"
                );
                return Err(Error::Setting { key: "runs", problem });
            }
        }
        for part in parts {
            if let (Status::Finished, Some(report)) = (part.status()?, part.report()?) {
                let adapted_by = self.adapted.map(|(_, report)| &report.run);
                let changed = if report.data_fingerprint != prepared.data_fingerprint() {
                    "the tables are no longer those"
                } else if report.adapted_by.as_ref() != adapted_by {
                    "the adapted base is no longer that"
                } else {
                    continue;
                };
                let problem = format!("{changed} {} was trained with; start a new run without --resume", part.name());
                return Err(Error::Setting { key: "--resume", problem });
            }
        }
        for part in parts {
            let journal = part.journal()?;
            let objection =
                journal.arithmetic().and_then(|(isa, precision)| prepared.arithmetic.objection(isa, precision));
            // One that is not finished may begin again, if it has no state yet.
            if let (Some(problem), Status::Finished) = (objection, part.status()?) {
                return Err(Error::Setting { key: "--resume", problem: format!("{} {problem}", part.name()) });
            }
        }
        Ok(())
    }

    /// The report of the part called `name`, if it is done.
    pub(crate) fn finished(&self, name: &str) -> Result<Option<Report>, Error> {
        match self.runs.find(name)? {
            Some(run) if run.status()? == Status::Finished => Ok(run.report()?),
            _ => Ok(None),
        }
    }

    /// Prepares a part, whose recipe is `recipe`; what was said of the whole is not said again.
    ///
    /// # Errors
    /// If a table was changed since the whole was prepared: rows of one would be taken for those of the other.
    pub(crate) fn prepare(&self, recipe: Recipe, watcher: &mut dyn Watcher) -> Result<Prepared, Error> {
        let Prepared { arithmetic, hub, warnings, .. } = self.prepared;
        let mut quiet = Quiet { watcher, known: warnings };
        let part = Prepared::new(recipe, arithmetic.instruction_set(), self.runs.home(), hub, &mut quiet)?;
        if part.data_fingerprint() == self.prepared.data_fingerprint() {
            return Ok(part);
        }
        let problem = "a table was changed while the run was trained; put it back as it was and go on with --resume, or \
                       start a new run";
        Err(Error::Setting { key: "data", problem: problem.to_owned() })
    }

    /// Trains the part called `name`, from its last state where it has one.
    pub(crate) fn train(&self, name: &str, part: &Prepared, watcher: &mut dyn Watcher) -> Result<Trained, Error> {
        let toml = part.recipe.to_toml()?;
        let begun = self.runs.find(name)?.map(Run::resume).transpose()?;
        let resume = begun.is_some();
        if let Some(run) = &begun {
            check_arithmetic(part.arithmetic, run.run())?;
        }
        let batch = begun.as_ref().map_or(Ok(None), batch_of)?;
        let take = || match begun {
            Some(run) => Ok(run),
            None => Ok(self.runs.create_named(name, &toml)?),
        };
        tune(part, self.adapted, batch, take, resume, watcher)
    }

    /// Removes the checkpoints of a finished part: its model stays, and so many times as many would fill a disk.
    pub(crate) fn tidy(&self, name: &str) -> Result<(), Error> {
        let path = self.runs.open(name)?.checkpoints_dir();
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Io { path, action: "remove", source })
            }
            _ => Ok(()),
        }
    }

    /// The predictions in a file of each part.
    pub(crate) fn read(&self, parts: &[Report], path: fn(&Run) -> PathBuf) -> Result<Vec<Predictions>, Error> {
        let one = |report: &Report| -> Result<Predictions, Error> {
            let predictions = Predictions::read(&path(&self.runs.open(&report.run)?))?;
            // A file of a few rows may look like one of classes that exclude each other.
            Ok(if self.prepared.task == Task::MultiLabel { predictions.independent() } else { predictions })
        };
        parts.iter().map(one).collect()
    }

    /// What the report of `run` says of its `parts` together, but for how good they are. Each predicted so many rows at its
    /// end as `predicted` says.
    pub(crate) fn report(
        &self,
        run: &Run,
        parts: &[Report],
        predicted: impl Fn(&Report) -> u64,
    ) -> Result<Report, Error> {
        let prepared = self.prepared;
        let sum = |of: fn(&Report) -> f64| parts.iter().map(of).sum::<f64>();
        let train_seconds = sum(|part| part.train_seconds);
        // Each rate is of its own seconds.
        let predicted = |part: &Report| {
            let rows = predicted(part) as f64;
            (rows, part.predict_samples_per_second.map_or(0.0, |rate| rows / rate))
        };
        let (rows, seconds) =
            parts.iter().map(predicted).fold((0.0, 0.0), |(rows, seconds), (r, s)| (rows + r, seconds + s));
        let best_steps = sum(|part| part.best_step as f64);
        Ok(Report {
            run: run.name().to_owned(),
            metric: prepared.metric.to_string(),
            class_weights: class_weights::by_label(prepared),
            task: prepared.task.name().to_owned(),
            best_step: (best_steps / parts.len() as f64).round() as u64,
            steps: parts.iter().map(|part| part.steps).sum(),
            train_rows: prepared.train.rows.len() as u64,
            valid_rows: prepared.valid_set().map_or(0, |valid| valid.rows.len()) as u64,
            train_seconds,
            save_seconds: sum(|part| part.save_seconds),
            samples_per_second: rate(sum(|part| part.samples_per_second * part.train_seconds), train_seconds),
            tokens_per_second: rate(sum(|part| part.tokens_per_second * part.train_seconds), train_seconds),
            predict_samples_per_second: (seconds > 0.0).then(|| rate(rows, seconds)),
            peak_rss_bytes: parts.iter().filter_map(|part| part.peak_rss_bytes).chain(process::peak_rss_bytes()).max(),
            threads: rayon::current_num_threads(),
            isa: prepared.arithmetic.isa().to_owned(),
            precision: prepared.arithmetic.precision().to_owned(),
            data_fingerprint: prepared.data_fingerprint(),
            text_fingerprint: prepared.text_fingerprint(),
            cleaning_fingerprint: prepared.cleaning_fingerprint(),
            base_fingerprint: Some(prepared.base_fingerprint()?),
            code_version: code_version(),
            recipe_fingerprint: prepared.recipe.fingerprint()?,
            adapted_by: self.adapted.map(|(_, report)| report.run.clone()),
            stopped: stopped(parts),
            frozen_seconds_saved: parts.iter().map(|part| part.frozen_seconds_saved).sum(),
            batch_size: parts.iter().find_map(|part| part.batch_size),
            accumulate: parts.iter().find_map(|part| part.accumulate),
            warnings: warnings(run.journal()?.warnings(), parts),
            ..Report::default()
        })
    }
}

/// Says in the journal of the whole how the work on its parts ended.
pub(crate) fn conclude(session: &mut Session<'_>, outcome: Result<Trained, Error>) -> Result<Trained, Error> {
    match outcome {
        Ok(Trained::Finished(report)) => {
            session.run.record(EventKind::Finished { score: report.score })?;
            Ok(Trained::Finished(report))
        }
        // Told by the part's journal and here, so that either shows why it stands still.
        Ok(interrupted) => {
            session.run.record(EventKind::Interrupted { step: 0 })?;
            Ok(interrupted)
        }
        Err(Error::Interrupted) => {
            session.run.record(EventKind::Interrupted { step: 0 })?;
            Err(Error::Interrupted)
        }
        Err(error) => Err(session.failed(error)),
    }
}

/// The warnings of the whole, and of each part those that are its own.
fn warnings(whole: Vec<&str>, parts: &[Report]) -> Vec<String> {
    let own = parts.iter().flat_map(|part| {
        let new = part.warnings.iter().filter(|warning| !whole.contains(&warning.as_str()));
        new.map(|warning| format!("{}: {warning}", part.run))
    });
    whole.iter().map(|warning| (*warning).to_owned()).chain(own).collect()
}

/// Why some parts ended before their last step, if any did.
fn stopped(parts: &[Report]) -> Option<String> {
    let told = |part: &Report| part.stopped.as_ref().map(|why| format!("{}: {why}", part.run));
    let parts: Vec<String> = parts.iter().filter_map(told).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Leaves out what was said when all was prepared together; the rest of it is the same for each part.
struct Quiet<'a> {
    watcher: &'a mut dyn Watcher,
    known: &'a [String],
}

impl Watcher for Quiet<'_> {
    fn phase(&mut self, name: &'static str) {
        self.watcher.phase(name);
    }

    fn warning(&mut self, text: &str) {
        if !self.known.iter().any(|known| known == text) {
            self.watcher.warning(text);
        }
    }

    fn interrupted(&self) -> bool {
        self.watcher.interrupted()
    }
}
