//! `gyeol train RECIPE`: one run, or one a seed.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use gyeol_engine::{Isa, config::Select};
use gyeol_eval::Summary;
use gyeol_pipeline::{
    Estimate, Overfitting, Prepared, RefitFrom, Trained, Which, estimate,
    hub::HubOptions,
    recipe::Recipe,
    refit,
    runs::{AverageScore, BoostReport, BoostRound, FoldsReport, MadeFor, Report, Run, Runs},
    train,
};
use serde::Serialize;

use super::evaluate;
use crate::{
    args::Global,
    controlled::Controlled,
    destination,
    exit::{Interrupted, Mistake},
    index, job,
    output::{self, Output},
    watcher::Console,
};

/// The words of `gyeol train`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The recipe, as `gyeol init` writes it
    pub(crate) recipe: PathBuf,

    /// Overrides a key of the recipe, as in train.learning_rate=3e-5; again for more
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<String>,

    /// Continue this recipe's unfinished run; start one if there is none
    #[arg(long)]
    pub(crate) resume: bool,

    /// With --resume, a run of this recipe that has finished after this time (seconds since 1970, UTC) is not made again. For the
    /// queue: a job may be killed after its run has finished and before anybody knows
    #[arg(long, value_name = "SECONDS", requires = "resume", hide = true)]
    pub(crate) unless_finished_since: Option<f64>,

    /// Train once with each of these seeds and tell mean and spread; with --resume, only those not finished
    #[arg(long, value_name = "SEED,SEED…", value_delimiter = ',', num_args = 1)]
    pub(crate) seeds: Vec<u64>,

    /// Train on all labelled rows, those that validated included, for the steps this run of the recipe found best
    #[arg(long, value_name = "RUN", conflicts_with = "seeds")]
    pub(crate) refit: Option<String>,

    /// With --refit, the weights to start from
    #[arg(long, value_enum, requires = "refit", default_value_t = From::Base)]
    pub(crate) from: From,

    /// Check everything and estimate time, memory and disk; train nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The run to write, by name: made, gone on with, or left as it is where it is finished
    #[arg(long, hide = true, value_name = "NAME", conflicts_with_all = ["seeds", "resume"])]
    pub(crate) run: Option<String>,

    /// The sweep that the run is a trial of
    #[arg(long, hide = true, requires = "run", value_name = "NAME")]
    pub(crate) sweep: Option<String>,

    /// Which of its trials
    #[arg(long, hide = true, requires = "sweep", value_name = "N")]
    pub(crate) trial: Option<u32>,

    /// Tell of each evaluation on standard output, and go on or stop as standard input answers
    #[arg(long, hide = true, requires = "run")]
    pub(crate) controlled: bool,
}

/// [`RefitFrom`] as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    /// Those the run started from
    Base,
    /// The run's best
    Best,
}

const EXAMPLES: &str = "\
Examples:
  gyeol train recipe.toml
  gyeol train recipe.toml --set train.learning_rate=3e-5 --set model.base=klue/bert-base
  gyeol train recipe.toml --dry-run
  gyeol train recipe.toml --resume
  gyeol train recipe.toml --seeds 1,2,3 --json
  gyeol train recipe.toml --set folds.k=5
  gyeol train recipe.toml --set boost.rounds=3 --set train.epochs=1
  gyeol train recipe.toml --refit kcbert-001

With [folds] the seed also decides which row is in which fold, so each seed of --seeds deals anew.
With [boost] (rounds, learning_rate) models are trained one after the other, each on rows weighted
by the errors of those before it on them (SAMME), and predict by their votes.";

/// Does what `gyeol train` says.
pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    runs_made(args, global, output).map(|_| ())
}

