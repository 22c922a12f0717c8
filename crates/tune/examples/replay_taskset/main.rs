//! What pruning saves, replayed on recorded trainings: nothing is trained.
//!
//! `cargo run --release -p gyeol-tune --example replay_taskset -- DIR`
//!
//! `DIR` holds tables of TaskSet (Metz et al., arXiv:2002.11887): 1,000 configurations of an optimiser with the validation loss
//! before training and after each of 50 epochs. Each search may spend as many epochs as `--budget` full trainings. What counts is
//! its regret: the best validation loss among the checkpoints it has seen, less the best of the table. `last` is the same for
//! somebody who keeps the last checkpoint, of trials that ran to their end.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod search;
mod table;

use std::{fs, io::Write as _, path::PathBuf};

use anyhow::{Context, Result};
use clap::Parser as _;
use gyeol_tune::samplers::Random;
use rand::{RngExt as _, SeedableRng as _};
use rayon::prelude::*;
use search::{Arm, Course, PARTS};
use serde_json::json;
use table::Table;

/// Replays searches on tables of recorded trainings.
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// The directory of the tables, `*.json.gz`
    tables: PathBuf,

    /// What to compare, as SAMPLER+PRUNER; the others are compared with what the first reaches in the end. Samplers: uniform, sobol,
    /// tpe, gp. Pruners: never, median, hyperband, halving
    #[arg(
        long,
        value_name = "ARM,ARM…",
        value_delimiter = ',',
        default_value = "tpe+never,uniform+never,uniform+halving,tpe+halving"
    )]
    arms: Vec<Arm>,

    /// Each search is repeated with as many seeds
    #[arg(long, default_value_t = 30)]
    seeds: u64,

    /// As many full trainings may be spent
    #[arg(long, default_value_t = 50)]
    budget: usize,

    /// Trials that run at once
    #[arg(long, default_value_t = 1)]
    workers: usize,

    /// The first evaluation at which hyperband and halving compare trials
    #[arg(long, default_value_t = 1)]
    min_iter: u64,

    /// They keep one trial in so many
    #[arg(long, default_value_t = 3.0)]
    eta: f64,

    /// Append the raw numbers to a file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
}

/// The courses of an arm's searches on a table, one a seed.
struct Cell {
    table: usize,
    arm: usize,
    courses: Vec<Course>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let tables = Table::read_all(&arguments.tables)?;
    let mut cells = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        for (number, arm) in arguments.arms.iter().enumerate() {
            let run = |seed| search::run(table, arm, &arguments, seed);
            let courses: Vec<Course> = (1..=arguments.seeds).into_par_iter().map(run).collect::<Result<_>>()?;
            cells.push(Cell { table: index, arm: number, courses });
        }
        eprintln!("{}", table.name);
    }
    let kinds: [(&str, Regret); 2] = [("best", |course| &course.best), ("last", |course| &course.last)];
    for (kind, regret) in kinds {
        print_regrets(&arguments, &tables, &cells, kind, regret);
    }
    if let Some(path) = &arguments.raw {
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.with_context(|| format!("{} cannot be written", path.display()))?;
        for cell in &cells {
            writeln!(file, "{}", raw(&arguments, &tables, cell))?;
        }
    }
    Ok(())
}

/// One of the two regrets of a course, after each twelfth of the budget.
type Regret = fn(&Course) -> &[f64; PARTS];

/// The twelfths of the budget that are printed: a third, and the end.
const THIRD: usize = PARTS / 3 - 1;
const END: usize = PARTS - 1;

fn print_regrets(arguments: &Arguments, tables: &[Table], cells: &[Cell], kind: &str, regret: Regret) {
    let of = |table: Option<usize>, arm: usize, part: usize| -> Vec<f64> {
        let of_seed = |seed: usize| {
            let here = cells.iter().filter(|cell| cell.arm == arm && table.is_none_or(|table| cell.table == table));
            let regrets: Vec<f64> = here.map(|cell| regret(&cell.courses[seed])[part]).collect();
            regrets.iter().sum::<f64>() / regrets.len() as f64
        };
        (0..arguments.seeds as usize).map(of_seed).collect()
    };
    let reference = &arguments.arms[0];
    println!("\nRegret of the {kind} checkpoint: mean over seeds, and its 95 % interval");
    println!("| table | arm | trials | at 1/3 of the epochs | at the end | at 1/3, less {reference} at the end |");
    println!("|---|---|---:|---|---|---|");
    for table in (0..tables.len()).map(Some).chain([None]) {
        let name = table.map_or("all", |table| &tables[table].name);
        for (number, arm) in arguments.arms.iter().enumerate() {
            let (third, end) = (of(table, number, THIRD), of(table, number, END));
            let less: Vec<f64> =
                third.iter().zip(of(table, 0, END)).map(|(third, reference)| third - reference).collect();
            let trials =
                cells.iter().filter(|cell| cell.arm == number && table.is_none_or(|table| cell.table == table));
            let trials: Vec<f64> = trials.flat_map(|cell| &cell.courses).map(|course| course.trials as f64).collect();
            let trials = trials.iter().sum::<f64>() / trials.len() as f64;
            println!("| {name} | {arm} | {trials:.0} | {} | {} | {} |", mean(&third), mean(&end), mean(&less));
        }
    }
}

/// A mean with the interval that a bootstrap over the seeds gives.
fn mean(values: &[f64]) -> String {
    const RESAMPLES: usize = 4000;
    let mean = |sum: f64| sum / values.len() as f64;
    let mut random = Random::seed_from_u64(0);
    let mut resample = || mean((0..values.len()).map(|_| values[random.random_range(0..values.len())]).sum());
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    means.sort_by(f64::total_cmp);
    let [low, high] = [0.025, 0.975].map(|share| means[(share * RESAMPLES as f64) as usize]);
    format!("{:.4} [{low:.4}, {high:.4}]", mean(values.iter().sum()))
}

fn raw(arguments: &Arguments, tables: &[Table], cell: &Cell) -> serde_json::Value {
    // Losses of the tables have six digits.
    let rounded = |regrets: &[f64; PARTS], part: usize| (regrets[part] * 1e6).round() / 1e6;
    let column = |regret: Regret, part: usize| -> Vec<f64> {
        cell.courses.iter().map(|course| rounded(regret(course), part)).collect()
    };
    let arm = &arguments.arms[cell.arm];
    json!({
        "table": tables[cell.table].name, "arm": arm.to_string(), "workers": arguments.workers, "budget": arguments.budget,
        "min_iter": arguments.min_iter, "eta": arguments.eta,
        "trials": cell.courses.iter().map(|course| course.trials).collect::<Vec<_>>(),
        "best_third": column(|course| &course.best, THIRD), "best_end": column(|course| &course.best, END),
        "last_third": column(|course| &course.last, THIRD), "last_end": column(|course| &course.last, END),
    })
}
