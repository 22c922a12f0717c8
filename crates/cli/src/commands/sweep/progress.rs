//! What is told while sweeps run: a line a trial, and one that moves.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Result;
use console::style;
use gyeol_pipeline::sweep::{Stamped, Sweep, SweepWatcher};
use gyeol_store::SweepStatus;
use gyeol_tune::{pruners::State, study::Event};
use indicatif::ProgressBar;

use super::words;
use crate::{
    index::{self, SweepIndex},
    observe,
    output::{self, Output},
};

/// Tells on the console.
#[derive(Debug)]
pub(super) struct Progress {
    output: Output,
    line: ProgressBar,
    index: SweepIndex,
    count: Option<u32>,
    several: bool,
    interruption: &'static AtomicBool,
    told: bool,
}

impl Progress {
    pub(super) fn new(home: &Path, output: &Output, count: Option<u32>, several: bool) -> Result<Self> {
        Ok(Self {
            output: *output,
            line: observe::spinner(output, "starting the first trial"),
            index: SweepIndex::new(home, output),
            count,
            several,
            interruption: observe::interruption()?,
            told: false,
        })
    }

    /// Takes the moving line away, and notes how the sweeps stand.
    pub(super) fn finish(&mut self, sweeps: &[Sweep]) {
        self.line.finish_and_clear();
        for sweep in sweeps {
            self.index.sweep(sweep, index::standing(sweep));
        }
    }

    fn say(&self, sweep: &Sweep, text: &str) {
        let text = if self.several { format!("{}: {text}", sweep.name()) } else { text.to_owned() };
        self.line.suspend(|| self.output.note(&text));
    }

    fn update(&self, sweep: &Sweep) {
        let trials = sweep.study.trials();
        let running: Vec<String> = trials
            .iter()
            .filter(|trial| trial.state == State::Running)
            .map(|trial| {
                let planned = trial.planned.map_or_else(|| "?".to_owned(), |planned| planned.to_string());
                format!("{} ({}/{planned})", trial.number, trial.reports.len())
            })
            .collect();
        let paused = trials.iter().filter(|trial| trial.state == State::Paused).count();
        let mut words = format!("trial {}", trials.len());
        if let Some(count) = self.count {
            words.push_str(&format!(" of {count}"));
        }
        if !running.is_empty() {
            words.push_str(&format!(", at work: {}", running.join(" ")));
        }
        if paused > 0 {
            words.push_str(&format!(", paused: {paused}"));
        }
        if let Some(best) = sweep.study.ranking().first() {
            words.push_str(&format!(", best {} (trial {})", words::score(best.score), best.number));
        }
        self.line.set_message(words);
    }
}

impl SweepWatcher for Progress {
    fn began(&mut self, sweep: &Sweep) {
        self.index.sweep(sweep, SweepStatus::Running);
        let trials = sweep.study.trials().len();
        match trials {
            0 => self.say(sweep, &format!("sweep {}", sweep.name())),
            _ => self.say(sweep, &format!("sweep {}: going on after trial {trials}", sweep.name())),
        }
        self.update(sweep);
    }

    fn event(&mut self, sweep: &Sweep, line: &Stamped) {
        let metric = sweep.spec.metric.name();
        let trial = line.event.trial().and_then(|number| sweep.study.trial(number));
        let Some(trial) = trial else { return };
        if !matches!(line.event, Event::Planned { .. } | Event::Reported { .. }) {
            self.index.trial(sweep, trial);
        }
        let number = trial.number;
        let last = trial.reports.last().map(|report| report.value).filter(|value| value.is_finite());
        match &line.event {
            Event::Finished { score, .. } => {
                let best = sweep.study.ranking().first().is_some_and(|best| best.number == number);
                let mark =
                    if best { format!("  {}", style("best so far").for_stderr().green()) } else { String::new() };
                let (score, values) = (words::score(*score), words::assignment(&trial.assignment));
                self.say(sweep, &format!("trial {number}  {metric} {score}  {values}{mark}"));
            }
            Event::Failed { error, .. } => {
                self.say(sweep, &format!("trial {number}  {}: {error}", style("failed").for_stderr().red()));
            }
            Event::Paused { .. } => {
                let at = trial.reports.len();
                self.say(
                    sweep,
                    &format!("trial {number}  paused after evaluation {at} at {metric} {}", words::score(last)),
                );
            }
            Event::Stopped { .. } => {
                let at = trial.reports.len();
                self.say(
                    sweep,
                    &format!("trial {number}  stopped after evaluation {at} at {metric} {}", words::score(last)),
                );
            }
            Event::Resumed { .. } => self.say(sweep, &format!("trial {number}  goes on")),
            Event::Rerun(rerun) => {
                let (score, took) = (words::score(rerun.score), output::duration(rerun.seconds));
                self.say(sweep, &format!("trial {number} again, seed {}  {metric} {score}  ({took})", rerun.seed));
            }
            Event::Began { .. } | Event::Planned { .. } | Event::Reported { .. } | Event::Worked { .. } => {}
        }
        self.update(sweep);
    }

    fn pulse(&mut self) {
        if self.interrupted() && !self.told {
            self.told = true;
            self.line.suspend(|| self.output.note("stopping: trials save their states; Ctrl-C again stops at once"));
        }
    }

    fn note(&mut self, text: &str) {
        self.line.suspend(|| self.output.note(text));
    }

    fn interrupted(&self) -> bool {
        self.interruption.load(Ordering::SeqCst)
    }
}
