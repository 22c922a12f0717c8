//! `gyeol ensemble … --submission SAMPLE`: the file that a competition takes.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use gyeol_data::Targets;
use gyeol_eval::{
    Metric, Predictions,
    submission::{AdjustmentKind, ClassShares, Sample},
};
use gyeol_pipeline::{
    ensemble::{Ensemble, Gathered, adjust},
    runs::Runs,
    submission::{Ledger, Submission, quota},
};
use serde::Serialize;

use crate::{clock, output::Output};

/// An [`AdjustmentKind`] on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Adjust(pub(super) AdjustmentKind);

impl ValueEnum for Adjust {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(AdjustmentKind::Prior), Self(AdjustmentKind::Quantile), Self(AdjustmentKind::Isotonic)]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let help = match self.0 {
            AdjustmentKind::Prior => "classes predicted as often as they are there (classes)",
            AdjustmentKind::Quantile => "the distribution of the truth (scores)",
            AdjustmentKind::Isotonic => "the rising function of the least squared error (scores)",
        };
        Some(clap::builder::PossibleValue::new(self.0.name()).help(help))
    }
}

/// What is told of a submission.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// The classes predicted beside those of the labelled rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shares: Option<ClassShares>,
    /// The adjustment, and the score with it, cross-validated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) adjusted: Option<(&'static str, Option<f64>)>,
    /// Submissions of today, this one included, and how many there may be.
    pub(super) today: (usize, Option<u32>),
}

/// A submission that is made, but not kept yet.
pub(super) struct Made {
    sample: Sample,
    submission: Submission,
    pub(super) told: Told,
    /// Runs whose submission cannot be read, and why.
    unreadable: Vec<(String, String)>,
}

impl Made {
    /// Fills in `sample` with `test`, what `ensemble` predicts for the test table.
    pub(super) fn new(
        sample: Sample,
        ensemble: &Ensemble<'_>,
        test: &Predictions,
        kind: Option<AdjustmentKind>,
        runs: &Runs,
    ) -> Result<Self> {
        let Ensemble { gathered, compared, method: (method, at), calibrate, .. } = ensemble;
        let metric: Metric = gathered.metric;
        let adjusted = match kind {
            Some(kind) => Some(adjust(gathered, (*method, *calibrate), &compared.outputs[*at], kind)?),
            None => None,
        };
        let score = adjusted.as_ref().map_or(compared.methods[*at].score, |adjusted| adjusted.score);
        let adjustment = adjusted.map(|adjusted| adjusted.adjustment);
        let outputs = match &adjustment {
            Some(adjustment) => adjustment.apply(test.outputs())?,
            None => test.outputs().clone(),
        };
        let shares = training(&gathered.labelled, outputs.labels().len())
            .map(|training| ClassShares::of(&outputs, &training))
            .transpose()?;
        let submission = Submission::new(&sample, test, adjustment, (metric, score), clock::now())?;
        let ledger = Ledger::read(runs)?;
        let today = ledger.on(&clock::day(clock::now())) + 1;
        let told =
            Told { shares, adjusted: kind.map(|kind| (kind.name(), score)), today: (today, quota(runs.home())?) };
        Ok(Self { sample, submission, told, unreadable: ledger.unreadable })
    }

    /// Keeps it in the directory of its run; the bytes to hand in.
    pub(super) fn keep(&self, run: &Path) -> Result<&[u8]> {
        self.submission.write(run, &self.sample)?;
        Ok(&self.submission.bytes)
    }

    /// Says what may be wrong with it.
    pub(super) fn warn(&self, output: &Output) {
        if let Some(warning) = self.told.shares.as_ref().and_then(ClassShares::warning) {
            output.warning(&warning);
        }
        for (run, problem) in &self.unreadable {
            output.warning(&format!("the submission of {run} does not count: {problem}"));
        }
        if let (today, Some(quota)) = self.told.today
            && today > quota as usize
        {
            output.warning(&format!("this is submission {today} of today, and the quota is {quota}"));
        }
    }
}

/// The sample at `path`, once it is known that the members' test predictions fill it in.
pub(super) fn sample(path: &Path, gathered: &Gathered) -> Result<Sample> {
    let sample = Sample::read(path)?;
    if let Some(test) = &gathered.test {
        let of_first = Predictions::new(gathered.id_column.clone(), test.ids().to_vec(), test.outputs(0))?;
        sample.fill(&of_first)?;
    }
    Ok(sample)
}

/// How many labelled rows are of each class.
fn training(labelled: &Targets, classes: usize) -> Option<Vec<u64>> {
    let Targets::Classes(rows) = labelled else { return None };
    let mut counts = vec![0; classes];
    rows.iter().for_each(|&class| counts[class as usize] += 1);
    Some(counts)
}
