//! How long it takes to stack many members, and to bootstrap the scores of many candidates, on rows made up here.
//!
//!     cargo run --release -p gyeol-eval --example honest -- [MEMBERS] [ROWS] [CLASSES]
//!
//! 20 members, 100,000 rows and 10 classes unless told otherwise; the bootstrap is of 12 candidates and 22,500 rows.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{error::Error, time::Instant};

use gyeol_eval::{
    Metric, Outputs, Predictions, Truth,
    ensemble::{Aligned, RESAMPLES, Stack, bootstrap, temperature},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), Box<dyn Error>> {
    let mut sizes = std::env::args().skip(1).map(|size| size.parse::<usize>());
    let mut size = |default| sizes.next().unwrap_or(Ok(default));
    let (members, rows, classes) = (size(20)?, size(100_000)?, size(10)?);

    let (aligned, truth) = made_up(members, rows, classes)?;
    let start = Instant::now();
    let stack = Stack::fit(&aligned, Truth::Classes(&truth), Metric::Accuracy)?;
    println!("stacking {members} x {rows} x {classes}: {:.1?}, penalty {}", start.elapsed(), stack.penalty);
    let score = |outputs: &Outputs| -> Result<f64, Box<dyn Error>> {
        let score = Metric::LogLoss.measure(outputs, Truth::Classes(&truth))?;
        score.ok_or_else(|| "the log loss is undefined".into())
    };
    let stacked = aligned.outputs_from(stack.combine(&aligned));
    println!("  log loss {:.4}, the first member's {:.4}", score(&stacked)?, score(&aligned.outputs(0))?);
    let start = Instant::now();
    let found = temperature::fit(aligned.values(0), Truth::Classes(&truth), classes);
    println!("temperature of one member: {:.1?}, {found:.3}", start.elapsed());

    let (aligned, truth) = made_up(12, 22_500, 4)?;
    let outputs: Vec<Outputs> = (0..12).map(|member| aligned.outputs(member)).collect();
    for metric in [Metric::Accuracy, Metric::LogLoss, Metric::MacroF1] {
        timed(&outputs, Truth::Classes(&truth), metric)?;
    }
    let scores = |outputs: &Outputs| Outputs::Scores(outputs.values().iter().step_by(4).copied().collect());
    let outputs: Vec<Outputs> = outputs.iter().map(scores).collect();
    let truth: Vec<f32> = truth.into_iter().map(|class| class as f32).collect();
    for metric in [Metric::Pearson, Metric::Spearman, Metric::Rmse] {
        timed(&outputs, Truth::Scores(&truth), metric)?;
    }
    Ok(())
}

fn timed(outputs: &[Outputs], truth: Truth<'_>, metric: Metric) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let candidates: Vec<&Outputs> = outputs.iter().collect();
    let found = bootstrap(&candidates, truth, metric, 0, None, RESAMPLES, 1)?;
    let first = &found.candidates[0];
    let (score, interval) = first.score.zip(first.interval).ok_or("the score is undefined")?;
    let [low, high] = [interval.low, interval.high];
    println!("bootstrap of {metric}: {:.1?}, {score:.4} ({low:.4} … {high:.4})", start.elapsed());
    Ok(())
}

/// Members that know something in common and something of their own, each a little less than the last.
fn made_up(members: usize, rows: usize, classes: usize) -> Result<(Aligned, Vec<u32>), Box<dyn Error>> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let truth: Vec<u32> = (0..rows).map(|_| random.random_range(0..classes as u32)).collect();
    let ids: Vec<String> = (0..rows).map(|row| format!("row-{row}")).collect();
    let labels: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    let shared: Vec<f32> = (0..rows * classes).map(|_| random.random_range(-2.0..2.0)).collect();
    let mut predictions = Vec::with_capacity(members);
    for member in 0..members {
        let noise = 1.0 + 0.1 * member as f32;
        let mut values = shared.clone();
        values.iter_mut().for_each(|value| *value += noise * random.random_range(-2.0..2.0));
        values.chunks_exact_mut(classes).zip(&truth).for_each(|(row, &class)| row[class as usize] += 2.0);
        let outputs = Outputs::Logits { labels: labels.clone(), values };
        predictions.push((format!("member-{member}"), Predictions::new("id", ids.clone(), outputs)?));
    }
    let named: Vec<(String, &Predictions)> = predictions.iter().map(|(name, of)| (name.clone(), of)).collect();
    Ok((Aligned::new(&named, &ids)?, truth))
}
