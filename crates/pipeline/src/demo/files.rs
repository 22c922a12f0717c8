//! The files of the demo: tables, the small Korean encoder, and two recipes that put them together.

use std::path::{Path, PathBuf};

use super::{CLASS_NAMES, Review, encoder, reviews};
use crate::Error;

/// Rows that train, a tenth of which validates.
const TRAIN_ROWS: usize = 6000;

/// Rows that are predicted.
const TEST_ROWS: usize = 1000;

/// Where the demo's files are.
#[derive(Debug, Clone)]
pub struct DemoFiles {
    /// The recipe.
    pub recipe: PathBuf,
    /// The recipe of a second model, to combine with the first.
    pub second: PathBuf,
    /// The table to predict, without labels.
    pub test: PathBuf,
    /// The same rows with their labels, to evaluate predictions with.
    pub answers: PathBuf,
}

/// Writes the demo's files into `dir`, replacing those of an earlier demo. Their contents are a function of `seed`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(dir: &Path, seed: u64) -> Result<DemoFiles, Error> {
    encoder::write(&dir.join("encoder"))?;
    let all = reviews(seed, TRAIN_ROWS + TEST_ROWS);
    let (train, test) = all.split_at(TRAIN_ROWS);

    let files = DemoFiles {
        recipe: dir.join("recipe.toml"),
        second: dir.join("second.toml"),
        test: dir.join("test.csv"),
        answers: dir.join("answers.csv"),
    };
    put(&dir.join("train.csv"), table(train, true).as_bytes())?;
    put(&files.test, table(test, false).as_bytes())?;
    put(&files.answers, table(test, true).as_bytes())?;
    put(&files.recipe, recipe(seed, &FIRST).as_bytes())?;
    put(&files.second, recipe(seed, &SECOND).as_bytes())?;
    Ok(files)
}

pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    gyeol_data::write_atomic(path, |out| out.write_all(bytes)).map_err(|source| Error::Io {
        path: path.to_owned(),
        action: "write",
        source,
    })
}

fn table(reviews: &[Review], labelled: bool) -> String {
    let mut text = String::from(if labelled { "id,review,label\n" } else { "id,review\n" });
    for review in reviews {
        let quoted = review.text.replace('"', "\"\"");
        let row = format!("{},\"{quoted}\"", review.id);
        text.push_str(&if labelled { format!("{row},{}\n", review.label) } else { row + "\n" });
    }
    text
}

/// What the two models of the demo differ in.
struct Model {
    name: &'static str,
    about: &'static str,
    learning_rate: &'static str,
    tables: &'static str,
}

const FIRST: Model = Model {
    name: "demo",
    about: "The demo: made-up Korean film reviews in four classes, and a small encoder that has read real ones.",
    learning_rate: "3e-4",
    tables: "",
};

const SECOND: Model = Model {
    name: "demo-mean",
    about: "A second model of the same rows, to combine with the first: the mean of the tokens, and smoothed labels.",
    learning_rate: "4e-4",
    tables: "
[head]
kind = \"linear\"
pooling = \"mean\"

[loss]
label_smoothing = 0.1
",
};

/// The seed deals the holdout: both models are validated on the same rows.
fn recipe(seed: u64, model: &Model) -> String {
    let names = CLASS_NAMES.map(|name| format!("\"{name}\"")).join(", ");
    let Model { name, about, learning_rate, tables } = model;
    format!(
        "# {about}
# The recipe.toml in the run's directory is this one with every key and its default written out.
name = \"{name}\"
seed = {seed}
metric = \"accuracy\"

[data]
train = \"train.csv\"
holdout = 0.1
id = \"id\"
text = \"review\"
label = \"label\"
task = \"classification\"
label_names = [{names}]

[model]
base = \"encoder\"
max_length = 64

[train]
epochs = 3
batch_size = 32
learning_rate = {learning_rate}
warmup_ratio = 0.1
{tables}"
    )
}

#[cfg(test)]
mod tests {
    use gyeol_data::{Table, Tokeniser};
    use gyeol_engine::hf::{EncoderConfig, Weights};

    use super::*;
    use crate::recipe::Recipe;

    #[test]
    fn the_demo_is_a_recipe_that_loads_with_tables_and_a_tokeniser_that_open() {
        let dir = tempfile::tempdir().unwrap();
        let files = write(dir.path(), 1).unwrap();
        let recipe = Recipe::load(&files.recipe, &[]).unwrap();
        assert_eq!(Recipe::load(&files.second, &[]).unwrap().data, recipe.data);
        assert_eq!(Table::read(&recipe.data.train).unwrap().rows(), TRAIN_ROWS);
        assert_eq!(Table::read(&files.test).unwrap().rows(), TEST_ROWS);
        assert_eq!(Table::read(&files.answers).unwrap().rows(), TEST_ROWS);
        let base = Path::new(&recipe.model.bases()[0]);
        let (tokeniser, config) = (Tokeniser::open(base).unwrap(), EncoderConfig::read(base).unwrap());
        assert_eq!(tokeniser.vocab_size(), config.vocab_size);
        assert!(Weights::open(base).unwrap().is_some());
    }

    #[test]
    fn the_same_seed_writes_the_same_files() {
        let [a, b] = [0, 1].map(|_| tempfile::tempdir().unwrap());
        let (first, second) = (write(a.path(), 7).unwrap(), write(b.path(), 7).unwrap());
        assert_eq!(std::fs::read(first.answers).unwrap(), std::fs::read(second.answers).unwrap());
    }
}
