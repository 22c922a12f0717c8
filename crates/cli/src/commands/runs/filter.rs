//! Which runs are meant, and in what order: the flags that `ls` and `export` share.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use anyhow::Result;
use clap::ValueEnum;
use gyeol_pipeline::runs::Runs;
use gyeol_store::{RunRow, RunStatus, Store};

use crate::{exit::Mistake, index};

/// Flags that choose runs. What they say must all hold.
#[derive(Debug, clap::Args)]
pub(super) struct Filters {
    /// Only runs that stand so
    #[arg(long, value_enum)]
    status: Option<Status>,

    /// Only runs judged by this metric
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,

    /// Only the trials of this sweep
    #[arg(long, value_name = "SWEEP")]
    pub(super) sweep: Option<String>,

    /// Only runs with this tag; again for more
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// Only runs of which this holds, as in 'score>0.65' or recipe=kcbert; again for more
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,

    /// By which field or metric to sort; with - in front the largest first [default: by their beginning]
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Option<Sort>,
}

/// [`RunStatus`] as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Status {
    Running,
    Finished,
    Failed,
    Interrupted,
}

impl From<Status> for RunStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Running => Self::Running,
            Status::Finished => Self::Finished,
            Status::Failed => Self::Failed,
            Status::Interrupted => Self::Interrupted,
        }
    }
}

/// The runs that are meant, in order, and of how many.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) found: Vec<Found>,
    pub(super) of: usize,
}

/// A run with the values of its report.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) row: RunRow,
    pub(super) scores: BTreeMap<String, Option<f64>>,
}

/// A value to compare by.
#[derive(Debug, Clone, PartialEq)]
enum Field {
    Text(String),
    Number(f64),
}

/// What a condition or an order may name beside the metrics of reports.
const TEXTS: [&str; 7] = ["run", "recipe", "status", "metric", "sweep", "fold_of", "note"];
const NUMBERS: [&str; 8] = ["score", "steps", "total_steps", "started", "seconds", "trial", "job", "pid"];

impl Found {
    fn field(&self, name: &str) -> Option<Field> {
        let row = &self.row;
        let text = |text: Option<&String>| text.cloned().map(Field::Text);
        let count = |count: Option<u64>| count.map(|count| Field::Number(count as f64));
        match name {
            "run" => text(Some(&row.name)),
            "recipe" => text(row.recipe.as_ref()),
            "status" => Some(Field::Text(row.status.to_string())),
            "metric" => text(row.metric.as_ref()),
            "sweep" => text(row.sweep.as_ref()),
            "fold_of" => text(row.fold_of.as_ref()),
            "note" => text(row.note.as_ref()),
            "score" => row.score.map(Field::Number),
            "steps" => count(Some(row.steps)),
            "total_steps" => count(row.total_steps),
            "started" => row.started.map(Field::Number),
            "seconds" => row.seconds.map(Field::Number),
            "trial" => count(row.trial.map(u64::from)),
            "job" => count(row.job),
            "pid" => count(row.pid.map(u64::from)),
            metric => self.scores.get(metric).copied().flatten().map(Field::Number),
        }
    }
}

/// `FIELD OPERATOR VALUE`.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    field: String,
    holds: &'static [Ordering],
    value: String,
}

/// Longer ones first: `<=` begins with `<`.
const OPERATORS: [(&str, &[Ordering]); 6] = [
    ("!=", &[Ordering::Less, Ordering::Greater]),
    ("<=", &[Ordering::Less, Ordering::Equal]),
    (">=", &[Ordering::Greater, Ordering::Equal]),
    ("=", &[Ordering::Equal]),
    ("<", &[Ordering::Less]),
    (">", &[Ordering::Greater]),
];

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let first = text.find(['!', '<', '>', '=']).unwrap_or(text.len());
        let (field, rest) = text.split_at(first);
        let operator = OPERATORS.into_iter().find_map(|(sign, holds)| Some((rest.strip_prefix(sign)?, holds)));
        match (field.trim(), operator) {
            (field @ ("" | "tags"), _) => {
                Err(format!("\"{field}\" cannot be compared; write it as 'score>0.65' (for tags: --tag)"))
            }
            (_, None) => Err("no comparison; write it as 'score>0.65', with one of = != < <= > >=".to_owned()),
            (field, Some((value, holds))) => {
                Ok(Self { field: field.to_owned(), holds, value: value.trim_start_matches('=').trim().to_owned() })
            }
        }
    }
}

impl Condition {
    /// A run without the field fulfils nothing.
    fn holds(&self, found: &Found) -> Result<bool, Mistake> {
        let ordering = match found.field(&self.field) {
            None => return Ok(false),
            Some(Field::Text(text)) => text.cmp(&self.value),
            Some(Field::Number(number)) => {
                let value: f64 = self.value.parse().map_err(|_| {
                    Mistake::new(format!("--where: {} is a number, \"{}\" is none", self.field, self.value))
                })?;
                match number.partial_cmp(&value) {
                    Some(ordering) => ordering,
                    None => return Ok(false),
                }
            }
        };
        Ok(self.holds.contains(&ordering))
    }
}

/// An order of runs.
#[derive(Debug, Clone, PartialEq)]
struct Sort {
    field: String,
    descending: bool,
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (field, descending) = text.strip_prefix('-').map_or((text, false), |field| (field, true));
        if field.is_empty() {
            return Err("name a field, such as score or -score".to_owned());
        }
        Ok(Self { field: field.to_owned(), descending })
    }
}

