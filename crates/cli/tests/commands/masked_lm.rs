//! `gyeol pretrain` and `gyeol adapt`: an encoder from raw text, a base adapted to a task, and fine-tuning from both.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::project::{Project, names, tensors, text};
use crate::support::{Ran, Sandbox};

/// Texts of a few words each, in which a word tells its neighbours.
fn corpus(lines: usize) -> String {
    (0..lines).fold(String::new(), |mut all, line| {
        writeln!(all, "{} {}", text(line, line % 2), ["ㅋㅋㅋ", "ㅠㅠ", "", "♥"][line % 4]).unwrap();
        all
    })
}

const RECIPE: &str = "\
[pretrain]
texts = [\"corpus.txt\"]
holdout = 0.2
max_length = 24
epochs = 6
batch_size = 16
learning_rate = 3e-3

[tokenizer]
vocab_size = 120

[encoder]
layers = 1
hidden_size = 32
heads = 2
max_positions = 40
";

/// A directory with a corpus and `encoder.toml`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("corpus.txt", &corpus(400));
    sandbox.write("encoder.toml", RECIPE);
    sandbox
}

fn pretrained(sandbox: &Sandbox, words: &[&str]) -> Value {
    sandbox.gyeol(&[&["pretrain", "encoder.toml", "--json"], words].concat()).json()
}

fn weights(sandbox: &Sandbox, run: &str) -> Vec<u8> {
    fs::read(sandbox.path().join(".gyeol/runs").join(run).join("model/model.safetensors")).unwrap()
}

/// A project whose base was pre-trained on texts like its own.
fn project_on_a_base(more: &str) -> Project {
    let project = Project::reviews();
    project.0.write("corpus.txt", &corpus(400));
    project.0.write("encoder.toml", RECIPE);
    pretrained(&project.0, &[]);
    let recipe = project.0.read("recipe.toml").replace("base = \"base\"\ninit = \"random\"", &base());
    project.0.write("recipe.toml", &format!("{recipe}\n{more}"));
    project
}

fn base() -> String {
    "base = \".gyeol/runs/encoder-001/model\"".to_owned()
}

const ADAPT: &str = "[adapt]\nepochs = 2\nbatch_size = 8\nlearning_rate = 1e-3\nholdout = 0.2\n";

