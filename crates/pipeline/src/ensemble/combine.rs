//! An ensemble's predictions of the test table, from the files of its members and what was fitted.

use std::{fs, io};

use gyeol_eval::{EvalError, Expected, Foreign, Predictions, Task, ensemble::Aligned};
use xxhash_rust::xxh3::xxh3_128;

use super::{PredictionsFile, Saved, SavedMember, Source};
use crate::{Error, runs::Runs};

/// The fingerprint of a file: 32 hexadecimal digits of its bytes.
pub fn file_fingerprint(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

/// The predictions of the test table by the ensemble `saved` of the run `name`: its members' files, as they were when it was made,
/// combined by what was fitted then, to the same bits. Rows are in the order of the first member's file; scores are within
/// the ensemble's range. Members that are among `runs` are looked for there, wherever they were then: a project may have moved.
///
/// # Errors
/// [`Error::Ensemble`] naming the member that has no such file, or one that is gone, has changed or does not fit.
pub fn combine_files(name: &str, saved: &Saved, runs: &Runs) -> Result<Predictions, Error> {
    let failed = |problem: String| Error::Ensemble { ensemble: name.to_owned(), problem };
    let mut members: Vec<(String, Predictions)> = Vec::with_capacity(saved.members.len());
    for member in &saved.members {
        let of_member = |problem: String| failed(format!("member {}: {problem}", member.name));
        let file = member.test.as_ref().ok_or_else(|| of_member("it has no predictions of a test table".to_owned()))?;
        let file = match &member.source {
            Source::Run(name) => here(file, name, runs)?,
            Source::Foreign => file.clone(),
        };
        let bytes = read(&file, &of_member)?;
        let predictions = predictions(member, &file, &bytes, saved)?;
        members.push((member.name.clone(), member.arranged(&predictions, &saved.labels).map_err(of_member)?));
    }
    let ids = members.first().map(|(_, first)| first.ids().to_vec()).unwrap_or_default();
    let members: Vec<(String, &Predictions)> =
        members.iter().map(|(name, predictions)| (name.clone(), predictions)).collect();
    let aligned = Aligned::new(&members, &ids)?;
    let mut combined = Predictions::new(&saved.id_column, ids, saved.fitted.combine(&aligned)?)?;
    if let Some(range) = saved.score_range {
        combined.clamp_scores(range);
    }
    Ok(combined)
}

/// The file of the run `name` as it lies among `runs`; where there is no such run, as it lay then.
fn here(file: &PredictionsFile, name: &str, runs: &Runs) -> Result<PredictionsFile, Error> {
    let path = runs.find(name)?.map_or_else(|| file.path.clone(), |run| run.test_path());
    Ok(PredictionsFile { path, fingerprint: file.fingerprint.clone() })
}

/// The bytes of a file that are still those it had.
fn read(file: &PredictionsFile, failed: &impl Fn(String) -> Error) -> Result<Vec<u8>, Error> {
    let path = &file.path;
    let again = "the ensemble can only be made again from its members as they are now";
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(failed(format!("its predictions {} are gone; {again}", path.display())));
        }
        Err(source) => return Err(Error::Io { path: path.clone(), action: "read", source }),
    };
    if file_fingerprint(&bytes) == file.fingerprint {
        return Ok(bytes);
    }
    Err(failed(format!("its predictions {} have changed since the ensemble was made; {again}", path.display())))
}

/// The predictions as the file has them, by the member's own labels.
fn predictions(
    member: &SavedMember,
    file: &PredictionsFile,
    bytes: &[u8],
    saved: &Saved,
) -> Result<Predictions, EvalError> {
    match member.source {
        Source::Run(_) => {
            let predictions = Predictions::read_from(bytes, &file.path)?;
            Ok(if saved.task == Task::MultiLabel { predictions.independent() } else { predictions })
        }
        Source::Foreign => {
            let labels: Vec<String> = saved.labels.iter().map(|label| member.theirs(label).to_owned()).collect();
            // Labels with other names there are not called by our names for people.
            let names = saved.label_names.as_deref().filter(|_| member.renamed.is_empty());
            let expected = Expected { id_column: &saved.id_column, labels: &labels, names, task: saved.task };
            Ok(Foreign::from_bytes(bytes, &file.path, &expected)?.predictions)
        }
    }
}

#[cfg(test)]
mod tests;
