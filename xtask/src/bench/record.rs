//! Raw runs, kept as JSON lines in `docs/benchmarks/<date>-<subject>.jsonl`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::process;

/// The file the runs of one bench go to, and what all of them share.
pub(super) struct Record {
    file: PathBuf,
    shared: Map<String, Value>,
}

impl Record {
    /// Opens today's file of `subject`. Every line will hold `shared`, the commit and whether files differed from it, and the
    /// processor, if the system names it: shares and ratios of one do not carry over to another.
    pub(super) fn open(root: &Path, subject: &str, shared: Map<String, Value>) -> Result<Self> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
        let date = date(seconds / 86_400);
        let folder = root.join("docs").join("benchmarks");
        fs::create_dir_all(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let mut head = Map::new();
        head.insert("date".into(), date.clone().into());
        head.insert("commit".into(), commit(root)?.into());
        let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| processor(&text));
        head.extend(processor.map(|processor| ("processor".to_owned(), processor.into())));
        head.extend(shared);
        Ok(Self { file: folder.join(format!("{date}-{subject}.jsonl")), shared: head })
    }

    /// Adds one run; the file is replaced as a whole, so that an interrupted bench leaves whole lines.
    pub(super) fn add(&self, run: &Map<String, Value>) -> Result<()> {
        let named = || self.file.display().to_string();
        let mut text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(named),
        };
        let mut line = self.shared.clone();
        line.extend(run.clone());
        text += &(Value::Object(line).to_string() + "\n");
        let folder = self.file.parent().context("the record has no folder")?;
        let mut temporary = tempfile::NamedTempFile::new_in(folder).with_context(named)?;
        temporary.write_all(text.as_bytes()).with_context(named)?;
        temporary.as_file().sync_all().with_context(named)?;
        temporary.persist(&self.file).with_context(named)?;
        Ok(())
    }

    /// Where the runs are.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }
}

/// The commit measured, with a `+` where the sources differ from it.
fn commit(root: &Path) -> Result<String> {
    let git = |arguments: &[&str]| process::capture(Command::new("git").args(arguments).current_dir(root));
    let changed = !git(&["status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock"])?.is_empty();
    let name = git(&["rev-parse", "--short", "HEAD"])?;
    Ok(name.trim().to_owned() + if changed { "+" } else { "" })
}

/// Name, family and model of the first processor in the text of Linux' `/proc/cpuinfo`: names alone are those of many.
fn processor(text: &str) -> Option<String> {
    let value = |wanted: &str| {
        let of_key = |line: &str| {
            Some(line.split_once(':')?).filter(|(key, _)| key.trim() == wanted).map(|(_, v)| v.trim().to_owned())
        };
        text.lines().find_map(of_key)
    };
    Some(format!("{}, family {} model {}", value("model name")?, value("cpu family")?, value("model")?))
}

/// `YYYY-MM-DD` of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn date(mut days: u64) -> String {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!("{year:04}-{:02}-{:02}", month + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(59), "1970-03-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_454), "2026-01-01");
        assert_eq!(date(20_453), "2025-12-31");
    }

    #[test]
    fn the_first_processor_is_named_with_family_and_model() {
        let two = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel\t\t: 18\n";
        assert_eq!(processor(two).as_deref(), Some("AMD EPYC, family 25 model 17"));
        assert_eq!(processor("Processor\t: ARMv8\n"), None);
    }

    #[test]
    fn runs_are_added_to_those_of_the_same_day() {
        let folder = tempfile::tempdir().unwrap();
        let shared = Map::from_iter([("model".to_owned(), "tiny".into())]);
        let record = Record { file: folder.path().join("runs.jsonl"), shared };
        for round in 1..=2 {
            record.add(&Map::from_iter([("round".to_owned(), round.into())])).unwrap();
        }
        let text = fs::read_to_string(record.file()).unwrap();
        assert_eq!(text, "{\"model\":\"tiny\",\"round\":1}\n{\"model\":\"tiny\",\"round\":2}\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
