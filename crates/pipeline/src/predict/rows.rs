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
    /// Picks `columns` out of `table`. The ids are `shared`, those of a model that predicts together with others; of
    /// one alone they are made from the texts where the table has no id column of the model's name and `options` name
    /// none.
    pub(super) fn pick(
        table: &Table,
        mut columns: Columns,
        options: &PredictOptions,
        shared: Option<&Ids>,
        watcher: &mut dyn Watcher,
    ) -> Result<Self, Error> {
        if shared.is_some() {
            columns.id = None;
        } else if options.id.is_none()
            && let Some(id) = columns.id.take_if(|id| !table.has(id))
        {
            watcher.note(&made_ids(table, &id));
        }
        let mut examples = Examples::from_table(table, &columns)?;
        let column = match shared {
            Some(shared) => {
                examples.ids.clone_from(&shared.ids);
                &shared.column
            }
            None => &columns.id,
        };
        warn_of_empty(&examples, watcher);
        Ok(Self { examples, id_column: id_column(column.as_deref()).to_owned() })
    }
}

/// The ids of a table's rows for models that predict together, whatever texts each of them reads.
#[derive(Debug)]
pub(super) struct Ids {
    column: Option<String>,
    ids: Vec<String>,
}

impl Ids {
    /// Those in the column that `options` name, else in the first of `known` that `table` has, else made from the texts
    /// that the first of `models` reads which can; `None` where none can.
    ///
    /// # Errors
    /// If the column is not there or does not tell the rows apart.
    pub(super) fn pick(
        table: &Table,
        options: &PredictOptions,
        known: &[String],
        models: &[Columns],
        watcher: &mut dyn Watcher,
    ) -> Result<Option<Self>, Error> {
        let column = options.id.as_ref().or_else(|| known.iter().find(|column| table.has(column)));
        if let Some(column) = column {
            // Only the ids are wanted, and that column is there if any is.
            let keys = KeyStyle::Key("--id");
            let columns = Columns { id: Some(column.clone()), text: column.clone(), keys, ..Columns::default() };
            return Ok(Some(Self { column: Some(column.clone()), ids: Examples::from_table(table, &columns)?.ids }));
        }
        if let Some(id) = known.first() {
            watcher.note(&made_ids(table, id));
        }
        let made = models.iter().find_map(|columns| {
            let columns = Columns { id: None, ..columns.clone() };
            // A model that cannot read the table says so when it is to predict.
            Examples::from_table(table, &columns).ok()
        });
        Ok(made.map(|examples| Self { column: None, ids: examples.ids }))
    }
}

/// What is said where `table` has no column `id`.
fn made_ids(table: &Table, id: &str) -> String {
    format!("{}: no column \"{id}\" as in training; ids are made from the texts", table.file())
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
