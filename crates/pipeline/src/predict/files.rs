//! The files of a model directory, whatever else lies there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Directories within directories, at most: a link may lead back to where it lies.
const DEEPEST: usize = 8;

/// Every file in `dir` and below it, sorted.
///
/// # Errors
/// If something is neither a file nor a directory, or cannot be looked at; if directories lie too deep in each other.
/// The error names the path.
pub(super) fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    list(dir, 0, &mut files)?;
    files.sort_unstable();
    Ok(files)
}

fn list(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir).map_err(|error| at(dir, error))? {
        let path = entry.map_err(|error| at(dir, error))?.path();
        // Of what it points at, where it is a link.
        let metadata = fs::metadata(&path).map_err(|error| at(&path, error))?;
        if metadata.is_file() {
            files.push(path);
        } else if !metadata.is_dir() {
            return Err(at(&path, io::Error::other("it is neither a file nor a directory")));
        } else if depth == DEEPEST {
            return Err(at(&path, io::Error::other("directories lie too deep in each other")));
        } else {
            list(&path, depth + 1, files)?;
        }
    }
    Ok(())
}

/// The error with the path it is about.
pub(super) fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The bytes of the files in `dir` and below it, as far as they can be looked at.
pub(super) fn files_bytes(dir: &Path) -> u64 {
    bytes(dir, 0)
}

fn bytes(dir: &Path, depth: usize) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(metadata) if metadata.is_dir() && depth < DEEPEST => bytes(&entry.path(), depth + 1),
            _ => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_count_and_what_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("members")).unwrap();
        fs::write(path("members/weights"), "weights").unwrap();
        fs::write(path("config.json"), "{}").unwrap();
        assert_eq!(files(dir.path()).unwrap(), [path("config.json"), path("members/weights")]);
        assert_eq!(files_bytes(dir.path()), 9);
        #[cfg(unix)]
        for (name, target) in [("dangling", "nowhere"), ("members/loop", "."), ("device", "/dev/null")] {
            std::os::unix::fs::symlink(target, path(name)).unwrap();
            let error = files(dir.path()).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert!(files_bytes(dir.path()) >= 9);
            fs::remove_file(path(name)).unwrap();
        }
    }
}
