//! What a name stands for when something is to be predicted with it: a tree whose leaves are model directories.
//!
//! A run that predicts in another way than by its own model has a variant of [`Node`], an arm in [`Finder::node`] that finds its
//! parts, and one in `together.rs` that combines what they predicted.

use std::fs;
use std::path::{Path, PathBuf};

use crate::boost::{self, Voter};
use crate::division::Division;
use crate::ensemble::{Saved, Source};
use crate::recipe::Recipe;
use crate::runs::{Run, Runs};
use crate::{Error, model_directory};

use super::{model_of, run_of};

/// Ensembles within ensembles, at most.
const DEEPEST: usize = 16;

/// Model directories that predict together, one or more, and how their predictions become one.
#[derive(Debug, Clone)]
pub struct Target {
    /// Each directory once, wherever it is in the tree.
    pub(super) leaves: Vec<Leaf>,
    pub(super) root: Node,
    /// Members that cannot predict are left out.
    pub(super) allow_missing: bool,
}

/// A model directory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// What people know it by: the run's name, else the directory.
    pub(super) name: String,
    pub(super) dir: PathBuf,
    /// The home directory whose run it is of; `None` for a directory that is no run's.
    pub(super) home: Option<PathBuf>,
    /// What an ensemble with this member calls the ids of its tables.
    pub(super) id_column: Option<String>,
}

/// What predicts, from the leaves up.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// The leaf of this number.
    Model(usize),
    /// The mean of those of the folds.
    Mean(Vec<Node>),
    /// Those of the rounds of a boosted run, and what the vote of each counts.
    Votes(Vec<Node>, Vec<f64>),
    Ensemble(Box<Ensemble>),
    /// A member of an ensemble that cannot predict, and why.
    Missing(String),
}

/// An ensemble with what its members are, in their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ensemble {
    pub(super) name: String,
    pub(super) saved: Saved,
    pub(super) members: Vec<Node>,
}

impl Target {
    /// What `name` stands for: a run of `runs` (one model, those of its folds or rounds, or an ensemble), a run's directory, or a checkpoint
    /// directory. With `allow_missing`, members of ensembles that cannot predict are left out, here and when the others
    /// predict.
    ///
    /// # Errors
    /// If there is none, or a model is missing, which [`Error::Ensemble`] names as a member; if an ensemble is a member of
    /// itself.
    pub fn find(name: &str, runs: &Runs, allow_missing: bool) -> Result<Self, Error> {
        let mut finder = Finder { leaves: Vec::new(), within: Vec::new(), allow_missing };
        let root = match run_of(name, runs)? {
            Some((runs, run)) => finder.node(&runs, &run, None)?,
            None => {
                let dir = model_directory(name, runs)?;
                finder.leaf(Leaf { name: dir.display().to_string(), dir, home: None, id_column: None })
            }
        };
        Ok(Self { leaves: finder.leaves, root, allow_missing })
    }
}

struct Finder {
    leaves: Vec<Leaf>,
    /// The ensembles that the current one is a member of, the outermost first.
    within: Vec<String>,
    allow_missing: bool,
}

impl Finder {
    /// What `run` predicts with.
    fn node(&mut self, runs: &Runs, run: &Run, id_column: Option<&str>) -> Result<Node, Error> {
        if let Some(saved) = Saved::of(run)? {
            return self.ensemble(runs, run, saved);
        }
        let leaf = |name: &str, dir: PathBuf| Leaf {
            name: name.to_owned(),
            dir,
            home: Some(runs.home().to_owned()),
            id_column: id_column.map(str::to_owned),
        };
        let recipe = recipe_of_parts(run);
        if recipe.as_ref().is_some_and(Recipe::is_boosted) {
            let voters = boost::voters(run, runs)?.into_iter();
            let (nodes, alphas) =
                voters.map(|Voter { run, model, alpha }| (self.leaf(leaf(&run, model)), alpha)).unzip();
            return Ok(Node::Votes(nodes, alphas));
        }
        let Some(k) = recipe.as_ref().and_then(folds) else {
            return Ok(self.leaf(leaf(run.name(), model_of(run.model_dir(), Some(run))?)));
        };
        let folds = runs.folds_of(run.name(), k)?;
        if folds.len() < k as usize {
            let trained = folds.len();
            let problem =
                format!("{trained} of its {k} folds are trained; the command that began it goes on with --resume");
            return Err(Error::NoModel { path: run.dir().to_owned(), problem });
        }
        let models = folds.iter().map(|fold| Ok(self.leaf(leaf(fold.name(), model_of(fold.model_dir(), Some(fold))?))));
        Ok(Node::Mean(models.collect::<Result<_, Error>>()?))
    }

