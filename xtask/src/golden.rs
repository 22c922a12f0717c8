//! `cargo xtask golden`: runs every script that makes goldens and shows what that changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::{process, workspace};

/// Runs each `make*.py` found under a crate's `tests/`, then fails if git sees a difference.
pub(crate) fn run(root: &Path, python: &Path) -> Result<()> {
    let scripts: Vec<PathBuf> = workspace::files(root)?.into_iter().filter(|file| makes_goldens(file)).collect();
    if scripts.is_empty() {
        bail!("no make*.py under crates/*/tests; a golden is committed with the script that made it");
    }
    for script in &scripts {
        println!("== {}", script.display());
        process::run(Command::new(python).arg(script).current_dir(root))?;
    }
    let folders = scripts.iter().filter_map(|script| script.parent());
    let mut status = Command::new("git");
    status.args(["status", "--porcelain", "--"]).args(folders).current_dir(root);
    let changed = process::capture(&mut status)?;
    if !changed.is_empty() {
        print!("{changed}");
        bail!("the goldens above differ from the committed ones; commit them, and say why they moved");
    }
    println!("{} scripts reproduce the committed goldens", scripts.len());
    Ok(())
}

fn makes_goldens(file: &Path) -> bool {
    let parts: Vec<&str> = file.iter().filter_map(|part| part.to_str()).collect();
    let [crates, _, tests, .., name] = parts.as_slice() else { return false };
    *crates == "crates" && *tests == "tests" && name.starts_with("make") && name.ends_with(".py")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_make_scripts_of_tests_are_run() {
        assert!(makes_goldens(Path::new("crates/engine/tests/golden/make.py")));
        assert!(makes_goldens(Path::new("crates/data/tests/golden/make_tokenisers.py")));
        assert!(!makes_goldens(Path::new("crates/engine/tests/golden/check_written.py")));
        assert!(!makes_goldens(Path::new("crates/make.py")));
        assert!(!makes_goldens(Path::new("docs/tests/golden/make.py")));
    }
}
