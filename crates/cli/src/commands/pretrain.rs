//! `gyeol pretrain RECIPE`: a tokeniser and an encoder from nothing.

use std::path::PathBuf;

use anyhow::Result;
use gyeol_engine::Isa;
use gyeol_pipeline::{
    Trained, pretrain,
    recipe::PretrainRecipe,
    runs::{Report, Runs},
};

use super::{masked_lm, train};
use crate::{args::Global, destination, exit::Interrupted, index, output::Output, watcher::Console};

/// The words of `gyeol pretrain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The recipe: texts, tokeniser and encoder
    pub(crate) recipe: PathBuf,

    /// Overrides a key of the recipe, as in pretrain.epochs=20; again for more
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<String>,

    /// Continue this recipe's unfinished run; start one if there is none
    #[arg(long)]
    pub(crate) resume: bool,

    /// With --resume, a run of this recipe that has finished after this time is not made again, as for `gyeol train`
    #[arg(long, value_name = "SECONDS", requires = "resume", hide = true)]
    pub(crate) unless_finished_since: Option<f64>,
}

const EXAMPLES: &str = "\
The recipe, with every table but [pretrain] at its defaults:
  [pretrain]
  texts = [\"reviews.txt.gz\"]     # raw text, one a line; or tables, with columns = [\"review\"]
  epochs = 10
  [tokenizer]
  kind = \"wordpiece\"             # or bpe, unigram
  vocab_size = 32000
  [encoder]
  family = \"bert\"                # or roberta, electra
  size = \"mini\"                  # tiny 2×128, mini 4×256, small 4×512, medium 8×512, base 12×768

Examples:
  gyeol pretrain encoder.toml
  gyeol pretrain encoder.toml --set encoder.size=tiny --set pretrain.epochs=3
  gyeol pretrain encoder.toml --resume";

/// Does what `gyeol pretrain` says.
pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    let recipe = PretrainRecipe::load(&args.recipe, &args.sets)?;
    destination::check_home(&global.home)?;
    let runs = Runs::new(&global.home);
    let told = |report: &Report, size: Option<String>| -> Result<()> {
        if output.is_json() {
            return output.json(report);
        }
        let dir = runs.open(&report.run)?.model_dir();
        let next = format!("next: gyeol train recipe.toml {}", masked_lm::set_base(&dir));
        output.text(&masked_lm::tell(report, &dir, &size.into_iter().chain([next]).collect::<Vec<_>>()))
    };
    if let Some(since) = args.unless_finished_since
        && let Some(report) = train::finished_since(&runs, (&recipe.name, &recipe.to_toml()?), since)?
    {
        return told(&report, None);
    }
    let mut watcher = Console::new(output)?;
    let runs = index::runs_to_write(global, output);
    let done = pretrain(&recipe, Isa::detect()?, &runs, args.resume, &mut watcher)?;
    watcher.finish();
    let report = match done.trained {
        Trained::Finished(report) => report,
        Trained::Interrupted { run, step } => {
            return Err(Interrupted { hint: Some(train::how_to_go_on(&run, step)) }.into());
        }
    };
    let size = format!("{:.2} M parameters, {} tokens", done.parameters as f64 / 1e6, done.vocab_size);
    told(&report, Some(size))
}
