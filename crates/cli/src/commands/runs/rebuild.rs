//! `gyeol runs rebuild`: the store anew from the run directories.

use anyhow::Result;
use gyeol_pipeline::runs::Runs;

use super::super::queue;
use crate::{exit::Mistake, index, observe, output::Output};

/// The words of `gyeol runs rebuild`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {}

const EXAMPLES: &str = "\
What the store knows of runs is in their directories too. A store that is damaged is put aside,
and what it alone knew is gone: the jobs of the queue. It is safe while runs go on.

Examples:
  gyeol runs rebuild
  gyeol runs rebuild --home ../other/.gyeol";

/// Makes the store anew.
pub(super) fn run(runs: &Runs, output: &Output) -> Result<()> {
    let bar = observe::bar(output, "indexing", 0, "runs");
    let may_put_aside = || {
        if queue::daemon_runs(runs.home())? {
            let words = "the store is damaged, and a daemon of the queue writes it";
            return Err(Mistake::new(words).hint("gyeol queue stop ends it, else Ctrl-C; then try again").into());
        }
        Ok(())
    };
    let rebuilt = index::rebuild(runs, output, may_put_aside, |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let rebuilt = rebuilt?;
    if let Some(aside) = &rebuilt.put_aside {
        output.warning(&format!(
            "the store was damaged and is now {}; jobs of the queue were in it alone",
            aside.display()
        ));
    }
    if output.is_json() {
        return output.json(&rebuilt);
    }
    let runs = match rebuilt.runs {
        1 => "1 run".to_owned(),
        runs => format!("{runs} runs"),
    };
    output.text(&format!("the store knows {runs}"))
}