#[test]
fn an_encoder_from_raw_text_learns_and_is_a_base_to_fine_tune() {
    let sandbox = sandbox();
    let ran = sandbox.gyeol(&["pretrain", "encoder.toml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stdout.contains("next: gyeol train recipe.toml --set model.base="), "{}", ran.stdout);

    let report: Value = serde_json::from_str(&sandbox.read(".gyeol/runs/encoder-001/report.json")).unwrap();
    let metric = |name: &str| report["metrics"][name].as_f64().unwrap();
    assert_eq!((&report["metric"], &report["task"]), (&json!("perplexity"), &json!("masked_lm")));
    assert!(metric("perplexity") < 0.7 * metric("perplexity_before"), "{report}");
    assert!((metric("masked_loss").exp() - metric("perplexity")).abs() < 1e-6 * metric("perplexity"));

    let config: Value = serde_json::from_str(&sandbox.read(".gyeol/runs/encoder-001/model/config.json")).unwrap();
    assert_eq!(config["architectures"], json!(["BertForMaskedLM"]));
    let tensors = tensors(&weights(&sandbox, "encoder-001"));
    assert!(tensors.contains_key("cls.predictions.bias"));
    assert!(!tensors.keys().any(|name| name.contains("decoder") || name.contains("pooler")));

    let ls = sandbox.gyeol(&["runs", "ls"]);
    assert!(ls.stdout.contains("encoder-001") && ls.stdout.contains("perplexity"), "{}", ls.stdout);

    let project = project_on_a_base("");
    let ran = project.train(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stderr.contains("new head"), "{}", ran.stderr);
}

#[test]
fn the_families_and_kinds_of_tokenisers_train() {
    let sandbox = sandbox();
    for (family, kind, head) in [
        ("roberta", "bpe", "lm_head.layer_norm.weight"),
        ("electra", "unigram", "generator_predictions.dense.weight"),
        ("bert", "unigram", "cls.predictions.transform.dense.weight"),
    ] {
        let sets = [
            format!("name=\"{family}-{kind}\""),
            format!("encoder.family=\"{family}\""),
            format!("tokenizer.kind=\"{kind}\""),
            "tokenizer.vocab_size=400".to_owned(),
            "encoder.embedding_size=16".to_owned(),
            "pretrain.epochs=1".to_owned(),
        ];
        let words: Vec<&str> = sets.iter().flat_map(|set| ["--set", set.as_str()]).collect();
        let report = pretrained(&sandbox, &words);
        let run = report["run"].as_str().unwrap();
        assert!(tensors(&weights(&sandbox, run)).contains_key(head), "{run}");
    }
}

#[test]
#[cfg(unix)]
fn a_pre_training_killed_half_way_ends_at_the_bits_of_one_that_was_not() {
    let long = |sandbox: &Sandbox| {
        let recipe = RECIPE.replace("epochs = 6", "max_steps = 600\nevaluate_every = 100");
        sandbox.write("encoder.toml", &recipe);
    };
    let undisturbed = sandbox();
    long(&undisturbed);
    let expected = pretrained(&undisturbed, &[]);

    let sandbox = sandbox();
    long(&sandbox);
    let mut child =
        sandbox.command(&["pretrain", "encoder.toml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let journal = sandbox.path().join(".gyeol/runs/encoder-001/events.jsonl");
    let begun = Instant::now();
    while !fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"step\":150,")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the run does not come to its 150th step");
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be killed");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(Command::new("sh").args(["-c", &format!("kill -KILL {}", child.id())]).status().unwrap().success());
    child.wait().unwrap();

    let report = pretrained(&sandbox, &["--resume"]);
    assert_eq!((&report["run"], &report["score"]), (&expected["run"], &expected["score"]));
    assert!(weights(&sandbox, "encoder-001") == weights(&undisturbed, "encoder-001"), "the weights differ");
    assert_eq!(report["metrics"], expected["metrics"], "the start is measured once");
}

#[test]
fn a_recipe_with_adapt_adapts_once_whatever_fine_tuning_does_then() {
    let project = project_on_a_base(ADAPT);
    let first = project.train(&[]);
    assert_eq!(first.code, Some(0), "{}", first.all());
    let runs = || names(project.0.path().join(".gyeol/runs"));
    assert_eq!(runs(), ["encoder-001", "recipe-001", "recipe-adapt-001"]);
    assert!(project.run_text(1, "report.json").contains("\"adapted_by\": \"recipe-adapt-001\""));
    let dry = project.train(&["--dry-run"]);
    assert!(dry.stderr.contains("the base is adapted already: recipe-adapt-001"), "{}", dry.stderr);
    let plain = project.train(&["--set", "name=\"plain\"", "--set", "train.learning_rate=3e-4"]);
    assert!(plain.stderr.contains("adapted to these texts before: recipe-adapt-001"), "{}", plain.stderr);
    assert_eq!(runs(), ["encoder-001", "plain-001", "recipe-001", "recipe-adapt-001"]);

    let ran = project.0.gyeol(&["adapt", "recipe.toml"]);
    assert!(ran.stdout.contains("recipe-adapt-001 finished"), "{}", ran.all());
    for change in ["adapt.mask=0.3", "adapt.texts=[\"train\"]", "clean={ repeats = 2 }"] {
        let before = runs().len();
        let ran = project.0.gyeol(&["adapt", "recipe.toml", "--set", change]);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        assert_eq!(runs().len(), before + 1, "{change}");
    }
}

#[test]
fn an_adapted_base_has_other_weights_and_fine_tuning_starts_from_them() {
    let project = project_on_a_base(ADAPT);
    let report = project.0.gyeol(&["adapt", "recipe.toml", "--json"]).json();
    let base = tensors(&weights(&project.0, "encoder-001"));
    let adapted = tensors(&weights(&project.0, report["run"].as_str().unwrap()));
    let words = "bert.embeddings.word_embeddings.weight";
    assert_eq!(base.keys().collect::<Vec<_>>(), adapted.keys().collect::<Vec<_>>());
    assert_ne!(base[words], adapted[words]);

    // At a learning rate of almost nothing a run shows what it started from.
    let ran = project.train(&["--set", "train.learning_rate=1e-12", "--set", "train.max_steps=1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let tuned = tensors(&project.weights(1));
    let near = |other: &[u8]| {
        let numbers =
            |bytes: &[u8]| -> Vec<f32> { bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect() };
        numbers(&tuned[words]).iter().zip(numbers(other)).all(|(a, b)| (a - b).abs() < 1e-6)
    };
    assert!(near(&adapted[words]) && !near(&base[words]));
}

#[test]
fn tokens_of_cleaning_get_rows_and_a_place_in_the_decoder() {
    let project = project_on_a_base(&format!("{ADAPT}\n[clean]\nemoticons = true\n"));
    let ran = project.train(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let sizes = |run: &str| {
        let tensors = tensors(&weights(&project.0, run));
        (
            tensors["bert.embeddings.word_embeddings.weight"].len() / 32,
            tensors.get("cls.predictions.bias").map(Vec::len),
        )
    };
    let (before, _) = sizes("encoder-001");
    let (rows, bias) = sizes("recipe-adapt-001");
    assert!(rows > before);
    assert_eq!((bias, sizes("recipe-001").0), (Some(rows), rows));
    assert!(project.0.read(".gyeol/runs/recipe-adapt-001/model/tokenizer.json").contains("[LAUGH]"));
}

/// `gyeol` with these words where there are `bytes` of memory.
fn within(sandbox: &Sandbox, bytes: u64, words: &[&str]) -> Ran {
    Ran::of(sandbox.command(words).env("GYEOL_MEMORY", bytes.to_string()).output().unwrap())
}

/// What a batch of one row takes, by the error of a run for which there is no memory.
fn least(sandbox: &Sandbox, words: &[&str], key: &str) -> u64 {
    let ran = within(sandbox, 1000, words);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    let (_, told) =
        ran.stderr.split_once(&format!("{key}: even batches of 1 rows take ")).expect("the key and what it takes");
    let [number, unit] = told.splitn(3, ' ').take(2).collect::<Vec<_>>()[..] else { panic!("{told}") };
    let scale = if unit == "KiB" { 1024.0 } else { 1024.0 * 1024.0 };
    (number.parse::<f64>().unwrap() * scale) as u64
}

#[test]
fn a_batch_too_large_for_memory_is_made_smaller_before_a_pre_training_begins() {
    let sandbox = sandbox();
    let words = ["pretrain", "encoder.toml", "--json", "--set", "pretrain.holdout=0", "--set", "pretrain.epochs=1"];
    let least = least(&sandbox, &words, "pretrain.batch_size");
    assert!(!sandbox.path().join(".gyeol/runs/encoder-001").exists());

    let ran = within(&sandbox, least * 5 / 4, &words);
    let report = ran.json();
    let [batch_size, accumulate] =
        ["batch_size", "accumulate"].map(|key| report[key].as_u64().expect("a smaller batch"));
    assert!(batch_size < 16 && batch_size * accumulate == 16, "{report}");
    let said = format!("training with batch_size = {batch_size} and accumulate = {accumulate} instead");
    assert!(ran.stderr.contains(&said) && report["warnings"].to_string().contains(&said), "{}", ran.all());

    // It is the run that the recipe would have asked for in the same words.
    let [rows, batches] =
        [("batch_size", batch_size), ("accumulate", accumulate)].map(|(key, value)| format!("pretrain.{key}={value}"));
    let asked = [&words[..], &["--set", &rows, "--set", &batches]].concat();
    assert_eq!(sandbox.gyeol(&asked).json()["batch_size"], Value::Null);
    assert!(weights(&sandbox, "encoder-001") == weights(&sandbox, "encoder-002"), "the weights differ");
}

#[test]
fn bad_input_is_named_and_nothing_is_left_behind() {
    let project = project_on_a_base("");
    let sandbox = &project.0;
    sandbox.write("empty.txt", "\n  \n\u{0}\n");
    sandbox.write("table.csv", "review\n좋다\n");
    fs::write(sandbox.path().join("broken.txt"), b"\xea\xb0\x80\n\xed\xa0\x80 lone\n").unwrap();
    let mut all = String::new();
    for (command, set) in [
        ("pretrain", "pretrain.texts=[\"missing.txt\"]"),
        ("pretrain", "pretrain.texts=[\"empty.txt\"]"),
        ("pretrain", "pretrain.texts=[\"broken.txt\"]"),
        ("pretrain", "pretrain.texts=[\"table.csv\"]"),
        ("pretrain", "pretrain.texts=[]"),
        ("pretrain", "pretrain.mask=0"),
        ("pretrain", "pretrain.max_length=64"),
        ("pretrain", "tokenizer.vocab_size=12"),
        ("pretrain", "encoder.heads=5"),
        ("adapt", "adapt.texts=[]"),
        ("adapt", "adapt.texts=[\"valid\", \"tset\"]"),
        ("adapt", "adapt.max_length=4096"),
        ("adapt", "model.init=\"random\""),
    ] {
        let recipe = if command == "adapt" { "recipe.toml" } else { "encoder.toml" };
        let runs = names(sandbox.path().join(".gyeol/runs"));
        let ran = sandbox.gyeol(&["-q", command, recipe, "--set", set]);
        let place = sandbox.path().display().to_string();
        writeln!(all, "{command} --set {set}\n{}\n", ran.all().replace(&place, "[DIR]")).unwrap();
        assert_eq!(names(sandbox.path().join(".gyeol/runs")), runs, "{set}");
    }
    insta::assert_snapshot!("masked_lm_bad_input", all);
}
