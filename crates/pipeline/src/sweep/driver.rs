//! Runs sweeps: keeps workers busy, listens to the trials' processes, and writes down what happens before anything follows
//! from it.
//!
//! What a sweep does next is the study's to say, and that is a function of the journal. So a sweep that is killed at any
//! moment goes on as if it had not been: trials at work go on from their saved states, to the same bits.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use gyeol_tune::pruners::{Decision, State};
use gyeol_tune::study::{Event, Limits, Next, Rerun, Study};

use super::directory::{ActiveSweep, Stamped};
use super::process::{Launcher, Order, Process, Said};
use super::protocol::{Answer, Message};
use super::{Sweep, SweepError};
use crate::Error;
use crate::runs::{EventKind, Report, Run, Runs, Status};

/// How often the clock and the user are looked at while nothing happens.
const PULSE: Duration = Duration::from_millis(200);

/// How long an orphan of a killed sweep may take to notice that nobody listens before that is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many trials failing one after the other end a sweep: it is not their values.
const FAILURES: u32 = 5;

/// How often a process that was killed is started again without having got any further.
const ATTEMPTS: u32 = 3;

/// Told what happens in sweeps.
pub trait SweepWatcher {
    /// A sweep begins, or goes on.
    fn began(&mut self, sweep: &Sweep) {
        let _ = sweep;
    }

    /// Something happened, and is taken in.
    fn event(&mut self, sweep: &Sweep, event: &Stamped) {
        let _ = (sweep, event);
    }

    /// Nothing happened for a moment.
    fn pulse(&mut self) {}

    /// Something a person would want to know.
    fn note(&mut self, text: &str) {
        let _ = text;
    }

    /// Whether the user has asked to stop.
    fn interrupted(&self) -> bool {
        false
    }
}

/// When running sweeps ends, beside their own limits.
#[derive(Debug, Clone, Default)]
pub struct Until {
    /// Trials in all, of each sweep.
    pub count: Option<u32>,
    /// The metric's value that is good enough.
    pub target: Option<f64>,
    /// End a sweep when so many trials brought nothing better.
    pub patience: Option<u32>,
    /// When to be done.
    pub deadline: Option<SystemTime>,
}

/// How running sweeps ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything is done.
    Done,
    /// The time was up.
    Deadline,
    /// The user asked to stop.
    Interrupted,
}

/// What a process works on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Task {
    Trial(u32),
    Rerun { trial: u32, seed: u64 },
}

/// A process at work.
#[derive(Debug)]
struct Worker {
    id: usize,
    sweep: usize,
    task: Task,
    order: Order,
    process: Process,
    /// What was decided about the trial, and follows when the process has ended.
    verdict: Decision,
    /// How often it was killed without having got further.
    attempts: u32,
    /// The furthest step that was told of, by this process or by those before it, and whether this one got there.
    reached: u64,
    progressed: bool,
}

/// Work to be taken up before anything new: what a sweep that was killed, or a process that was, has left.
#[derive(Debug, Clone, Copy)]
struct Left {
    sweep: usize,
    task: Task,
    attempts: u32,
    reached: u64,
}

/// Runs sweeps with some workers.
pub struct Driver<'a> {
    sweeps: Vec<ActiveSweep>,
    launcher: Launcher,
    until: Until,
    runs: Runs,
    watcher: &'a mut dyn SweepWatcher,
    workers: Vec<Worker>,
    left: VecDeque<Left>,
    started: usize,
    /// Of each sweep, whether a process has begun to train: what all its trials share is made.
    warm: Vec<bool>,
    /// Of each sweep, how many trials have failed since one has not.
    failures: Vec<u32>,
    /// Nothing was to be done, and nothing has happened since.
    idle: bool,
    stopping: Option<Ended>,
    channel: (Sender<Said>, Receiver<Said>),
}

impl std::fmt::Debug for Driver<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Driver").field("sweeps", &self.sweeps).finish_non_exhaustive()
    }
}

