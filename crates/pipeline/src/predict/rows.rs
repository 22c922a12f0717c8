//! The rows of a table as a model reads them: which columns, and what their ids are.

use std::io::Read;
use std::path::Path;

use gyeol_data::{Columns, Examples, KeyStyle, Table, TextFormat};
use gyeol_engine::hf::GyeolJson;

use crate::prepare::warn_of_empty;
use crate::train::id_column;
use crate::{Error, Watcher};

/// What the command line may say against the model's own settings.
#[derive(Debug, Clone, Default)]
pub struct PredictOptions {
    /// The id column.
    pub id: Option<String>,
    /// The text column.
    pub text: Option<String>,
    /// The column of the second text.
    pub text_pair: Option<String>,
    /// Longest token sequence.
    pub max_length: Option<usize>,
    /// Whether only the raw outputs are wanted, which every head has; otherwise predictions are to be made of them.
    pub logits: bool,
}

/// The rows of a table, for one model.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) examples: Examples,
    /// What predictions call the ids.
    pub(super) id_column: String,
}

impl Rows {
    /// Picks `columns` out of `table`. Where it has no id column of the model's name and `options` name none, that of
    /// `shared` is taken, which the model's companions read; else ids are made from the texts.
    pub(super) fn pick(
        table: &Table,
        mut columns: Columns,
        options: &PredictOptions,
        shared: Option<&str>,
        watcher: &mut dyn Watcher,
    ) -> Result<Self, Error> {
        if options.id.is_none()
            && let Some(id) = columns.id.take_if(|id| !table.has(id))
        {
            columns.id = shared.filter(|shared| table.has(shared)).map(str::to_owned);
            if columns.id.is_none() {
                let file = table.file();
                watcher.note(&format!("{file}: no column \"{id}\" as in training; ids are made from the texts"));
            }
        }
        let examples = Examples::from_table(table, &columns)?;
        warn_of_empty(&examples, watcher);
        Ok(Self { examples, id_column: id_column(columns.id.as_deref()).to_owned() })
    }
}

/// The table `data`; `-` is CSV from `input`.
pub(super) fn read_table(data: &Path, input: impl Read) -> Result<Table, Error> {
    Ok(if data == Path::new("-") {
        Table::from_reader(input, TextFormat::Csv, "standard input")?
    } else {
        Table::read(data)?
    })
}

/// The columns that the model in `dir` of these settings reads: each that a flag names, else the model's own.
pub(super) fn columns(settings: Option<&GyeolJson>, dir: &Path, options: &PredictOptions) -> Result<Columns, Error> {
    let Some(text) = options.text.clone().or_else(|| settings.map(|own| own.text.clone())) else {
        let problem = format!("{} does not say which column holds the texts; name it", dir.display());
        return Err(Error::Setting { key: "--text", problem });
    };
    let text_pair = options.text_pair.clone().or_else(|| settings?.text_pair.clone());
    let id = options.id.clone().or_else(|| settings?.id.clone());
    Ok(Columns { id, text, text_pair, keys: KeyStyle::Flag, ..Columns::default() })
}
