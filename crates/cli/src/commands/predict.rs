//! `gyeol predict RUN_OR_DIR DATA`: a model's predictions for a table.

use std::path::PathBuf;

use clap::ValueEnum;

/// The words of `gyeol predict`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A run's name, or a checkpoint directory
    #[arg(value_name = "RUN_OR_DIR")]
    pub(crate) model: String,

    /// The table; - reads CSV from standard input
    pub(crate) data: PathBuf,

    /// Where predictions go, in the order of the table; - is standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,

    /// Write the raw outputs instead of predictions and probabilities
    #[arg(long)]
    pub(crate) logits: bool,

    /// The id column [default: the model's, else none]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id: Option<String>,

    /// The text column [default: the model's]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) text: Option<String>,

    /// The column of the second text [default: the model's]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) text_pair: Option<String>,

    /// Longest token sequence, special tokens included [default: the model's]
    #[arg(long, value_name = "N")]
    pub(crate) max_length: Option<usize>,

    /// Arithmetic of the matrix products
    #[arg(long, value_enum, default_value_t = Precision::Auto)]
    pub(crate) precision: Precision,
}

/// Arithmetic of the matrix products, as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    /// The best this build has for the processor
    Auto,
    /// Single precision throughout
    F32,
}

const EXAMPLES: &str = "\
Examples:
  gyeol predict kcbert-001 test.csv -o submission.csv
  gyeol predict .gyeol/runs/kcbert-001/model test.csv -o logits.csv --logits
  gyeol predict ./some-checkpoint pairs.csv -o out.csv --id id --text one --text-pair two
  head -100 test.csv | gyeol predict kcbert-001 - -o -";
