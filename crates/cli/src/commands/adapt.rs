//! `gyeol adapt RECIPE`: masked-LM training of a recipe's base model on its texts.

use std::path::PathBuf;

use anyhow::Result;
use gyeol_engine::Isa;
use gyeol_pipeline::{Adapted, Prepared, adapt, hub::HubOptions, recipe::Recipe};

use super::{masked_lm, train};
use crate::{args::Global, destination, exit::Interrupted, index, output::Output, watcher::Console};

/// The words of `gyeol adapt`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The recipe, as `gyeol init` writes it
    pub(crate) recipe: PathBuf,

    /// Overrides a key of the recipe, as in adapt.epochs=5; again for more
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<String>,

    /// Continue this recipe's unfinished adaptation; start one if there is none
    #[arg(long)]
    pub(crate) resume: bool,
}

const EXAMPLES: &str = "\
The recipe's table, with its defaults; `gyeol train` of a recipe that has it adapts first, once:
  [adapt]
  texts = [\"train\", \"test\"]     # also \"valid\", and files: raw text, or tables with columns = [\"review\"]
  epochs = 3
  mask = 0.15                     # share of the tokens hidden
  whole_words = false
  learning_rate = 5e-5

Examples:
  gyeol adapt recipe.toml
  gyeol adapt recipe.toml --set adapt.epochs=10 --set 'adapt.texts=[\"train\", \"more.txt.gz\"]'
  gyeol adapt recipe.toml --resume";

/// Does what `gyeol adapt` says.
pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    let recipe = Recipe::load(&args.recipe, &args.sets)?;
    destination::check_home(&global.home)?;
    let mut watcher = Console::new(output)?;
    let hub = HubOptions { progress: output.shows_progress(), ..HubOptions::from_env() };
    let prepared = Prepared::new(recipe, Isa::detect()?, &global.home, &hub, &mut watcher)?;
    let adapted = adapt(&prepared, &index::runs_to_write(global, output), args.resume, &mut watcher)?;
    watcher.finish();
    match adapted {
        Adapted::Interrupted { run, step } => Err(Interrupted { hint: Some(train::how_to_go_on(&run, step)) }.into()),
        Adapted::Done { report, .. } if output.is_json() => output.json(&report),
        Adapted::Done { report, dir, .. } => {
            let mut next = format!("next: gyeol train {}", masked_lm::quoted(&args.recipe.display().to_string()));
            args.sets.iter().for_each(|set| next.push_str(&format!(" --set {}", masked_lm::quoted(set))));
            match prepared.recipe.adapt {
                Some(_) => next.push_str("   # starts from it"),
                None => next.push_str(&format!(" {}", masked_lm::set_base(&dir))),
            }
            output.text(&masked_lm::tell(&report, &dir, &[next]))
        }
    }
}
