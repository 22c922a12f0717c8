//! Runs the samplers on tasks that Optuna was measured on, and prints how they compare: the mean of the best values after 25,
//! 50 and 100 trials, the mean rank over tasks and budgets, and the time of a suggestion.
//!
//! ```text
//! python crates/tune/examples/replay_samplers/export_tables.py > tables.json
//! cargo run --release -p gyeol-tune --example replay_samplers -- tables.json optuna_regret.json \
//!     --out docs/benchmarks/2026-11-22-samplers.json
//! ```
//!
//! `optuna_regret.json` holds `{"results": [{"sampler", "task", "seed", "seconds", "best": {"25", "50", "100"}}]}`, the seconds
//! being those of the study's suggestions; what `--out` writes has the same form.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod tasks;

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::PathBuf,
    sync::Mutex,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use clap::Parser;
use gyeol_tune::samplers::{Bayes, Gp, Observation, Outcome, Random, Sampler, Sobol, Tpe, Uniform};
use rand::SeedableRng;
use serde::{Deserialize, Serialize};
use tasks::Task;

const BUDGETS: [usize; 3] = [25, 50, 100];

/// Compares samplers with Optuna's
#[derive(Debug, Parser)]
struct Arguments {
    /// The tables that `export_tables.py` writes
    tables: PathBuf,
    /// Optuna's results
    optuna: PathBuf,
    /// Where to keep the results of every seed
    #[arg(long)]
    out: Option<PathBuf>,
    /// Seeds 0, 1, … of each sampler
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The samplers to run
    #[arg(long, value_delimiter = ',', default_value = "random,sobol,tpe,gp,bayes")]
    samplers: Vec<String>,
    /// Only tasks whose name contains one of these
    #[arg(long, value_delimiter = ',')]
    tasks: Vec<String>,
    /// Further tasks, instead of those that Optuna was measured on
    #[arg(long)]
    others: bool,
    /// Studies run at once
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// One study.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Study {
    sampler: String,
    task: String,
    seed: u64,
    seconds: f64,
    best: BTreeMap<String, f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Results {
    results: Vec<Study>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let optuna: Results = serde_json::from_str(&fs::read_to_string(&arguments.optuna)?)?;
    let mut tasks = if arguments.others {
        tasks::others()
    } else {
        tasks::compared(serde_json::from_str(&fs::read_to_string(&arguments.tables)?)?)
    };
    tasks.retain(|task| arguments.tasks.is_empty() || arguments.tasks.iter().any(|part| task.name.contains(part)));

    let mut jobs = Vec::new();
    for sampler in &arguments.samplers {
        sampler_named(sampler, 0)?;
        for task in &tasks {
            jobs.extend((0..arguments.seeds).map(|seed| (sampler.as_str(), task, seed)));
        }
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(vec![None; jobs.len()]));
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&(sampler, task, seed)) = jobs.get(index) else { break };
                    let study = replay(sampler, task, seed);
                    done.lock().expect("no thread panics")[index] = Some(study);
                }
            });
        }
    });
    let ours: Vec<Study> = done.into_inner()?.into_iter().flatten().collect();
    if let Some(out) = &arguments.out {
        let lines: Vec<String> = ours.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        fs::write(out, format!("{{\"results\": [\n{}\n]}}\n", lines.join(",\n")))?;
    }
    let all: Vec<Study> = optuna
        .results
        .into_iter()
        .map(|study| Study { sampler: format!("optuna {}", study.sampler), ..study })
        .chain(ours)
        .filter(|study| tasks.iter().any(|task| task.name == study.task))
        .collect();
    print(&tasks, &all);
    Ok(())
}

fn sampler_named(name: &str, seed: u64) -> Result<Box<dyn Sampler>, String> {
    Ok(match name {
        "random" => Box::new(Uniform),
        "sobol" => Box::new(Sobol::new(seed)),
        "tpe" => Box::new(Tpe::new(seed)),
        "gp" => Box::new(Gp::new(seed)),
        "bayes" => Box::new(Bayes::new(seed)),
        _ => return Err(format!("no sampler \"{name}\"; there are random, sobol, tpe, gp, bayes")),
    })
}

