//! `gyeol runs submissions`: what was handed in to a competition, what it was expected to score and what it scored.

use anyhow::Result;
use gyeol_pipeline::{
    runs::Runs,
    submission::{Entry, Ledger, quota, set_quota},
};
use serde::Serialize;

use super::cells::score;
use crate::{
    clock,
    output::{self, Output},
};

/// The words of `gyeol runs submissions`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// How many the competition takes a day; remembered
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    quota: Option<u32>,
}

const EXAMPLES: &str = "\
`local` is the score on labelled rows, cross-validated where anything is fitted. `gap` is the
private score, or the public one while that is not known, less the local score: it should be
about the same for all. A day is one of the local time zone.

Examples:
  gyeol runs submissions
  gyeol runs submissions --quota 10
  gyeol runs note best-001 --public 0.8278 --private 0.8301
  gyeol runs show best-001 --submission again.csv";

/// Everything `runs submissions --json` tells.
#[derive(Serialize)]
struct Document<'a> {
    submissions: &'a [Entry],
    today: usize,
    quota: Option<u32>,
}

/// Lists the submissions.
pub(super) fn run(args: &Args, runs: &Runs, output: &Output) -> Result<()> {
    if let Some(number) = args.quota {
        set_quota(runs.home(), number)?;
    }
    let quota = quota(runs.home())?;
    let ledger = Ledger::read(runs)?;
    for (run, problem) in ledger.unreadable.iter().chain(&ledger.incomplete) {
        output.warning(&format!("{run}: {problem}"));
    }
    let today = ledger.on(&clock::day(clock::now()));
    if output.is_json() {
        return output.json(&Document { submissions: &ledger.entries, today, quota });
    }
    let of_quota = quota.map_or_else(String::new, |quota| format!(" of {quota}"));
    let today = format!("today {today}{of_quota}");
    if ledger.entries.is_empty() {
        output.note(&format!("no submissions in {}", runs.root().display()));
        return output.text(&today);
    }
    output.text(&format!("{}\n\n{today}", table(&ledger.entries)))
}

fn table(entries: &[Entry]) -> String {
    let header = ["when", "run", "metric", "local", "public", "private", "gap", "made of"];
    let mut table = output::table(&header, &[3, 4, 5, 6]);
    for entry in entries {
        table.add_row([
            clock::short(entry.record.time),
            entry.run.clone(),
            entry.record.metric.to_string(),
            score(entry.record.score),
            score(entry.public),
            score(entry.private),
            entry.gap.map_or_else(|| "-".to_owned(), |gap| format!("{gap:+.4}")),
            made_of(entry),
        ]);
    }
    output::render(&table)
}

/// The method, the members with their weights, and the adjustment.
fn made_of(entry: &Entry) -> String {
    let member = |(name, weight): &(String, Option<f64>)| match weight {
        Some(weight) => format!("{name} {weight:.2}"),
        None => name.clone(),
    };
    let members = match &entry.members {
        Some(members) => members.iter().map(member).collect::<Vec<_>>().join(", "),
        None => "unknown".to_owned(),
    };
    let method = entry.method.map_or_else(String::new, |method| format!("{}: ", method.kind().name()));
    let adjustment = entry.record.adjustment.as_ref();
    let adjustment = adjustment.map_or_else(String::new, |adjustment| format!("; {}", adjustment.kind().name()));
    format!("{method}{members}{adjustment}")
}