impl Filters {
    /// Whether an order is asked for; otherwise runs stand by their beginning.
    pub(super) fn is_sorted(&self) -> bool {
        self.sort.is_some()
    }

    /// The runs that are meant, in order, from a store brought up to date.
    ///
    /// # Errors
    /// A [`Mistake`] for a field that no run has, and for a sweep that nobody knows.
    pub(super) fn find(&self, store: &mut Store, runs: &Runs, with_scores: bool) -> Result<Chosen> {
        let rows = index::refresh(store, runs)?;
        let of = rows.len();
        if let Some(sweep) = self.sweep.as_ref().filter(|_| of > 0) {
            check_sweep(sweep, &rows, store)?;
        }
        let asked: Vec<&str> = self.asked().filter(|field| !is_known(field)).collect();
        let mut scores = if with_scores || !asked.is_empty() { store.scores()? } else { Default::default() };
        for field in asked {
            let names: BTreeSet<&str> = scores.values().flat_map(|scores| scores.keys().map(String::as_str)).collect();
            if !rows.is_empty() && !names.contains(field) {
                let fields = TEXTS.into_iter().chain(NUMBERS).chain(names).collect::<Vec<_>>().join(", ");
                return Err(Mistake::new(format!("no run has a \"{field}\"; there are {fields}")).into());
            }
        }
        let mut found = Vec::new();
        for row in rows {
            let scores = scores.remove(&row.name).unwrap_or_default();
            let run = Found { row, scores };
            if self.admits(&run)? {
                found.push(run);
            }
        }
        match &self.sort {
            None => {
                let began = |run: &Found| run.row.started.unwrap_or(f64::MAX);
                found.sort_by(|a, b| began(a).total_cmp(&began(b)));
            }
            Some(sort) => found.sort_by(|a, b| sort.compare(a, b)),
        }
        Ok(Chosen { found, of })
    }

    fn asked(&self) -> impl Iterator<Item = &str> {
        let conditions = self.conditions.iter().map(|condition| &*condition.field);
        conditions.chain(self.sort.as_ref().map(|sort| &*sort.field))
    }

    fn admits(&self, found: &Found) -> Result<bool, Mistake> {
        let row = &found.row;
        let flags = self.status.is_none_or(|status| row.status == status.into())
            && self.metric.as_ref().is_none_or(|metric| row.metric.as_ref() == Some(metric))
            && self.sweep.as_ref().is_none_or(|sweep| row.sweep.as_ref() == Some(sweep))
            && self.tags.iter().all(|tag| row.tags.contains(tag));
        for condition in &self.conditions {
            if !condition.holds(found)? {
                return Ok(false);
            }
        }
        Ok(flags)
    }
}

impl Sort {
    /// Runs without the field come last, in either direction.
    fn compare(&self, a: &Found, b: &Found) -> Ordering {
        let ordered = |a: &Field, b: &Field| match (a, b) {
            (Field::Number(a), Field::Number(b)) => a.total_cmp(b),
            (Field::Text(a), Field::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        };
        match (a.field(&self.field), b.field(&self.field)) {
            (Some(a), Some(b)) if self.descending => ordered(&b, &a),
            (Some(a), Some(b)) => ordered(&a, &b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }
}

/// Refuses a sweep that no run is a trial of, and that the store does not know either.
fn check_sweep(name: &str, rows: &[RunRow], store: &Store) -> Result<()> {
    let known = store.sweeps()?.into_iter().map(|sweep| sweep.name);
    let known: BTreeSet<String> = known.chain(rows.iter().filter_map(|row| row.sweep.clone())).collect();
    if known.contains(name) {
        return Ok(());
    }
    let there = match known.is_empty() {
        true => "there is none".to_owned(),
        false => format!("there are {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    };
    Err(Mistake::new(format!("--sweep: no sweep is called \"{name}\"; {there}")).into())
}

fn is_known(field: &str) -> bool {
    TEXTS.contains(&field) || NUMBERS.contains(&field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(score: Option<f64>) -> Found {
        let row = RunRow { score, recipe: Some("kcbert".into()), ..RunRow::new("a-001", RunStatus::Finished) };
        Found { row, scores: [("macro_f1".to_owned(), Some(0.5)), ("pearson".to_owned(), None)].into() }
    }

    #[test]
    fn conditions_compare_numbers_as_numbers_and_words_as_words() {
        let run = found(Some(0.7));
        let held = ["score>0.65", "score >= 0.70", "score!=0.5", "recipe=kcbert", "recipe == kcbert", "macro_f1<=.5"];
        for condition in held {
            assert!(condition.parse::<Condition>().unwrap().holds(&run).unwrap(), "{condition}");
        }
        for condition in ["score<0.7", "recipe!=kcbert", "status=failed", "pearson>0", "sweep=night", "steps>0"] {
            assert!(!condition.parse::<Condition>().unwrap().holds(&run).unwrap(), "{condition}");
        }
        assert!("score>high".parse::<Condition>().unwrap().holds(&run).is_err());
        for text in ["score", "", ">1", "tags=x", "score!0.5"] {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_run_without_the_field_comes_last_either_way() {
        for (text, expected) in [("score", [Some(0.1), Some(0.9), None]), ("-score", [Some(0.9), Some(0.1), None])] {
            let sort: Sort = text.parse().unwrap();
            let mut runs = [found(None), found(Some(0.9)), found(Some(0.1))];
            runs.sort_by(|a, b| sort.compare(a, b));
            assert_eq!(runs.map(|run| run.row.score), expected);
        }
    }
}
