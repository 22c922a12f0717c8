//! Where the workspace is and which files belong to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Directories that hold no source: looked into only by the tools that made them.
const SKIPPED: [&str; 4] = [".git", ".gyeol", "target", "__pycache__"];

/// The directory of the workspace's `Cargo.toml`.
pub(crate) fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_path_buf).context("xtask is not inside a workspace")
}

/// The files of the project relative to `root`, sorted: what git tracks or would track, or every file of a plain copy.
pub(crate) fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = match tracked(root) {
        Some(files) => files,
        None => {
            let mut found = Vec::new();
            walk(root, Path::new(""), &mut found)?;
            found
        }
    };
    // git still lists a file that was deleted but not committed so.
    files.retain(|file| root.join(file).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}

/// What git says, or `None` where there is no git or no repository.
fn tracked(root: &Path) -> Option<Vec<PathBuf>> {
    if !root.join(".git").exists() {
        return None;
    }
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(list).current_dir(root).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let path = root.join(folder);
    let entries = fs::read_dir(&path).with_context(|| format!("{}: cannot be listed", path.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("{}: cannot be listed", path.display()))?;
        let name = entry.file_name();
        let kind = entry.file_type().with_context(|| format!("{}: has no type", entry.path().display()))?;
        if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
            walk(root, &folder.join(&name), found)?;
        } else if kind.is_file() {
            found.push(folder.join(&name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_copy_is_walked_without_build_results() {
        let copy = tempfile::tempdir().unwrap();
        for file in ["README.md", "crates/data/src/lib.rs", "target/debug/x.rs", ".gyeol/runs/x.toml"] {
            let path = copy.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let expected: Vec<PathBuf> = ["README.md", "crates/data/src/lib.rs"].map(PathBuf::from).into();
        assert_eq!(files(copy.path()).unwrap(), expected);
    }
}
