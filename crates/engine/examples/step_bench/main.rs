//! Speed of whole training steps (forward, backward, clipping, AdamW), and their share of a loop on registers alone.
//!
//! ```text
//! step_bench PRECISION STEPS BATCH dense  SIZE LENGTH                 random ids, every row of LENGTH tokens
//! step_bench PRECISION STEPS BATCH ragged DIR CSV COLUMN MAX_LENGTH   a table, in the tokens of a checkpoint
//! ```
//!
//! PRECISION is `f32`, `bf16` or `auto`, SIZE `bert-base`, `minilm` or `mini`. Prints one JSON line. The steps are the
//! trainer's own, timed by an observer; weights are random, as the speed does not depend on them.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod rows;
mod work;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gyeol_data::Targets;
use gyeol_engine::config::{Precision, SwaConfig, TrainConfig};
use gyeol_engine::device::Cpu;
use gyeol_engine::hf::EncoderConfig;
use gyeol_engine::{
    Action, ClassTargets, Evaluation, FineTuning, HeadKind, Isa, Joint, KeptRows, Loss, Model, Observer, Score,
    StepReport, TrainError, TrainPaths, TrainSet, Trainer,
};
use gyeol_kernels::peak;
use serde_json::json;

use rows::Rows;

const USAGE: &str = "step_bench PRECISION STEPS BATCH dense SIZE LENGTH | ragged DIR CSV COLUMN MAX_LENGTH";

/// First steps, which touch fresh memory: not measured.
const WARM_UP: usize = 3;

/// Outputs of the head.
const CLASSES: u32 = 4;

const SEED: u64 = 42;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [precision, steps, batch, what @ ..] = arguments.as_slice() else { return Err(USAGE.into()) };
    let (steps, batch): (usize, usize) = (steps.parse()?, batch.parse()?);
    let needed = (WARM_UP + steps) * batch;
    let (config, rows) = match what {
        ["dense", size, length] => {
            let config = rows::config(size)?;
            let rows = Rows::dense(needed, length.parse()?, config.vocab_size);
            (config, rows)
        }
        ["ragged", dir, table, column, max_length] => {
            let dir = Path::new(dir);
            (EncoderConfig::read(dir)?, Rows::ragged(dir, Path::new(table), column, max_length.parse()?, needed)?)
        }
        _ => return Err(USAGE.into()),
    };
    let isa = Isa::detect()?;
    let operands = serde_json::from_value::<Precision>(json!(precision))?.operands(isa)?;
    let clock = Instant::now();
    let measure_peak = || peak(isa, operands, || clock.elapsed().as_secs_f64());
    let before = measure_peak();
    // On a worker of the pool, as `gyeol train` does it.
    let seconds = rayon::scope(|_| train(Cpu::new(isa, operands), &config, &rows, batch))?;
    // Before and after, as a processor's clock moves; the higher peak makes the lower share.
    let peak = before.zip(measure_peak()).map(|(before, after)| before.max(after));

    let seconds = &seconds[WARM_UP..];
    let windows = rows.order[WARM_UP * batch..].chunks(batch);
    let work: Vec<f64> = windows.map(|window| work::training_step(&config, rows.lengths(window))).collect();
    let (total, all_work): (f64, f64) = (seconds.iter().sum(), work.iter().sum());
    let speeds = work.iter().zip(seconds).map(|(work, seconds)| work / seconds).collect();
    let (speed, median_speed) = (all_work / total, median(speeds));
    let document = json!({
        "isa": isa.name(),
        "precision": operands.name(),
        "threads": rayon::current_num_threads(),
        "steps": steps,
        "batch": batch,
        "samples_per_s": (steps * batch) as f64 / total,
        "real_tokens_per_s": rows.lengths(&rows.order[WARM_UP * batch..]).sum::<usize>() as f64 / total,
        "median_step_s": median(seconds.to_vec()),
        "gflops": speed / 1e9,
        "peak_gflops": peak.map(|peak| peak / 1e9),
        "share_of_peak": peak.map(|peak| speed / peak),
        "median_share_of_peak": peak.map(|peak| median_speed / peak),
        "peak_rss_mib": peak_rss_mib(),
    });
    println!("{document}");
    Ok(())
}

/// Trains on all rows once, in their order, and returns the seconds of each step.
fn train(device: Cpu, config: &EncoderConfig, rows: &Rows, batch: usize) -> Result<Vec<f64>, TrainError> {
    let mut model = Model::new(device, config.clone(), HeadKind::Classification { outputs: CLASSES as usize }, true)?;
    model.randomise(SEED);
    let mut model = Joint::from(model);
    let targets = Targets::Classes((0..rows.tokens.len() as u32).map(|row| row % CLASSES).collect());
    // Without evaluations and a wish to save, nothing is ever written.
    let nowhere = || PathBuf::from("nowhere");
    let mut watch = Stopwatch::default();
    Trainer {
        model: &mut model,
        config: &TrainConfig { epochs: 1, batch_size: batch, shuffle: false, ..TrainConfig::default() },
        objective: FineTuning {
            loss: &Loss::CrossEntropy(ClassTargets::default()),
            train: TrainSet { tokens: std::slice::from_ref(&rows.tokens), targets: &targets, rows: &rows.order },
            row_weights: None,
            balance: None,
            valid: None,
            kept: vec![KeptRows::default()],
            kept_valid: Vec::new(),
        },
        seed: SEED,
        stop_after: None,
        higher_is_better: true,
        guard: None,
        swa: SwaConfig::default(),
        paths: TrainPaths { checkpoints: nowhere(), state: nowhere() },
        fingerprint: String::new(),
    }
    .run(false, &mut watch)?;
    Ok(watch.seconds)
}

/// Times every step.
#[derive(Default)]
struct Stopwatch {
    started: Option<Instant>,
    seconds: Vec<f64>,
}

impl Observer for Stopwatch {
    fn step_begins(&mut self) {
        self.started = Some(Instant::now());
    }

    fn step(&mut self, _: &StepReport) -> Action {
        self.seconds.extend(self.started.take().map(|started| started.elapsed().as_secs_f64()));
        Action::Continue
    }

    fn score(&mut self, _: &[f32]) -> Score {
        0.0.into()
    }

    fn evaluated(&mut self, _: &Evaluation) -> Action {
        Action::Continue
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Largest resident memory so far, where the system tells.
fn peak_rss_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}
