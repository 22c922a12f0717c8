//! Members read and laid side by side, with the truth of the rows that all of them predicted without having trained on.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use gyeol_data::{LabelMap, LabelSets, Targets, Task, folds, labels_of};
use gyeol_eval::{EvalError, Expected, Foreign, Metric, Predictions, Scale, ensemble::Aligned};

use super::labelled::{LabelTable, LabelTables, TruthTable, reconciled, tested};
use super::member::{Member, Missing, is_multi_label, resolve};
use super::{PredictionsFile, SavedMember, Source, file_fingerprint};
use crate::prepare::go_on;
use crate::runs::Runs;
use crate::{Error, Watcher, classes};

/// What an ensemble is asked to be made of.
#[derive(Debug, Clone)]
pub struct Gathering<'a> {
    /// Runs, directories and files, as a command line names them.
    pub members: &'a [String],
    /// Where the labels are, if no member is a run.
    pub truth: Option<&'a TruthTable>,
    /// The declared metric; absent: that of the first run.
    pub metric: Option<Metric>,
    /// Whether members that cannot be used are left out.
    pub allow_missing: bool,
    /// How many members there have to be, at least.
    pub least: usize,
    /// Folds of cross-validated scores.
    pub folds: u32,
    /// Deals the rows into folds.
    pub seed: u64,
}

/// Members that can be combined.
#[derive(Debug)]
pub struct Gathered {
    /// Their predictions of the rows that none of them trained on.
    pub valid: Aligned,
    /// The truth of those rows.
    pub truth: Targets,
    /// Their predictions of the test table; absent where a member has none.
    pub test: Option<Aligned>,
    /// The members, in the order of both.
    pub members: Vec<SavedMember>,
    /// Those left out, and why.
    pub missing: Vec<Missing>,
    /// The members without predictions of a test table.
    pub untested: Vec<String>,
    /// What the table calls its ids.
    pub id_column: String,
    /// The declared metric.
    pub metric: Metric,
    /// The fold of each row, from 0.
    pub folds: Vec<u32>,
    /// What keeps rows together, equal for rows of a group; where the recipe names groups.
    pub groups: Option<Vec<u128>>,
    /// The source of each row, where the recipe names them.
    pub sources: Option<Vec<String>>,
    /// Names of the labels for people.
    pub label_names: Option<Vec<String>>,
    /// Lowest and highest score of a regression.
    pub score_range: Option<[f64; 2]>,
    /// The labels of the whole labelled table.
    pub labelled: Targets,
    /// The data of the first run's recipe.
    pub data: Option<gyeol_data::DataConfig>,
}

