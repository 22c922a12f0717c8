//! Every method and every member by the same measure: scores of rows that had no part in what was fitted.

use std::collections::HashMap;

use gyeol_eval::{
    Interval, Outputs,
    ensemble::{
        Agreement, Aligned, Contribution, Fitted, Method, agreement, bootstrap, calibration_error, cross_fitted, fit,
        leave_one_out,
    },
};
use serde::{Deserialize, Serialize};

use super::Gathered;
use crate::prepare::go_on;
use crate::train::truth;
use crate::{Error, Watcher};

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct Comparing<'a> {
    /// The methods.
    pub methods: &'a [Method],
    /// Whether each member's logits are divided by a fitted temperature first.
    pub calibrate: bool,
    /// Resamples of the bootstrap.
    pub resamples: usize,
    /// Draws them.
    pub seed: u64,
}

/// A member or a method with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The member's name, or the method's.
    pub name: String,
    /// The score by the declared metric; cross-validated where anything is fitted; `null` where undefined.
    pub score: Option<f64>,
    /// 95 % of the bootstrap's resamples.
    pub interval: Option<[f64; 2]>,
    /// The same of the difference from the best member's score; absent of that member itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<[f64; 2]>,
    /// How far probabilities are from the share of rows that are right, see [`calibration_error`]; absent for scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration_error: Option<f64>,
    /// The share of resamples, of the same rows for both, in which it is better than the best member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beats_best: Option<f64>,
}

/// Members and methods side by side.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// The members, in their order.
    pub members: Vec<Standing>,
    /// The methods, in the order they were asked for.
    pub methods: Vec<Standing>,
    /// The place of the member with the best score.
    pub best: usize,
    /// What each method predicts for the rows, cross-validated.
    #[serde(skip)]
    pub outputs: Vec<Outputs>,
}

/// Scores every member and every method on the rows of `gathered`.
///
/// # Errors
/// If a method is not for this task; [`Error::Interrupted`].
pub fn compare(gathered: &Gathered, comparing: &Comparing<'_>, watcher: &mut dyn Watcher) -> Result<Compared, Error> {
    let Gathered { valid, metric, folds, groups, .. } = gathered;
    let truth = truth(&gathered.truth);
    let count = valid.members().len();
    let members: Vec<Outputs> = (0..count).map(|member| clamped(gathered, valid.outputs(member))).collect();
    let mut best = 0;
    let mut best_score = None;
    for (member, outputs) in members.iter().enumerate() {
        let score = metric.measure(outputs, truth)?;
        if metric.better(score, best_score) {
            (best, best_score) = (member, score);
        }
    }
    let mut outputs = Vec::with_capacity(comparing.methods.len());
    watcher.predicting("fitting methods", comparing.methods.len());
    for (done, &method) in comparing.methods.iter().enumerate() {
        go_on(&*watcher)?;
        let predicted = cross_fitted(method, comparing.calibrate, valid, truth, *metric, folds)?;
        outputs.push(clamped(gathered, predicted));
        watcher.predicted(done + 1);
    }
    watcher.phase("drawing resamples");
    let order = by_id(valid);
    let all: Vec<Outputs> = members.iter().chain(&outputs).map(|outputs| outputs.select(&order)).collect();
    let groups = groups.as_ref().map(|groups| numbered(order.iter().map(|&row| groups[row])));
    let drawn = bootstrap(
        &all.iter().collect::<Vec<_>>(),
        truth.select(&order).borrow(),
        *metric,
        best,
        groups.as_deref(),
        comparing.resamples,
        comparing.seed,
    )?;
    go_on(&*watcher)?;
    let ends = |interval: Interval| [interval.low, interval.high];
    let names =
        valid.members().iter().cloned().chain(comparing.methods.iter().map(|method| method.kind().name().to_owned()));
    let mut standings = Vec::with_capacity(all.len());
    for ((name, drawn), outputs) in names.zip(drawn.candidates).zip(members.iter().chain(&outputs)) {
        let calibration_error = match outputs {
            Outputs::Scores(_) => None,
            _ => calibration_error(outputs, truth)?,
        };
        standings.push(Standing {
            name,
            score: drawn.score,
            interval: drawn.interval.map(ends),
            difference: drawn.versus.map(|versus| ends(versus.interval)),
            calibration_error,
            beats_best: drawn.versus.map(|versus| versus.better),
        });
    }
    let methods = standings.split_off(count);
    Ok(Compared { members: standings, methods, best, outputs })
}

/// The rows in the order of their ids: that of a file is no reason to draw others, or to sum in another order.
fn by_id(members: &Aligned) -> Vec<usize> {
    let mut order: Vec<usize> = (0..members.rows()).collect();
    order.sort_by_key(|&row| &members.ids()[row]);
    order
}

/// Equal keys by equal numbers, counted by their first.
fn numbered(keys: impl Iterator<Item = u128>) -> Vec<u32> {
    let mut numbers = HashMap::new();
    keys.map(|key| {
        let next = numbers.len() as u32;
        *numbers.entry(key).or_insert(next)
    })
    .collect()
}

/// The method fitted to all rows, and what each member adds to it.
#[derive(Debug)]
pub struct Chosen {
    /// What is applied to rows that nobody knows the truth of.
    pub fitted: Fitted,
    /// What each member adds, in their order.
    pub contributions: Vec<Contribution>,
}

/// Which members predict alike, and which err alike.
///
/// # Errors
/// As [`compare`].
pub fn alike(gathered: &Gathered) -> Result<Agreement, Error> {
    let order = by_id(&gathered.valid);
    Ok(agreement(&gathered.valid.select(&order), truth(&gathered.truth).select(&order).borrow())?)
}

/// Fits `method` to all rows of `gathered`; cross-validated it scores `whole`.
///
/// # Errors
/// As [`compare`].
pub fn choose(
    gathered: &Gathered,
    method: Method,
    calibrate: bool,
    whole: Option<f64>,
    watcher: &mut dyn Watcher,
) -> Result<Chosen, Error> {
    let Gathered { valid, metric, folds, .. } = gathered;
    let truth = truth(&gathered.truth);
    let fitted = fit(method, calibrate, valid, truth, *metric)?;
    watcher.predicting("leaving out members", valid.members().len());
    let mut done = 0;
    let contributions = leave_one_out(&fitted, valid, truth, *metric, folds, whole, |outputs| {
        done += 1;
        watcher.predicted(done);
        go_on(&*watcher)?;
        Ok::<_, Error>(metric.measure(&clamped(gathered, outputs), truth)?)
    })?;
    Ok(Chosen { fitted, contributions })
}

/// Scores brought into their range, as they are when they are written.
pub(super) fn clamped(gathered: &Gathered, outputs: Outputs) -> Outputs {
    match (outputs, gathered.score_range) {
        (Outputs::Scores(mut scores), Some([low, high])) => {
            scores.iter_mut().for_each(|score| *score = score.clamp(low as f32, high as f32));
            Outputs::Scores(scores)
        }
        (outputs, _) => outputs,
    }
}
