//! `gyeol sweep run`: plans a sweep for each base, finds the ones to go on with, and runs them.

use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use clap::{ValueEnum, builder::PossibleValue};
use gyeol_engine::Isa;
use gyeol_pipeline::{
    Prepared, available_memory,
    hub::HubOptions,
    recipe::Recipe,
    sweep::{ActiveSweep, Driver, Ended, Launcher, Overrides, Sweep, Sweeps, Until, plan},
};
use gyeol_tune::{
    pruners::State,
    sweep_file::{EarlyTerminate, Method},
};

use super::{
    list,
    progress::Progress,
    words::{self, SweepDocument},
};
use crate::{
    args::Global,
    clock,
    exit::{Interrupted, Mistake},
    job,
    output::{self, Output, title},
    watcher::Console,
};

/// The words of `gyeol sweep run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What to vary: a sweep file as W&B reads it
    sweep: PathBuf,

    /// The recipe that trials start from
    recipe: PathBuf,

    /// Overrides a key of the recipe for every trial; again for more
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,

    /// Trials in all, those of before included [default: run_cap of the file, else 20 unless something else ends it]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,

    /// Be done at this time, as in 2026-11-23T09:00: what is at work then is paused
    #[arg(long, value_name = "TIME", value_parser = clock::parse, conflicts_with = "budget")]
    until: Option<f64>,

    /// Be done after so long, as in 6h or "1h 30m"
    #[arg(long, value_name = "TIME", value_parser = budget)]
    budget: Option<Duration>,

    /// End when twice as many trials as there are parameters, and at least 10, brought nothing better
    #[arg(long)]
    until_converged: bool,

    /// Trials at work at once; threads and memory are divided among them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,

    /// Base models, each tuned for itself in turn
    #[arg(long, value_name = "BASE,BASE…", value_delimiter = ',', num_args = 1)]
    base: Vec<String>,

    /// The metric, in the place of the file's
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,

    /// How values are chosen, in the place of the file's method
    #[arg(long, value_enum)]
    method: Option<MethodWord>,

    /// Which trials end early, in the place of the file's early_terminate; halving pauses them, and goes on with the better
    #[arg(long, value_name = "RULE", value_parser = rule)]
    early_terminate: Option<Rule>,

    /// Keys the choice of values [default: the recipe's seed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// A sweep whose best trials are tried first, as far as this one can have their values
    #[arg(long, value_name = "SWEEP")]
    from: Option<String>,

    /// How many of the best trials are run again before a winner is named
    #[arg(long, value_name = "N", default_value_t = 3)]
    finalists: usize,

    /// With how many fresh seeds; 0 names the best trial without
    #[arg(long, value_name = "N", default_value_t = 2)]
    fresh_seeds: usize,

    /// Begin a new sweep even where there is one of the same file and recipe
    #[arg(long)]
    new: bool,
}

/// [`Method`] as on the command line.
#[derive(Debug, Clone, Copy)]
struct MethodWord(Method);