impl Gathered {
    /// Reads the members that `gathering` names, from runs of `runs` and files.
    ///
    /// # Errors
    /// The first member that cannot be used, with its name, unless those may be left out; if there are fewer than two, they
    /// have no row in common, or their tables do not go together.
    pub fn read(gathering: &Gathering<'_>, runs: &Runs, watcher: &mut dyn Watcher) -> Result<Self, Error> {
        let mut missing = Vec::new();
        let mut leave_out = |name: &str, error: Error, watcher: &mut dyn Watcher| {
            if !gathering.allow_missing || matches!(error, Error::Interrupted) {
                return Err(error);
            }
            watcher.warning(&format!("{name} is left out: {error}"));
            missing.push(Missing { name: name.to_owned(), problem: error.to_string() });
            Ok(())
        };
        let mut members: Vec<(Member, Option<usize>)> = Vec::new();
        let mut tables = LabelTables::default();
        for word in gathering.members {
            let found = resolve(word, runs).and_then(|member| {
                let place = tables.add(&member, watcher)?;
                Ok((member, place))
            });
            match found {
                Ok(member) => members.push(member),
                Err(error) => leave_out(word, error, watcher)?,
            }
            go_on(&*watcher)?;
        }
        refuse_twice(&members)?;
        tables.complete(gathering.truth)?;
        let first = tables.first();
        watcher.phase("reading predictions");
        let like = Like::of(first, &members)?;
        let mut read: Vec<(Member, Files)> = Vec::new();
        for (member, place) in members {
            let files = like.read(&member, tables.other(place), first, watcher);
            match files.and_then(|files| check_test(&read, &member, files)) {
                Ok(files) => read.push((member, files)),
                Err(error) => leave_out(&member.name, error, watcher)?,
            }
        }
        if read.len() < gathering.least {
            let least = gathering.least;
            let problem = format!("{} of the members named can be used; there have to be {least} or more", read.len());
            return Err(Error::Setting { key: "MEMBER", problem });
        }
        let rows = common_rows(&read, first, watcher)?;
        let ids: Vec<String> = rows.iter().map(|&row| first.examples.ids[row].clone()).collect();
        let parts: Vec<(String, &Predictions)> =
            read.iter().map(|(member, files)| (member.name.clone(), &files.valid.0)).collect();
        let valid = Aligned::new(&parts, &ids)?;
        let truth = targets(&valid, &rows, first)?;
        let (test, untested) = test(&read)?;
        if let Some(test) = &test {
            let shared = tested(&ids, test.ids(), first, watcher)?;
            if shared > 0 {
                let problem = format!(
                    "{shared} of the {} rows to fit weights to are test rows by their ids, and test labels are never used; \
                     take them out, or give one of the tables other ids",
                    ids.len()
                );
                return Err(Error::Setting { key: "MEMBER", problem });
            }
        }
        let data = first.recipe.as_ref().map(|recipe| recipe.data.clone());
        // Predictions alone do not tell the loss that a run was selected by.
        let of_run = first.recipe.as_ref().and_then(|recipe| recipe.metric).filter(|metric| *metric != Metric::Loss);
        let metric = gathering.metric.or(of_run).unwrap_or_else(|| Metric::default_for(valid.task()));
        if !metric.applies_to(valid.task()) {
            return Err(EvalError::MetricNotForTask { metric, task: valid.task() }.into());
        }
        let keys = first.examples.split_keys();
        let keys: Vec<u128> = rows.iter().map(|&row| keys[row]).collect();
        let folds = folds(&keys, &truth, gathering.folds, true, gathering.seed)
            .map_err(|error| Error::Setting { key: "--folds", problem: error.to_string() })?;
        let pick = |all: &Vec<String>| -> Vec<String> { rows.iter().map(|&row| all[row].clone()).collect() };
        let name = |label: &String| -> Option<String> {
            let place = like.labels.iter().position(|other| other == label)?;
            like.names.as_ref()?.get(place).cloned()
        };
        let label_names = valid.labels().iter().map(name).collect::<Option<Vec<_>>>().filter(|names| !names.is_empty());
        Ok(Self {
            labelled: labelled(first, &valid)?,
            groups: first.examples.groups.is_some().then_some(keys),
            sources: first.examples.sources.as_ref().map(pick),
            label_names,
            score_range: data.as_ref().and_then(|data| data.score_range),
            id_column: like.id_column,
            members: read.into_iter().map(|(member, files)| files.saved(member)).collect(),
            valid,
            truth,
            test,
            missing,
            untested,
            metric,
            folds,
            data,
        })
    }
}

/// Two members of one name could not be told apart.
fn refuse_twice(members: &[(Member, Option<usize>)]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    match members.iter().find(|(member, _)| !seen.insert(member.name.as_str())) {
        Some((member, _)) => {
            let problem = format!(
                "\"{}\" is named twice; a weight is what lets one count for more (files of another tool: NAME=VALID,TEST)",
                member.name
            );
            Err(Error::Setting { key: "MEMBER", problem })
        }
        None => Ok(()),
    }
}

/// What the predictions of every member have to be like.
struct Like {
    id_column: String,
    labels: Vec<String>,
    names: Option<Vec<String>>,
    task: Task,
}

/// The predictions of a member, and the files they were read from.
struct Files {
    valid: (Predictions, PredictionsFile),
    test: Option<(Predictions, PredictionsFile)>,
    renamed: Vec<(String, String)>,
}

impl Files {
    fn saved(self, member: Member) -> SavedMember {
        SavedMember {
            name: member.name,
            source: member.source,
            renamed: self.renamed,
            valid: self.valid.1,
            test: self.test.map(|(_, file)| file),
        }
    }
}

impl Like {
    /// As the first table is, and the run it is of.
    fn of(table: &LabelTable, members: &[(Member, Option<usize>)]) -> Result<Self, Error> {
        let recipe = table.recipe.as_ref();
        let task = match recipe {
            Some(recipe) if is_multi_label(recipe) => Task::MultiLabel,
            Some(recipe) if recipe.data.task == Some(Task::Regression) => Task::Regression,
            Some(_) => Task::Classification,
            None if gyeol_data::holds_label_sets(&table.examples) => Task::MultiLabel,
            None => gyeol_data::infer_task(&table.examples)?.task,
        };
        let labels = classes::fit(task, &table.examples)?;
        let given = table.examples.columns().id.clone();
        let own =
            members.iter().find_map(|(member, _)| member.recipe.as_ref()).and_then(|recipe| recipe.data.id.clone());
        Ok(Self {
            id_column: own.or(given).unwrap_or_else(|| "id".to_owned()),
            labels: labels.map(|labels| labels.labels().to_vec()).unwrap_or_default(),
            names: recipe.and_then(|recipe| recipe.data.label_names.clone()),
            task,
        })
    }

