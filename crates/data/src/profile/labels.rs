//! The label column: shares of the classes, or where the scores lie; and the groups the other topics are told by.

use serde::Serialize;

use super::stats::{Histogram, Summary};
use crate::config::Task;
use crate::error::Result;
use crate::examples::Examples;
use crate::labels::{class_order, number, task_of};

/// Groups a topic is told by, at most; rows of rarer classes still count as the rest.
const GROUPS: usize = 12;
/// Bins of the histogram of scores, about.
const FINE: usize = 25;
/// Buckets of scores, about: what a stratified split would keep apart.
const COARSE: usize = 6;

/// What the label column holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Labels {
    /// Rows without a label, or with `NaN` or an infinite one: training refuses them.
    pub missing: usize,
    /// Why it is read as this task; absent where the recipe says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The labels themselves.
    #[serde(flatten)]
    pub kind: LabelKind,
}

/// Classes or scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum LabelKind {
    /// One of several classes.
    Classification {
        /// The classes in the order of the label map.
        classes: Vec<Class>,
        /// Rows of the most frequent class over rows of the rarest.
        imbalance: f64,
        /// Entropy of the shares over that of equal shares: 1 is balanced.
        evenness: f64,
    },
    /// A number.
    Regression {
        /// Where the scores lie.
        summary: Summary,
        /// In about 25 bins.
        histogram: Histogram,
        /// In about six.
        buckets: Histogram,
    },
}

/// One class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    /// The label as the table has it.
    pub label: String,
    /// Its name for people, where the recipe gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Rows of this class.
    pub rows: usize,
    /// Their share of the labelled rows.
    pub share: f64,
}

/// Each row's group, by which telling words and the like are told: its class, or its bucket of scores.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) names: Vec<String>,
    /// An index into `names`, or `names.len()` for a row of none of them.
    pub(super) of: Vec<usize>,
}

impl Groups {
    /// Number of groups with the rest.
    pub(super) fn slots(&self) -> usize {
        self.names.len() + 1
    }
}

/// The labels read: facts for the reader, groups and scores for other topics.
pub(super) struct Read {
    pub(super) labels: Labels,
    pub(super) groups: Groups,
    /// The score of each row; `None` for a classification.
    pub(super) scores: Option<Vec<Option<f64>>>,
}

/// Reads the labels of `examples`; `None` without a label column, or where every label is missing.
///
/// # Errors
/// A label that is no number where `task` says regression.
pub(super) fn read(examples: &Examples, task: Option<Task>, names: Option<&[String]>) -> Result<Option<Read>> {
    let Some(cells) = &examples.labels else { return Ok(None) };
    let usable =
        |cell: &str| !cell.trim().is_empty() && cell.trim().parse().is_ok_and(f64::is_finite) == is_number(cell);
    let there: Vec<Option<&str>> = cells.iter().map(|cell| Some(cell.as_str()).filter(|cell| usable(cell))).collect();
    let missing = there.iter().filter(|cell| cell.is_none()).count();
    if missing == there.len() {
        return Ok(None);
    }
    let (task, reason) = match task {
        Some(task) => (task, None),
        None => {
            let inferred = task_of(there.iter().flatten().copied());
            (inferred.task, Some(inferred.reason))
        }
    };
    let (kind, groups, scores) = match task {
        // A combination of labels counts as a class of its own.
        Task::Classification | Task::MultiLabel => {
            let (kind, groups) = classes(&there, names);
            (kind, groups, None)
        }
        Task::Regression => regression(examples, &there)?,
    };
    Ok(Some(Read { labels: Labels { missing, reason, kind }, groups, scores }))
}

fn is_number(cell: &str) -> bool {
    cell.trim().parse::<f64>().is_ok()
}

fn classes(there: &[Option<&str>], names: Option<&[String]>) -> (LabelKind, Groups) {
    let map = class_order(there.iter().flatten().copied());
    let class_of: Vec<Option<usize>> =
        there.iter().map(|cell| cell.and_then(|label| map.index(label)).map(|class| class as usize)).collect();
    let mut rows = vec![0usize; map.len()];
    class_of.iter().flatten().for_each(|&class| rows[class] += 1);
    let labelled = class_of.iter().flatten().count() as f64;
    let names = names.filter(|names| names.len() == map.len());
    let classes: Vec<Class> = (map.labels().iter().zip(&rows).enumerate())
        .map(|(at, (label, &rows))| Class {
            label: label.clone(),
            name: names.map(|names| names[at].clone()),
            rows,
            share: rows as f64 / labelled,
        })
        .collect();
    let entropy: f64 = classes.iter().filter(|class| class.rows > 0).map(|class| -class.share * class.share.ln()).sum();
    let most = rows.iter().max().copied().unwrap_or(0) as f64;
    let kind = LabelKind::Classification {
        imbalance: most / rows.iter().min().copied().unwrap_or(1).max(1) as f64,
        evenness: if classes.len() > 1 { entropy / (classes.len() as f64).ln() } else { 0.0 },
        classes,
    };
    (kind, largest(map.labels(), &rows, &class_of))
}

/// The most frequent classes as groups, in the order of the classes.
fn largest(labels: &[String], rows: &[usize], class_of: &[Option<usize>]) -> Groups {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&class| std::cmp::Reverse(rows[class]));
    order.truncate(GROUPS);
    order.sort_unstable();
    let rest = order.len();
    let mut slot = vec![rest; labels.len()];
    order.iter().enumerate().for_each(|(at, &class)| slot[class] = at);
    Groups {
        names: order.iter().map(|&class| labels[class].clone()).collect(),
        of: class_of.iter().map(|class| class.map_or(rest, |class| slot[class])).collect(),
    }
}

type Regression = (LabelKind, Groups, Option<Vec<Option<f64>>>);

fn regression(examples: &Examples, there: &[Option<&str>]) -> Result<Regression> {
    let mut scores = Vec::with_capacity(there.len());
    for (row, cell) in there.iter().enumerate() {
        let score = cell.map(|cell| number(cell).ok_or_else(|| crate::labels::not_a_score(examples, row)));
        scores.push(score.transpose()?);
    }
    let mut sorted: Vec<f64> = scores.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let buckets = Histogram::of_scores(&sorted, COARSE);
    let count = buckets.counts.len();
    let names = (0..count).map(|at| format!("{}–{}", buckets.edge(at), buckets.edge(at + 1))).collect();
    let of = scores.iter().map(|score| score.map_or(count, |score| buckets.bin(score).min(count - 1))).collect();
    let summary = Summary::of_sorted(&sorted).expect("a label is there");
    let kind = LabelKind::Regression { summary, histogram: Histogram::of_scores(&sorted, FINE), buckets };
    Ok((kind, Groups { names, of }, Some(scores)))
}