impl<'a> Driver<'a> {
    /// Takes sweeps to go on with. Of several, workers always turn to the one with the fewest trials.
    pub fn new(sweeps: Vec<ActiveSweep>, launcher: Launcher, until: Until, watcher: &'a mut dyn SweepWatcher) -> Self {
        Self {
            runs: Runs::new(&launcher.home),
            launcher,
            until,
            watcher,
            workers: Vec::new(),
            left: VecDeque::new(),
            started: 0,
            warm: vec![false; sweeps.len()],
            failures: vec![0; sweeps.len()],
            idle: false,
            stopping: None,
            channel: mpsc::channel(),
            sweeps,
        }
    }

    /// Works until everything is done, the time is up, or the user asks to stop. Processes are stopped where they can go on.
    ///
    /// # Errors
    /// If a journal cannot be written, or a process cannot be started.
    pub fn run(mut self) -> Result<(Vec<Sweep>, Ended), Error> {
        let ended = self.work();
        if ended.is_err() {
            self.stop_all();
        }
        // On an error too: a process must not outlive who listens to it.
        while let Some(mut worker) = self.workers.pop() {
            worker.process.stop();
            let _ = worker.process.wait();
        }
        let ended = ended?;
        Ok((self.sweeps.into_iter().map(|active| active.sweep).collect(), ended))
    }

    fn work(&mut self) -> Result<Ended, Error> {
        for sweep in 0..self.sweeps.len() {
            self.watcher.began(&self.sweeps[sweep].sweep);
            self.take_up(sweep)?;
        }
        loop {
            self.look_at_clock();
            self.fill()?;
            if self.workers.is_empty() {
                return Ok(self.stopping.unwrap_or(Ended::Done));
            }
            match self.channel.1.recv_timeout(PULSE) {
                Ok(Said::Line(id, message)) => {
                    self.idle = false;
                    self.hear(id, message)?;
                }
                Ok(Said::Closed(id)) => {
                    self.idle = false;
                    self.bury(id)?;
                }
                Err(RecvTimeoutError::Timeout) => self.watcher.pulse(),
                Err(RecvTimeoutError::Disconnected) => unreachable!("the driver holds a sender itself"),
            }
        }
    }

    /// Finds what a killed sweep has left at work.
    fn take_up(&mut self, sweep: usize) -> Result<(), Error> {
        let trials: Vec<u32> =
            self.study(sweep).trials().iter().filter(|t| t.state == State::Running).map(|t| t.number).collect();
        for trial in trials {
            let run = self.runs.find(&self.sweeps[sweep].sweep.run_of(trial))?;
            if let Some(run) = run {
                self.wait_for_orphan(&run)?;
                if self.catch_up(sweep, trial, &run)? {
                    continue;
                }
            }
            self.left.push_back(Left { sweep, task: Task::Trial(trial), attempts: 0, reached: 0 });
        }
        Ok(())
    }

    /// Waits for the process of a run to notice that its sweep is gone.
    fn wait_for_orphan(&mut self, run: &Run) -> Result<(), Error> {
        let since = Instant::now();
        let mut told = false;
        while run.status()? == Status::Running && self.stopping.is_none() {
            if since.elapsed() > PATIENCE && !std::mem::replace(&mut told, true) {
                self.watcher.note(&format!("waiting for another process to let go of {}", run.name()));
            }
            std::thread::sleep(PULSE);
            self.look_at_clock();
        }
        Ok(())
    }

    /// Takes in what a trial's run says that the sweep's journal does not; whether that settles the trial.
    fn catch_up(&mut self, sweep: usize, trial: u32, run: &Run) -> Result<bool, Error> {
        if run.status()? == Status::Finished
            && let Some(report) = run.report()?
        {
            if self.sweeps[sweep].sweep.spec.prunes() {
                self.reports_of(sweep, trial, run)?;
            }
            self.finished(sweep, trial, &report)?;
            return Ok(true);
        }
        if !self.sweeps[sweep].sweep.spec.prunes() {
            return Ok(false);
        }
        if self.reports_of(sweep, trial, run)? == 0
            && self.study(sweep).trial(trial).is_none_or(|t| t.reports.is_empty())
        {
            return Ok(false);
        }
        // The last evaluation may have been decided on, but not followed.
        self.follow(sweep, trial, self.study(sweep).decide(trial))
    }