    /// Reads the files of `member`, whose labels are called by those of `first`.
    fn read(
        &self,
        member: &Member,
        table: Option<&LabelTable>,
        first: &LabelTable,
        watcher: &mut dyn Watcher,
    ) -> Result<Files, Error> {
        let wrong = |problem| -> Error { EvalError::Member { member: member.name.clone(), problem }.into() };
        let (valid, valid_file, scale) = self.predictions(&member.valid, member, watcher)?;
        let test = match &member.test {
            Some(path) => {
                let (test, file, of_test) = self.predictions(path, member, watcher)?;
                if of_test != scale {
                    let name = path.display();
                    return Err(wrong(format!(
                        "{name} seems to hold {}, {} {}; call the columns of both p_<label> or logit_<label>",
                        told(of_test),
                        valid_file.path.display(),
                        told(scale)
                    )));
                }
                Some((test, file))
            }
            None => None,
        };
        if valid.outputs().task() != self.task {
            return Err(wrong(format!("it is of {}, the labels are of {}", valid.outputs().task(), self.task)));
        }
        let theirs = valid.outputs().labels().to_vec();
        let same = same_labels(&theirs, &self.labels);
        let mut pairs = Vec::new();
        if let (Some(table), false) = (table, theirs.is_empty()) {
            let (found, other) = reconciled(&theirs, table, first, same).map_err(wrong)?;
            pairs = found;
            if !pairs.is_empty() {
                let told: Vec<String> = pairs.iter().map(|(their, our)| format!("{their} is {our}")).collect();
                watcher.note(&format!("{}: its labels by the rows both tables have: {}", member.name, told.join(", ")));
            }
            if other > 0 {
                let name = &member.name;
                watcher.warning(&format!(
                    "{other} rows have another label in the table of {name}; those of the first count"
                ));
            }
        } else if !same {
            let (theirs, ours) = (theirs.join(", "), self.labels.join(", "));
            return Err(wrong(format!("its classes are {theirs}; those of the labels are {ours}")));
        }
        if !valid.ids().iter().any(|id| first.row(id).is_some()) {
            let example = valid.ids().first().map_or("", String::as_str);
            let (rows, file) = (valid.len(), first.examples.file());
            return Err(wrong(format!("none of its {rows} rows, such as \"{example}\", is in {file}")));
        }
        let called = |predictions: Predictions| -> Result<Predictions, Error> {
            let labels = predictions.outputs().labels().iter();
            let ours = labels.map(|label| match pairs.iter().find(|(their, _)| their == label) {
                Some((_, our)) => our.clone(),
                None => label.clone(),
            });
            let ours = ours.collect();
            Ok(predictions.renamed(&self.id_column, ours)?)
        };
        let valid = (called(valid)?, valid_file);
        let test = match test {
            Some((test, file)) => Some((called(test)?, file)),
            None => None,
        };
        Ok(Files { valid, test, renamed: pairs })
    }

    fn predictions(
        &self,
        path: &Path,
        member: &Member,
        watcher: &mut dyn Watcher,
    ) -> Result<(Predictions, PredictionsFile, Scale), Error> {
        let bytes = fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), action: "read", source })?;
        let (predictions, scale) = match member.source {
            Source::Run(_) => (Predictions::read_from(&bytes[..], path)?, Scale::Probabilities),
            Source::Foreign => {
                let Self { id_column, labels, names, task } = self;
                let expected = Expected { id_column, labels, names: names.as_deref(), task: *task };
                let Foreign { predictions, scale, ignored } = Foreign::from_bytes(&bytes, path, &expected)?;
                let name = path.display();
                if scale == Scale::Logits {
                    watcher.note(&format!("{name}: its numbers are taken for logits"));
                }
                if !ignored.is_empty() {
                    watcher.note(&format!("{name}: columns passed over: {}", ignored.join(", ")));
                }
                (predictions, scale)
            }
        };
        let predictions = if self.task == Task::MultiLabel { predictions.independent() } else { predictions };
        let file = PredictionsFile { path: path.to_owned(), fingerprint: file_fingerprint(&bytes) };
        Ok((predictions, file, scale))
    }
}

