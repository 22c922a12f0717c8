//! The watcher of a training that another process controls: it tells of each evaluation on standard output, and goes on or
//! stops as standard input answers.

use std::{
    cell::Cell,
    io::{self, BufRead as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
};

use anyhow::{Context as _, Result};
use gyeol_engine::{StepReport, TrainPlan};
use gyeol_pipeline::{
    Watcher,
    runs::Run,
    sweep::{Answer, Message},
};

use crate::{output::Output, watcher::Console};

/// Watches as [`Console`] does, under control.
#[derive(Debug)]
pub(crate) struct Controlled {
    console: Console,
    answers: Receiver<Answer>,
    /// Nobody answers any more.
    alone: Arc<AtomicBool>,
    stopped: Cell<bool>,
    /// The name of the run that is controlled.
    run: String,
    /// What trains is that run, and not one it needs first, as an adaptation is.
    own: bool,
    steps_per_epoch: u64,
}

impl Controlled {
    /// Starts to listen to standard input for the run of this name.
    pub(crate) fn new(run: &str, output: &Output) -> Result<Self> {
        let (sender, answers) = mpsc::channel();
        let alone = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&alone);
        let listen = move || {
            for line in io::stdin().lock().lines() {
                let Ok(line) = line else { break };
                if sender.send(Answer::read(&line)).is_err() {
                    break;
                }
            }
            ended.store(true, Ordering::SeqCst);
        };
        thread::Builder::new().name("answers".into()).spawn(listen).context("cannot listen to standard input")?;
        let (console, stopped) = (Console::new(output)?, Cell::new(false));
        Ok(Self { console, answers, alone, stopped, run: run.to_owned(), own: false, steps_per_epoch: 1 })
    }

    /// Says something; who cannot be told is gone, and the training stops.
    fn say(&self, message: &Message) {
        let said = serde_json::to_string(message).map_err(io::Error::from).and_then(|line| {
            let mut out = io::stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()
        });
        if said.is_err() {
            self.stopped.set(true);
        }
    }
}

impl Watcher for Controlled {
    fn phase(&mut self, name: &'static str) {
        self.console.phase(name);
    }

    fn note(&mut self, text: &str) {
        self.console.note(text);
    }

    fn warning(&mut self, text: &str) {
        self.console.warning(text);
    }

    fn training(&mut self, run: &Run, plan: &TrainPlan, from: u64) {
        self.own = run.name() == self.run || run.part_of().is_some_and(|(parent, _)| parent == self.run);
        self.steps_per_epoch = plan.steps_per_epoch.max(1);
        if !self.own {
            return self.console.training(run, plan, from);
        }
        self.say(&Message::Training { steps: plan.steps, evaluations: plan.evaluations });
        self.console.training(run, plan, from);
    }

    fn step(&mut self, report: &StepReport) {
        self.console.step(report);
    }

    fn evaluated(&mut self, step: u64, metric: &str, score: Option<f64>, improved: bool) {
        self.console.evaluated(step, metric, score, improved);
        if !self.own {
            return;
        }
        let epoch = step as f64 / self.steps_per_epoch as f64;
        self.say(&Message::Evaluated { step, epoch, value: score });
        // Without an answer nobody is there to give one.
        if self.answers.recv().unwrap_or(Answer::Stop) == Answer::Stop {
            self.stopped.set(true);
        }
    }

    fn averaged(&mut self, checkpoints: usize, metric: &str, score: Option<f64>) {
        self.console.averaged(checkpoints, metric, score);
    }

    fn interrupted(&self) -> bool {
        self.stopped.get() || self.alone.load(Ordering::SeqCst) || self.console.interrupted()
    }
}