    /// Takes in the evaluations of a run that are not known yet; how many.
    fn reports_of(&mut self, sweep: usize, trial: u32, run: &Run) -> Result<usize, Error> {
        let metric = self.sweeps[sweep].sweep.spec.metric.metric.name();
        let known = self.study(sweep).trial(trial).and_then(|t| t.reports.last()).map_or(0, |last| last.step);
        let mut new = 0;
        for event in run.journal()?.events {
            if let EventKind::Evaluation { step, epoch, metrics } = event.kind
                && step > known
            {
                let value = metrics.get(metric).copied().unwrap_or(f64::NAN);
                self.record(sweep, Event::Reported { trial, step, epoch, value })?;
                new += 1;
            }
        }
        Ok(new)
    }

    /// Writes down what follows from a decision; whether the trial is settled by it.
    fn follow(&mut self, sweep: usize, trial: u32, verdict: Decision) -> Result<bool, Error> {
        match verdict {
            Decision::Continue => return Ok(false),
            Decision::Pause => self.record(sweep, Event::Paused { trial })?,
            Decision::Stop => {
                self.record(sweep, Event::Stopped { trial })?;
                self.discard_state(sweep, trial)?;
            }
        }
        Ok(true)
    }

    /// A trial that was stopped for good needs no state to go on from.
    fn discard_state(&self, sweep: usize, trial: u32) -> Result<(), Error> {
        match self.runs.find(&self.sweeps[sweep].sweep.run_of(trial))? {
            Some(run) => crate::session::discard_state(&run),
            None => Ok(()),
        }
    }

    fn look_at_clock(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        let late = self.until.deadline.is_some_and(|deadline| SystemTime::now() >= deadline);
        self.stopping =
            if self.watcher.interrupted() { Some(Ended::Interrupted) } else { late.then_some(Ended::Deadline) };
        if self.stopping.is_some() {
            self.stop_all();
        }
    }

    fn stop_all(&mut self) {
        self.workers.iter_mut().for_each(|worker| worker.process.stop());
    }

    /// Gives free workers something to do.
    fn fill(&mut self) -> Result<(), Error> {
        while self.stopping.is_none() && !self.idle && self.workers.len() < self.launcher.workers {
            // The first process of a sweep alone makes what its trials share: tokens, an adapted base.
            let open: Vec<bool> = (0..self.sweeps.len())
                .map(|sweep| self.warm[sweep] || self.workers.iter().all(|worker| worker.sweep != sweep))
                .collect();
            if let Some(at) = self.left.iter().position(|left| open[left.sweep])
                && let Some(left) = self.left.remove(at)
            {
                self.launch(left)?;
                continue;
            }
            let mut order: Vec<usize> = (0..self.sweeps.len()).filter(|&sweep| open[sweep]).collect();
            order.sort_by_key(|&sweep| self.study(sweep).trials().len());
            let mut found = false;
            for sweep in order {
                if self.begin_next(sweep)? {
                    found = true;
                    break;
                }
            }
            self.idle = !found;
        }
        Ok(())
    }

    /// Begins what a sweep wants next; whether there was anything.
    fn begin_next(&mut self, sweep: usize) -> Result<bool, Error> {
        let limits = self.limits(sweep);
        let rerunning =
            self.workers.iter().filter(|worker| worker.sweep == sweep).filter_map(|worker| match worker.task {
                Task::Rerun { trial, seed } => Some((trial, seed)),
                Task::Trial(_) => None,
            });
        let task = match self.study(sweep).next(&limits, &rerunning.collect::<Vec<_>>()) {
            Next::Begin { trial, origin, assignment } => {
                let run = self.sweeps[sweep].sweep.run_of(trial);
                self.record(sweep, Event::Began { trial, origin, assignment, run })?;
                Task::Trial(trial)
            }
            Next::Resume { trial } => {
                self.record(sweep, Event::Resumed { trial })?;
                Task::Trial(trial)
            }
            Next::Rerun { trial, seed } => Task::Rerun { trial, seed },
            Next::Wait | Next::Done => return Ok(false),
        };
        self.launch(Left { sweep, task, attempts: 0, reached: 0 })?;
        Ok(true)
    }

