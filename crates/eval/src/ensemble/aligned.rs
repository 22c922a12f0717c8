//! Members side by side: the same rows in the same order, the same classes in the same columns.

use std::collections::HashMap;

use crate::{EvalError, Outputs, Predictions, Task};

/// The predictions of several members for the same rows. Rows are matched by id and columns by label; position means
/// nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligned {
    members: Vec<String>,
    ids: Vec<String>,
    labels: Vec<String>,
    task: Task,
    /// A member each: row-major `[rows, classes]` probabilities, or one score a row.
    values: Vec<Vec<f32>>,
}

impl Aligned {
    /// Lays the predictions of `members` (name, predictions) side by side for the rows `ids`, in that order. The labels are
    /// those of the first member; logits become probabilities.
    ///
    /// # Errors
    /// [`EvalError::Member`], with its name, for one that has no prediction for a row, has other labels, or is of another
    /// task; if there is no member or no row.
    pub fn new(members: &[(String, &Predictions)], ids: &[String]) -> Result<Self, EvalError> {
        let Some((first, model)) = members.first() else {
            return Err(EvalError::Unlike { what: "number: there are none" });
        };
        let wrong = |member: &String, problem: String| EvalError::Member { member: member.clone(), problem };
        if ids.is_empty() {
            return Err(wrong(first, "it has no row in common with the others".to_owned()));
        }
        let (task, labels) = (model.outputs().task(), model.outputs().labels().to_vec());
        let mut values = Vec::with_capacity(members.len());
        for (name, predictions) in members {
            let outputs = predictions.outputs();
            if outputs.task() != task {
                return Err(wrong(name, format!("it is of {}, {first} of {task}", outputs.task())));
            }
            let columns = columns(outputs.labels(), &labels).ok_or_else(|| {
                let (theirs, ours) = (outputs.labels().join(", "), labels.join(", "));
                wrong(name, format!("its classes are {theirs}; those of {first} are {ours}"))
            })?;
            let rows: HashMap<&str, usize> = predictions.ids().iter().map(String::as_str).zip(0..).collect();
            let numbers = if task == Task::Regression { outputs.values().to_vec() } else { outputs.probabilities() };
            let mut own = Vec::with_capacity(ids.len() * columns.len());
            for id in ids {
                let row = rows.get(id.as_str()).ok_or_else(|| wrong(name, format!("it has no row of id \"{id}\"")))?;
                own.extend(columns.iter().map(|column| numbers[row * columns.len() + column]));
            }
            values.push(own);
        }
        let members = members.iter().map(|(name, _)| name.clone()).collect();
        Ok(Self { members, ids: ids.to_vec(), labels, task, values })
    }

    /// The members' names.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// The rows' ids.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The classes, in column order; none for regression.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The task.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Numbers a row: the class count, or 1.
    pub fn width(&self) -> usize {
        self.labels.len().max(1)
    }

    /// The numbers of member `member` (from 0): row-major `[rows, classes]` probabilities, or one score a row.
    pub fn values(&self, member: usize) -> &[f32] {
        &self.values[member]
    }

    /// The same of all members.
    pub fn all(&self) -> &[Vec<f32>] {
        &self.values
    }

    /// The outputs of member `member`.
    pub fn outputs(&self, member: usize) -> Outputs {
        self.outputs_from(self.values[member].clone())
    }

    /// `values` (row-major `[rows, classes]` probabilities, or scores) as outputs of the members' kind.
    pub fn outputs_from(&self, values: Vec<f32>) -> Outputs {
        let labels = self.labels.clone();
        match self.task {
            Task::Classification => Outputs::Probabilities { labels, values },
            Task::MultiLabel => Outputs::IndependentProbabilities { labels, values },
            Task::Regression => Outputs::Scores(values),
        }
    }

    /// The same members, rows and classes with other numbers, laid out as these are.
    pub(super) fn with_values(&self, values: Vec<Vec<f32>>) -> Self {
        let (members, ids, labels) = (self.members.clone(), self.ids.clone(), self.labels.clone());
        Self { members, ids, labels, task: self.task, values }
    }

    /// Checks that every number is one that something can be fitted to.
    pub(super) fn check_finite(&self) -> Result<(), EvalError> {
        for (member, values) in self.members.iter().zip(&self.values) {
            if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                let id = &self.ids[place / self.width()];
                let problem =
                    format!("its prediction of id \"{id}\" is {}, to which nothing can be fitted", values[place]);
                return Err(EvalError::Member { member: member.clone(), problem });
            }
        }
        Ok(())
    }

    /// The given rows (indices from 0), in the given order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let width = self.width();
        let pick =
            |values: &Vec<f32>| rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect();
        Self {
            ids: rows.iter().map(|&row| self.ids[row].clone()).collect(),
            values: self.values.iter().map(pick).collect(),
            members: self.members.clone(),
            labels: self.labels.clone(),
            task: self.task,
        }
    }

    /// The given members (indices from 0), in the given order.
    #[must_use]
    pub fn keep(&self, members: &[usize]) -> Self {
        Self {
            members: members.iter().map(|&member| self.members[member].clone()).collect(),
            values: members.iter().map(|&member| self.values[member].clone()).collect(),
            ids: self.ids.clone(),
            labels: self.labels.clone(),
            task: self.task,
        }
    }
}

/// For each of `ours` the place among `theirs`; one number where there are no classes. `None` if they differ.
fn columns(theirs: &[String], ours: &[String]) -> Option<Vec<usize>> {
    if theirs.len() != ours.len() {
        return None;
    }
    if ours.is_empty() {
        return Some(vec![0]);
    }
    ours.iter().map(|label| theirs.iter().position(|other| other == label)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn predictions(ids: &[&str], labels: &[&str], values: &[f32]) -> Predictions {
        let outputs = Outputs::Probabilities { labels: strings(labels), values: values.to_vec() };
        Predictions::new("id", strings(ids), outputs).unwrap()
    }

    #[test]
    fn rows_are_matched_by_id_and_columns_by_label() {
        let first = predictions(&["a", "b"], &["x", "y"], &[0.9, 0.1, 0.2, 0.8]);
        let second = predictions(&["c", "b", "a"], &["y", "x"], &[0.5, 0.5, 0.7, 0.3, 0.4, 0.6]);
        let members = [("one".to_owned(), &first), ("two".to_owned(), &second)];
        let aligned = Aligned::new(&members, &strings(&["b", "a"])).unwrap();
        assert_eq!(aligned.values(0), [0.2, 0.8, 0.9, 0.1]);
        assert_eq!(aligned.values(1), [0.3, 0.7, 0.6, 0.4]);
        assert_eq!(aligned.select(&[1]).values(1), [0.6, 0.4]);
        assert_eq!(aligned.keep(&[1]).members(), ["two"]);
    }

    #[test]
    fn a_member_that_does_not_fit_is_named() {
        let first = predictions(&["a"], &["x", "y"], &[0.9, 0.1]);
        let other = predictions(&["a"], &["x", "z"], &[0.9, 0.1]);
        let error = |second: &Predictions, id: &str| {
            let members = [("one".to_owned(), &first), ("two".to_owned(), second)];
            Aligned::new(&members, &strings(&[id])).unwrap_err().to_string()
        };
        assert_eq!(error(&other, "a"), "member two: its classes are x, z; those of one are x, y");
        assert_eq!(error(&first, "b"), "member one: it has no row of id \"b\"");
        let scores = Predictions::new("id", strings(&["a"]), Outputs::Scores(vec![1.0])).unwrap();
        assert_eq!(error(&scores, "a"), "member two: it is of regression, one of classification");
    }
}
