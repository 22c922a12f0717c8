//! `gyeol profile DATA`: what a table holds, what may be wrong with it, and the recipe lines that help.
//!
//! The figures and the advice come from `gyeol_data::profile`; `layout` lays them out for a terminal, `page` as HTML.

mod layout;
mod page;

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::Result;
use gyeol_data::{
    Columns, KeyStyle, Table, TextFormat, Tokeniser,
    profile::{Given, Profile, ProfileOptions},
};
use gyeol_engine::hf::EncoderConfig;
use gyeol_pipeline::{
    hub::{self, HubError, HubOptions},
    recipe::Recipe,
};

use crate::{
    destination::Destination,
    detect::{self, Wanted},
    exit::Mistake,
    observe,
    output::{self, Output},
};

/// Where rows are cut without a recipe or `--max-length`: the recipe's own default.
const MAX_LENGTH: usize = 128;

/// The words of `gyeol profile`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The table: .csv, .tsv, .jsonl (each also .gz) or .parquet; - reads CSV from standard input
    data: PathBuf,

    /// Take columns, tokeniser and test table of this recipe, and advise on what it does not say yet
    #[arg(long, value_name = "RECIPE")]
    recipe: Option<PathBuf>,

    /// A table to be predicted later: what it shares with this one, and whether it is like it [default: the recipe's]
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,

    /// Write a page to look at, complete in one file
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,

    /// Count tokens with the tokeniser of this checkpoint directory or hub id [default: the recipe's]
    #[arg(long, value_name = "DIR")]
    base: Option<String>,

    /// Longest token sequence to check, special tokens included [default: the recipe's, else 128]
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,

    /// The id column, instead of the one found
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,

    /// The text column, instead of the one found
    #[arg(long, value_name = "COLUMN")]
    text: Option<String>,

    /// The column of the second text, instead of the one found
    #[arg(long, value_name = "COLUMN")]
    text_pair: Option<String>,

    /// The label column, instead of the one found
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,

    /// The column that says where a row came from, instead of the one found
    #[arg(long, value_name = "COLUMN")]
    source: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  gyeol profile train.csv
  gyeol profile train.csv --test test.csv --html profile.html
  gyeol profile train.csv --recipe recipe.toml
  gyeol profile pairs.tsv --label score --base klue/roberta-base --max-length 64
  gyeol profile train.csv --json | jq '.findings[].recipe'";

