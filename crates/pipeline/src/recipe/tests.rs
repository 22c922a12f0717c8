//! Recipes right and wrong.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use super::{PretrainRecipe, Recipe, RecipeError, difference};
use gyeol_engine::config::{EvaluateEvery, FreezeLayers, Schedule};
use gyeol_eval::Metric;

const SMALL: &str = r#"
[data]
train = "train.csv"
text = "review"
label = "label"

[model]
base = "klue/roberta-base"
"#;

fn parse(text: &str, sets: &[&str]) -> Result<Recipe, RecipeError> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    Recipe::parse(Path::new("reviews.toml"), text, &sets)
}

/// The message for `SMALL` with `sets`.
fn refusal(sets: &[&str]) -> String {
    let error = parse(SMALL, sets).unwrap_err();
    assert!(error.is_user_error());
    error.to_string()
}

/// The message for `SMALL` with `tail` after it; `SMALL` ends before line 9.
fn refusal_of_text(tail: &str) -> String {
    parse(&format!("{SMALL}{tail}"), &[]).unwrap_err().to_string()
}

#[test]
fn a_small_recipe_gets_every_default_and_the_name_of_its_file() {
    let recipe = parse(SMALL, &[]).unwrap();
    assert_eq!((recipe.name.as_str(), recipe.seed, recipe.metric), ("reviews", 42, None));
    assert_eq!(recipe.train.batch_size, 32);
    let toml = recipe.to_toml().unwrap();
    for written in ["seed = 42", "holdout = 0.1", "max_length = 128", "learning_rate = 0.00002", "[loss]"] {
        assert!(toml.contains(written), "{written} not in\n{toml}");
    }
}

#[test]
fn the_resolved_recipe_loads_to_an_equal_one_with_the_same_fingerprint() {
    let sets = [
        "metric=macro_f1",
        "model.dropout=0.1",
        "model.freeze_layers=1/3",
        "train.evaluate_every=50",
        "data.label_names=[\"부정\", \"긍정\"]",
        "loss.kind=cross_entropy",
        "name=한글 이름",
    ];
    let recipe = parse(SMALL, &sets).unwrap();
    let again = parse(&recipe.to_toml().unwrap(), &[]).unwrap();
    assert_eq!(again, recipe);
    assert_eq!(again.fingerprint().unwrap(), recipe.fingerprint().unwrap());
    let other = parse(SMALL, &["seed=43"]).unwrap();
    assert_ne!(other.fingerprint().unwrap(), recipe.fingerprint().unwrap());
}

#[test]
fn a_set_overrides_the_file_and_the_last_of_two_wins() {
    let sets = [
        "train.learning_rate=3e-5",
        "train.epochs=9",
        "train.epochs = 5",
        "train.schedule=cosine",
        "train.evaluate_every=epoch",
        "metric=\"macro_f1\"",
        "data.text=sentence",
        "model.base=monologg/koelectra-base-v3-discriminator",
    ];
    let recipe = parse(SMALL, &sets).unwrap();
    assert_eq!((recipe.train.learning_rate, recipe.train.epochs), (3e-5, 5));
    assert_eq!((recipe.train.schedule, recipe.train.evaluate_every), (Schedule::Cosine, EvaluateEvery::Epoch));
    assert_eq!((recipe.metric, recipe.data.text.as_str()), (Some(Metric::MacroF1), "sentence"));
    assert_eq!(recipe.model.bases(), ["monologg/koelectra-base-v3-discriminator"]);
}

