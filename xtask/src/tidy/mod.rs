//! `cargo xtask tidy`: the invariants of ARCHITECTURE.md that a program can check.
//!
//! A rule is a function from a file's path and text to violations. All violations are listed at once; what clippy already
//! checks (documentation, unused code) is not repeated here.

mod dependencies;
mod documents;
mod lexer;
mod safety;
mod source;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// One broken rule, at one line.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// Relative to the workspace, with forward slashes.
    path: String,
    /// Counted from 1.
    line: usize,
    /// What is wrong, and what to do.
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Checks every file of the workspace and fails if a rule is broken.
pub(crate) fn run(root: &Path) -> Result<()> {
    let files = workspace::files(root)?;
    let violations = check(root, &files)?;
    for violation in &violations {
        println!("{violation}");
    }
    if !violations.is_empty() {
        bail!("{} violations in {} files", violations.len(), files.len());
    }
    println!("tidy: {} files", files.len());
    Ok(())
}

fn check(root: &Path, files: &[PathBuf]) -> Result<BTreeSet<Violation>> {
    let mut violations = BTreeSet::new();
    violations.extend(documents::required(|name| root.join(name).is_file()));
    for file in files {
        let path = file.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        let bytes = fs::read(root.join(file)).with_context(|| format!("{path}: cannot be read"))?;
        // Weights and other binary goldens have no lines to check.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        violations.extend(documents::machine_paths(&path, &text));
        if path.ends_with(".rs") {
            violations.extend(source::check(&path, &text));
        } else if path.ends_with("Cargo.toml") {
            violations.extend(dependencies::check(&path, &text)?);
        } else if path.ends_with(".md") {
            let folder = root.join(file).parent().map(Path::to_path_buf).unwrap_or_default();
            violations.extend(documents::links(&path, &text, |target| folder.join(target).exists()));
        }
    }
    Ok(violations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_violations_of_all_files_are_listed_with_path_and_line() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("README.md", "[house](ARCHITECTURE.md) and [nothing](missing.md)\n");
        write("ARCHITECTURE.md", "");
        write("CONTRIBUTING.md", "");
        write("crates/eval/src/lib.rs", "//! Metrics.\nfn show() {\n    println!(\"x\");\n}\n");
        write("crates/eval/Cargo.toml", "[dependencies]\ngyeol-engine.workspace = true\n");
        let files = workspace::files(root.path()).unwrap();
        let found: Vec<String> = check(root.path(), &files).unwrap().iter().map(ToString::to_string).collect();
        let places: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(places, ["CHANGELOG.md:1", "README.md:1", "crates/eval/Cargo.toml:2", "crates/eval/src/lib.rs:3"]);
    }

    #[test]
    fn binary_files_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        fs::write(root.path().join("weights.rs"), [0xff, 0xfe, 0x00]).unwrap();
        let files = workspace::files(root.path()).unwrap();
        assert!(check(root.path(), &files).unwrap().is_empty());
    }
}
