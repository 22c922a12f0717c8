//! `cargo xtask bench dense` and `bench ragged`: whole training steps as shares of a loop on registers alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::Args;

use super::Size;
use super::document::{self, Document, absolute, file_name, number};
use super::record::Record;
use super::statistics::median;
use crate::process;

/// What both kinds of steps are given.
#[derive(Args)]
struct Common {
    /// Steps of a run that are measured
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Rows of a batch
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// f32, bf16 or auto
    #[arg(long, default_value = "auto")]
    precision: String,
    /// Runs, of which the medians are printed
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Flags of `cargo xtask bench dense`.
#[derive(Args)]
pub(crate) struct Dense {
    /// Model, with random weights
    #[arg(long, value_enum, default_value_t = Size::BertBase)]
    size: Size,
    /// Tokens of every row
    #[arg(long, default_value_t = 64)]
    length: usize,
    #[command(flatten)]
    common: Common,
}

/// Flags of `cargo xtask bench ragged`.
#[derive(Args)]
pub(crate) struct Ragged {
    /// Checkpoint directory: its configuration and tokeniser count, its weights do not
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Table of texts
    #[arg(long, value_name = "CSV")]
    data: PathBuf,
    /// Column of the texts
    #[arg(long, default_value = "review")]
    text: String,
    /// Longest sequence in tokens
    #[arg(long, default_value_t = 128)]
    max_length: usize,
    #[command(flatten)]
    common: Common,
}

/// Measures steps over rows of one length.
pub(super) fn dense(root: &Path, options: &Dense) -> Result<()> {
    let shared = Document::from_iter([
        ("size".to_owned(), options.size.name().into()),
        ("length".to_owned(), options.length.into()),
    ]);
    let what = ["dense".to_owned(), options.size.name().to_owned(), options.length.to_string()];
    measure(root, "dense", shared, &options.common, |command| command.args(&what))
}

/// Measures steps over rows of a table, in random order.
pub(super) fn ragged(root: &Path, options: &Ragged) -> Result<()> {
    let (model, data) = (absolute(&options.model)?, absolute(&options.data)?);
    let shared = Document::from_iter([
        ("model".to_owned(), file_name(&model)),
        ("data".to_owned(), file_name(&data)),
        ("max_length".to_owned(), options.max_length.into()),
    ]);
    measure(root, "ragged", shared, &options.common, |command| {
        command.arg("ragged").args([&model, &data]).args([&options.text, &options.max_length.to_string()])
    })
}

/// Runs the example `step_bench` of gyeol-engine.
fn measure(
    root: &Path,
    subject: &str,
    shared: Document,
    common: &Common,
    what: impl Fn(&mut Command) -> &mut Command,
) -> Result<()> {
    let example = super::build_example(root, "gyeol-engine", "step_bench")?;
    let record = Record::open(root, subject, shared)?;
    let mut runs = Vec::new();
    for _ in 0..common.rounds {
        let mut command = Command::new(&example);
        command.args([&common.precision, &common.steps.to_string(), &common.batch.to_string()]);
        let document = document::last(&process::capture(what(&mut command))?)?;
        record.add(&document)?;
        runs.push(document);
    }
    let middle = |key: &str| -> Result<f64> {
        let values: Result<Vec<f64>> = runs.iter().map(|run| number(run, key)).collect();
        Ok(median(&values?).unwrap_or(f64::NAN))
    };
    let text = |key: &str| runs[0].get(key).and_then(|value| value.as_str()).unwrap_or("?").to_owned();
    println!("{} on {}, {} steps of {} rows", text("precision"), text("isa"), common.steps, common.batch);
    println!("step         {:9.1} ms (median)", 1e3 * middle("median_step_s")?);
    println!("speed        {:9.1} tokens/s  {:.1} samples/s", middle("real_tokens_per_s")?, middle("samples_per_s")?);
    println!("arithmetic   {:9.1} GFLOP/s nominal", middle("gflops")?);
    // No peak is measured where the instruction set has no multiply-add.
    if let (Ok(peak), Ok(share), Ok(of_median)) =
        (middle("peak_gflops"), middle("share_of_peak"), middle("median_share_of_peak"))
    {
        println!("share        {:9.1} % of {peak:.0} GFLOP/s (median step {:.1} %)", 100.0 * share, 100.0 * of_median);
    }
    println!("peak memory  {:9.0} MiB\nraw runs: {}", middle("peak_rss_mib")?, record.file().display());
    Ok(())
}
