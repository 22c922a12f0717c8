//! `gyeol clean DATA`: what cleaning does to a table, before and after.
//!
//! The steps are in `gyeol_data`; what is printed of them is in `tell`.

mod tell;

use std::{io, path::Path, path::PathBuf};

use anyhow::Result;
use gyeol_data::{CleanConfig, Cleaner, Columns, EmoticonsConfig, Examples, KeyStyle, Table, TextFormat};
use gyeol_pipeline::{Watcher as _, fitted_cleaner, recipe::Recipe};

use crate::{destination, exit::Mistake, output::Output, watcher::Console};
use tell::Preview;

/// The words of `gyeol clean`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The table; - reads CSV from standard input
    data: PathBuf,

    /// Clean as this recipe does: its columns, its [clean], fitted on its training rows
    #[arg(long, value_name = "RECIPE")]
    recipe: Option<PathBuf>,

    /// Overrides a key of the recipe, as in clean.repeats=2; again for more
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "recipe")]
    sets: Vec<String>,

    /// The text column [default: the recipe's]
    #[arg(long, value_name = "COLUMN", required_unless_present = "recipe")]
    text: Option<String>,

    /// The column of the second text [default: the recipe's]
    #[arg(long, value_name = "COLUMN")]
    text_pair: Option<String>,

    /// Write the cleaned table, .csv or .tsv
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// How many of the rows that change to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    rows: usize,

    #[command(flatten)]
    steps: Steps,
}

/// The steps to preview without a recipe, beside the harmless ones.
#[derive(Debug, clap::Args)]
#[group(multiple = true, conflicts_with = "recipe")]
#[command(next_help_heading = "Steps, without a recipe")]
struct Steps {
    /// Emoticons, runs of jamo and emoji become special tokens, by the built-in table or one of your own
    #[arg(long, value_name = "TABLE", num_args = 0..=1, require_equals = true)]
    emoticons: Option<Option<PathBuf>>,

    /// Web and mail addresses go
    #[arg(long)]
    urls: bool,

    /// @name goes
    #[arg(long)]
    user_names: bool,

    /// Longest run kept of a character that is no digit; 0: all of it
    #[arg(long, value_name = "N", default_value_t = 0)]
    repeats: usize,

    /// Characters kept besides letters, digits and spaces [default: all]
    #[arg(long, value_name = "CHARACTERS")]
    keep_characters: Option<String>,

    /// Words that go
    #[arg(long, value_name = "WORD,WORD…", value_delimiter = ',')]
    stop_words: Vec<String>,

    /// How many of the table's rarest words go
    #[arg(long, value_name = "N", default_value_t = 0)]
    rare_words: usize,
}

const EXAMPLES: &str = "\
Examples:
  gyeol clean train.csv --recipe recipe.toml
  gyeol clean test.csv --recipe recipe.toml --set clean.repeats=2 -o cleaned.csv
  gyeol clean train.csv --text review --emoticons --rows 20
  gyeol clean train.csv --text review --emoticons=mine.txt --keep-characters \",.?!\" --json";

/// Cleans, counts and tells.
pub(crate) fn run(args: &Args, output: &Output) -> Result<()> {
    let recipe = args.recipe.as_deref().map(|path| Recipe::load(path, &args.sets)).transpose()?;
    if let Some(path) = &args.output {
        check_output(path, args, recipe.as_ref())?;
    }
    let columns = args.columns(recipe.as_ref());
    let mut console = Console::new(output)?;
    // A cleaner that cannot be had says so before a table is read.
    let fitted = recipe.as_ref().map(|recipe| of_recipe(recipe, &mut console)).transpose()?;
    console.phase("reading the table");
    let mut table = if args.data == Path::new("-") {
        Table::from_reader(io::stdin().lock(), TextFormat::Csv, "standard input")?
    } else {
        Table::read(&args.data)?
    };
    let raw = Examples::from_table(&table, &columns)?;
    console.phase("cleaning");
    let cleaner = match fitted {
        Some(cleaner) => cleaner,
        None => {
            let pairs = raw.pairs.iter().flatten();
            let texts: Vec<&str> = raw.texts.iter().chain(pairs).map(String::as_str).collect();
            args.steps.config().fit(&texts)?
        }
    };
    let (preview, texts, pairs) = Preview::new(&cleaner, &raw, &columns, args.rows, args.output.as_deref());
    console.finish();
    if let Some(path) = &args.output {
        table.replace(&columns.text, &texts);
        if let (Some(name), Some(pairs)) = (&columns.text_pair, &pairs) {
            table.replace(name, pairs);
        }
        table.write(path)?;
    }
    if output.is_json() { output.json(&preview) } else { output.text(&preview.tell()) }
}

/// Refuses an output that could not be written, or is one of the files that are read.
fn check_output(path: &Path, args: &Args, recipe: Option<&Recipe>) -> Result<()> {
    if destination::is_stdout(path) {
        let words = "--output: the cleaned table goes to a file, as standard output has the summary";
        return Err(Mistake::new(words).hint("-o cleaned.csv").into());
    }
    Table::delimiter(path)?;
    let mut inputs = recipe.map(Recipe::files).unwrap_or_default();
    inputs.push(&args.data);
    inputs.extend(args.recipe.as_deref());
    inputs.extend(args.steps.emoticons.iter().flatten().map(PathBuf::as_path));
    Ok(destination::check_file(path, "--output", &inputs)?)
}

/// The cleaner of a recipe, which must have one.
fn of_recipe(recipe: &Recipe, console: &mut Console) -> Result<Cleaner> {
    Ok(fitted_cleaner(recipe, console)?.ok_or_else(|| {
        Mistake::new(format!("the recipe {} has no table [clean], so it changes no text", recipe.name))
            .hint("--set clean.emoticons=true tries one, and so does adding [clean] to the recipe")
    })?)
}

impl Args {
    fn columns(&self, recipe: Option<&Recipe>) -> Columns {
        let data = recipe.map(|recipe| &recipe.data);
        Columns {
            // One of the two is there: clap sees to it.
            text: self.text.clone().or_else(|| Some(data?.text.clone())).unwrap_or_default(),
            text_pair: self.text_pair.clone().or_else(|| data?.text_pair.clone()),
            keys: if self.text.is_some() { KeyStyle::Flag } else { KeyStyle::Recipe },
            ..Columns::default()
        }
    }
}

impl Steps {
    fn config(&self) -> CleanConfig {
        CleanConfig {
            urls: self.urls,
            user_names: self.user_names,
            emoticons: match &self.emoticons {
                None => EmoticonsConfig::Off,
                Some(None) => EmoticonsConfig::BuiltIn,
                Some(Some(table)) => EmoticonsConfig::Table(table.clone()),
            },
            repeats: self.repeats,
            keep_characters: self.keep_characters.clone(),
            stop_words: self.stop_words.clone(),
            rare_words: self.rare_words,
            ..CleanConfig::default()
        }
    }
}
