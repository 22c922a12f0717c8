//! What a table may leave out, and where the preparation stops when it is asked to.

use std::fs;

use tempfile::TempDir;

use super::*;

/// A directory with a tiny base model without weights, `train.csv` with groups and sources, and a `valid.csv` as given.
fn project(valid: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    fs::create_dir(directory.path().join("base")).unwrap();
    let config = r#"{"model_type": "bert", "vocab_size": 7, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 16}"#;
    write("base/config.json", config);
    write("base/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n영화\n배우");
    write("base/tokenizer_config.json", r#"{"tokenizer_class": "BertTokenizer", "do_lower_case": false}"#);
    write("train.csv", "review,label,film,origin\n영화,pos,1,web\n배우,neg,2,app\n영화 배우,pos,1,web\n");
    write("valid.csv", valid);
    let recipe = "[data]\ntrain = \"train.csv\"\nvalid = \"valid.csv\"\ntest = \"valid.csv\"\ntext = \"review\"\n\
        label = \"label\"\ngroup = \"film\"\nsource = \"origin\"\n\
        [model]\nbase = \"base\"\ninit = \"random\"\nmax_length = 8\n";
    write("recipe.toml", recipe);
    directory
}

/// Remembers the phases, and asks to stop once it has been asked about it `patience` times.
struct Phases {
    phases: Vec<&'static str>,
    patience: std::cell::Cell<usize>,
}

impl Phases {
    fn new(patience: usize) -> Self {
        Self { phases: Vec::new(), patience: patience.into() }
    }
}

impl Watcher for Phases {
    fn phase(&mut self, name: &'static str) {
        self.phases.push(name);
    }

    fn warning(&mut self, _: &str) {}

    fn interrupted(&self) -> bool {
        let left = self.patience.get().checked_sub(1);
        self.patience.set(left.unwrap_or_default());
        left.is_none()
    }
}

fn prepare(directory: &TempDir, watcher: &mut Phases) -> Result<Prepared, Error> {
    let recipe = Recipe::load(&directory.path().join("recipe.toml"), &[])?;
    Prepared::new(recipe, Isa::fastest(), &directory.path().join("home"), &HubOptions::from_env(), watcher)
}

#[test]
fn a_table_to_validate_on_needs_neither_groups_nor_sources() {
    let directory = project("review,label\n배우 배우,neg\n영화 영화,pos\n");
    let prepared = prepare(&directory, &mut Phases::new(usize::MAX)).unwrap();
    let valid = prepared.valid.unwrap().examples;
    assert_eq!((valid.len(), valid.groups, valid.sources), (2, None, None));
    assert!(prepared.train.examples.groups.is_some());
}

#[test]
fn sources_of_the_table_to_validate_on_are_kept_where_it_has_them() {
    let directory = project("review,label,origin\n배우 배우,neg,web\n영화 영화,pos,app\n");
    let prepared = prepare(&directory, &mut Phases::new(usize::MAX)).unwrap();
    assert_eq!(prepared.valid.unwrap().examples.sources.unwrap(), ["web", "app"]);
}

#[test]
fn an_interruption_ends_every_phase_at_its_end() {
    let directory = project("review,label\n배우 배우,neg\n영화 영화,pos\n");
    let mut stopped_in = Vec::new();
    for patience in 0.. {
        let mut watcher = Phases::new(patience);
        match prepare(&directory, &mut watcher) {
            Err(Error::Interrupted) => stopped_in.extend(watcher.phases.last().copied()),
            Err(error) => panic!("{error}"),
            Ok(_) => break,
        }
    }
    stopped_in.dedup();
    assert_eq!(stopped_in, ["reading tables", "opening the base model", "tokenising"]);
}