    fn ensemble(&mut self, runs: &Runs, run: &Run, saved: Saved) -> Result<Node, Error> {
        let name = run.name().to_owned();
        let wrong = |problem| Err(Error::Ensemble { ensemble: name.clone(), problem });
        if self.within.contains(&name) {
            return wrong(format!("it is a member of itself: {} > {name}", self.within.join(" > ")));
        }
        if self.within.len() == DEEPEST {
            return wrong(format!("it lies in {DEEPEST} ensembles, one in the other, which is the most"));
        }
        self.within.push(name.clone());
        let mut members = Vec::with_capacity(saved.members.len());
        for member in &saved.members {
            let found = match &member.source {
                Source::Run(run) => {
                    let open = run_of(run, runs).and_then(|found| match found {
                        Some(found) => Ok(found),
                        None => Ok((runs.clone(), runs.open(run)?)),
                    });
                    open.and_then(|(runs, run)| self.node(&runs, &run, Some(&saved.id_column)))
                }
                Source::Foreign => wrong("its predictions are files of another tool, which has the model".to_owned()),
            };
            members.push(match found {
                Ok(node) => node,
                Err(error) if !error.is_user_error() => return Err(error),
                Err(error) => match (error, &member.source) {
                    // An ensemble within this one has already said which member it is.
                    (error @ Error::Ensemble { .. }, Source::Run(_)) if !self.allow_missing => return Err(error),
                    (Error::Ensemble { problem, .. }, _) if self.allow_missing => Node::Missing(problem),
                    (error, _) if self.allow_missing => Node::Missing(error.to_string()),
                    (Error::Ensemble { problem, .. }, _) => return Err(missing(&name, &member.name, &problem)),
                    (error, _) => return Err(missing(&name, &member.name, &error.to_string())),
                },
            });
        }
        self.within.pop();
        Ok(Node::Ensemble(Box::new(Ensemble { name, saved, members })))
    }

    /// The node of a leaf, which is among the leaves once.
    fn leaf(&mut self, leaf: Leaf) -> Node {
        let known = self.leaves.iter().position(|known| known.dir == leaf.dir);
        Node::Model(known.unwrap_or_else(|| {
            self.leaves.push(leaf);
            self.leaves.len() - 1
        }))
    }
}

/// The error of a member that cannot predict.
pub(super) fn missing(ensemble: &str, member: &str, problem: &str) -> Error {
    let problem = format!("member {member}: {problem}; --allow-missing goes on with the other members");
    Error::Ensemble { ensemble: ensemble.to_owned(), problem }
}

/// The recipe of a run without a model of its own.
fn recipe_of_parts(run: &Run) -> Option<Recipe> {
    if run.model_dir().is_dir() {
        return None;
    }
    // A recipe of another kind or version is nothing that has parts here.
    Recipe::load(&run.recipe_path(), &[]).ok()
}

/// How many folds a run of this recipe has, if any.
fn folds(recipe: &Recipe) -> Option<u32> {
    (Division::of(recipe) == Division::Folds).then_some(recipe.folds.as_ref()?.k)
}

/// The bytes of the files in `dir` and below it.
pub(super) fn files_bytes(dir: &Path) -> Result<u64, Error> {
    let io = |path: &Path, action| {
        let path = path.to_owned();
        move |source| Error::Io { path, action, source }
    };
    let mut bytes = 0;
    for entry in fs::read_dir(dir).map_err(io(dir, "list"))? {
        let path = entry.map_err(io(dir, "list"))?.path();
        // Of what it points at, where it is a link.
        let metadata = fs::metadata(&path).map_err(io(&path, "look at"))?;
        bytes += if metadata.is_dir() { files_bytes(&path)? } else { metadata.len() };
    }
    Ok(bytes)
}
