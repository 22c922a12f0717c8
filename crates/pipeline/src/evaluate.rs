//! Predictions against the labels of a table.

use std::path::Path;

use gyeol_data::{Columns, Examples, KeyStyle, LABEL_SEPARATOR, Table, Targets, Task, labels_of, scores};
use gyeol_eval::{EvalError, Predictions, Report, Truth, class_indices, class_sets, evaluate as measure, match_ids};

use crate::Error;

/// Which columns of the table hold what; texts only where there is no id column, as ids are then made from them.
#[derive(Debug, Clone, Default)]
pub struct EvaluateOptions {
    /// The id column.
    pub id: Option<String>,
    /// The text column.
    pub text: Option<String>,
    /// The column of the second text.
    pub text_pair: Option<String>,
    /// The label column.
    pub label: String,
    /// Each value of this column is also reported separately.
    pub source: Option<String>,
    /// Whether the predictions are known to be of independent labels; otherwise the file and the table tell.
    pub independent: bool,
    /// How many of the most confident errors to list.
    pub errors: usize,
}

/// How good predictions are.
#[derive(Debug)]
pub struct Evaluated {
    /// Every figure.
    pub report: Report,
    /// Rows of the table that have no prediction.
    pub unpredicted: usize,
    /// The text of each prediction, where a text column is known.
    pub texts: Option<Vec<String>>,
}

/// Scores the predictions of `file` against the labels of the tables `data`, one or several together.
///
/// # Errors
/// If a file cannot be read, a column is not there, or a prediction's id or label is not in the table.
pub fn evaluate(file: &Path, data: &[impl AsRef<Path>], options: &EvaluateOptions) -> Result<Evaluated, Error> {
    let predictions = Predictions::read(file)?;
    let tables = data.iter().map(|path| Table::read(path.as_ref())).collect::<Result<Vec<_>, _>>()?;
    let id = match &options.id {
        Some(id) => Some(id.clone()),
        None => Some(predictions.id_column().to_owned()).filter(|name| tables.iter().all(|table| table.has(name))),
    };
    let Some(text) = options.text.clone().or_else(|| id.clone()) else {
        let problem = format!(
            "{} has no column \"{}\"; name the id column, or with --text the texts the ids were made from",
            tables.iter().map(Table::file).collect::<Vec<_>>().join(" or "),
            predictions.id_column()
        );
        return Err(Error::Setting { key: "--id", problem });
    };
    let columns = Columns {
        id,
        text,
        text_pair: options.text_pair.clone(),
        label: Some(options.label.clone()),
        source: options.source.clone(),
        group: None,
        keys: KeyStyle::Flag,
    };
    let mut joined: Option<Examples> = None;
    for table in &tables {
        let examples = Examples::from_table(table, &columns)?;
        joined = Some(match joined {
            Some(before) => before.join(examples)?,
            None => examples,
        });
    }
    let Some(examples) = joined else {
        return Err(Error::Setting { key: "DATA", problem: "no table to score against; name one".to_owned() });
    };
    let tables = tables.iter().map(Table::file).collect::<Vec<_>>().join(" and ");
    let against = |columns: String| {
        let (predictions, data) = (file.to_owned(), format!("{tables} ({columns})"));
        move |problem: EvalError| EvalError::Against { predictions, data, problem: Box::new(problem) }
    };
    let of_ids = match &columns.id {
        Some(id) => format!("column \"{id}\""),
        None => format!("ids made from column \"{}\"", columns.text),
    };
    let matched = match_ids(predictions.ids(), &examples.ids).map_err(against(of_ids))?;
    let of_labels = || against(format!("column \"{}\"", options.label));
    let sources: Option<Vec<String>> =
        examples.sources.as_ref().map(|all| matched.rows.iter().map(|&row| all[row].clone()).collect());
    let all = examples.labels.as_deref().unwrap_or_default();
    let labels: Vec<String> = matched.rows.iter().map(|&row| all[row].clone()).collect();
    let classes = predictions.outputs().labels();
    let independent = options.independent || labels.iter().any(|cell| names_several(cell, classes));
    let predictions = if independent { predictions.independent() } else { predictions };
    let report = match predictions.outputs().task() {
        Task::Regression => {
            let Targets::Scores(all) = scores(&examples)? else { unreachable!("scores are scores") };
            let truth: Vec<f32> = matched.rows.iter().map(|&row| all[row]).collect();
            measure(&predictions, Truth::Scores(&truth), sources.as_deref(), options.errors)?
        }
        Task::MultiLabel => {
            let truth = class_sets(predictions.outputs().labels(), predictions.ids(), &labels);
            let truth = truth.map_err(of_labels())?;
            measure(&predictions, Truth::Sets(&truth), sources.as_deref(), options.errors)?
        }
        Task::Classification => {
            let truth = class_indices(predictions.outputs().labels(), predictions.ids(), &labels);
            let truth = truth.map_err(of_labels())?;
            measure(&predictions, Truth::Classes(&truth), sources.as_deref(), options.errors)?
        }
    };
    let texts = options.text.is_some().then(|| matched.rows.iter().map(|&row| examples.texts[row].clone()).collect());
    Ok(Evaluated { report, unpredicted: matched.unpredicted, texts })
}

/// Whether a cell holds several of `classes` and is none of them itself: then they do not exclude each other.
fn names_several(cell: &str, classes: &[String]) -> bool {
    let known = |label: &str| classes.iter().any(|class| class == label);
    cell.contains(LABEL_SEPARATOR) && !known(cell) && labels_of(cell).count() > 1 && labels_of(cell).all(known)
}
