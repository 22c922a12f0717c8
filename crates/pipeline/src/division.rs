//! Which labelled rows train and which validate: decided here, by the recipe, for every kind of run.
//!
//! How rows are dealt is in `gyeol_data` (`holdout`, `folds`); what is done with a fold's model is in `folds`.

use gyeol_data::{Columns, Examples, FoldsConfig, LabelMap, Split, Table, Targets, data_fingerprint, folds, holdout};

use crate::prepare::{go_on, pick, read};
use crate::recipe::Recipe;
use crate::{Error, Watcher};

/// How a recipe parts its labelled rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Division {
    /// One split: `data.valid` validates, or a holdout of the training table.
    Split,
    /// `[folds]`: each row is predicted by a model that did not train on it. What is prepared has all rows.
    Folds,
    /// One fold of them, from 0: its rows validate, all others train.
    Fold(u32),
    /// `[refit]`: every row trains, none validates.
    All,
}

/// The labelled tables, as a division wants them.
#[derive(Debug)]
pub(crate) struct Labelled {
    /// The training table; where validation rows join the others, those too, at the end.
    pub(crate) train: Examples,
    /// A table to validate on, if it stays one of its own.
    pub(crate) valid: Option<Examples>,
    /// Of each table, as it was read.
    pub(crate) fingerprints: Vec<String>,
}

/// The rows (of the training table) of each part.
#[derive(Debug)]
pub(crate) struct Divided {
    /// Those that train, ascending.
    pub(crate) train: Vec<u32>,
    /// Those that are held out, or predicted out of fold.
    pub(crate) held_out: Vec<u32>,
    /// With folds, that of each row.
    pub(crate) folds: Vec<u32>,
}

impl Division {
    /// The division `recipe` asks for.
    pub fn of(recipe: &Recipe) -> Self {
        match (&recipe.refit, &recipe.folds) {
            (Some(_), _) => Self::All,
            (None, Some(FoldsConfig { only: Some(fold), .. })) => Self::Fold(fold - 1),
            (None, Some(_)) => Self::Folds,
            (None, None) => Self::Split,
        }
    }

    /// Reads the labelled tables.
    pub(crate) fn read(self, recipe: &Recipe, watcher: &mut dyn Watcher) -> Result<Labelled, Error> {
        let columns = Columns::from(&recipe.data);
        let train = read(&recipe.data.train, &columns, watcher)?;
        go_on(watcher)?;
        let mut fingerprints = vec![data_fingerprint(&train)];
        let Some(path) = &recipe.data.valid else { return Ok(Labelled { train, valid: None, fingerprints }) };
        let table = Table::read(path)?;
        // Where rows came from a table to validate on may leave out, and groups where it is never split.
        let group = columns.group.clone().filter(|_| matches!(self, Self::Folds | Self::Fold(_)));
        let source = columns.source.clone().filter(|source| table.has(source));
        let valid = pick(&table, &Columns { group, source, ..columns }, watcher)?;
        go_on(watcher)?;
        fingerprints.push(data_fingerprint(&valid));
        // A text in both is scored by a model that has seen it, also where the two are parted into folds.
        if self != Self::All {
            warn_of_overlap(&train, &valid, watcher);
        }
        Ok(match self {
            Self::Split => Labelled { train, valid: Some(valid), fingerprints },
            Self::Folds | Self::Fold(_) | Self::All => {
                Labelled { train: train.join(valid)?, valid: None, fingerprints }
            }
        })
    }

    /// Parts the rows of `train`, whose targets are `targets`; `validated` says whether a table of its own validates.
    pub(crate) fn divide(
        self,
        recipe: &Recipe,
        train: &Examples,
        targets: &Targets,
        labels: Option<&LabelMap>,
        validated: bool,
        watcher: &mut dyn Watcher,
    ) -> Result<Divided, Error> {
        let all: Vec<u32> = (0..train.len() as u32).collect();
        let undivided = |train| Divided { train, held_out: Vec::new(), folds: Vec::new() };
        match self {
            Self::Split if validated => Ok(undivided(all)),
            Self::Split => {
                let Split { train, valid } = holdout(&train.split_keys(), targets, recipe.data.holdout, recipe.seed)?;
                Ok(Divided { held_out: valid, ..undivided(train) })
            }
            Self::All => Ok(undivided(all)),
            Self::Folds | Self::Fold(_) => {
                let FoldsConfig { k, stratify, .. } = recipe.folds.clone().unwrap_or_default();
                let folds = folds(&train.split_keys(), targets, k, stratify, recipe.seed)?;
                if let Self::Fold(fold) = self {
                    let (held_out, train) = all.into_iter().partition(|&row| folds[row as usize] == fold);
                    return Ok(Divided { train, held_out, folds });
                }
                if let (true, Some(labels), Targets::Classes(classes)) = (stratify, labels, targets) {
                    warn_of_rare(k, labels, classes, watcher);
                }
                Ok(Divided { held_out: all.clone(), train: all, folds })
            }
        }
    }
}

/// Says which classes have too few rows to be in every fold.
fn warn_of_rare(k: u32, labels: &LabelMap, classes: &[u32], watcher: &mut dyn Watcher) {
    for (label, class) in labels.labels().iter().zip(0..) {
        let rows = classes.iter().filter(|&&of| of == class).count();
        if rows < k as usize {
            let advice =
                if rows == 1 { "the model that is asked about it has never seen one" } else { "some folds have none" };
            watcher.warning(&format!("{rows} rows of label {label} are fewer than the {k} folds: {advice}"));
        }
    }
}

fn warn_of_overlap(train: &Examples, valid: &Examples, watcher: &mut dyn Watcher) {
    let shared = train.overlap(valid);
    if shared > 0 {
        let share = 100.0 * shared as f64 / valid.len() as f64;
        watcher.warning(&format!(
            "{}: {shared} of {} texts ({share:.1} %) are also in the training table; the score will flatter",
            valid.file(),
            valid.len()
        ));
    }
}
