//! Whether models predict a table sooner at once, each on a part of the threads, than one after the other on all of them.
//!
//! ```text
//! ensemble_predict_bench CSV COLUMN ROWS REPEATS DIR DIR…
//! ```
//!
//! As many compute at once as there are threads and directories (RAYON_NUM_THREADS sets the threads); the same directory may
//! be named again. Both ways take turns, REPEATS times each. Prints a JSON line for each pass, loading the models included, then one
//! with the ratio of the medians, above 1 where at once is sooner. The outputs of both are compared to the bit.
//!
//! Two models of 13 MB (4 layers, 192 wide) on 2 threads of a machine busy with other work, in bf16: 1.06 and 1.18 in two passes over
//! 5,000 reviews, 1.03 over 500 (median of 7). Two of 440 MB (12 layers, 768 wide), 24 reviews: 0.66 (median of 5). So small
//! models compute at once and large ones in turn.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use gyeol_data::{Columns, Examples, Table};
use gyeol_engine::{Isa, config::Precision};
use gyeol_eval::Predictions;
use gyeol_pipeline::{Arithmetic, PredictOptions, Predictor, Watcher};
use serde_json::json;

const USAGE: &str = "ensemble_predict_bench CSV COLUMN ROWS REPEATS DIR DIR...";

struct Silent;

impl Watcher for Silent {
    fn warning(&mut self, _: &str) {}
}

/// What the models in some directories predict.
type Outcome = Result<Vec<Predictions>, String>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, column, rows, repeats, dirs @ ..] = arguments.as_slice() else { return Err(USAGE.into()) };
    if dirs.is_empty() {
        return Err(USAGE.into());
    }
    let arithmetic = Arithmetic::new(Precision::Auto, Isa::detect()?, "PRECISION")?;
    let columns = Columns { text: column.clone(), ..Columns::default() };
    let mut texts = Examples::from_table(&Table::read(Path::new(table))?, &columns)?.texts;
    texts.truncate(rows.parse()?);
    let quoted = |text: &str| format!("\"{}\"\n", text.replace('"', "\"\""));
    let csv: String = std::iter::once(column).chain(&texts).map(|text| quoted(text)).collect();
    let options = PredictOptions { text: Some(column.clone()), logits: true, ..PredictOptions::default() };
    let predict = |dirs: &[String]| -> Outcome {
        let one = |dir: &String| -> Result<Predictions, String> {
            let mut predictor = Predictor::open(Path::new(dir), arithmetic).map_err(|error| error.to_string())?;
            let predictions = predictor.predict(Path::new("-"), csv.as_bytes(), &options, &mut Silent);
            predictions.map_err(|error| error.to_string())
        };
        dirs.iter().map(one).collect()
    };
    let threads = rayon::current_num_threads();
    let at_once = threads.min(dirs.len());
    let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads / at_once).build();
    let pools = (0..at_once).map(|_| pool()).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<&[String]> = dirs.chunks(dirs.len().div_ceil(at_once)).collect();
    let together = || -> Outcome {
        std::thread::scope(|scope| {
            let start = |(part, pool)| scope.spawn(move || rayon::ThreadPool::install(pool, || predict(part)));
            let workers: Vec<_> = parts.iter().copied().zip(&pools).map(start).collect();
            let outcomes =
                workers.into_iter().map(|worker| worker.join().map_err(|_| "a thread panicked".to_owned())?);
            outcomes.collect::<Result<Vec<_>, _>>().map(|parts| parts.into_iter().flatten().collect())
        })
    };
    let mut seconds = [Vec::new(), Vec::new()];
    for _ in 0..repeats.parse::<usize>()? {
        let started = Instant::now();
        let alone = predict(dirs)?;
        seconds[0].push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        let all = together()?;
        seconds[1].push(started.elapsed().as_secs_f64());
        if alone != all {
            return Err("the outputs differ".into());
        }
        println!("{}", json!({"in_turn_seconds": seconds[0].last(), "at_once_seconds": seconds[1].last()}));
    }
    let [in_turn, at_once_median] = seconds.map(median);
    let figures = json!({
        "models": dirs.len(), "rows": texts.len(), "threads": threads, "at_once": at_once, "isa": arithmetic.isa(),
        "precision": arithmetic.precision(), "in_turn_seconds": in_turn, "at_once_seconds": at_once_median,
        "ratio": in_turn / at_once_median,
    });
    println!("{figures}");
    Ok(())
}

/// The middle one, the upper of two.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}
