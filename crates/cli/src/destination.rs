//! Where a result that is a file goes: standard output, or a path that is checked before the work begins.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use gyeol_data::write_atomic;
use gyeol_eval::{Form, Predictions};

use crate::{exit::Mistake, output::Output};

/// Where the bytes of a result go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Destination<'a> {
    Stdout,
    File(&'a Path),
}

impl<'a> Destination<'a> {
    /// What `flag` names: `-` for standard output, or a file that can be written and is none of `inputs`, which the
    /// command reads.
    pub(crate) fn new(path: &'a Path, flag: &str, inputs: &[&Path]) -> Result<Self, Mistake> {
        if is_stdout(path) {
            return Ok(Self::Stdout);
        }
        check_file(path, flag, inputs)?;
        Ok(Self::File(path))
    }

    /// The same for a command that has more to tell: standard output has no room for both the file and a document.
    pub(crate) fn beside_result(
        path: &'a Path,
        flag: &str,
        inputs: &[&Path],
        output: &Output,
    ) -> Result<Self, Mistake> {
        if is_stdout(path) && output.is_json() {
            let words = format!("--json: standard output cannot hold both the file ({flag} -) and the document");
            return Err(Mistake::new(words).hint(format!("{flag} FILE writes it to a file")));
        }
        Self::new(path, flag, inputs)
    }

    /// Writes the result: a file as a whole or not at all, a pipe or a device directly.
    pub(crate) fn write(self, bytes: &[u8], output: &Output) -> Result<()> {
        match self {
            Self::Stdout => output.bytes(bytes),
            Self::File(path) => {
                let target = target(path);
                let written = if is_special(&target) {
                    OpenOptions::new().write(true).open(&target).and_then(|mut file| file.write_all(bytes))
                } else {
                    write_atomic(&target, |out| out.write_all(bytes))
                };
                written.with_context(|| format!("cannot write {}", path.display()))
            }
        }
    }

    /// Writes predictions as CSV.
    pub(crate) fn write_predictions(self, predictions: &Predictions, form: Form, output: &Output) -> Result<()> {
        let mut csv = Vec::new();
        predictions.write_to(&mut csv, form, "the predictions")?;
        self.write(&csv, output)
    }

    /// Tells what else came of the command: not among the bytes of a result on standard output.
    pub(crate) fn tell(self, text: &str, output: &Output) -> Result<()> {
        match self {
            Self::Stdout => {
                output.note(text);
                Ok(())
            }
            Self::File(_) => output.text(text),
        }
    }

    /// The file, if it is one.
    pub(crate) fn file(self) -> Option<&'a Path> {
        match self {
            Self::Stdout => None,
            Self::File(path) => Some(path),
        }
    }
}

/// Refuses a file, named by `flag`, that could not be written after the work, or whose writing would lose one of `inputs`.
pub(crate) fn check_file(path: &Path, flag: &str, inputs: &[&Path]) -> Result<(), Mistake> {
    let target = target(path);
    if target.is_dir() {
        return Err(Mistake::new(format!("{flag}: {} is a directory; name a file in it", path.display())));
    }
    if inputs.iter().any(|input| input.canonicalize().is_ok_and(|input| input == target)) {
        let words = format!("{flag}: {} is read by this command and would be lost", path.display());
        return Err(Mistake::new(words).hint("name another file"));
    }
    if is_special(&target) {
        return Ok(());
    }
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        let words = format!("{flag}: there is no directory {} to write to", parent.display());
        return Err(Mistake::new(words).hint(format!("mkdir -p {}", parent.display())));
    }
    check_directory(parent, flag)
}

/// Refuses a directory, named by `flag`, in which no file can be made.
fn check_directory(directory: &Path, flag: &str) -> Result<(), Mistake> {
    // Permissions do not tell: of the superuser, of a file system that is read-only or full.
    match tempfile::Builder::new().prefix(".tmp-").tempfile_in(directory) {
        Ok(_) => Ok(()),
        Err(error) => {
            let words = format!("{flag}: cannot write to the directory {} ({})", directory.display(), error.kind());
            Err(Mistake::new(words).hint("name one that you may write to"))
        }
    }
}

/// Refuses a home directory in which no run could be made.
pub(crate) fn check_home(home: &Path) -> Result<(), Mistake> {
    let runs = home.join("runs");
    // What is not there yet is made in the nearest directory above that is.
    let there = runs.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(Path::new("."));
    if !there.is_dir() {
        return Err(Mistake::new(format!("--home: {} is no directory", there.display())).hint("name one that is"));
    }
    check_directory(there, "--home")
}

/// Whether a path stands for standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// The file that is replaced: of a symbolic link what it leads to.
fn target(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Whether it is there and no ordinary file, but a pipe or a device.
fn is_special(target: &Path) -> bool {
    fs::metadata(target).is_ok_and(|metadata| !metadata.is_file())
}
