//! A submission in its run's directory: `submission.csv`, the bytes that were handed in; `sample_submission.csv`, a copy of the
//! sample; and `submission.json`, what is known of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use gyeol_data::write_atomic;
use gyeol_eval::{
    Metric, Predictions,
    submission::{Adjustment, Sample},
};
use serde::{Deserialize, Serialize};

use crate::{Error, ensemble::file_fingerprint, runs::Run};

/// The names of the files.
const RECORD: &str = "submission.json";
const BYTES: &str = "submission.csv";
const SAMPLE: &str = "sample_submission.csv";

/// The version of the record's form.
const FORMAT: u32 = 1;

/// What is kept of a submission. What it is made of, members and weights, is the run's `ensemble.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubmissionRecord {
    /// The version of this form.
    pub format: u32,
    /// When it was made, in seconds since 1970 (UTC).
    pub time: f64,
    /// The fingerprint of the sample's bytes.
    pub sample_fingerprint: String,
    /// How many rows it has.
    pub rows: usize,
    /// The fingerprint of the bytes.
    pub fingerprint: String,
    /// The metric of `score`.
    pub metric: Metric,
    /// What is to be expected: the score on labelled rows, cross-validated where anything is fitted.
    pub score: Option<f64>,
    /// What the predictions were adjusted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjustment: Option<Adjustment>,
}

/// A submission that was just made.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// What is known of it.
    pub record: SubmissionRecord,
    /// The file.
    pub bytes: Vec<u8>,
}

impl Submission {
    /// Fills `sample` in with `predictions`, adjusted if there is an adjustment. `score` by `metric` is what they are worth on
    /// labelled rows; `time` is now, in seconds since 1970 (UTC).
    ///
    /// # Errors
    /// If adjustment or sample are for other predictions.
    pub fn new(
        sample: &Sample,
        predictions: &Predictions,
        adjustment: Option<Adjustment>,
        (metric, score): (Metric, Option<f64>),
        time: f64,
    ) -> Result<Self, Error> {
        let bytes = fill(sample, predictions, adjustment.as_ref())?;
        let record = SubmissionRecord {
            format: FORMAT,
            time,
            sample_fingerprint: file_fingerprint(sample.bytes()),
            rows: sample.rows(),
            fingerprint: file_fingerprint(&bytes),
            metric,
            score,
            adjustment,
        };
        Ok(Self { record, bytes })
    }

    /// Keeps it in the directory of a run, with its sample.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be written.
    pub fn write(&self, dir: &Path, sample: &Sample) -> Result<(), Error> {
        let json = serde_json::to_vec_pretty(&self.record);
        let json = json.map_err(|error| Error::Io { path: dir.join(RECORD), action: "write", source: error.into() })?;
        // The record last: where there is one, there is all of it.
        for (name, bytes) in [(BYTES, self.bytes.as_slice()), (SAMPLE, sample.bytes()), (RECORD, &json)] {
            let path = dir.join(name);
            write_atomic(&path, |out| out.write_all(bytes)).map_err(|source| Error::Io {
                path: path.clone(),
                action: "write",
                source,
            })?;
        }
        Ok(())
    }
}

impl SubmissionRecord {
    /// The submission of `run`; `None` if it has none.
    ///
    /// # Errors
    /// [`Error::Io`] if its record cannot be read; [`Error::Submission`] if that is not one of this version, or its adjustment is
    /// none that could be applied.
    pub fn of(run: &Run) -> Result<Option<Self>, Error> {
        let path = run.dir().join(RECORD);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { path, action: "read", source }),
        };
        let record: Self = serde_json::from_slice(&text)
            .map_err(|error| Error::Submission(format!("{} is damaged: {error}", path.display())))?;
        if record.format != FORMAT {
            let (path, other) = (path.display(), record.format);
            return Err(Error::Submission(format!("the format of {path} is {other}, this version reads {FORMAT}")));
        }
        if let Some(adjustment) = &record.adjustment {
            adjustment.check().map_err(|error| Error::Submission(format!("{}: {error}", path.display())))?;
        }
        Ok(Some(record))
    }
}

/// The copy of the sample that a run's submission has.
pub fn sample_path(run: &Run) -> PathBuf {
    run.dir().join(SAMPLE)
}

/// The bytes that were handed in, made again from the sample and the predictions, which are those before any adjustment.
///
/// # Errors
/// [`Error::Submission`] if the sample is another, or the bytes come out differently.
pub fn rebuild(record: &SubmissionRecord, sample: &[u8], predictions: &Predictions) -> Result<Vec<u8>, Error> {
    if file_fingerprint(sample) != record.sample_fingerprint {
        return Err(Error::Submission(format!("the copy of its sample ({SAMPLE}) has changed since it was made")));
    }
    let sample = Sample::from_bytes(sample.to_vec(), Path::new(SAMPLE))?;
    let bytes = fill(&sample, predictions, record.adjustment.as_ref())?;
    if file_fingerprint(&bytes) == record.fingerprint {
        return Ok(bytes);
    }
    let problem = format!("what it is made of gives other bytes now than were handed in; those are kept as {BYTES}");
    Err(Error::Submission(problem))
}

fn fill(sample: &Sample, predictions: &Predictions, adjustment: Option<&Adjustment>) -> Result<Vec<u8>, Error> {
    let Some(adjustment) = adjustment else { return Ok(sample.fill(predictions)?) };
    let outputs = adjustment.apply(predictions.outputs())?;
    Ok(sample.fill(&Predictions::new(predictions.id_column(), predictions.ids().to_vec(), outputs)?)?)
}
