//! All submissions of a home directory, and what came of them.

use std::ops::Range;

use gyeol_eval::ensemble::Method;
use serde::Serialize;

use super::SubmissionRecord;
use crate::{
    Error,
    ensemble::Saved,
    runs::{Notes, Run, Runs},
};

/// All submissions, by the time they were made.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The submissions, the latest last.
    pub entries: Vec<Entry>,
    /// Runs whose submission cannot be read, and why: neither listed nor counted.
    pub unreadable: Vec<(String, String)>,
    /// Runs whose submission is listed without what cannot be read, and why: its members, or the scores of a leaderboard.
    pub incomplete: Vec<(String, String)>,
}

/// A submission.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// The run that has it.
    pub run: String,
    /// What is known of it.
    #[serde(flatten)]
    pub record: SubmissionRecord,
    /// The score that the leaderboard shows, once noted.
    pub public: Option<f64>,
    /// The score on the rows that it hides, once noted.
    pub private: Option<f64>,
    /// The score on a leaderboard (the private one, or the public while that is not known) less the local score.
    pub gap: Option<f64>,
    /// How it is combined, if it is of an ensemble.
    pub method: Option<Method>,
    /// What it is made of, with weights where there is one a member; the run itself, if it is no ensemble. `None` if that
    /// cannot be read.
    pub members: Option<Vec<(String, Option<f64>)>>,
}

impl Ledger {
    /// Reads all submissions of `runs`. One that cannot be read hides no other, and none is hidden by what stands beside it.
    ///
    /// # Errors
    /// If the runs cannot be listed.
    pub fn read(runs: &Runs) -> Result<Self, Error> {
        let mut ledger = Self::default();
        for run in runs.list()? {
            match SubmissionRecord::of(&run) {
                Ok(None) => {}
                Ok(Some(record)) => {
                    let problem = |problem: String| ledger.incomplete.push((run.name().to_owned(), problem));
                    ledger.entries.push(Entry::new(&run, record, problem));
                }
                Err(error) => ledger.unreadable.push((run.name().to_owned(), error.to_string())),
            }
        }
        ledger.entries.sort_by(|a, b| a.record.time.total_cmp(&b.record.time).then_with(|| a.run.cmp(&b.run)));
        Ok(ledger)
    }

    /// How many were made on a day, given as its seconds since 1970 (UTC): which day it is depends on the time zone.
    pub fn on(&self, day: &Range<f64>) -> usize {
        self.entries.iter().filter(|entry| day.contains(&entry.record.time)).count()
    }
}

impl Entry {
    /// The submission `record` of `run` with what stands beside it; `problem` is told what of that cannot be read.
    fn new(run: &Run, record: SubmissionRecord, mut problem: impl FnMut(String)) -> Self {
        let notes = run.notes().unwrap_or_else(|error| {
            problem(error.to_string());
            Notes::default()
        });
        let weighted = |saved: &Saved| {
            let weight = |member: usize| saved.fitted.weights().and_then(|weights| weights.get(member).copied());
            saved.members.iter().enumerate().map(|(at, member)| (member.name.clone(), weight(at))).collect()
        };
        let (method, members) = match Saved::of(run) {
            Ok(None) => (None, Some(vec![(run.name().to_owned(), None)])),
            Ok(Some(saved)) => (Some(saved.fitted.method), Some(weighted(&saved))),
            Err(error) => {
                problem(error.to_string());
                (None, None)
            }
        };
        let leaderboard = notes.private.or(notes.public);
        Self {
            run: run.name().to_owned(),
            gap: leaderboard.zip(record.score).map(|(leaderboard, local)| leaderboard - local),
            record,
            public: notes.public,
            private: notes.private,
            method,
            members,
        }
    }
}
