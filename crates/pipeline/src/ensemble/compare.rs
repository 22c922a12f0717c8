//! Every method and every member by the same measure: scores of rows that had no part in what was fitted.

use gyeol_eval::{
    Interval, Outputs,
    ensemble::{Agreement, Contribution, Fitted, Method, agreement, bootstrap, cross_fitted, fit, leave_one_out},
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
    let all: Vec<&Outputs> = members.iter().chain(&outputs).collect();
    let drawn = bootstrap(&all, truth, *metric, best, groups.as_deref(), comparing.resamples, comparing.seed)?;
    go_on(&*watcher)?;
    let ends = |interval: Interval| [interval.low, interval.high];
    let names =
        valid.members().iter().cloned().chain(comparing.methods.iter().map(|method| method.kind().name().to_owned()));
    let mut standings: Vec<Standing> = names
        .zip(drawn.candidates)
        .map(|(name, drawn)| Standing {
            name,
            score: drawn.score,
            interval: drawn.interval.map(ends),
            difference: drawn.versus.map(|versus| ends(versus.interval)),
            beats_best: drawn.versus.map(|versus| versus.better),
        })
        .collect();
    let methods = standings.split_off(count);
    Ok(Compared { members: standings, methods, best, outputs })
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
    Ok(agreement(&gathered.valid, truth(&gathered.truth))?)
}

/// Fits `method` to all rows of `gathered`.
///
/// # Errors
/// As [`compare`].
pub fn choose(gathered: &Gathered, method: Method, calibrate: bool) -> Result<Chosen, Error> {
    let Gathered { valid, metric, folds, .. } = gathered;
    let truth = truth(&gathered.truth);
    let fitted = fit(method, calibrate, valid, truth, *metric)?;
    let contributions = leave_one_out(method, calibrate, valid, truth, *metric, folds)?;
    Ok(Chosen { fitted, contributions })
}

/// Scores brought into their range, as they are when they are written.
fn clamped(gathered: &Gathered, outputs: Outputs) -> Outputs {
    match (outputs, gathered.score_range) {
        (Outputs::Scores(mut scores), Some([low, high])) => {
            scores.iter_mut().for_each(|score| *score = score.clamp(low as f32, high as f32));
            Outputs::Scores(scores)
        }
        (outputs, _) => outputs,
    }
}