/// The same, for who goes on with the runs: their names, in the order of the seeds. A dry run makes none.
pub(crate) fn runs_made(args: &Args, global: &Global, output: &Output) -> Result<Vec<String>> {
    check_seeds(&args.seeds)?;
    let mut recipe = Recipe::load(&args.recipe, &args.sets)?;
    if let Some(run) = &args.refit {
        let from = match args.from {
            From::Base => RefitFrom::Base,
            From::Best => RefitFrom::Best,
        };
        recipe = refit(recipe, run, from, &Runs::new(&global.home))?;
    }
    destination::check_home(&global.home)?;
    let isa = Isa::detect()?;
    if args.controlled {
        return controlled(args, recipe, isa, global, output);
    }
    let mut watcher = Console::new(output)?;
    let hub = HubOptions { progress: output.shows_progress(), ..HubOptions::from_env() };
    let seeds = if args.seeds.is_empty() { vec![recipe.seed] } else { args.seeds.clone() };
    if args.dry_run {
        recipe.seed = seeds[0];
        let prepared = Prepared::new(recipe, isa, &global.home, &hub, &mut watcher)?;
        let estimate = estimate(&prepared, &Runs::new(&global.home), &mut watcher)?.for_seeds(seeds.len() as u32);
        watcher.finish();
        if output.is_json() {
            output.json(&estimate)?
        } else {
            output.text(&tell_estimate(&estimate, seeds.len(), prepared.recipe.boost.is_some()))?
        }
        return Ok(Vec::new());
    }
    let runs = index::runs_to_write(global, output);
    let which = which(args);
    let mut finished = Vec::new();
    for (index, &seed) in seeds.iter().enumerate() {
        recipe.seed = seed;
        if seeds.len() > 1 {
            output.note(&format!("seed {seed} ({} of {})", index + 1, seeds.len()));
        }
        let prepared = Prepared::new(recipe.clone(), isa, &global.home, &hub, &mut watcher)?;
        let since = args.unless_finished_since.or((args.resume && seeds.len() > 1).then_some(0.0));
        let before = match since {
            Some(since) => finished_since(&runs, (&prepared.recipe.name, &prepared.recipe.to_toml()?), since)?,
            None => None,
        };
        let trained = match before {
            Some(report) => {
                output.note(&format!("seed {seed} is finished already: {}", report.run));
                Trained::Finished(Box::new(report))
            }
            None => train(&prepared, &runs, which, &mut watcher)?,
        };
        match trained {
            Trained::Finished(report) => finished.push((seed, *report)),
            Trained::Interrupted { run, step } => {
                watcher.finish();
                return Err(Interrupted { hint: Some(how_to_go_on(&run, step)) }.into());
            }
        }
        watcher.finish();
        if seeds.len() == 1 {
            let (_, report) = &finished[0];
            if output.is_json() {
                output.json(report)?;
            } else {
                output.text(&tell(&prepared, &runs.open(&report.run)?, report)?)?;
            }
            return Ok(vec![report.run.clone()]);
        }
    }
    let seeds = SeedsReport::new(finished);
    if output.is_json() {
        output.json(&seeds)?
    } else {
        output.text(&seeds.tell())?
    }
    Ok(seeds.scores.into_iter().map(|score| score.run).collect())
}

fn which(args: &Args) -> Which<'_> {
    match (&args.run, args.resume) {
        (Some(run), _) => Which::Named(run),
        (None, true) => Which::Unfinished,
        (None, false) => Which::New,
    }
}

/// One run under the control of another process, which reads from its directory what came of it.
fn controlled(args: &Args, recipe: Recipe, isa: Isa, global: &Global, output: &Output) -> Result<Vec<String>> {
    let mut watcher = Controlled::new(args.run.as_deref().unwrap_or_default(), output)?;
    let prepared = Prepared::new(recipe, isa, &global.home, &HubOptions::from_env(), &mut watcher)?;
    let made_for = job::made_for(MadeFor { sweep: args.sweep.clone(), trial: args.trial, job: None });
    let runs = index::runs_to_write(global, output).made_for(made_for);
    match train(&prepared, &runs, which(args), &mut watcher)? {
        Trained::Finished(report) => Ok(vec![report.run]),
        Trained::Interrupted { .. } => Err(Interrupted { hint: None }.into()),
    }
}

/// A seed given twice would be one result counted as two.
fn check_seeds(seeds: &[u64]) -> Result<(), Mistake> {
    match seeds.iter().enumerate().find(|&(at, seed)| seeds[..at].contains(seed)) {
        Some((_, seed)) => Err(Mistake::new(format!("--seeds: {seed} is given twice; give each seed once"))),
        None => Ok(()),
    }
}

pub(crate) fn how_to_go_on(run: &str, step: u64) -> String {
    match step {
        0 => format!("the run {run} has no saved state yet: the same command with --resume begins it again"),
        _ => format!("the run {run} is saved at step {step}: the same command with --resume goes on"),
    }
}

/// The report of a run of exactly this recipe that has finished after `since`, in seconds since 1970 (UTC).
pub(crate) fn finished_since(runs: &Runs, (name, toml): (&str, &str), since: f64) -> Result<Option<Report>> {
    let Some(run) = runs.finished(name, toml)? else { return Ok(None) };
    let finished = run.journal()?.events.last().map_or(0.0, |event| event.time);
    if finished < since {
        return Ok(None);
    }
    Ok(run.report()?)
}

