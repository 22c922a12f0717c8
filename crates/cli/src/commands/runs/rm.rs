//! `gyeol runs rm`: taking runs, or what they need to go on, off the disk. Nothing goes that was not named and confirmed.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Context as _, Result};
use gyeol_pipeline::{
    ensemble::ensembles_of,
    runs::{Run, RunError, Runs, Status},
    submission::SubmissionRecord,
};
use gyeol_store::Store;
use serde::Serialize;

use crate::{
    clock,
    exit::{Interrupted, Mistake},
    index,
    output::{self, Output},
};

/// The words of `gyeol runs rm`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The runs' names, as `gyeol runs ls` lists them
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,

    /// Remove kept checkpoints and the state to resume from; model, report and predictions stay
    #[arg(long)]
    checkpoints: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

const EXAMPLES: &str = "\
The runs of folds and rounds are runs of their own: the run they belong to goes without them,
unless they are named too. Of a run that is a member of an ensemble, a warning names the ensemble;
of one that has a submission, it says when that was made: `gyeol runs submissions` loses it.

Examples:
  gyeol runs rm kcbert-001
  gyeol runs rm kcbert-001 kcbert-001-fold-1 kcbert-001-fold-2 --yes
  gyeol runs rm kcbert-002 --checkpoints";

/// What is about to go, or went, of a run.
#[derive(Debug, Serialize)]
struct Freed {
    run: String,
    bytes: u64,
    #[serde(skip)]
    words: String,
}

/// Removes what is named.
pub(super) fn run(args: &Args, runs: &Runs, output: &Output) -> Result<()> {
    let mut named: Vec<Run> = Vec::new();
    for name in &args.runs {
        let run = runs.open(name)?;
        if !named.iter().any(|other| other.name() == run.name()) {
            named.push(run);
        }
    }
    // All are looked at before the first one goes.
    let freed = named.iter().map(|run| look(run, args.checkpoints)).collect::<Result<Vec<_>>>()?;
    let total = output::bytes(freed.iter().map(|freed| freed.bytes).sum());
    for freed in &freed {
        output.note(&format!("{}: {}, {}", freed.run, output::bytes(freed.bytes), freed.words));
    }
    for run in named.iter().filter(|_| !args.checkpoints) {
        warn_of_family(run, &named, runs, output)?;
        warn_of_ensembles(run, &named, runs, output)?;
        warn_of_submission(run, output);
    }
    if !args.yes {
        confirm(&format!("remove this, {total} in all?"))?;
    }
    let mut store = Store::open(runs.home())?;
    runs.remove_leftovers()?;
    for run in named {
        if args.checkpoints {
            run.remove_checkpoints()?;
            store.replace_run(&index::record_of(&run)?)?;
        } else {
            let name = run.name().to_owned();
            run.remove()?;
            store.forget_runs(&[&name])?;
        }
    }
    if output.is_json() { output.json(&freed) } else { output.text(&format!("{total} freed")) }
}

/// What removing would free, and of what.
fn look(run: &Run, checkpoints: bool) -> Result<Freed> {
    if run.is_running()? {
        return Err(RunError::Busy { run: run.name().to_owned(), pid: run.writer() }.into());
    }
    let of = |path| index::size(path).with_context(|| format!("cannot look at {}", path.display()));
    let finished = run.status()? == Status::Finished;
    if checkpoints {
        if !finished {
            let words = format!("{} has not finished: its checkpoints are all there is of its model", run.name());
            let hint = format!("`gyeol runs rm {}` removes the whole run", run.name());
            return Err(Mistake::new(words).hint(hint).into());
        }
        let bytes = of(&run.checkpoints_dir())?.unwrap_or(0);
        let words = "its kept checkpoints; model, report and predictions stay".to_owned();
        return Ok(Freed { run: run.name().to_owned(), bytes, words });
    }
    let model = if run.model_dir().is_dir() { "the whole run, its model included" } else { "the whole run" };
    let words = if finished { model.to_owned() } else { format!("{model}; it could still be continued") };
    Ok(Freed { run: run.name().to_owned(), bytes: of(run.dir())?.unwrap_or(0), words })
}

/// Tells what a run and its folds or rounds are to each other, where one goes and the other stays.
fn warn_of_family(run: &Run, named: &[Run], runs: &Runs, output: &Output) -> Result<()> {
    let stays = |name: &str| !named.iter().any(|other| other.name() == name);
    match run.part_of() {
        Some((parent, _)) if stays(parent) && runs.find(parent)?.is_some() => {
            output.warning(&format!("{parent} predicts with the model of {}", run.name()));
        }
        _ => {
            let (folds, boost) =
                run.report().ok().flatten().map_or((None, None), |report| (report.folds, report.boost));
            let folds = folds.map_or_else(Vec::new, |folds| folds.runs).into_iter().map(|fold| fold.run);
            let rounds = boost.map_or_else(Vec::new, |boost| boost.rounds).into_iter().map(|round| round.run);
            for (what, parts) in [("folds", folds.collect::<Vec<_>>()), ("rounds", rounds.collect())] {
                let left: Vec<String> = parts.into_iter().filter(|part| stays(part)).collect();
                if !left.is_empty() {
                    output.warning(&format!("its {what} stay, unless they are named too: {}", left.join(" ")));
                }
            }
        }
    }
    Ok(())
}

/// Names the ensembles that stay and are made of a run that goes.
fn warn_of_ensembles(run: &Run, named: &[Run], runs: &Runs, output: &Output) -> Result<()> {
    let mut ensembles = ensembles_of(runs, run.name())?;
    ensembles.retain(|ensemble| !named.iter().any(|other| other.name() == ensemble));
    if !ensembles.is_empty() {
        let words = "without it, no more predictions of these, and their submissions cannot be made again";
        output.warning(&format!("{} is a member of {}: {words}", run.name(), ensembles.join(", ")));
    }
    Ok(())
}

/// Tells of what was handed in, which is listed and counted as long as its run is there.
fn warn_of_submission(run: &Run, output: &Output) {
    let made = match SubmissionRecord::of(run) {
        Ok(None) => return,
        Ok(Some(record)) => format!("made {}", clock::short(record.time)),
        Err(error) => format!("which cannot be read ({error})"),
    };
    let words = "without the run, `gyeol runs submissions` neither lists it nor counts it against the quota";
    output.warning(&format!("{} has a submission, {made}: {words}", run.name()));
}

/// Asks on the terminal.
fn confirm(question: &str) -> Result<()> {
    if !io::stdin().is_terminal() || !console::user_attended_stderr() {
        return Err(Mistake::new("nobody is there to confirm this").hint("--yes removes without asking").into());
    }
    console::Term::stderr().write_str(&format!("{question} [y/N] ")).context("cannot ask")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Interrupted { hint: Some("nothing was removed".to_owned()) }.into()),
    }
}