/// Runs one study.
fn replay(sampler: &str, task: &Task, seed: u64) -> Study {
    let suggest = sampler_named(sampler, seed).expect("names are checked before");
    let mut noise = Random::seed_from_u64(seed ^ 0x6e6f_6973_6500);
    let mut history: Vec<Observation> = Vec::new();
    let (mut seconds, mut lowest, mut best) = (0.0, f64::INFINITY, BTreeMap::new());
    for number in 1..=BUDGETS[BUDGETS.len() - 1] {
        let began = Instant::now();
        let mut random = Random::seed_from_u64(seed);
        random.set_stream(number as u64);
        let point = suggest.suggest(&task.dimensions, &history, &mut random);
        seconds += began.elapsed().as_secs_f64();
        let value = (task.objective)(&point, &mut noise);
        lowest = value.min(lowest);
        history.push(Observation { point, outcome: Outcome::Value(value) });
        if BUDGETS.contains(&number) {
            best.insert(number.to_string(), lowest);
        }
    }
    let seconds = (seconds * 1e4).round() / 1e4;
    Study { sampler: sampler.to_owned(), task: task.name.clone(), seed, seconds, best }
}

/// Prints the tables.
fn print(tasks: &[Task], studies: &[Study]) {
    let mut samplers: Vec<&str> = Vec::new();
    for study in studies {
        if !samplers.contains(&study.sampler.as_str()) {
            samplers.push(&study.sampler);
        }
    }
    let mean = |sampler: &str, task: &str, of: &dyn Fn(&Study) -> f64| {
        let found: Vec<f64> = studies.iter().filter(|s| s.sampler == sampler && s.task == task).map(of).collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    };
    let column =
        |sampler: &str, task: &str, budget: usize| mean(sampler, task, &|study| study.best[&budget.to_string()]);

    println!("{:<20}{:>7}{}", "mean best value", "trials", header(&samplers));
    for task in tasks {
        for budget in BUDGETS {
            let cells = samplers.iter().map(|sampler| cell(column(sampler, &task.name, budget)));
            println!("{:<20}{budget:>7}{}", task.name, cells.collect::<String>());
        }
    }
    println!("\n{:<27}{}", "milliseconds each", header(&samplers));
    for task in tasks {
        let trials = BUDGETS[BUDGETS.len() - 1] as f64;
        let cells =
            samplers.iter().map(|sampler| cell(mean(sampler, &task.name, &|study| study.seconds * 1e3 / trials)));
        println!("{:<27}{}", task.name, cells.collect::<String>());
    }
    println!("\nmean rank over tasks and budgets");
    let optuna: Vec<&str> = samplers.iter().copied().filter(|sampler| sampler.starts_with("optuna")).collect();
    let own = samplers.iter().copied().filter(|sampler| !sampler.starts_with("optuna"));
    let fields = own.map(|own| [optuna.clone(), vec![own]].concat()).chain([samplers.clone()]);
    for field in fields {
        let mut ranks = vec![0.0; field.len()];
        let mut rounds = 0.0;
        for task in tasks {
            for budget in BUDGETS {
                let values: Option<Vec<f64>> =
                    field.iter().map(|sampler| column(sampler, &task.name, budget)).collect();
                let Some(values) = values else { continue };
                rounds += 1.0;
                for (rank, value) in ranks.iter_mut().zip(&values) {
                    let better = values.iter().filter(|other| *other < value).count() as f64;
                    let equal = values.iter().filter(|other| *other == value).count() as f64;
                    *rank += better + (equal + 1.0) / 2.0;
                }
            }
        }
        let parts = field.iter().zip(ranks).map(|(sampler, rank)| format!("{sampler} {:.2}", rank / rounds));
        println!("  {}", parts.collect::<Vec<_>>().join("   "));
    }
}

fn header(samplers: &[&str]) -> String {
    samplers.iter().map(|sampler| format!("{sampler:>15}")).collect()
}

fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| format!("{:>15}", "–"), |value| format!("{value:>15.5}"))
}