/// The closing summary of one run.
fn tell(prepared: &Prepared, run: &Run, report: &Report) -> Result<String> {
    let mut lines = vec![format!("{} finished after {} steps", report.run, report.steps)];
    lines.extend(report.stopped.as_ref().map(|why| format!("stopped early: {why}")));
    lines.push(String::new());
    if let Some(score) = report.score {
        let others: Vec<String> = report
            .metrics
            .iter()
            .filter(|(name, _)| **name != report.metric)
            .filter_map(|(name, value)| value.map(|value| format!("{name} {value:.4}")))
            .collect();
        let (metric, rows) = (&report.metric, report.valid_rows);
        lines.push(match (&report.folds, report.averaged_checkpoints) {
            (Some(_), _) => format!("{metric} {score:.4} out of fold, on {rows} rows"),
            _ if report.boost.is_some() => {
                format!("{metric} {score:.4} on {rows} validation rows, by votes of the rounds")
            }
            (None, Some(count)) => format!(
                "{metric} {score:.4} on {rows} validation rows, mean of the weights of the {count} {} checkpoints",
                if prepared.recipe.swa.select == Select::Last { "latest" } else { "best" }
            ),
            (None, None) => format!("{metric} {score:.4} on {rows} validation rows, at step {}", report.best_step),
        });
        lines.push(format!("  {}", others.join(" · ")));
        lines.extend(averages(report));
        lines.extend(report.overfitting.as_ref().map(Overfitting::to_string));
        lines.push(String::new());
        if let Some(folds) = &report.folds {
            lines.extend([tell_folds(&report.metric, folds), String::new()]);
        }
        if let Some(table) = evaluate::valid_table(prepared, run)? {
            lines.extend([table, String::new()]);
        }
        if let Some(table) = evaluate::sources_table(&report.sources) {
            lines.extend([table, String::new()]);
        }
    }
    if let Some(boost) = &report.boost {
        lines.extend([tell_boost(&report.metric, boost), String::new()]);
    }
    // Over all epochs, as the rate is.
    let rows = report.samples_per_second * report.train_seconds;
    lines.push(format!(
        "{} steps, {rows:.0} rows in {}: {:.0} rows/s, {:.0} tokens/s on {} threads ({}, {}), peak memory {}",
        report.steps,
        output::duration(report.train_seconds),
        report.samples_per_second,
        report.tokens_per_second,
        report.threads,
        report.isa,
        report.precision,
        report.peak_rss_bytes.map_or_else(|| "unknown".to_owned(), output::bytes),
    ));
    if let Some(seconds) = report.frozen_seconds_saved {
        lines.push(format!("what frozen layers put out was kept: about {} less", output::duration(seconds)));
    }
    lines.push(String::new());
    if let Some(refit) = &report.refit_of {
        let (steps, of) = (refit.steps, refit.total_steps);
        lines.push(format!(
            "fitted again after {}: {steps} of {of} steps, on all rows; nobody has scored it",
            refit.run
        ));
        lines.push(String::new());
    }
    let mut files = vec![("report", run.report_path())];
    if report.folds.is_none() && report.boost.is_none() {
        files.insert(0, ("model", run.model_dir()));
    }
    if report.score.is_some() {
        files.push(("validation", run.valid_path()));
    }
    if prepared.test.is_some() {
        files.push(("submission", run.test_path()));
    }
    lines.extend(files.iter().map(|(what, path)| format!("{what:<11} {}", path.display())));
    lines.push(String::new());
    lines.extend(next(&report.run, run, report.score.is_some()));
    Ok(lines.join("\n"))
}

/// What averaging weights would have brought, if there was anything to average.
fn averages(report: &Report) -> Option<String> {
    let score = |average: &AverageScore| {
        format!(
            "{} {}",
            average.checkpoints,
            average.score.map_or_else(|| "–".to_owned(), |score| format!("{score:.4}"))
        )
    };
    let scores: Vec<String> = report.averages.iter().map(score).collect();
    (!scores.is_empty()).then(|| format!("mean of the weights of checkpoints: {}", scores.join(" · ")))
}

/// The folds, one a line, and how far apart they are.
pub(crate) fn tell_folds(metric: &str, folds: &FoldsReport) -> String {
    let mut table = output::table(&["fold", metric, "rows", "best step"], &[1, 2, 3]);
    for fold in &folds.runs {
        let score = fold.score.map_or_else(|| "–".to_owned(), |score| format!("{score:.4}"));
        table.add_row([fold.run.clone(), score, fold.valid_rows.to_string(), fold.best_step.to_string()]);
    }
    let mut text = output::render(&table);
    if let Some((mean, deviation)) = folds.mean.zip(folds.standard_deviation) {
        text.push_str(&format!("\nmean {mean:.4} ± {deviation:.4} (standard deviation over folds)"));
    }
    text
}

