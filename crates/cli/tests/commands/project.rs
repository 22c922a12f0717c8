//! A small project to train in: a tiny BERT without weights, generated tables, a recipe; and reading what a run left.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{Ran, Sandbox};

/// Words that tell the class, and words that do not.
const WORDS: [[&str; 6]; 3] = [
    ["별로", "지루", "최악", "실망", "돈이", "아깝다"],
    ["최고", "감동", "재밌게", "인생", "추천", "웃음"],
    ["영화", "배우", "연기", "정말", "그냥", "결말"],
];

/// The classes, as the table writes them.
pub(crate) const LABELS: [&str; 2] = ["neg", "pos"];

/// The size of the encoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) positions: usize,
}

/// One that trains in well under a second.
pub(crate) const TINY: Shape = Shape { hidden: 16, layers: 1, positions: 40 };

/// A directory with `base/`, tables and `recipe.toml`; its runs are called `recipe-001` and so on.
pub(crate) struct Project(pub(crate) Sandbox);

impl Project {
    /// Sixty reviews of two classes to train on, and fifteen to predict.
    pub(crate) fn reviews() -> Self {
        let project = Self(Sandbox::new());
        project.base(TINY);
        project.0.write("train.csv", &reviews(60));
        project.0.write("test.csv", &unlabelled(15));
        project.recipe("id = \"ID\"\ntext = \"review\"\ntest = \"test.csv\"\nholdout = 0.25", "epochs = 2");
        project
    }

    /// Forty pairs with scores from 0 to 5, without ids.
    pub(crate) fn pairs() -> Self {
        let project = Self(Sandbox::new());
        project.base(TINY);
        let mut table = "one,two,label\n".to_owned();
        for row in 0..40 {
            let score = row as f64 * 5.0 / 39.0;
            writeln!(table, "{},{},{score:.2}", text(row, row % 2), text(row + 1, usize::from(row > 20))).unwrap();
        }
        project.0.write("train.csv", &table);
        project.recipe("text = \"one\"\ntext_pair = \"two\"\nholdout = 0.25", "epochs = 2");
        project
    }

    /// Writes `base/`: a configuration and a vocabulary, no weights.
    pub(crate) fn base(&self, shape: Shape) {
        let vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].into_iter().chain(WORDS.into_iter().flatten());
        let vocabulary: Vec<&str> = vocabulary.collect();
        let config = json!({
            "model_type": "bert",
            "architectures": ["BertModel"],
            "vocab_size": vocabulary.len(),
            "hidden_size": shape.hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": 2,
            "intermediate_size": 2 * shape.hidden,
            "max_position_embeddings": shape.positions,
            "type_vocab_size": 2,
            "pad_token_id": 0,
        });
        self.0.write("base/config.json", &config.to_string());
        self.0.write("base/vocab.txt", &vocabulary.join("\n"));
        let settings = r#"{"tokenizer_class": "BertTokenizer", "do_lower_case": false}"#;
        self.0.write("base/tokenizer_config.json", settings);
    }

    /// Writes `recipe.toml` on `train.csv` with these further lines of `[data]` and `[train]`.
    pub(crate) fn recipe(&self, data: &str, train: &str) {
        let text = format!(
            "seed = 7\n\n[data]\ntrain = \"train.csv\"\nlabel = \"label\"\n{data}\n\n\
             [model]\nbase = \"base\"\ninit = \"random\"\nmax_length = 32\n\n\
             [train]\nbatch_size = 8\nlearning_rate = 1e-3\n{train}\n"
        );
        self.0.write("recipe.toml", &text);
    }

    /// `gyeol train recipe.toml` with further words.
    pub(crate) fn train(&self, words: &[&str]) -> Ran {
        self.0.gyeol(&[&["train", "recipe.toml"], words].concat())
    }

    /// The same, which must succeed; its report.
    pub(crate) fn report(&self, words: &[&str]) -> Value {
        self.train(&[words, &["--json"]].concat()).json()
    }

    /// The path of a file of run `number`.
    pub(crate) fn run_path(&self, number: usize, file: &str) -> PathBuf {
        self.0.path().join(format!(".gyeol/runs/recipe-{number:03}")).join(file)
    }

    /// The text of a file of run `number`.
    pub(crate) fn run_text(&self, number: usize, file: &str) -> String {
        let path = self.run_path(number, file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The weights of run `number`.
    pub(crate) fn weights(&self, number: usize) -> Vec<u8> {
        fs::read(self.run_path(number, "model/model.safetensors")).unwrap()
    }

    /// The predictions of run `number` in `file`, and their header.
    pub(crate) fn predictions(&self, number: usize, file: &str) -> (String, Vec<Vec<String>>) {
        let text = self.run_text(number, file);
        let mut lines = text.lines();
        let header = lines.next().unwrap().to_owned();
        // Ids and labels of these tables need no quotes.
        (header, lines.map(|line| line.split(',').map(str::to_owned).collect()).collect())
    }

    /// Every file below the project's directory with its bytes, but for what any command may cache or index.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut open = vec![self.0.path().to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.0.path()).unwrap().to_str().unwrap().to_owned();
                if name == ".gyeol/cache" || name.starts_with(".gyeol/store.db") {
                    continue;
                }
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        files
    }
}

/// The names in a directory, sorted.
pub(crate) fn names(dir: PathBuf) -> Vec<String> {
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// The bytes of every tensor of a safetensors file, by name.
pub(crate) fn tensors(file: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let (length, rest) = file.split_first_chunk().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header: BTreeMap<String, Value> = serde_json::from_slice(header).unwrap();
    let tensor = |(name, info): (String, Value)| {
        let [start, end]: [usize; 2] = serde_json::from_value(info["data_offsets"].clone()).ok()?;
        Some((name, data[start..end].to_vec()))
    };
    header.into_iter().filter_map(tensor).collect()
}

/// The class of a generated review; every seventh is labelled against its words, so that no model is right throughout.
fn class(row: usize) -> usize {
    (row / 3 + usize::from(row % 7 == 6)) % 2
}

/// Three to eleven words, every other of them of the class.
pub(crate) fn text(row: usize, class: usize) -> String {
    let word = |at: usize| {
        let kind = if at.is_multiple_of(2) { class } else { 2 };
        WORDS[kind][(row * 7 + at * (row % 5 + 1)) % 6]
    };
    (0..3 + row % 9).map(word).collect::<Vec<_>>().join(" ")
}

/// One row of a table of reviews, its id counted from `r0`.
pub(crate) fn review(row: usize) -> String {
    format!("r{row},{},{}\n", text(row, row / 3 % 2), LABELS[class(row)])
}

/// A table of reviews with the columns ID, review and label.
pub(crate) fn reviews(rows: usize) -> String {
    format!("ID,review,label\n{}", (0..rows).map(review).collect::<String>())
}

/// Reviews without labels, ids `t0` and so on, the last first.
fn unlabelled(rows: usize) -> String {
    let lines = (0..rows).rev().map(|row| format!("t{row},{}\n", text(row + 100, row % 2)));
    format!("ID,review\n{}", lines.collect::<String>())
}