fn told(scale: Scale) -> &'static str {
    match scale {
        Scale::Probabilities => "probabilities",
        Scale::Logits => "logits",
        Scale::Scores => "scores",
    }
}

/// Refuses a member that predicted another test table than those before it.
fn check_test(before: &[(Member, Files)], member: &Member, files: Files) -> Result<Files, Error> {
    let model = before.iter().find_map(|(member, files)| Some((&member.name, &files.test.as_ref()?.0)));
    if let (Some((first, model)), Some((test, _))) = (model, &files.test) {
        let ids: HashSet<&String> = model.ids().iter().collect();
        let other = test.ids().iter().find(|id| !ids.contains(id));
        if test.len() != model.len() || other.is_some() {
            let (rows, of_first) = (test.len(), model.len());
            let example = other.map_or_else(String::new, |id| format!(" (\"{id}\" is not among those)"));
            let problem =
                format!("it predicted {rows} test rows, {first} {of_first}{example}: those of one table go together");
            return Err(EvalError::Member { member: member.name.clone(), problem }.into());
        }
    }
    Ok(files)
}

fn same_labels(theirs: &[String], ours: &[String]) -> bool {
    theirs.len() == ours.len() && theirs.iter().all(|label| ours.contains(label))
}

/// The rows of the first table that every member predicted, in its order.
fn common_rows(read: &[(Member, Files)], first: &LabelTable, watcher: &mut dyn Watcher) -> Result<Vec<usize>, Error> {
    let mut counts = vec![0usize; first.examples.len()];
    let found = read.iter().flat_map(|(_, files)| files.valid.0.ids()).filter_map(|id| first.row(id));
    found.for_each(|row| counts[row] += 1);
    let rows: Vec<usize> = (0..counts.len()).filter(|&row| counts[row] == read.len()).collect();
    let told = |(member, files): &(Member, Files)| format!("{} {}", member.name, files.valid.0.len());
    let each: Vec<String> = read.iter().map(told).collect();
    if rows.is_empty() {
        let problem = format!(
            "no row was held out from every member ({}): give their recipes the same data.valid, the same seed for the holdout, or [folds]",
            each.join(", ")
        );
        return Err(Error::Setting { key: "MEMBER", problem });
    }
    if read.iter().any(|(_, files)| files.valid.0.len() > rows.len()) {
        watcher.warning(&format!(
            "{} rows were held out from every member ({}); only those say what the ensemble is worth",
            rows.len(),
            each.join(", ")
        ));
    }
    Ok(rows)
}

/// The truth of `rows` of the first table, by the labels of the members.
fn targets(valid: &Aligned, rows: &[usize], first: &LabelTable) -> Result<Targets, Error> {
    let labels = first.examples.labels.as_deref().unwrap_or_default();
    let map = LabelMap::from(valid.labels().to_vec());
    let class = |row: usize, label: &str| {
        map.index(label).ok_or_else(|| EvalError::UnknownLabel {
            id: first.examples.ids[row].clone(),
            label: label.to_owned(),
            known: valid.labels().to_vec(),
        })
    };
    Ok(match valid.task() {
        Task::Classification => {
            Targets::Classes(rows.iter().map(|&row| class(row, &labels[row])).collect::<Result<_, _>>()?)
        }
        Task::MultiLabel => {
            let mut sets = LabelSets::new(valid.labels().len());
            for &row in rows {
                sets.push(labels_of(&labels[row]).map(|label| class(row, label)).collect::<Result<Vec<_>, _>>()?);
            }
            Targets::Sets(sets)
        }
        Task::Regression => {
            let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
            gyeol_data::scores(&first.examples)?.select(&rows)
        }
    })
}

/// The truth of the whole first table.
fn labelled(first: &LabelTable, valid: &Aligned) -> Result<Targets, Error> {
    targets(valid, &(0..first.examples.len()).collect::<Vec<_>>(), first)
}

/// The predictions of the test table side by side, if all have them; and who has none.
fn test(read: &[(Member, Files)]) -> Result<(Option<Aligned>, Vec<String>), Error> {
    let untested: Vec<String> =
        read.iter().filter(|(_, files)| files.test.is_none()).map(|(member, _)| member.name.clone()).collect();
    let parts: Vec<(String, &Predictions)> =
        read.iter().filter_map(|(member, files)| Some((member.name.clone(), &files.test.as_ref()?.0))).collect();
    let (Some((_, model)), true) = (parts.first(), untested.is_empty()) else { return Ok((None, untested)) };
    Ok((Some(Aligned::new(&parts, model.ids())?), untested))
}
