//! How fast a checkpoint is opened, and how fast it then predicts.
//!
//! ```text
//! predict_bench PRECISION DIR                               opens it
//! predict_bench PRECISION DIR CSV COLUMN ROWS MAX_LENGTH    opens it and predicts the first rows of a table
//! ```
//!
//! PRECISION is `f32`, `bf16` or `auto`. Prints one JSON line. Samples and real tokens a second are those of
//! tokenising and computing together, after a first pass over a few rows; reading the table does not count.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../src/process.rs"]
mod process;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use gyeol_data::{Columns, Examples, Table, Tokeniser};
use gyeol_engine::Isa;
use gyeol_pipeline::{Arithmetic, PredictOptions, Predictor, Watcher};
use serde_json::{Map, Value, json};

const USAGE: &str = "predict_bench PRECISION DIR [CSV COLUMN ROWS MAX_LENGTH]";

/// Rows of the first pass.
const WARM_UP: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [precision, dir, table @ ..] = arguments.as_slice() else { return Err(USAGE.into()) };
    let precision = serde_json::from_value(json!(precision))?;
    let (dir, arithmetic) = (Path::new(dir), Arithmetic::new(precision, Isa::detect()?, "PRECISION")?);
    let started = Instant::now();
    let mut predictor = Predictor::open(dir, arithmetic)?;
    let mut document = Map::from_iter([
        ("isa".to_owned(), arithmetic.isa().into()),
        ("precision".to_owned(), arithmetic.precision().into()),
        ("threads".to_owned(), rayon::current_num_threads().into()),
        ("open_seconds".to_owned(), started.elapsed().as_secs_f64().into()),
    ]);
    match table {
        [] => {}
        [table, column, rows, max_length] => {
            let figures = predict(&mut predictor, dir, table, column, rows.parse()?, max_length.parse()?)?;
            document.extend(figures);
        }
        _ => return Err(USAGE.into()),
    }
    let memory = process::peak_rss_bytes().map(|bytes| bytes >> 20);
    document.insert("peak_rss_mib".to_owned(), memory.into());
    println!("{}", Value::Object(document));
    Ok(())
}

/// Predicts the first `rows` rows of a table, and says how fast.
fn predict(
    predictor: &mut Predictor,
    dir: &Path,
    table: &str,
    column: &str,
    rows: usize,
    max_length: usize,
) -> Result<Map<String, Value>, Box<dyn Error>> {
    let columns = Columns { text: column.to_owned(), ..Columns::default() };
    let mut texts = Examples::from_table(&Table::read(Path::new(table))?, &columns)?.texts;
    texts.truncate(rows);
    let tokens = Tokeniser::open(dir)?.encode_rows(&texts, None, max_length)?.tokens();
    let options = PredictOptions {
        text: Some(column.to_owned()),
        max_length: Some(max_length),
        logits: true,
        ..PredictOptions::default()
    };
    let mut pass = |texts: &[String]| -> Result<f64, Box<dyn Error>> {
        let mut watch = Stopwatch::default();
        predictor.predict(Path::new("-"), csv(column, texts).as_bytes(), &options, &mut watch)?;
        Ok(watch.tokenising.ok_or("nothing was tokenised")?.elapsed().as_secs_f64())
    };
    pass(&texts[..texts.len().min(WARM_UP)])?;
    let seconds = pass(&texts)?;
    let figures = json!({
        "rows": texts.len(),
        "samples_per_s": texts.len() as f64 / seconds,
        "real_tokens_per_s": tokens as f64 / seconds,
    });
    Ok(figures.as_object().cloned().unwrap_or_default())
}

/// A table of one column.
fn csv(column: &str, texts: &[String]) -> String {
    let quoted = |text: &str| format!("\"{}\"\n", text.replace('"', "\"\""));
    std::iter::once(column).chain(texts.iter().map(String::as_str)).map(quoted).collect()
}

/// Notes when the table is read and tokenising begins.
#[derive(Default)]
struct Stopwatch {
    tokenising: Option<Instant>,
}

impl Watcher for Stopwatch {
    fn phase(&mut self, name: &'static str) {
        if name == "tokenising" {
            self.tokenising = Some(Instant::now());
        }
    }

    fn warning(&mut self, _: &str) {}
}
