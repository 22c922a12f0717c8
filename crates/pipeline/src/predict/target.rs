//! What a name stands for when something is to be predicted with it: a tree whose leaves are model directories.
//!
//! A run that predicts in another way than by its own model has a variant of [`Node`], an arm in [`Finder::node`] that finds its
//! parts, and one in `together.rs` that combines what they predicted.

use std::collections::HashMap;
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
    /// Each once, wherever it is in the tree, and after those it is made of; the root is the last.
    pub(super) nodes: Vec<Node>,
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
}

/// What predicts; it names its parts by their numbers among the nodes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// The leaf of this number.
    Model(usize),
    /// The mean of those of the folds.
    Mean(Vec<usize>),
    /// Those of the rounds of a boosted run, and what the vote of each counts.
    Votes(Vec<usize>, Vec<f64>),
    Ensemble(Box<Ensemble>),
    /// A member of an ensemble that cannot predict, and why.
    Missing(String),
}

/// An ensemble with what its members are, in their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ensemble {
    pub(super) name: String,
    pub(super) saved: Saved,
    pub(super) members: Vec<usize>,
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
        let mut finder = Finder { allow_missing, ..Finder::default() };
        match run_of(name, runs)? {
            Some((runs, run)) => finder.node(&runs, &run)?,
            None => {
                let dir = model_directory(name, runs)?;
                finder.leaf(Leaf { name: dir.display().to_string(), dir, home: None })
            }
        };
        Ok(Self { leaves: finder.leaves, nodes: finder.nodes, allow_missing })
    }

    /// What all predict as one.
    pub(super) fn root(&self) -> &Node {
        &self.nodes[self.nodes.len() - 1]
    }

    /// The ensemble that `leaf` is in, the innermost, and the name of its member; `None` where no ensemble predicts.
    pub(super) fn member_with(&self, leaf: usize) -> Option<(&str, &str)> {
        self.nodes.iter().find_map(|node| {
            let Node::Ensemble(ensemble) = node else { return None };
            let member = ensemble.members.iter().position(|&member| self.computes(member, leaf))?;
            Some((ensemble.name.as_str(), ensemble.saved.members[member].name.as_str()))
        })
    }

    /// Whether `leaf` is in the node of this number, other than in an ensemble.
    fn computes(&self, node: usize, leaf: usize) -> bool {
        match &self.nodes[node] {
            Node::Model(own) => *own == leaf,
            Node::Mean(nodes) | Node::Votes(nodes, _) => nodes.iter().any(|&node| self.computes(node, leaf)),
            Node::Ensemble(_) | Node::Missing(_) => false,
        }
    }
}

#[derive(Default)]
struct Finder {
    leaves: Vec<Leaf>,
    nodes: Vec<Node>,
    /// The nodes of runs by their directories, so that one in many ensembles is looked at once.
    found: HashMap<PathBuf, usize>,
    /// The ensembles that the current one is a member of, the outermost first: their directories and names. A name may
    /// be that of a run of another home, too.
    within: Vec<(PathBuf, String)>,
    allow_missing: bool,
}

impl Finder {
    /// The number of the node of what `run` predicts with.
    fn node(&mut self, runs: &Runs, run: &Run) -> Result<usize, Error> {
        let dir = run.dir().canonicalize().unwrap_or_else(|_| run.dir().to_owned());
        if let Some(&node) = self.found.get(&dir) {
            return Ok(node);
        }
        let node = match Saved::of(run)? {
            Some(saved) => self.ensemble(runs, run, dir.clone(), saved)?,
            None => self.trained(runs, run)?,
        };
        self.found.insert(dir, node);
        Ok(node)
    }

    /// The node of a run that was trained. All that it needs is found before anything of it is among the leaves.
    fn trained(&mut self, runs: &Runs, run: &Run) -> Result<usize, Error> {
        let leaf = |name: &str, dir: PathBuf| Leaf { name: name.to_owned(), dir, home: Some(runs.home().to_owned()) };
        let recipe = recipe_of_parts(run);
        if recipe.as_ref().is_some_and(Recipe::is_boosted) {
            let voters = boost::voters(run, runs)?.into_iter();
            let (nodes, alphas) =
                voters.map(|Voter { run, model, alpha }| (self.leaf(leaf(&run, model)), alpha)).unzip();
            return Ok(self.push(Node::Votes(nodes, alphas)));
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
        let models = folds.iter().map(|fold| Ok(leaf(fold.name(), model_of(fold.model_dir(), Some(fold))?)));
        let models = models.collect::<Result<Vec<_>, Error>>()?;
        let nodes = models.into_iter().map(|leaf| self.leaf(leaf)).collect();
        Ok(self.push(Node::Mean(nodes)))
    }

    /// The node of the ensemble `run`, which lies in `dir`.
    fn ensemble(&mut self, runs: &Runs, run: &Run, dir: PathBuf, saved: Saved) -> Result<usize, Error> {
        let name = run.name().to_owned();
        let wrong = |problem| Err(Error::Ensemble { ensemble: name.clone(), problem });
        if self.within.iter().any(|(outer, _)| *outer == dir) {
            let names: Vec<&str> = self.within.iter().map(|(_, name)| name.as_str()).collect();
            return wrong(format!("it is a member of itself: {} > {name}", names.join(" > ")));
        }
        if self.within.len() == DEEPEST {
            return wrong(format!("it lies in {DEEPEST} ensembles, one in the other, which is the most"));
        }
        self.within.push((dir, name.clone()));
        let mut members = Vec::with_capacity(saved.members.len());
        for member in &saved.members {
            let found = match &member.source {
                Source::Run(run) => member_run(run, runs).and_then(|(runs, run)| self.node(&runs, &run)),
                Source::Foreign => wrong("its predictions are files of another tool, which has the model".to_owned()),
            };
            members.push(match found {
                Ok(node) => node,
                Err(error) if !error.is_user_error() => return Err(error),
                Err(error) => match (error, &member.source) {
                    // An ensemble within this one has already said which member it is.
                    (error @ Error::Ensemble { .. }, Source::Run(_)) if !self.allow_missing => return Err(error),
                    (Error::Ensemble { problem, .. }, _) if self.allow_missing => self.push(Node::Missing(problem)),
                    (error, _) if self.allow_missing => self.push(Node::Missing(error.to_string())),
                    (Error::Ensemble { problem, .. }, _) => return Err(missing(&name, &member.name, &problem)),
                    (error, _) => return Err(missing(&name, &member.name, &error.to_string())),
                },
            });
        }
        self.within.pop();
        Ok(self.push(Node::Ensemble(Box::new(Ensemble { name, saved, members }))))
    }

    /// The node of a leaf; both are there once.
    fn leaf(&mut self, leaf: Leaf) -> usize {
        if let Some(known) = self.leaves.iter().position(|known| known.dir == leaf.dir) {
            let node = self.nodes.iter().position(|node| *node == Node::Model(known));
            return node.unwrap_or_else(|| self.push(Node::Model(known)));
        }
        self.leaves.push(leaf);
        self.push(Node::Model(self.leaves.len() - 1))
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

/// The run that a member of an ensemble of `runs` is, and the runs it is one of: one of the same by name, one of others
/// by its absolute path. What lies in the working directory has no part in it.
fn member_run(source: &str, runs: &Runs) -> Result<(Runs, Run), Error> {
    if Path::new(source).is_absolute()
        && let Some(found) = run_of(source, runs)?
    {
        return Ok(found);
    }
    Ok((runs.clone(), runs.open(source)?))
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
