//! How long weights take to fit, and how much memory.
//!
//! ```text
//! greedy [METHOD [MEMBERS [ROWS [CLASSES [STEPS [SEED]]]]]]
//! ```
//!
//! METHOD is `greedy` (the default) or `simplex`, the rest 20, 100000, 10, 50 and 1. The members are made up: all find the same
//! rows difficult, each errs in a way of its own besides, and some know more than others. Prints one JSON line. The seconds are
//! those of fitting alone, the memory that of the whole program, predictions included.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../../pipeline/src/process.rs"]
mod process;

use std::error::Error;
use std::time::Instant;

use gyeol_eval::{
    Metric, Outputs, Predictions, Truth,
    ensemble::{Aligned, Fitted, Method},
};
use rand::RngExt as _;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default: usize| arguments.get(place).map_or(Ok(default), |given| given.parse());
    let (members, rows, classes) = (number(1, 20)?, number(2, 100_000)?, number(3, 10)?);
    let (steps, seed) = (number(4, 50)?, number(5, 1)?);
    let method = match arguments.first().map_or("greedy", String::as_str) {
        "greedy" => Method::Greedy { steps },
        "simplex" => Method::Simplex,
        other => return Err(format!("METHOD is greedy or simplex, not {other}").into()),
    };
    let (aligned, truth) = made_up(members, rows, classes, seed as u64)?;
    let (truth, metric) = (Truth::Classes(&truth), Metric::Accuracy);

    let started = Instant::now();
    let fitted = Fitted::new(method, &aligned, truth, metric)?;
    let seconds = started.elapsed().as_secs_f64();

    let memory = process::peak_rss_bytes().map(|bytes| bytes >> 20);
    let score = |outputs: &Outputs| metric.measure(outputs, truth);
    let singles = (0..members).map(|member| score(&aligned.outputs(member))).collect::<Result<Vec<_>, _>>()?;
    let best = singles.into_iter().fold(None, |best, single| if metric.better(single, best) { single } else { best });
    let equal = Fitted::new(Method::Soft, &aligned, truth, metric)?.combine(&aligned)?;
    let weights = fitted.weights().unwrap_or_default();
    let document = json!({
        "method": method.kind().name(),
        "members": members,
        "rows": rows,
        "classes": classes,
        "threads": rayon::current_num_threads(),
        "seconds": seconds,
        "peak_rss_mib": memory,
        "members_with_weight": weights.iter().filter(|weight| **weight > 0.0).count(),
        "best_member": best,
        "equal_weights": score(&equal)?,
        "fitted": score(&fitted.combine(&aligned)?)?,
        "weights": weights,
    });
    println!("{document}");
    Ok(())
}

/// Members' predictions of made-up rows, and the truth of those.
fn made_up(members: usize, rows: usize, classes: usize, seed: u64) -> Result<(Aligned, Vec<u32>), Box<dyn Error>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let truth: Vec<u32> = (0..rows).map(|_| random.random_range(0..classes as u32)).collect();
    let shared: Vec<f32> = (0..rows * classes).map(|_| normal(&mut random)).collect();
    let ids: Vec<String> = (0..rows).map(|row| format!("{row:08}")).collect();
    let labels: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    let predictions = (0..members).map(|member| {
        let skill = random.random_range(1.6..2.6);
        let mut values: Vec<f32> = shared.iter().map(|shared| 0.8 * shared + normal(&mut random)).collect();
        values.chunks_exact_mut(classes).zip(&truth).for_each(|(row, &class)| row[class as usize] += skill);
        let outputs = Outputs::Logits { labels: labels.clone(), values };
        Ok((format!("member {member:02}"), Predictions::new("id", ids.clone(), outputs)?))
    });
    let predictions: Vec<(String, Predictions)> = predictions.collect::<Result<_, Box<dyn Error>>>()?;
    let named: Vec<_> = predictions.iter().map(|(name, predictions)| (name.clone(), predictions)).collect();
    Ok((Aligned::new(&named, &ids)?, truth))
}

/// A normally distributed number (Box and Muller's).
fn normal(random: &mut ChaCha8Rng) -> f32 {
    let (radius, angle): (f32, f32) = (random.random(), random.random());
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
}
