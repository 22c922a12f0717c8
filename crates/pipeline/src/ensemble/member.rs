//! What the words of a command line name as a member of an ensemble.

use std::path::{Path, PathBuf};

use gyeol_engine::config::LossKind;

use super::{Saved, Source};
use crate::Error;
use crate::predict::run_of;
use crate::recipe::Recipe;
use crate::runs::{Run, Runs, Status};

/// A member that is there, its predictions not read yet.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// What it is called.
    pub(super) name: String,
    pub(super) source: Source,
    /// Predictions of labelled rows that it was not trained on.
    pub(super) valid: PathBuf,
    /// Predictions of the test table, if there are any.
    pub(super) test: Option<PathBuf>,
    /// The recipe whose tables hold the labels of its rows; `None` for files of another tool.
    pub(super) recipe: Option<Recipe>,
}

/// A member that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What it was called.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What `word` names: a run, the directory of one, or `[NAME=]VALID[,TEST]`, files of another tool, where a directory
/// stands for its `valid.csv` and `test.csv`.
///
/// # Errors
/// If there is no such thing, or it has no predictions of rows that it was not trained on.
pub(super) fn resolve(word: &str, runs: &Runs) -> Result<Member, Error> {
    // A name is a run's first: a directory that happens to be called so does not hide it.
    if let Some(run) = runs.find(word)? {
        return of_run(&run, runs, runs);
    }
    if let Some(member) = foreign(word)? {
        return Ok(member);
    }
    match run_of(word, runs)? {
        Some((home, run)) => of_run(&run, &home, runs),
        // The error of an unknown name tells the nearest one.
        None => of_run(&runs.open(word)?, runs, runs),
    }
}

/// The files that an ensemble of what `words` name is read from: predictions, and the tables of recipes. A word that names
/// nothing has none.
pub fn member_files(words: &[String], runs: &Runs) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for member in words.iter().filter_map(|word| resolve(word, runs).ok()) {
        files.extend(member.recipe.iter().flat_map(Recipe::files).map(Path::to_owned));
        files.push(member.valid);
        files.extend(member.test);
    }
    files
}

fn foreign(word: &str) -> Result<Option<Member>, Error> {
    let (name, files) = match word.split_once('=') {
        Some((name, files)) if !name.is_empty() && !Path::new(word).exists() => (Some(name), files),
        _ => (None, word),
    };
    let (valid, test) = match files.split_once(',') {
        Some((valid, test)) if !Path::new(files).exists() => (Path::new(valid), Some(PathBuf::from(test))),
        _ => (Path::new(files), None),
    };
    let is_run = valid.join("recipe.toml").is_file();
    let named_as_files = name.is_some() || test.is_some();
    if !named_as_files && (is_run || !valid.exists()) {
        return Ok(None);
    }
    let (valid, test) = if valid.is_dir() {
        (valid.join("valid.csv"), test.or_else(|| Some(valid.join("test.csv")).filter(|path| path.is_file())))
    } else {
        (valid.to_owned(), test)
    };
    if let Some(path) = [Some(&valid), test.as_ref()].into_iter().flatten().find(|path| !path.is_file()) {
        let problem = format!("{word}: there is no file {}", path.display());
        return Err(Error::Setting { key: "MEMBER", problem });
    }
    let own_name = || {
        let stem = valid.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let parent = valid.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        // Every tool calls its file so: the directory tells them apart.
        if stem == "valid" { parent.unwrap_or(stem) } else { stem }
    };
    let name = name.map_or_else(own_name, str::to_owned);
    let (valid, test) = (absolute(valid)?, test.map(absolute).transpose()?);
    Ok(Some(Member { name, source: Source::Foreign, valid, test, recipe: None }))
}

/// A path that is the same wherever the ensemble is used.
fn absolute(path: PathBuf) -> Result<PathBuf, Error> {
    std::path::absolute(&path).map_err(|source| Error::Io { path, action: "find", source })
}

fn of_run(run: &Run, home: &Runs, runs: &Runs) -> Result<Member, Error> {
    let valid = run.valid_path();
    if !valid.is_file() {
        let problem = match run.status()? {
            Status::Finished => {
                "it has no valid.csv: no row was held out from its training, so nobody knows what it is worth"
            }
            Status::Running => "it is still running",
            _ => "it has not finished; the command that began it goes on with --resume",
        };
        return Err(Error::NoModel { path: run.dir().to_owned(), problem: problem.to_owned() });
    }
    let here = home.root() == runs.root();
    let source = if here { run.name().to_owned() } else { absolute(run.dir().to_owned())?.display().to_string() };
    Ok(Member {
        name: run.name().to_owned(),
        source: Source::Run(source),
        valid: absolute(valid)?,
        test: Some(run.test_path()).filter(|path| path.is_file()).map(absolute).transpose()?,
        recipe: recipe_of(run, home, 0)?,
    })
}

/// Ensembles of ensembles end somewhere.
const DEEPEST: usize = 16;

/// The recipe that says where the labels of the rows of `run` are: its own, or of an ensemble that of its first member with
/// one.
fn recipe_of(run: &Run, home: &Runs, depth: usize) -> Result<Option<Recipe>, Error> {
    let Some(saved) = Saved::of(run)? else { return Ok(Some(Recipe::load(&run.recipe_path(), &[])?)) };
    if depth == DEEPEST {
        let problem = format!("more than {DEEPEST} ensembles are within each other");
        return Err(Error::Ensemble { ensemble: run.name().to_owned(), problem });
    }
    let mut runs = 0;
    for member in &saved.members {
        let Source::Run(name) = &member.source else { continue };
        runs += 1;
        if let Some((home, run)) = run_of(name, home)?
            && let Some(recipe) = recipe_of(&run, &home, depth + 1)?
        {
            return Ok(Some(recipe));
        }
    }
    if runs > 0 {
        let problem = "its members' runs are gone, whose recipes said where the labels of its rows are".to_owned();
        return Err(Error::Ensemble { ensemble: run.name().to_owned(), problem });
    }
    Ok(None)
}

/// Whether the rows that `recipe` speaks of may have any number of labels.
pub(super) fn is_multi_label(recipe: &Recipe) -> bool {
    recipe.loss.kind == Some(LossKind::Bce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_another_tool_are_named_by_their_stem_or_their_directory() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("xgboost");
        std::fs::create_dir(&dir).unwrap();
        for file in ["valid.csv", "test.csv", "oof.csv"] {
            std::fs::write(dir.join(file), "id,prediction\n").unwrap();
        }
        let runs = Runs::new(home.path());
        let named = |word: String| {
            let member = resolve(&word, &runs).unwrap();
            (member.name, member.test.is_some())
        };
        let path = |name: &str| dir.join(name).display().to_string();
        assert_eq!(named(dir.display().to_string()), ("xgboost".to_owned(), true));
        assert_eq!(named(path("oof.csv")), ("oof".to_owned(), false));
        assert_eq!(named(path("valid.csv")), ("xgboost".to_owned(), false));
        assert_eq!(named(format!("trees={},{}", path("oof.csv"), path("test.csv"))), ("trees".to_owned(), true));
        let error = resolve(&format!("trees={}", path("none.csv")), &runs).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("there is no file"), "{error}");
    }

    #[test]
    fn a_name_that_is_neither_a_run_nor_a_file_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let error = resolve("kcbert-001", &Runs::new(home.path())).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
