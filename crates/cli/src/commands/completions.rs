//! `gyeol completions SHELL`: tab completion.

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{args::Cli, output::Output};

/// The words of `gyeol completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The shell to complete for
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  gyeol completions bash > ~/.local/share/bash-completion/completions/gyeol
  gyeol completions zsh > ~/.zfunc/_gyeol
  gyeol completions fish > ~/.config/fish/completions/gyeol.fish";

/// Prints the script.
pub(crate) fn run(args: &Args, output: &Output) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gyeol", &mut script);
    output.text(&String::from_utf8(script)?)
}