    fn limits(&self, sweep: usize) -> Limits {
        let Until { count, target, patience, deadline } = self.until;
        let left =
            deadline.map(|deadline| deadline.duration_since(SystemTime::now()).unwrap_or_default().as_secs_f64());
        let closing = left.is_some_and(|left| left < self.closing_seconds(sweep));
        Limits { count, target, patience, out_of_time: self.stopping.is_some(), closing }
    }

    /// How long it takes to come to an end: a trial, which is what may just begin, and running the best again as far as that
    /// has not been done. Goes by what trials took for each of their evaluations; 0 before there is any.
    fn closing_seconds(&self, sweep: usize) -> f64 {
        let study = self.study(sweep);
        let whole = |trial: &gyeol_tune::study::Trial| {
            let made = trial.reports.len() as f64;
            (made > 0.0 && trial.seconds > 0.0)
                .then(|| trial.seconds * trial.planned.map_or(1.0, |planned| (planned as f64 / made).max(1.0)))
        };
        let known: Vec<f64> = study.trials().iter().filter_map(whole).collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        let settings = study.settings();
        let again = (settings.finalists * settings.seeds.len()).saturating_sub(study.reruns().len()) as f64;
        mean * (1.0 + again * self.sweeps.len() as f64 / self.launcher.workers.max(1) as f64)
    }

    fn launch(&mut self, left: Left) -> Result<(), Error> {
        let Left { sweep, task, attempts, reached } = left;
        let ActiveSweep { sweep: of, .. } = &self.sweeps[sweep];
        let (number, seed) = match task {
            Task::Trial(trial) => (trial, None),
            Task::Rerun { trial, seed } => (trial, Some(seed)),
        };
        let Some(trial) = of.study.trial(number) else { unreachable!("work is only begun on trials there are") };
        let mut sets = of.spec.sets(trial.origin, &trial.assignment, of.study.space())?;
        let mut run = trial.run.clone();
        if let Some(seed) = seed {
            sets.push(format!("seed={seed}"));
            run = format!("{run}-seed-{seed}");
        }
        let trial = (of.name().to_owned(), number);
        let order = Order { log: of.log_path(&run), recipe: of.recipe_path(), sets, run, trial };
        // A process of before may still hold it.
        if let Some(run) = self.runs.find(&order.run)? {
            self.wait_for_orphan(&run)?;
        }
        self.started += 1;
        let process = self.launcher.launch(&order, self.started, self.channel.0.clone())?;
        self.workers.push(Worker {
            id: self.started,
            sweep,
            task,
            order,
            process,
            verdict: Decision::Continue,
            attempts,
            reached,
            progressed: false,
        });
        Ok(())
    }

    /// Takes in what a process says, and answers.
    fn hear(&mut self, id: usize, message: Message) -> Result<(), Error> {
        let Some(index) = self.workers.iter().position(|worker| worker.id == id) else { return Ok(()) };
        let (sweep, task) = (self.workers[index].sweep, self.workers[index].task);
        match (message, task) {
            (Message::Training { evaluations, .. }, task) => {
                self.warm[sweep] = true;
                self.workers[index].process.trains();
                if let Task::Trial(trial) = task
                    && self.study(sweep).trial(trial).is_some_and(|trial| trial.planned != Some(evaluations))
                {
                    self.record(sweep, Event::Planned { trial, evaluations })?;
                }
            }
            (Message::Evaluated { step, epoch, value }, task) => {
                let worker = &mut self.workers[index];
                worker.progressed |= step > worker.reached;
                worker.reached = worker.reached.max(step);
                let mut verdict = Decision::Continue;
                // What one of several folds comes to says nothing about the trial.
                if let (Task::Trial(trial), true) = (task, self.sweeps[sweep].sweep.spec.prunes()) {
                    let last = self.study(sweep).trial(trial).and_then(|trial| trial.reports.last());
                    if step > last.map_or(0, |last| last.step) {
                        self.record(sweep, Event::Reported { trial, step, epoch, value: value.unwrap_or(f64::NAN) })?;
                        verdict = self.study(sweep).decide(trial);
                    }
                }
                let worker = &mut self.workers[index];
                worker.verdict = verdict;
                worker.process.answer(if verdict == Decision::Continue { Answer::Continue } else { Answer::Stop });
            }
        }
        Ok(())
    }

