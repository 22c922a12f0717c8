//! Which classes a task has, fitted on the training table, and what the labels of a table become by them.

use gyeol_data::{Examples, LABEL_SEPARATOR, LabelMap, Targets, Task, scores};

use crate::{Error, Watcher};

/// The classes of `task` in the training table; `None` for regression.
pub(crate) fn fit(task: Task, train: &Examples) -> Result<Option<LabelMap>, Error> {
    Ok(match task {
        Task::Classification => Some(LabelMap::fit(train)?),
        Task::MultiLabel => Some(LabelMap::fit_sets(train)?),
        Task::Regression => None,
    })
}

/// What the labels of `examples` are by the classes [`fit`] found.
pub(crate) fn targets(task: Task, labels: Option<&LabelMap>, examples: &Examples) -> Result<Targets, Error> {
    Ok(match (task, labels) {
        (Task::MultiLabel, Some(labels)) => labels.set_targets(examples)?,
        (_, Some(labels)) => labels.targets(examples)?,
        (_, None) => scores(examples)?,
    })
}

/// Says what may be wrong with label sets of the training table, of which `rows` train: rows without a label, which may be
/// rows nobody labelled, and labels that no row to train on has.
pub(crate) fn check_sets(
    labels: Option<&LabelMap>,
    train: &Examples,
    targets: &Targets,
    rows: &[u32],
    watcher: &mut dyn Watcher,
) {
    let (Targets::Sets(sets), Some(labels)) = (targets, labels) else { return };
    let unlabelled = sets.iter().filter(|set| set.is_empty()).count();
    watcher.note(&format!(
        "labels: {} ({}), separated by {LABEL_SEPARATOR}; {unlabelled} of {} rows have none",
        labels.len(),
        labels.labels().join(", "),
        sets.len()
    ));
    let counts = sets.counts(rows);
    let unseen: Vec<&str> =
        labels.labels().iter().zip(&counts).filter(|(_, rows)| **rows == 0).map(|(label, _)| label.as_str()).collect();
    if !unseen.is_empty() {
        watcher.warning(&format!(
            "{}: no row to train on has the label {}; all rows that have it are held out",
            train.file(),
            unseen.join(", ")
        ));
    }
}
