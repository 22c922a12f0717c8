//! Of `gyeol runs show`: what an ensemble is made of, and what was handed in; and making that again.

use std::path::Path;

use anyhow::{Context as _, Result};
use gyeol_pipeline::{
    Error,
    ensemble::{Saved, Source, combine_files},
    runs::{Run, Runs},
    submission::{SubmissionRecord, rebuild as rebuild_bytes, sample_path},
};
use serde::Serialize;

use super::cells::{ago, score};
use crate::{
    destination::Destination,
    exit::Mistake,
    output::{self, Output},
};

/// What a run is made of and was made into, where it is an ensemble.
#[derive(Debug, Serialize)]
pub(super) struct MadeOf {
    #[serde(skip_serializing_if = "Option::is_none")]
    ensemble: Option<Saved>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submission: Option<SubmissionRecord>,
}

impl MadeOf {
    /// What can be read of it; `output` warns of what cannot.
    pub(super) fn read(run: &Run, output: &Output) -> Self {
        let warn = |problem: &Error| output.warning(&problem.to_string());
        Self {
            ensemble: Saved::of(run).inspect_err(warn).unwrap_or_default(),
            submission: SubmissionRecord::of(run).inspect_err(warn).unwrap_or_default(),
        }
    }

    /// What is told of it beside the other facts of a run.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        if let Some(saved) = &self.ensemble {
            let method = saved.fitted.method.kind().name();
            rows.push(("ensemble", format!("{method}, {}", counted(saved.members.len(), "member"))));
        }
        if let Some(record) = &self.submission {
            let adjusted =
                record.adjustment.as_ref().map(|adjustment| format!(", {} adjustment", adjustment.kind().name()));
            rows.push((
                "submission",
                format!(
                    "{}, made {}{}; {} {} expected",
                    counted(record.rows, "row"),
                    ago(Some(record.time)),
                    adjusted.unwrap_or_default(),
                    record.metric,
                    score(record.score)
                ),
            ));
        }
        rows
    }

    /// The members of an ensemble.
    pub(super) fn member_table(&self) -> Option<String> {
        let saved = self.ensemble.as_ref()?;
        let mut table = output::table(&["name", "from", "weight"], &[2]);
        for (at, member) in saved.members.iter().enumerate() {
            let from = match &member.source {
                Source::Run(run) if *run == member.name => "run".to_owned(),
                Source::Run(run) => format!("run {run}"),
                Source::Foreign => member.valid.path.display().to_string(),
            };
            let weight =
                saved.fitted.weights().and_then(|weights| weights.get(at)).map(|weight| format!("{weight:.4}"));
            table.add_row([member.name.clone(), from, weight.unwrap_or_else(|| "-".to_owned())]);
        }
        Some(output::render(&table))
    }
}

/// Makes the submission of `run` again, and writes it to `path`.
pub(super) fn rebuild(run: &Run, runs: &Runs, path: &Path, output: &Output) -> Result<()> {
    let Some(record) = SubmissionRecord::of(run)? else {
        return Err(Mistake::new(format!("{} has no submission", run.name()))
            .hint("`gyeol runs submissions` lists the runs that have one")
            .into());
    };
    let Some(saved) = Saved::of(run)? else {
        let words = format!("{} is no ensemble: there is nothing to make its submission from again", run.name());
        return Err(Mistake::new(words).into());
    };
    let sample = sample_path(run);
    let tests = saved.members.iter().filter_map(|member| Some(member.test.as_ref()?.path.as_path()));
    let inputs: Vec<&Path> = tests.chain([sample.as_path()]).collect();
    let destination = Destination::beside_result(path, "--submission", &inputs, output)?;
    let sample = std::fs::read(&sample).with_context(|| format!("cannot read {}", sample.display()))?;
    let bytes = rebuild_bytes(&record, &sample, &combine_files(run.name(), &saved, runs)?)?;
    destination.write(&bytes, output)?;
    if output.is_json() {
        return output.json(&record);
    }
    let rows = counted(record.rows, "row");
    let told = format!("{}: {rows}, byte for byte what was handed in ({})", path.display(), record.fingerprint);
    destination.tell(&told, output)
}

/// As in `1 row`, `2 rows`.
fn counted(count: usize, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}
