//! Reading and appending `events.jsonl`.
//!
//! How a line is written is in `appender`; readers pass over a line that is not an event.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Event, EventKind, RunError};
use crate::appender::{Appender, now};

/// The events of a run that count, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Journal {
    /// Without the steps and evaluations that a later [`EventKind::Resumed`] made void.
    pub events: Vec<Event>,
    /// Lines that are not events: torn by a crash, or of another version.
    pub unreadable: usize,
}

impl Journal {
    /// The warnings in the order they came, each once: a resumed run gives those of its tables again.
    pub fn warnings(&self) -> Vec<&str> {
        let mut warnings: Vec<&str> = Vec::new();
        for event in &self.events {
            if let EventKind::Warning { message } = &event.kind
                && !warnings.contains(&message.as_str())
            {
                warnings.push(message);
            }
        }
        warnings
    }

    /// The instruction set and precision of the process that wrote last, by name.
    pub fn arithmetic(&self) -> Option<(&str, &str)> {
        self.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Started { isa, precision, .. } => Some((isa.as_deref()?, precision.as_deref()?)),
            _ => None,
        })
    }

    /// The batch size and accumulation of the process that wrote last.
    pub fn batch(&self) -> Option<(usize, usize)> {
        self.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Started { batch_size, accumulate, .. } => Some(((*batch_size)?, (*accumulate)?)),
            _ => None,
        })
    }

    /// Reads the journal at `path`; one that does not exist is empty.
    pub(super) fn read(path: &Path) -> Result<Self, RunError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(RunError::io("read", path)(error)),
        };
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut journal = Self::default();
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Event>(line) {
                Ok(event) => journal.push(event),
                Err(_) => journal.unreadable += 1,
            }
        }
        journal
    }

    fn push(&mut self, event: Event) {
        match event.kind {
            EventKind::Resumed { step: resumed } => {
                self.events.retain(|earlier| earlier.kind.step().is_none_or(|step| step <= resumed));
            }
            // A state may be saved between a step and its evaluation, which then comes again.
            EventKind::Evaluation { step: again, .. } => {
                let before =
                    self.events.iter().rposition(|earlier| earlier.kind.step().is_some_and(|step| step < again));
                let repeated =
                    |event: &Event| matches!(event.kind, EventKind::Evaluation { step, .. } if step == again);
                let from = before.map_or(0, |at| at + 1);
                if let Some(at) = self.events[from..].iter().position(repeated) {
                    self.events.remove(from + at);
                }
            }
            _ => {}
        }
        self.events.push(event);
    }
}

/// The end of a journal, open for appending.
#[derive(Debug)]
pub(super) struct JournalWriter(Appender);

impl JournalWriter {
    /// Opens the journal at `path`, or starts it.
    pub(super) fn open(path: PathBuf) -> Result<Self, RunError> {
        let opened = Appender::open(path.clone());
        Ok(Self(opened.map_err(RunError::io("open", &path))?))
    }

    /// Appends one event, stamped with the present time, and hands it to the operating system before returning.
    pub(super) fn append(&mut self, kind: EventKind) -> Result<Event, RunError> {
        let milestone = kind.is_milestone();
        let event = Event { time: now(), kind };
        self.0.append(&event, milestone).map_err(RunError::io("append an event to", self.0.path()))?;
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(step: u64) -> EventKind {
        EventKind::Step { step, epoch: 0.5, loss: Some(0.25), learning_rate: 2e-5, grad_norm: 1.0, tokens: 64 }
    }

    fn started(isa: &str) -> EventKind {
        EventKind::Started {
            metric: "accuracy".into(),
            total_steps: 2,
            isa: Some(isa.into()),
            precision: Some("f32".into()),
            batch_size: Some(8),
            accumulate: Some(4),
        }
    }

    fn kinds(journal: &Journal) -> Vec<EventKind> {
        journal.events.iter().map(|event| event.kind.clone()).collect()
    }

    #[test]
    fn events_come_back_in_order_and_a_line_each() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut writer = JournalWriter::open(path.clone()).unwrap();
        let told = [
            started("avx2"),
            step(1),
            EventKind::Evaluation { step: 1, epoch: 0.5, metrics: [("accuracy".to_owned(), 0.75)].into() },
            EventKind::Warning { message: "두 줄\n경고".into() },
            EventKind::Finished { score: None },
        ];
        for kind in &told {
            writer.append(kind.clone()).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), told.len());
        assert!(text.contains(r#""event":"step","step":1,"epoch":0.5,"loss":0.25"#), "{text}");
        let journal = Journal::read(&path).unwrap();
        assert_eq!((kinds(&journal), journal.unreadable), (told.to_vec(), 0));
    }

    #[test]
    fn a_step_without_a_loss_comes_back_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut writer = JournalWriter::open(path.clone()).unwrap();
        let mut kind = step(1);
        if let EventKind::Step { loss, .. } = &mut kind {
            *loss = None;
        }
        writer.append(kind.clone()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#""loss":null"#), "{text}");
        assert_eq!(kinds(&Journal::read(&path).unwrap()), [kind]);
    }

    #[test]
    fn a_resumption_voids_the_later_steps_of_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut writer = JournalWriter::open(path.clone()).unwrap();
        for kind in [step(1), step(2), EventKind::Evaluation { step: 2, epoch: 1.0, metrics: [].into() }, step(3)] {
            writer.append(kind).unwrap();
        }
        for kind in [EventKind::Resumed { step: 2 }, step(3), step(4)] {
            writer.append(kind).unwrap();
        }
        let expected = vec![
            step(1),
            step(2),
            EventKind::Evaluation { step: 2, epoch: 1.0, metrics: [].into() },
            EventKind::Resumed { step: 2 },
            step(3),
            step(4),
        ];
        assert_eq!(kinds(&Journal::read(&path).unwrap()), expected);
    }

