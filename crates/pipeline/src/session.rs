//! What every kind of run shares: claiming its directory, the training loop inside it, and its end.

use gyeol_engine::config::{SwaConfig, TrainConfig};
use gyeol_engine::device::Cpu;
use gyeol_engine::hf::recover_directory;
use gyeol_engine::{Model, Objective, Outcome, StopReason, TrainPaths, TrainPlan, Trained as Trainable, Trainer};

use crate::memory::BatchShape;
use crate::observer::{RunObserver, Scorer};
use crate::recipe::{GuardRule, difference};
use crate::runs::{ActiveRun, EventKind, Report, Run, Runs};
use crate::totals::Totals;
use crate::{Arithmetic, Error, Watcher};

/// How a run ended.
#[derive(Debug)]
pub enum Trained {
    /// It is complete.
    Finished(Box<Report>),
    /// It was stopped, and can be resumed.
    Interrupted {
        /// The run's name.
        run: String,
        /// Steps in the saved state; 0 when none is saved.
        step: u64,
    },
}

/// Name of the resume state in the checkpoints directory.
const STATE: &str = "state";

/// Which run a training is written into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// A new one, numbered.
    New,
    /// The latest unfinished one of exactly this recipe; without any, a new one.
    Unfinished,
    /// The one of this name: a new one, or where it is unfinished that; where it is finished, nothing is trained.
    Named(&'a str),
}

impl Which<'_> {
    /// Whether an unfinished run goes on.
    pub(crate) fn resumes(self) -> bool {
        self != Self::New
    }
}

/// The right to a run's directory: that of an unfinished run, or of one to be made once it is known that it can begin.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    runs: &'a Runs,
    which: Which<'a>,
    name: &'a str,
    toml: &'a str,
    unfinished: Option<ActiveRun>,
}

impl<'a> Claim<'a> {
    /// Claims the unfinished run that `which` means, if there is one.
    ///
    /// # Errors
    /// If another process writes it, or it was computed in another arithmetic; if the named one is of another recipe.
    pub(crate) fn new(
        runs: &'a Runs,
        (name, toml): (&'a str, &'a str),
        arithmetic: Arithmetic,
        which: Which<'a>,
        watcher: &mut dyn Watcher,
    ) -> Result<Self, Error> {
        let unfinished = match which {
            Which::New => None,
            Which::Unfinished => runs.unfinished(name, toml)?,
            Which::Named(run) => named(runs, run, toml)?,
        };
        let unfinished = unfinished.map(Run::resume).transpose()?;
        if let Some(run) = &unfinished {
            check_arithmetic(arithmetic, run.run())?;
        }
        if which == Which::Unfinished && unfinished.is_none() {
            watcher.note(&nothing_to_resume(runs, name, toml)?);
        }
        Ok(Self { runs, which, name, toml, unfinished })
    }

    /// The batch that the unfinished run began with, if there is one and it has a saved state to go on from.
    pub(crate) fn batch(&self) -> Result<Option<BatchShape>, Error> {
        self.unfinished.as_ref().map_or(Ok(None), batch_of)
    }

    /// The run to write.
    pub(crate) fn take(self) -> Result<ActiveRun, Error> {
        Ok(match (self.unfinished, self.which) {
            (Some(run), _) => run,
            (None, Which::Named(run)) => self.runs.create_named(run, self.toml)?,
            (None, Which::New | Which::Unfinished) => self.runs.create(self.name, self.toml)?,
        })
    }
}

/// The run called `name`, which has to be one of this recipe.
fn named(runs: &Runs, name: &str, toml: &str) -> Result<Option<Run>, Error> {
    let Some(run) = runs.find(name)? else { return Ok(None) };
    match difference_of(&run, toml)? {
        None => Ok(Some(run)),
        Some(why) => Err(Error::Setting { key: "--run", problem: format!("{name} is there, but {why}") }),
    }
}

/// How the recipe of `run` differs from `toml`.
fn difference_of(run: &Run, toml: &str) -> Result<Option<String>, Error> {
    let path = run.recipe_path();
    let theirs = std::fs::read_to_string(&path).map_err(|source| Error::Io { path, action: "read", source })?;
    let words = || {
        difference(&theirs, toml)
            .map_or_else(|| "its recipe is written otherwise".to_owned(), |difference| difference.to_string())
    };
    Ok((theirs != toml).then(words))
}

