//! `gyeol evaluate PREDICTIONS DATA`: how good predictions are.

use std::path::PathBuf;

/// The words of `gyeol evaluate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Predictions, as `gyeol predict` or a run writes them
    pub(crate) predictions: PathBuf,

    /// The table that holds the labels
    pub(crate) data: PathBuf,

    /// The id column of the table [default: the first column of the predictions]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id: Option<String>,

    /// The label column of the table
    #[arg(long, value_name = "COLUMN", default_value = "label")]
    pub(crate) label: String,

    /// Report each value of this column separately
    #[arg(long, value_name = "COLUMN")]
    pub(crate) source: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  gyeol evaluate .gyeol/runs/kcbert-001/valid.csv train.csv
  gyeol evaluate predictions.csv dev.csv --id ID --label score --source source
  gyeol evaluate predictions.csv dev.csv --json | jq .metrics";