#[test]
fn layers_to_freeze_are_a_number_or_a_share() {
    let frozen = |sets: &[&str]| parse(SMALL, sets).unwrap().model.freeze_layers;
    let third = FreezeLayers::Share { numerator: 1, denominator: 3 };
    assert_eq!(frozen(&[]), FreezeLayers::Count(0));
    assert_eq!(frozen(&["model.freeze_layers=4"]), FreezeLayers::Count(4));
    assert_eq!(frozen(&["model.freeze_layers=1/3"]), third);
    assert_eq!(frozen(&["model.freeze_layers=\" 1 / 3 \""]), third);
    let fingerprint = |set| parse(SMALL, &[set]).unwrap().fingerprint().unwrap();
    assert_ne!(fingerprint("model.freeze_layers=0"), fingerprint("model.freeze_layers=4"));
    for wrong in ["-1", "0.5", "true", "third", "1/", "/3", "-1/3", "1/3/4", "99999999999/3"] {
        let set = format!("model.freeze_layers={wrong}");
        let expected = "model.freeze_layers: expected a number of layers, or a share of them such as \"1/3\"";
        assert_eq!(refusal(&[&set]), format!("--set {set}: {expected}"));
    }
}

#[test]
fn a_set_can_give_a_table_the_file_lacks() {
    let recipe = parse("[model]\nbase = \"m\"", &["data.train=a.csv", "data.text=t", "data.label=l"]).unwrap();
    assert_eq!(recipe.data.train, Path::new("a.csv"));
}

#[test]
fn an_unknown_key_is_pointed_at_with_the_nearest_known_one() {
    assert_eq!(
        refusal_of_text("[train]\nlearning_rat = 1e-5\n"),
        "reviews.toml:10:1: unknown key \"train.learning_rat\"; did you mean \"learning_rate\"?"
    );
    assert_eq!(
        refusal(&["train.epoch=3"]),
        "--set train.epoch=3: unknown key \"train.epoch\"; did you mean \"epochs\"?"
    );
    assert_eq!(
        refusal(&["learning_rate=1"]),
        "--set learning_rate=1: unknown key \"learning_rate\"; did you mean \"train.learning_rate\"?"
    );
    assert!(refusal(&["nonsense=1"]).contains(
        "(there are name, seed, metric, guard, data, clean, model, head, adapt, train, loss, swa, sample, folds, boost, refit, tuned)"
    ));
    assert!(refusal_of_text("[trian]\nepochs = 3\n").ends_with("did you mean \"train\"?"));
}

#[test]
fn folds_and_sampling_are_absent_or_have_every_key_written_out() {
    let plain = parse(SMALL, &[]).unwrap().to_toml().unwrap();
    assert!(!plain.contains("folds") && !plain.contains("sample") && !plain.contains("refit"));
    let recipe = parse(&format!("{SMALL}[folds]\n[sample]\nundersample = {{ \"0.0..1.0\" = 0.5 }}\n"), &[]).unwrap();
    let toml = recipe.to_toml().unwrap();
    for written in ["k = 5", "stratify = true", "balance = false", "\"0.0..1.0\" = 0.5"] {
        assert!(toml.contains(written), "{written} not in\n{toml}");
    }
    assert_eq!(parse(&toml, &[]).unwrap(), recipe);
    assert!(refusal(&["folds.k=1"]).contains("folds.k: 1 leaves nothing to train on"));
    assert!(refusal(&["sample.undersample={\"1\" = 0.0}"]).contains("sample.undersample: 0 is no share"));
}

#[test]
fn cleaning_is_absent_or_has_every_key_written_out() {
    assert!(!parse(SMALL, &[]).unwrap().to_toml().unwrap().contains("clean"));
    let recipe = parse(&format!("{SMALL}[clean]\nemoticons = true\n"), &["clean.keep_characters=,.?!"]).unwrap();
    let toml = recipe.to_toml().unwrap();
    for written in
        ["emoticons = true", "keep_characters = \",.?!\"", "unicode = true", "urls = false", "rare_words = 0"]
    {
        assert!(toml.contains(written), "{written} not in\n{toml}");
    }
    assert_eq!(parse(&toml, &[]).unwrap(), recipe);
    assert_eq!(
        refusal(&["clean.emoticon=true"]),
        "--set clean.emoticon=true: unknown key \"clean.emoticon\"; did you mean \"emoticons\"?"
    );
    assert!(refusal(&["clean.emoticons=3"]).contains("expected true, false, or the path of a table of emoticons"));
    assert!(refusal(&["clean.stop_words=[\"두 단어\"]"]).contains("clean.stop_words: \"두 단어\" is not one word"));
}