/// The batch that a run began with, if it has a saved state to go on from.
pub(crate) fn batch_of(run: &ActiveRun) -> Result<Option<BatchShape>, Error> {
    let run = run.run();
    if !run.checkpoints_dir().join(STATE).is_dir() {
        return Ok(None);
    }
    let batch = run.journal()?.batch();
    Ok(batch.map(|(batch_size, accumulate)| BatchShape { batch_size, accumulate }))
}

/// Refuses a state of another arithmetic, before anything of the run is touched: going on would end at bits that are
/// those of neither.
pub(crate) fn check_arithmetic(arithmetic: Arithmetic, run: &Run) -> Result<(), Error> {
    let state = run.checkpoints_dir().join(STATE);
    recover_directory(&state)?;
    let journal = run.journal()?;
    // Without a state the run begins again, and says anew how it is computed.
    match journal.arithmetic().filter(|_| state.is_dir()) {
        Some((isa, precision)) => match arithmetic.objection(isa, precision) {
            Some(problem) => Err(Error::Setting { key: "--resume", problem: format!("{} {problem}", run.name()) }),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

/// Why `resume` starts a run: there is no unfinished one, or the one there is has another recipe.
fn nothing_to_resume(runs: &Runs, name: &str, toml: &str) -> Result<String, Error> {
    let mut words = "no unfinished run of this recipe; starting one".to_owned();
    if let Some(other) = runs.unfinished_of_any_recipe(name)?
        && let Some(why) = difference_of(&other, toml)?
    {
        words.push_str(&format!(" ({} is unfinished, but {why})", other.name()));
    }
    Ok(words)
}

/// What a run trains.
#[derive(Debug)]
pub(crate) struct Job<'a, O> {
    pub(crate) objective: O,
    pub(crate) config: &'a TrainConfig,
    /// Steps after which to end, where the schedule has more.
    pub(crate) stop_after: Option<u64>,
    pub(crate) seed: u64,
    /// The one declared metric, and whether a larger value is better.
    pub(crate) metric: &'a str,
    pub(crate) higher_is_better: bool,
    /// What else the chosen checkpoint has to be.
    pub(crate) guard: Option<GuardRule>,
    /// Which checkpoints are averaged at the end.
    pub(crate) swa: SwaConfig,
    /// What the run's bits depend on.
    pub(crate) fingerprint: String,
    /// What may be wrong with the tables.
    pub(crate) warnings: &'a [String],
}

/// A run being written.
pub(crate) struct Session<'a> {
    pub(crate) run: ActiveRun,
    pub(crate) watcher: &'a mut dyn Watcher,
    pub(crate) arithmetic: Arithmetic,
}

/// Why a run ended before its last step, if it did.
pub(crate) fn stopped(outcome: &Outcome) -> Option<String> {
    match outcome.reason {
        StopReason::Finished | StopReason::Interrupted => None,
        StopReason::Patience => Some(format!("no improvement since step {}", best_step(outcome))),
        StopReason::Diverged(divergence) => Some(format!("diverged at {divergence}")),
    }
}

/// The step of the best checkpoint; without evaluations the last.
pub(crate) fn best_step(outcome: &Outcome) -> u64 {
    outcome.best.first().map_or(outcome.steps, |best| best.step)
}

/// How the training loop ended.
pub(crate) enum Fitted {
    /// The model has the weights to keep; `saved` steps are in the saved state.
    Done { outcome: Outcome, totals: Totals, saved: u64 },
    /// It was stopped after `step` steps, of which `saved` are in the saved state.
    Interrupted { step: u64, saved: u64 },
}

impl<O> Job<'_, O> {
    /// The plan, with the steps that will be taken to train `M`.
    fn plan<M>(&self) -> TrainPlan
    where
        O: Objective<M>,
    {
        let plan = TrainPlan::new(self.config, self.objective.rows().len());
        TrainPlan { steps: self.stop_after.map_or(plan.steps, |last| last.min(plan.steps)), ..plan }
    }
}