impl ValueEnum for MethodWord {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [MethodWord; Method::ALL.len()] = [
            MethodWord(Method::Bayes),
            MethodWord(Method::Random),
            MethodWord(Method::Grid),
            MethodWord(Method::Tpe),
            MethodWord(Method::Gp),
            MethodWord(Method::Sobol),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

const EXAMPLES: &str = "\
Examples:
  gyeol sweep run sweep.yaml recipe.toml --count 30
  gyeol sweep run sweep.yaml recipe.toml --until 2026-11-23T09:00 --workers 2
  gyeol sweep run sweep.yaml recipe.toml --early-terminate halving --budget 6h
  gyeol sweep run sweep.yaml recipe.toml --base klue/bert-base,klue/roberta-base --count 20
  gyeol sweep run sweep.yaml recipe.toml --from sweep-001

The same command goes on with the sweep where it was: after Ctrl-C, a crash, or with a larger --count. The recipe as it stands is
the first trial.";

/// How many trials, where nothing says when to end.
const COUNT: u32 = 20;

/// How many good trials of an earlier sweep are tried first.
const EARLIER: usize = 5;

fn budget(text: &str) -> Result<Duration, String> {
    let wrong = || "not a length of time; write one such as 6h, 90m or \"1h 30m\"".to_owned();
    let duration: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(duration).ok().filter(|duration| !duration.is_zero()).ok_or_else(wrong)
}

/// What `--early-terminate` names; `none` is a rule too.
#[derive(Debug, Clone, Copy)]
struct Rule(Option<EarlyTerminate>);

fn rule(name: &str) -> Result<Rule, String> {
    let types = EarlyTerminate::types();
    let found = types.iter().find(|(known, _)| *known == name).map(|(_, rule)| Rule(Some(*rule)));
    let names = || types.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
    found.or((name == "none").then_some(Rule(None))).ok_or_else(|| format!("one of none, {}", names()))
}

/// Runs the sweeps of the command line.
pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    let deadline = args.budget.map(|budget| SystemTime::now() + budget).or_else(|| {
        args.until.map(|until| SystemTime::UNIX_EPOCH + Duration::try_from_secs_f64(until).unwrap_or_default())
    });
    let late = deadline.is_some_and(|deadline| deadline <= SystemTime::now());
    let Begun { sweeps, count, target, patience } = begin(args, late, global, output)?;
    if late {
        let sweeps: Vec<Sweep> = sweeps.into_iter().map(|active| active.sweep).collect();
        return finish(&sweeps, Ended::Deadline, output);
    }
    let several = sweeps.len() > 1;
    let until = Until { count, target, patience, deadline };
    let mut progress = Progress::new(&global.home, output, count, several)?;
    let driver = Driver::new(sweeps, launcher(args, global)?, until, &mut progress);
    let ran = driver.run();
    progress.finish(ran.as_ref().map_or(&[], |(sweeps, _)| sweeps));
    let (sweeps, ended) = ran?;
    finish(&sweeps, ended, output)
}

/// The sweeps to run, and when they end.
struct Begun {
    sweeps: Vec<ActiveSweep>,
    count: Option<u32>,
    target: Option<f64>,
    patience: Option<u32>,
}

fn begin(args: &Args, late: bool, global: &Global, output: &Output) -> Result<Begun> {
    let text = fs::read_to_string(&args.sweep)
        .map_err(|error| Mistake::new(format!("{}: cannot read the sweep file: {error}", args.sweep.display())))?;
    let sweeps = Sweeps::new(&global.home);
    let earlier = args.from.as_deref().map(|name| sweeps.open(name)).transpose()?;
    let recipe_path = std::path::absolute(&args.recipe).context("cannot find the recipe's directory")?;
    let mut overrides = Overrides {
        metric: args.metric.clone(),
        method: args.method.map(|method| method.0),
        early_terminate: args.early_terminate.map(|rule| rule.0),
        seed: args.seed,
        finalists: args.finalists,
        seeds: args.fresh_seeds,
        directory: recipe_path.parent().map(Path::to_owned).unwrap_or_default(),
        suffix: None,
    };
    let bases: Vec<Option<&String>> =
        if args.base.is_empty() { vec![None] } else { args.base.iter().map(Some).collect() };
    let mut begun = Begun { sweeps: Vec::new(), count: args.count, target: None, patience: None };
    let mut told: Vec<String> = Vec::new();
    for base in &bases {
        let mut sets = args.sets.clone();
        sets.extend(base.map(|base| format!("model.base={base}")));
        let recipe = Recipe::load(&args.recipe, &sets)?;
        let mut console = Console::new(output)?;
        let prepared =
            Prepared::new(recipe.clone(), Isa::detect()?, &global.home, &HubOptions::from_env(), &mut console)?;
        console.finish();
        overrides.suffix = base.filter(|_| bases.len() > 1).map(|base| {
            let stem = base.trim_end_matches('/').rsplit('/').next();
            stem.unwrap_or(base).to_owned()
        });
        let mut planned = plan(&args.sweep, &text, recipe, &prepared, &overrides)?;
        for warning in &planned.warnings {
            if !told.contains(warning) {
                output.warning(warning);
            }
        }
        told.append(&mut planned.warnings);
        begun.count = begun.count.or(planned.run_cap.and_then(|cap| u32::try_from(cap).ok()));
        begun.target = begun.target.or(planned.target);
        let dimensions = prepared_dimensions(&planned)?;
        begun.patience = args.until_converged.then(|| (2 * dimensions).max(10));
        let found = if args.new { None } else { sweeps.find(&planned.spec.identity())? };
        begun.sweeps.push(match found {
            Some(sweep) => {
                if let Some(earlier) = &earlier {
                    let words = format!("{} has begun already: --from {} comes too late", sweep.name(), earlier.name());
                    output.warning(&words);
                }
                let mut active = sweep.take()?;
                active.rerun_with(planned.spec.finalists, &planned.spec.seeds)?;
                active
            }
            None if late => return Err(Mistake::new("--until: that time has passed").into()),
            None => {
                if let Some(earlier) = &earlier {
                    let count = planned.start_from(earlier, EARLIER)?;
                    output.note(&format!("{count} good trials of {} are tried first", earlier.name()));
                }
                sweeps.create(&planned.spec)?
            }
        });
        let endless = args.until.is_none() && args.budget.is_none() && !args.until_converged;
        if begun.count.is_none() && endless && planned.spec.method != Method::Grid {
            output.note(&format!(
                "{COUNT} trials, as nothing says when to end (--count, --until, --budget, --until-converged)"
            ));
            begun.count = Some(COUNT);
        }
    }
    Ok(begun)
}

fn prepared_dimensions(planned: &gyeol_pipeline::sweep::Planned) -> Result<u32> {
    Ok(planned.spec.sweep_file()?.space.dimensions().len() as u32)
}

fn launcher(args: &Args, global: &Global) -> Result<Launcher> {
    let workers = usize::from(args.workers);
    let threads = match global.threads {
        Some(threads) => usize::from(threads),
        None => thread::available_parallelism().map_or(1, NonZero::get),
    };
    Ok(Launcher {
        program: std::env::current_exe().context("cannot find this program to start trials with")?,
        home: std::path::absolute(&global.home).context("cannot find the home directory")?,
        threads: (threads / workers).max(1),
        workers,
        memory: match workers {
            1 => None,
            _ => available_memory()?.map(|bytes| bytes / workers as u64),
        },
        private: &[job::JOB, job::QUEUE],
    })
}

/// Tells what came of the sweeps.
fn finish(sweeps: &[Sweep], ended: Ended, output: &Output) -> Result<()> {
    if ended == Ended::Interrupted {
        let hint = "the trials are saved: the same command goes on".to_owned();
        return Err(Interrupted { hint: Some(hint) }.into());
    }
    if output.is_json() {
        output.json(&sweeps.iter().map(SweepDocument::new).collect::<Result<Vec<_>>>()?)?;
    } else {
        let mut parts = sweeps.iter().map(list::tell).collect::<Result<Vec<_>>>()?;
        parts.extend(by_base(sweeps));
        output.text(&parts.join("\n\n"))?;
    }
    if ended == Ended::Deadline {
        output.note("the time was up; the same command with more of it goes on");
    }
    for sweep in sweeps {
        let trials = sweep.study.trials();
        let failed = trials.iter().filter(|trial| trial.state == State::Failed).count();
        if failed > 0 && failed == trials.len() {
            let why = trials[0].error.clone().unwrap_or_default();
            anyhow::bail!("{}: every trial failed, the first with: {why}", sweep.name());
        }
    }
    for sweep in sweeps {
        let name = sweep.name();
        output.note(&format!("next: gyeol sweep best {name} -o {}.toml", sweep.spec.name));
    }
    Ok(())
}

/// The winners of several bases side by side.
fn by_base(sweeps: &[Sweep]) -> Option<String> {
    if sweeps.len() < 2 {
        return None;
    }
    let metric = sweeps[0].spec.metric.name();
    let mut table = output::table(&["sweep", "trials", &metric, "± over seeds", "values"], &[1, 2, 3]);
    for sweep in sweeps {
        let choice = sweep.study.choice();
        let deviation = choice.as_ref().and_then(|choice| choice.standard_deviation());
        table.add_row([
            sweep.name().to_owned(),
            sweep.study.trials().len().to_string(),
            words::score(choice.as_ref().and_then(|choice| choice.mean())),
            words::score(deviation),
            choice.map_or_else(String::new, |choice| words::assignment(&choice.trial.assignment)),
        ]);
    }
    Some(format!("{}\n{}", title("By base"), output::render(&table)))
}
