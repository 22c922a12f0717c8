//! `gyeol train RECIPE`: one run, or one a seed.

use std::path::PathBuf;

/// The words of `gyeol train`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The recipe, as `gyeol init` writes it
    pub(crate) recipe: PathBuf,

    /// Overrides a key of the recipe, as in train.learning_rate=3e-5; again for more
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<String>,

    /// Continue this recipe's unfinished run; start one if there is none
    #[arg(long)]
    pub(crate) resume: bool,

    /// Train once with each of these seeds and tell mean and spread
    #[arg(long, value_name = "SEED,SEED…", value_delimiter = ',', num_args = 1)]
    pub(crate) seeds: Vec<u64>,

    /// Check everything and estimate time, memory and disk; train nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const EXAMPLES: &str = "\
Examples:
  gyeol train recipe.toml
  gyeol train recipe.toml --set train.learning_rate=3e-5 --set model.base=klue/bert-base
  gyeol train recipe.toml --dry-run
  gyeol train recipe.toml --resume
  gyeol train recipe.toml --seeds 1,2,3 --json";
