//! All submissions of a home directory, and what came of them.

use std::ops::Range;

use gyeol_eval::ensemble::Method;
use serde::Serialize;

use super::SubmissionRecord;
use crate::{
    Error,
    ensemble::Saved,
    runs::{Run, Runs},
};

/// All submissions, by the time they were made.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The submissions, the latest last.
    pub entries: Vec<Entry>,
    /// Runs whose submission cannot be read, and why.
    pub unreadable: Vec<(String, String)>,
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
    /// What it is made of, with weights where there is one a member; the run itself, if it is no ensemble.
    pub members: Vec<(String, Option<f64>)>,
}

impl Ledger {
    /// Reads all submissions of `runs`. One that cannot be read hides no other.
    ///
    /// # Errors
    /// If the runs cannot be listed.
    pub fn read(runs: &Runs) -> Result<Self, Error> {
        let mut ledger = Self::default();
        for run in runs.list()? {
            match Entry::of(&run) {
                Ok(entry) => ledger.entries.extend(entry),
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
    /// The submission of `run`, if it has one.
    ///
    /// # Errors
    /// If it, the ensemble or the run's notes cannot be read.
    pub fn of(run: &Run) -> Result<Option<Self>, Error> {
        let Some(record) = SubmissionRecord::of(run)? else { return Ok(None) };
        let notes = run.notes()?;
        let saved = Saved::of(run)?;
        let members = match &saved {
            None => vec![(run.name().to_owned(), None)],
            Some(saved) => {
                let weight = |member: usize| saved.fitted.weights().and_then(|weights| weights.get(member).copied());
                saved.members.iter().enumerate().map(|(at, member)| (member.name.clone(), weight(at))).collect()
            }
        };
        let leaderboard = notes.private.or(notes.public);
        Ok(Some(Self {
            run: run.name().to_owned(),
            gap: leaderboard.zip(record.score).map(|(leaderboard, local)| leaderboard - local),
            record,
            public: notes.public,
            private: notes.private,
            method: saved.map(|saved| saved.fitted.method),
            members,
        }))
    }
}
