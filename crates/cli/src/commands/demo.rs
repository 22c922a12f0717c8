//! `gyeol demo`: the main job on built-in sample data.

use std::path::PathBuf;

/// The words of `gyeol demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the sample data, the small model and the recipe are written
    #[arg(long, value_name = "DIR", default_value = "gyeol-demo")]
    pub(crate) out: PathBuf,

    /// Decides the sample data and the run
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(crate) seed: u64,
}

const EXAMPLES: &str = "\
Examples:
  gyeol demo
  gyeol demo --out /tmp/demo --seed 7";