#[test]
fn the_table_of_emoticons_is_beside_the_recipe() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recipe.toml");
    fs::write(&path, format!("{SMALL}[clean]\nemoticons = \"mine.txt\"\n")).unwrap();
    let emoticons = Recipe::load(&path, &[]).unwrap().clean.unwrap().emoticons;
    assert_eq!(emoticons, gyeol_data::EmoticonsConfig::Table(directory.path().join("mine.txt")));
}

#[test]
fn the_first_key_in_which_two_recipes_differ_is_told_with_both_values() {
    let toml = |sets: &[&str]| parse(SMALL, sets).unwrap().to_toml().unwrap();
    let told = |a: &[&str], b: &[&str]| difference(&toml(a), &toml(b)).map(|difference| difference.to_string());
    assert_eq!(told(&["seed=3"], &["seed = 3"]), None);
    assert_eq!(told(&["train.epochs=4"], &["train.epochs=2"]).unwrap(), "its train.epochs is 4, the recipe's is 2");
    assert_eq!(told(&[], &["metric=macro_f1"]).unwrap(), "its metric is not set, the recipe's is \"macro_f1\"");
    assert_eq!(difference("seed = 1", "seed=1 # the same"), None);
    assert!(difference("no toml", "seed = 1").is_none());
}

#[test]
fn a_value_of_the_wrong_type_names_its_place_key_and_what_is_expected() {
    let message = refusal_of_text("[train]\nepochs = \"three\"\n");
    assert!(message.starts_with("reviews.toml:10:10: train.epochs: "), "{message}");
    assert!(message.contains("expected a whole number"), "{message}");
    let message = refusal(&["train.schedule=linaer"]);
    assert!(message.starts_with("--set train.schedule=linaer: train.schedule: unknown variant"), "{message}");
    let message = refusal(&["train.precision=fp16"]);
    assert!(message.contains("unknown variant `fp16`, expected one of `auto`, `bf16`, `f32`"), "{message}");
    let message = refusal(&["train=3"]);
    assert!(message.starts_with("--set train=3: train: "), "{message}");
    let message = refusal(&["train.shuffle=yes"]);
    assert!(message.contains("expected true or false"), "{message}");
    let message = refusal(&["metric=acuracy"]);
    assert!(message.starts_with("--set metric=acuracy: metric: "), "{message}");
}

#[test]
fn a_missing_key_names_its_table() {
    let message =
        parse("[data]\ntrain = \"a.csv\"\nlabel = \"l\"\n[model]\nbase = \"m\"\n", &[]).unwrap_err().to_string();
    assert_eq!(message, "reviews.toml: data: missing key `text`");
    let message = parse("[data]\ntrain = \"a.csv\"\nlabel = \"l\"\ntext = \"t\"\n", &[]).unwrap_err().to_string();
    assert_eq!(message, "reviews.toml: missing key `model`");
}

#[test]
fn text_that_is_no_toml_is_pointed_at() {
    let message = refusal_of_text("[train\n");
    assert!(message.starts_with("reviews.toml:9:"), "{message}");
    let message = refusal_of_text("[model]\n");
    assert!(message.starts_with("reviews.toml:9:"), "{message}");
}

#[test]
fn a_set_that_is_no_assignment_says_how_to_write_one() {
    assert_eq!(refusal(&["train.epochs"]), "--set train.epochs: write it as KEY=VALUE");
    assert!(refusal(&["train.epochs="]).contains("the value is missing"));
    assert!(refusal(&["=3"]).contains("the key must be"));
    assert!(refusal(&["a b=3"]).contains("the key must be"));
    assert!(refusal(&["[train]\nepochs=3"]).contains("the key must be"));
}