    #[test]
    fn an_evaluation_that_comes_again_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut writer = JournalWriter::open(path.clone()).unwrap();
        let evaluation = || EventKind::Evaluation { step: 2, epoch: 1.0, metrics: [].into() };
        for kind in [step(2), evaluation(), EventKind::Resumed { step: 2 }, evaluation()] {
            writer.append(kind).unwrap();
        }
        let expected = vec![step(2), EventKind::Resumed { step: 2 }, evaluation()];
        assert_eq!(kinds(&Journal::read(&path).unwrap()), expected);
    }

    #[test]
    fn a_warning_that_is_said_again_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut writer = JournalWriter::open(path.clone()).unwrap();
        for message in ["two texts are empty", "the score is undefined", "two texts are empty"] {
            writer.append(EventKind::Warning { message: message.into() }).unwrap();
        }
        let journal = Journal::read(&path).unwrap();
        assert_eq!(journal.warnings(), ["two texts are empty", "the score is undefined"]);
    }

    #[test]
    fn arithmetic_and_batch_are_those_of_the_last_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut writer = JournalWriter::open(path.clone()).unwrap();
        for kind in [started("portable"), step(1), started("avx2"), EventKind::Resumed { step: 1 }] {
            writer.append(kind).unwrap();
        }
        let journal = Journal::read(&path).unwrap();
        assert_eq!((journal.arithmetic(), journal.batch()), (Some(("avx2", "f32")), Some((8, 4))));
        // A journal of before they were written down.
        let old = Journal::parse(br#"{"time":1.0,"event":"started","metric":"accuracy","total_steps":4}"#);
        assert_eq!((old.events.len(), old.arithmetic(), old.batch()), (1, None, None));
    }

    #[test]
    fn a_missing_journal_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Journal::read(&dir.path().join("events.jsonl")).unwrap(), Journal::default());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Cut the file anywhere: whole lines survive, and what is appended afterwards is read back.
        #[test]
        fn a_torn_tail_costs_at_most_its_own_line(cut in 0usize..400) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("events.jsonl");
            let mut writer = JournalWriter::open(path.clone()).unwrap();
            for number in 1..=4 {
                writer.append(step(number)).unwrap();
            }
            let bytes = fs::read(&path).unwrap();
            let cut = cut.min(bytes.len());
            fs::write(&path, &bytes[..cut]).unwrap();
            let whole = bytes[..cut].iter().filter(|&&byte| byte == b'\n').count();
            // A line cut just before its end is complete all the same.
            let whole = whole + usize::from(bytes.get(cut) == Some(&b'\n'));

            prop_assert_eq!(Journal::read(&path).unwrap().events.len(), whole);
            JournalWriter::open(path.clone()).unwrap().append(EventKind::Resumed { step: 9 }).unwrap();
            let journal = Journal::read(&path).unwrap();
            prop_assert_eq!(journal.events.len(), whole + 1);
            prop_assert!(journal.unreadable <= 1);
        }
    }
}