/// Looks, writes the page and tells.
pub(crate) fn run(args: &Args, output: &Output) -> Result<()> {
    let recipe = args.recipe.as_deref().map(|path| Recipe::load(path, &[])).transpose()?;
    let mut inputs = recipe.as_ref().map(Recipe::files).unwrap_or_default();
    inputs.push(&args.data);
    inputs.extend([&args.recipe, &args.test].into_iter().filter_map(|path| path.as_deref()));
    let html = args.html.as_deref();
    let html = html.map(|path| Destination::beside_result(path, "--html", &inputs, output)).transpose()?;
    let spinner = observe::spinner(output, "reading the table");
    let table = read(&args.data)?;
    let test = test_path(args, recipe.as_ref()).map(|path| Table::read(&path)).transpose()?;
    detect::other_delimiter(&table).iter().for_each(|text| output.warning(&format!("{}: {text}", table.file())));
    let columns = columns(args, recipe.as_ref(), &table)?;
    let base = base(args, recipe.as_ref(), output)?;
    spinner.set_message("looking at the rows");
    let data = recipe.as_ref().map(|recipe| &recipe.data);
    let asked = args.max_length.or(recipe.as_ref().map(|recipe| recipe.model.max_length));
    let options = ProfileOptions {
        // Another label column may be another task, and has other names.
        task: data.filter(|_| args.label.is_none()).and_then(|data| data.task),
        label_names: data.filter(|_| args.label.is_none()).and_then(|data| data.label_names.as_deref()),
        test: test.as_ref(),
        tokeniser: base.as_ref().map(|(tokeniser, _)| (tokeniser, asked.unwrap_or(MAX_LENGTH))),
        given: Given {
            metric: recipe.as_ref().and_then(|recipe| recipe.metric).map(|metric| metric.name().to_owned()),
            group: data.and_then(|data| data.group.clone()),
            source: data.and_then(|data| data.source.clone()),
            score_range: data.and_then(|data| data.score_range),
            positions: base.as_ref().map(|(_, positions)| *positions),
        },
    };
    let profile = Profile::new(&table, &columns, &options)?;
    spinner.finish_and_clear();
    if let Some(html) = html {
        html.write(page::page(&profile).into_string().as_bytes(), output)?;
    }
    if output.is_json() {
        return output.json(&profile);
    }
    let summary = layout::summary(&profile, output::terminal_width());
    let Some(html) = html else {
        output.text(&summary)?;
        output.note("\n--html OUT writes all of it as a page with plots");
        return Ok(());
    };
    html.tell(&summary, output)?;
    if let Some(path) = html.file() {
        output.note(&format!("\nwrote {}; open it in a browser", path.display()));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Table> {
    if path == Path::new("-") {
        return Ok(Table::from_reader(io::stdin().lock(), TextFormat::Csv, "standard input")?);
    }
    Ok(Table::read(path)?)
}

/// The second table: as asked, or the recipe's unless that is the one looked at.
fn test_path(args: &Args, recipe: Option<&Recipe>) -> Option<PathBuf> {
    let same = |path: &PathBuf| std::path::absolute(&args.data).is_ok_and(|data| data == *path);
    args.test.clone().or_else(|| recipe?.data.test.clone().filter(|path| !same(path)))
}

/// The flags, then what the recipe names, then what the table looks like.
fn columns(args: &Args, recipe: Option<&Recipe>, table: &Table) -> Result<Columns> {
    let data = recipe.map(|recipe| &recipe.data);
    let there = |name: Option<&String>| name.filter(|name| table.has(name)).cloned();
    let of_recipe = |named: fn(&gyeol_data::DataConfig) -> Option<&String>| data.and_then(named);
    let text = args.text.as_ref().or(of_recipe(|data| Some(&data.text)));
    let text_pair = args.text_pair.as_ref().or(of_recipe(|data| data.text_pair.as_ref()));
    if let Some(data) = data.filter(|_| args.text.is_none()) {
        table.column(&data.text, "data.text")?;
    }
    if let Some(pair) = of_recipe(|data| data.text_pair.as_ref()).filter(|_| args.text_pair.is_none()) {
        table.column(pair, "data.text_pair")?;
    }
    // What a test table may lack is taken from the recipe only where it is there.
    let id = args.id.clone().or_else(|| there(of_recipe(|data| data.id.as_ref())));
    let label = args.label.clone().or_else(|| there(of_recipe(|data| Some(&data.label))));
    let source = args.source.clone().or_else(|| there(of_recipe(|data| data.source.as_ref())));
    let wanted = Wanted {
        id: id.as_deref(),
        text: text.map(String::as_str),
        text_pair: text_pair.map(String::as_str),
        label: label.as_deref(),
        source: source.as_deref(),
    };
    let found = detect::detect(table, &wanted)?.columns();
    let Some(data) = data else { return Ok(found) };
    Ok(Columns {
        // A recipe without ids, labels or a second text has none; groups and sources it lacks are worth advice.
        id,
        label,
        text_pair: text_pair.cloned(),
        group: there(data.group.as_ref()).or(found.group.clone()),
        keys: if args.text.is_some() { KeyStyle::Flag } else { KeyStyle::Recipe },
        ..found
    })
}

/// The tokeniser, and how many positions its model has. A recipe's base that is not at hand costs the token counts only.
fn base(args: &Args, recipe: Option<&Recipe>, output: &Output) -> Result<Option<(Tokeniser, usize)>> {
    let options = HubOptions { weights: false, progress: output.shows_progress(), ..HubOptions::from_env() };
    let open = |base: &str| -> Result<(Tokeniser, usize)> {
        let dir = hub::resolve(base, &options)?;
        Ok((Tokeniser::open(&dir)?, EncoderConfig::read(&dir).map_err(gyeol_pipeline::Error::from)?.max_tokens()))
    };
    if let Some(base) = &args.base {
        return open(base).map(Some).map_err(|error| match error.downcast::<HubError>() {
            // The hub speaks of the recipe's key; here a flag named the base.
            Ok(error) if error.is_user_error() => {
                Mistake::new(error.to_string().replacen("model.base", "--base", 1)).into()
            }
            Ok(error) => error.into(),
            Err(error) => error,
        });
    }
    let Some(recipe) = recipe else { return Ok(None) };
    // Of several members the first: which one counts is a matter of taste.
    let Some(base) = recipe.model.bases().first() else { return Ok(None) };
    match open(base) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) => {
            output.warning(&format!("no tokens are counted: {error:#}"));
            Ok(None)
        }
    }
}