#[test]
fn values_out_of_range_name_their_key() {
    for (set, key) in [
        ("train.batch_size=0", "train.batch_size: 0"),
        ("train.eval_batch_size=0", "train.eval_batch_size: 0"),
        ("train.accumulate=0", "train.accumulate: 0"),
        ("train.keep=0", "train.keep: 0"),
        ("train.epochs=0", "train.epochs: "),
        ("train.learning_rate=0.0", "train.learning_rate: 0"),
        ("train.learning_rate=nan", "train.learning_rate: NaN"),
        ("train.learning_rate=inf", "train.learning_rate: inf"),
        ("train.warmup_ratio=1.5", "train.warmup_ratio: 1.5"),
        ("train.weight_decay=-0.1", "train.weight_decay: -0.1"),
        ("train.max_grad_norm=-1", "train.max_grad_norm: -1"),
        ("model.max_length=2", "model.max_length: 2"),
        ("model.dropout=1.0", "model.dropout: 1"),
        ("model.base=\"\"", "model.base: "),
        ("data.holdout=1.0", "data.holdout: 1"),
        ("name=\"a/b\"", "name: \"a/b\""),
        ("name=\"\"", "name: \"\""),
        ("name=..", "name: \"..\""),
    ] {
        let message = refusal(&[set]);
        assert!(message.starts_with(&format!("--set {set}: {key}")), "{set}: {message}");
    }
    assert!(refusal(&["metric=pearson", "data.task=classification"]).contains("use one of accuracy"));
    assert!(parse(SMALL, &["train.epochs=0", "train.max_steps=5"]).is_ok());
}

#[test]
fn paths_are_taken_from_the_recipes_directory_and_a_hub_id_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("reviews.toml");
    fs::create_dir_all(dir.path().join("models/kcbert")).unwrap();
    fs::write(&path, format!("\u{feff}{SMALL}")).unwrap();
    let base = |base: &str| {
        let sets = [format!("model.base={base}"), "data.valid=sub/dev.csv".to_owned()];
        Recipe::load(&path, &sets).unwrap().model.bases()[0].clone()
    };
    let recipe = Recipe::load(&path, &["data.valid=sub/dev.csv".to_owned()]).unwrap();
    assert_eq!(recipe.data.train, dir.path().join("train.csv"));
    assert_eq!(recipe.data.valid.unwrap(), dir.path().join("sub/dev.csv"));
    assert_eq!(recipe.model.bases(), ["klue/roberta-base"]);
    assert_eq!(Path::new(&base("models/kcbert")), dir.path().join("models/kcbert"));
    assert_eq!(Path::new(&base("models/kcbret")), dir.path().join("models/kcbret"));
    assert_eq!(Path::new(&base("./kcbert")), dir.path().join("kcbert"));
    assert_eq!(base("kcbert"), "kcbert");
}

#[test]
fn a_missing_recipe_is_the_users_error() {
    let error = Recipe::load(Path::new("no/such/recipe.toml"), &[]).unwrap_err();
    assert!(error.is_user_error());
    assert!(error.to_string().contains("no/such/recipe.toml"));
}

/// The recipe files in a directory of the repository.
fn committed(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(directory);
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn recipes_in_the_repository_load() {
    let (examples, encoders) = (committed("examples/reviews"), committed("encoders/ko-reviews"));
    assert!(!examples.is_empty() && !encoders.is_empty());
    for path in examples {
        let recipe = Recipe::load(&path, &[]).unwrap();
        assert!(Path::new(&recipe.model.bases()[0]).is_dir(), "{}", path.display());
    }
    for path in encoders {
        PretrainRecipe::load(&path, &[]).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_and_no_set_panics(text in "\\PC{0,60}", set in "[a-z.=\"\\[\\]{}#\n가 0-9]{0,24}") {
        let _ = parse(&text, &[&set]);
        let _ = parse(SMALL, &[&set, &format!("train.epochs={text}")]);
    }

    #[test]
    fn a_text_value_arrives_as_given(value in "[a-zA-Z가-힣][a-zA-Z가-힣 _\"'#=]{0,12}[a-z]") {
        // Words TOML gives a meaning of their own.
        prop_assume!(!["true", "false", "inf", "nan"].contains(&value.as_str()));
        let recipe = parse(SMALL, &[&format!("data.text={value}")]).unwrap();
        prop_assert_eq!(recipe.data.text, value);
    }
}