/// The rounds, one a line: what each was wrong about, its vote, and what the votes came to with it.
pub(crate) fn tell_boost(metric: &str, boost: &BoostReport) -> String {
    let so_far = format!("{metric} so far");
    let mut table = output::table(&["round", "weighted error", "alpha", metric, &so_far], &[1, 2, 3, 4]);
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    for BoostRound { run, error, alpha, score, score_so_far, .. } in &boost.rounds {
        table.add_row([run.clone(), number(Some(*error)), number(*alpha), number(*score), number(*score_so_far)]);
    }
    let mut text = output::render(&table);
    text.extend(boost.ended.iter().map(|why| format!("\n{why}")));
    text
}

/// What a person would do now.
fn next(name: &str, run: &Run, scored: bool) -> Vec<String> {
    let mut lines = vec![format!("next: gyeol predict {name} TABLE -o predictions.csv")];
    if scored {
        lines.push(format!("      gyeol evaluate {} TABLE", run.valid_path().display()));
    }
    lines.push(format!("      gyeol runs show {name}"));
    lines
}

fn tell_estimate(estimate: &Estimate, seeds: usize, boosted: bool) -> String {
    let parts = match estimate.runs / seeds as u32 {
        1 => None,
        k if boosted => Some(format!("{k} rounds at most")),
        k => Some(format!("{k} folds")),
    };
    let several = match (seeds, parts) {
        (1, parts) => parts,
        (seeds, None) => Some(format!("{seeds} runs, one a seed")),
        (seeds, Some(parts)) => Some(format!("{parts} for each of {seeds} seeds")),
    };
    let several = several.map_or_else(String::new, |runs| format!(". {runs}; rows and steps are those of one"));
    let runs = format!("everything fits together; no run was made{several}");
    let available = estimate.available_bytes.map_or_else(|| "an unknown amount".to_owned(), output::bytes);
    let batch = match estimate.accumulate {
        1 => format!("batches of {} rows", estimate.batch_size),
        passes => format!("{passes} batches of {} rows a step", estimate.batch_size),
    };
    [
        runs,
        String::new(),
        format!(
            "rows      {} to train on, {} to validate on, {} to predict",
            estimate.train_rows, estimate.valid_rows, estimate.test_rows
        ),
        format!("steps     {}, {} evaluations", estimate.steps, estimate.evaluations),
        format!("model     {:.1} M parameters", estimate.parameters as f64 / 1e6),
        format!(
            "speed     {:.0} tokens/s in {} on {}, measured over a few steps",
            estimate.tokens_per_second, estimate.precision, estimate.isa
        ),
        format!("time      about {}", output::duration(estimate.seconds)),
        format!(
            "memory    {} at most for the model, its training and {batch}, of {available}",
            output::bytes(estimate.memory_bytes)
        ),
        format!("disk      {} at most", output::bytes(estimate.disk_bytes)),
    ]
    .join("\n")
}

/// What `--seeds` prints.
#[derive(Debug, Serialize)]
struct SeedsReport {
    metric: String,
    scores: Vec<SeedScore>,
    mean: Option<f64>,
    standard_deviation: Option<f64>,
    /// 95 % interval of the mean.
    interval: Option<[f64; 2]>,
    runs: Vec<Report>,
}

#[derive(Debug, Serialize)]
struct SeedScore {
    seed: u64,
    run: String,
    score: Option<f64>,
}

impl SeedsReport {
    fn new(finished: Vec<(u64, Report)>) -> Self {
        let scores: Vec<SeedScore> = finished
            .iter()
            .map(|(seed, report)| SeedScore { seed: *seed, run: report.run.clone(), score: report.score })
            .collect();
        let values: Vec<f64> = scores.iter().filter_map(|seed| seed.score).collect();
        let summary = Summary::of(&values);
        Self {
            metric: finished.first().map(|(_, report)| report.metric.clone()).unwrap_or_default(),
            mean: summary.as_ref().map(|summary| summary.mean),
            standard_deviation: summary.as_ref().and_then(|summary| summary.standard_deviation),
            interval: summary.and_then(|summary| summary.interval).map(|interval| [interval.low, interval.high]),
            scores,
            runs: finished.into_iter().map(|(_, report)| report).collect(),
        }
    }

    fn tell(&self) -> String {
        let mut table = output::table(&["seed", "run", &self.metric], &[0, 2]);
        for seed in &self.scores {
            let score = seed.score.map_or_else(|| "–".to_owned(), |score| format!("{score:.4}"));
            table.add_row([seed.seed.to_string(), seed.run.clone(), score]);
        }
        let mut text = output::render(&table);
        if let Some(mean) = self.mean {
            text.push_str(&format!("\n\nmean {mean:.4}"));
            if let Some(deviation) = self.standard_deviation {
                text.push_str(&format!(" ± {deviation:.4} (standard deviation)"));
            }
            if let Some([low, high]) = self.interval {
                text.push_str(&format!(", 95 % interval of the mean {low:.4} to {high:.4}"));
            }
        }
        text
    }
}