impl Session<'_> {
    /// Says in the journal that the run failed.
    pub(crate) fn failed(&mut self, error: Error) -> Error {
        match self.run.record(EventKind::Failed { error: error.to_string() }) {
            Ok(_) => error,
            // It is the journal that failed.
            Err(second) if second.to_string() == error.to_string() => error,
            Err(second) => Error::Twice { first: Box::new(error), second: Box::new(second.into()) },
        }
    }

    /// Says in the journal that the run begins, or goes on.
    pub(crate) fn begin<M, O: Objective<M>>(&mut self, job: &Job<'_, O>) -> Result<(), Error> {
        let steps = job.plan::<M>().steps;
        let checkpoints = self.run.run().checkpoints_dir();
        std::fs::create_dir_all(&checkpoints).map_err(|source| Error::Io {
            path: checkpoints.clone(),
            action: "create",
            source,
        })?;
        self.started(job.metric, steps, Some(BatchShape::of(job.config)), job.warnings)
    }

    /// Appends that a process begins, and what may be wrong with its tables.
    pub(crate) fn started(
        &mut self,
        metric: &str,
        total_steps: u64,
        batch: Option<BatchShape>,
        warnings: &[String],
    ) -> Result<(), Error> {
        self.run.record(EventKind::Started {
            metric: metric.to_owned(),
            total_steps,
            isa: Some(self.arithmetic.isa().to_owned()),
            precision: Some(self.arithmetic.precision().to_owned()),
            batch_size: batch.map(|batch| batch.batch_size),
            accumulate: batch.map(|batch| batch.accumulate),
        })?;
        for message in warnings {
            self.run.record(EventKind::Warning { message: message.clone() })?;
        }
        Ok(())
    }

    /// Trains `model`, from the saved state where `resume` is set and there is one.
    pub(crate) fn fit<M: Trainable<Device = Cpu>, O: Objective<M>>(
        &mut self,
        model: &mut M,
        job: Job<'_, O>,
        scorer: &mut dyn Scorer,
        resume: bool,
    ) -> Result<Fitted, Error> {
        let plan = job.plan::<M>();
        let checkpoints = self.run.run().checkpoints_dir();
        let copies = if job.config.ema > 0.0 { 2 } else { 1 };
        let state = |model: &Model<Cpu>| copies * model.table().len() + model.moments_len(job.config.optimizer);
        let state_bytes = size_of::<f32>() * model.models().iter().map(state).sum::<usize>();
        let metrics = (job.metric, job.guard.map(|guard| guard.metric));
        let mut observer = RunObserver::new(&mut self.run, &mut *self.watcher, metrics, scorer, plan, state_bytes);
        let outcome = Trainer {
            model,
            config: job.config,
            objective: job.objective,
            seed: job.seed,
            stop_after: job.stop_after,
            higher_is_better: job.higher_is_better,
            guard: job.guard.map(|rule| rule.guard),
            swa: job.swa,
            paths: TrainPaths { state: checkpoints.join(STATE), checkpoints },
            fingerprint: job.fingerprint,
        }
        .run(resume, &mut observer);
        let (totals, saved, failure) = (observer.totals, observer.saved_step, observer.failure.take());
        // What stopped the run from inside matters more than what followed from it.
        if let Some(error) = failure {
            return Err(error);
        }
        let outcome = outcome?;
        if outcome.reason == StopReason::Interrupted {
            return Ok(Fitted::Interrupted { step: outcome.steps, saved });
        }
        if let StopReason::Diverged(divergence) = outcome.reason {
            let step = best_step(&outcome);
            self.warn(format!(
                "diverged at {divergence}; the checkpoint of step {step} from before is kept; lower the learning rate or \
                 lengthen the warm-up"
            ))?;
        }
        Ok(Fitted::Done { outcome, totals, saved })
    }

    /// Tells a warning, and keeps it with the run.
    pub(crate) fn warn(&mut self, message: String) -> Result<(), Error> {
        self.watcher.warning(&message);
        self.run.record(EventKind::Warning { message })?;
        Ok(())
    }

    /// Says in the journal that the run was stopped after `step` steps; those beyond `saved` are taken again.
    pub(crate) fn interrupted(&mut self, step: u64, saved: u64) -> Result<Trained, Error> {
        self.run.record(EventKind::Interrupted { step })?;
        Ok(Trained::Interrupted { run: self.run.run().name().to_owned(), step: saved })
    }

    /// Ends the run, whose `report` is written: nothing is left to resume.
    pub(crate) fn close(&mut self, report: Report) -> Result<Trained, Error> {
        // Said before the state goes: a process may die while it removes it.
        self.run.record(EventKind::Finished { score: report.score })?;
        discard_state(self.run.run())?;
        Ok(Trained::Finished(Box::new(report)))
    }
}

/// Removes the state that a run would go on from.
pub(crate) fn discard_state(run: &Run) -> Result<(), Error> {
    let state = run.checkpoints_dir().join(STATE);
    recover_directory(&state)?;
    match std::fs::remove_dir_all(&state) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { path: state, action: "remove", source })
        }
        _ => Ok(()),
    }
}
