//! `gyeol sweep ls` and `gyeol sweep show`.

use anyhow::Result;
use comfy_table::{Cell, Color};
use gyeol_pipeline::sweep::{Sweep, Sweeps};
use gyeol_tune::pruners::State;

use super::{
    report,
    words::{self, SweepDocument},
};
use crate::{
    args::Global,
    clock,
    output::{self, Output, title},
};

/// Lists the sweeps.
pub(super) fn ls(global: &Global, output: &Output) -> Result<()> {
    let sweeps = Sweeps::new(&global.home);
    let mut all = Vec::new();
    for name in sweeps.names()? {
        match sweeps.open(&name) {
            Ok(sweep) => all.push(sweep),
            Err(error) if error.is_user_error() => output.warning(&error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    all.sort_by(|a, b| a.spec.created.total_cmp(&b.spec.created));
    if output.is_json() {
        return output.json(&all.iter().map(SweepDocument::new).collect::<Result<Vec<_>>>()?);
    }
    if all.is_empty() {
        output.note(&format!("no sweeps in {}", global.home.display()));
        return Ok(());
    }
    let mut table = output::table(&["sweep", "status", "method", "trials", "best", "metric", "heard of"], &[3, 4]);
    for sweep in &all {
        let best = sweep.study.choice().and_then(|choice| choice.mean());
        table.add_row([
            sweep.name().to_owned(),
            status(sweep)?.to_owned(),
            sweep.spec.method.name().to_owned(),
            sweep.study.trials().len().to_string(),
            words::score(best),
            sweep.spec.metric.name(),
            format!("{} ago", output::duration(clock::now() - sweep.heard)),
        ]);
    }
    output.text(&output::render(&table))
}

fn status(sweep: &Sweep) -> Result<&'static str> {
    Ok(if sweep.is_running()? {
        "running"
    } else if sweep.study.trials().iter().any(|trial| trial.state == State::Running) {
        "interrupted"
    } else {
        "idle"
    })
}

/// Shows one sweep.
pub(super) fn show(name: &str, global: &Global, output: &Output) -> Result<()> {
    let sweep = Sweeps::new(&global.home).open(name)?;
    if output.is_json() {
        return output.json(&SweepDocument::new(&sweep)?);
    }
    output.text(&tell(&sweep)?)
}

/// A sweep's trials, the best first, and its winner.
pub(super) fn tell(sweep: &Sweep) -> Result<String> {
    let metric = sweep.spec.metric.name();
    let mut text = format!("{}  {}\n\n{}", title(sweep.name()), status(sweep)?, trials(sweep, &metric));
    let study = &sweep.study;
    let errors: Vec<String> = study
        .trials()
        .iter()
        .filter_map(|trial| Some(format!("trial {}: {}", trial.number, trial.error.as_ref()?)))
        .collect();
    if !errors.is_empty() {
        text.push_str(&format!("\n\n{}\n{}", title("Failed"), errors.join("\n")));
    }
    if !study.reruns().is_empty() {
        text.push_str(&format!("\n\n{}\n{}", title("Run again with fresh seeds"), reruns(sweep, &metric)));
    }
    if let Some(choice) = study.choice() {
        text.push_str(&format!("\n\n{}", words::winner(&choice, &metric)));
        if choice.trial.assignment.is_empty() {
            text.push_str("\n  the recipe as it stands");
        } else {
            text.push_str(&format!("\n  {}", words::assignment(&choice.trial.assignment)));
        }
    }
    text.push_str(&format!("\n\n{}", costs(sweep)));
    Ok(text)
}

fn trials(sweep: &Sweep, metric: &str) -> String {
    let mut table =
        output::table(&["trial", "status", metric, "evaluations", "steps", "took", "values"], &[0, 2, 3, 4]);
    let ranking: Vec<u32> = sweep.study.ranking().iter().map(|trial| trial.number).collect();
    let place = |number: u32| ranking.iter().position(|other| *other == number).unwrap_or(usize::MAX);
    let mut trials: Vec<_> = sweep.study.trials().iter().collect();
    trials.sort_by_key(|trial| (place(trial.number), trial.number));
    for trial in trials {
        let colour = match trial.state {
            State::Running => Color::Cyan,
            State::Finished => Color::Green,
            State::Failed => Color::Red,
            State::Paused | State::Stopped => Color::Yellow,
        };
        let last = || trial.reports.last().map(|report| report.value).filter(|value| value.is_finite());
        // What a trial that did not end came to stands in brackets: it is not what others are compared with.
        let score = match (trial.score, last()) {
            (Some(score), _) => format!("{score:.4}"),
            (None, Some(value)) => format!("({value:.4})"),
            (None, None) => "-".to_owned(),
        };
        let planned = trial.planned.map_or_else(String::new, |planned| format!("/{planned}"));
        table.add_row([
            Cell::new(trial.number),
            Cell::new(report::state(trial.state)).fg(colour),
            Cell::new(score),
            Cell::new(format!("{}{planned}", trial.reports.len())),
            Cell::new(trial.steps),
            Cell::new(output::duration(trial.seconds)),
            Cell::new(words::assignment(&trial.assignment)),
        ]);
    }
    output::render(&table)
}

fn reruns(sweep: &Sweep, metric: &str) -> String {
    let mut table = output::table(&["trial", "seed", metric, "took", "run"], &[0, 1, 2]);
    for rerun in sweep.study.reruns() {
        table.add_row([
            rerun.trial.to_string(),
            rerun.seed.to_string(),
            words::score(rerun.score),
            output::duration(rerun.seconds),
            rerun.run.clone(),
        ]);
    }
    output::render(&table)
}

fn costs(sweep: &Sweep) -> String {
    let trials = sweep.study.trials();
    let seconds: f64 = trials.iter().map(|trial| trial.seconds).sum();
    let overhead: f64 = trials.iter().map(|trial| trial.overhead).sum();
    let steps: u64 = trials.iter().map(|trial| trial.steps).sum();
    let again: f64 = sweep.study.reruns().iter().map(|rerun| rerun.seconds).sum();
    let mut text = format!("trials took {}, {steps} steps", output::duration(seconds));
    if seconds > 0.0 && !trials.is_empty() {
        let each = overhead / trials.len() as f64;
        text.push_str(&format!(
            "; outside training {} a trial ({:.1} %)",
            output::duration(each),
            100.0 * overhead / seconds
        ));
    }
    if again > 0.0 {
        text.push_str(&format!("; running the best again {}", output::duration(again)));
    }
    text
}
