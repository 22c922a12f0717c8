//! The files of the demo: tables, an encoder without weights, and a recipe that puts them together.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{CLASS_NAMES, Review, reviews, vocabulary};
use crate::Error;

/// Rows that train, a tenth of which validates.
const TRAIN_ROWS: usize = 6000;

/// Rows that are predicted.
const TEST_ROWS: usize = 1000;

/// Entries of the encoder's vocabulary.
const VOCABULARY: usize = 2000;

/// Where the demo's files are.
#[derive(Debug, Clone)]
pub struct DemoFiles {
    /// The recipe.
    pub recipe: PathBuf,
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
    let encoder = dir.join("encoder");
    std::fs::create_dir_all(&encoder).map_err(|source| Error::Io {
        path: encoder.clone(),
        action: "create",
        source,
    })?;
    let all = reviews(seed, TRAIN_ROWS + TEST_ROWS);
    let (train, test) = all.split_at(TRAIN_ROWS);
    let vocabulary = vocabulary::build(train.iter().map(|review| review.text.as_str()), VOCABULARY);

    let files =
        DemoFiles { recipe: dir.join("recipe.toml"), test: dir.join("test.csv"), answers: dir.join("answers.csv") };
    put(&dir.join("train.csv"), &table(train, true))?;
    put(&files.test, &table(test, false))?;
    put(&files.answers, &table(test, true))?;
    put(&encoder.join("vocab.txt"), &(vocabulary.join("\n") + "\n"))?;
    put(&encoder.join("tokenizer_config.json"), &tokenizer_config())?;
    put(&encoder.join("config.json"), &config(vocabulary.len()))?;
    put(&files.recipe, &recipe(seed))?;
    Ok(files)
}

fn put(path: &Path, text: &str) -> Result<(), Error> {
    gyeol_data::write_atomic(path, |out| out.write_all(text.as_bytes())).map_err(|source| Error::Io {
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

fn tokenizer_config() -> String {
    pretty(&json!({
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": false,
        "strip_accents": false,
        "tokenize_chinese_chars": true,
        "model_max_length": 64,
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "mask_token": "[MASK]",
    }))
}

fn config(vocab_size: usize) -> String {
    pretty(&json!({
        "model_type": "bert",
        "vocab_size": vocab_size,
        "hidden_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 512,
        "hidden_act": "gelu",
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
        "pad_token_id": 0,
    }))
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn recipe(seed: u64) -> String {
    let names = CLASS_NAMES.map(|name| format!("\"{name}\"")).join(", ");
    format!(
        "# The demo: made-up Korean film reviews in four classes, and a small encoder that starts from random weights.
# The recipe.toml in the run's directory is this one with every key and its default written out.
name = \"demo\"
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
init = \"random\"
max_length = 64

[train]
epochs = 4
batch_size = 32
learning_rate = 1e-3
warmup_ratio = 0.1
"
    )
}

#[cfg(test)]
mod tests {
    use gyeol_data::{Table, Tokeniser};

    use super::*;
    use crate::recipe::Recipe;

    #[test]
    fn the_demo_is_a_recipe_that_loads_with_tables_and_a_tokeniser_that_open() {
        let dir = tempfile::tempdir().unwrap();
        let files = write(dir.path(), 1).unwrap();
        let recipe = Recipe::load(&files.recipe, &[]).unwrap();
        assert_eq!(Table::read(&recipe.data.train).unwrap().rows(), TRAIN_ROWS);
        assert_eq!(Table::read(&files.test).unwrap().rows(), TEST_ROWS);
        assert_eq!(Table::read(&files.answers).unwrap().rows(), TEST_ROWS);
        let tokeniser = Tokeniser::open(Path::new(&recipe.model.base)).unwrap();
        assert_eq!(tokeniser.vocab_size(), VOCABULARY);
    }

    #[test]
    fn the_same_seed_writes_the_same_files() {
        let [a, b] = [0, 1].map(|_| tempfile::tempdir().unwrap());
        let (first, second) = (write(a.path(), 7).unwrap(), write(b.path(), 7).unwrap());
        assert_eq!(std::fs::read(first.answers).unwrap(), std::fs::read(second.answers).unwrap());
        let vocabulary = |dir: &tempfile::TempDir| std::fs::read(dir.path().join("encoder/vocab.txt")).unwrap();
        assert_eq!(vocabulary(&a), vocabulary(&b));
    }
}