    /// Takes in the end of a process.
    fn bury(&mut self, id: usize) -> Result<(), Error> {
        let Some(index) = self.workers.iter().position(|worker| worker.id == id) else { return Ok(()) };
        let mut worker = self.workers.swap_remove(index);
        let (sweep, task) = (worker.sweep, worker.task);
        let program = self.launcher.program.clone();
        let (status, seconds, overhead) =
            worker.process.wait().map_err(|source| Error::Io { path: program, action: "wait for", source })?;
        if let Task::Trial(trial) = task {
            self.record(sweep, Event::Worked { trial, seconds, overhead })?;
        }
        let attempts = if worker.progressed { 1 } else { worker.attempts + 1 };
        let left = Left { sweep, task, attempts, reached: worker.reached };
        let report = match status.code() {
            Some(0) => self.runs.find(&worker.order.run)?.map(|run| run.report()).transpose()?.flatten(),
            _ => None,
        };
        match (report, status.code()) {
            (Some(report), _) => match task {
                Task::Trial(trial) => self.finished(sweep, trial, &report),
                Task::Rerun { trial, seed } => {
                    self.rerun(sweep, trial, seed, &worker.order.run, Some(&report), seconds)
                }
            },
            // Stopped as it was asked to, by whoever stops the sweep, or killed: by whom, nobody knows. What was decided about it
            // stands; otherwise it goes on, unless it is killed again and again, as without memory.
            (None, code @ (Some(130) | None))
                if code.is_some()
                    || self.stopping.is_some()
                    || attempts < ATTEMPTS
                    || worker.verdict != Decision::Continue =>
            {
                let settled = match task {
                    Task::Trial(trial) => self.follow(sweep, trial, worker.verdict)?,
                    Task::Rerun { .. } => false,
                };
                if !settled && self.stopping.is_none() {
                    self.left.push_back(left);
                }
                Ok(())
            }
            (None, code) => {
                let error = match code {
                    None => format!("its process was killed {ATTEMPTS} times ({status}); is there too little memory?"),
                    Some(_) => worker.process.last_words(),
                };
                match task {
                    Task::Trial(trial) => self.fail(sweep, trial, error),
                    Task::Rerun { trial, seed } => {
                        self.watcher.note(&format!("{}: {error}", worker.order.run));
                        self.rerun(sweep, trial, seed, &worker.order.run, None, seconds)
                    }
                }
            }
        }
    }

    /// Takes in that a trial failed; many in a row are not their values' fault.
    fn fail(&mut self, sweep: usize, trial: u32, error: String) -> Result<(), Error> {
        self.record(sweep, Event::Failed { trial, error: error.clone() })?;
        self.failures[sweep] += 1;
        if self.failures[sweep] < FAILURES {
            return Ok(());
        }
        let name = self.sweeps[sweep].sweep.name().to_owned();
        Err(SweepError::Failing { name, trials: FAILURES, error }.into())
    }

    fn finished(&mut self, sweep: usize, trial: u32, report: &Report) -> Result<(), Error> {
        let score = self.sweeps[sweep].sweep.spec.score(report);
        self.failures[sweep] = 0;
        self.record(sweep, Event::Finished { trial, score, steps: report.steps })
    }

    fn rerun(
        &mut self,
        sweep: usize,
        trial: u32,
        seed: u64,
        run: &str,
        report: Option<&Report>,
        seconds: f64,
    ) -> Result<(), Error> {
        let score = report.and_then(|report| self.sweeps[sweep].sweep.spec.score(report));
        let steps = report.map_or(0, |report| report.steps);
        self.record(sweep, Event::Rerun(Rerun { trial, seed, run: run.to_owned(), score, steps, seconds }))
    }

    fn study(&self, sweep: usize) -> &Study {
        &self.sweeps[sweep].sweep.study
    }

    fn record(&mut self, sweep: usize, event: Event) -> Result<(), Error> {
        let line = self.sweeps[sweep].record(event)?;
        self.watcher.event(&self.sweeps[sweep].sweep, &line);
        Ok(())
    }
}
