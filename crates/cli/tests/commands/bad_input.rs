//! What is wrong with tables, recipes and checkpoints, as `gyeol train` says it: exit code 2, a message that names the
//! place and what to do, and nothing written. Encodings that look wrong but are not are here too.

use std::{fs, path::Path};

use crate::project::{Project, Shape, TINY, names, review, reviews};

/// Asserts that training with `words` is refused with a message of all of `parts`, and that every file stays as it is.
fn refused(project: &Project, words: &[&str], parts: &[&str]) {
    let before = project.files();
    let ran = project.train(words);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
    assert!(ran.stderr.contains("error: "), "{}", ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "{part:?} not in\n{}", ran.stderr);
    }
    let after = project.files();
    let changed: Vec<&String> =
        before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).collect();
    assert!(changed.is_empty(), "{changed:?} changed");
}

/// The same with one `--set`.
fn refused_set(set: &str, parts: &[&str]) {
    refused(&Project::reviews(), &["--set", set], parts);
}

/// The same with another training table.
fn refused_table(table: &str, parts: &[&str]) {
    let project = Project::reviews();
    project.0.write("train.csv", table);
    refused(&project, &[], parts);
}

/// The same with the recipe's text after `change`.
fn refused_recipe(change: impl FnOnce(String) -> String, parts: &[&str]) {
    let project = Project::reviews();
    project.0.write("recipe.toml", &change(project.0.read("recipe.toml")));
    refused(&project, &[], parts);
}

/// A project whose recipe begins from the weights of a checkpoint, `base/`.
fn with_weights() -> Project {
    let project = Project::reviews();
    project.report(&["--set", "train.max_steps=1", "--set", "data.holdout=0"]);
    let weights = project.weights(1);
    fs::remove_dir_all(project.0.path().join(".gyeol")).unwrap();
    fs::write(project.0.path().join("base/model.safetensors"), weights).unwrap();
    project.0.write("recipe.toml", &project.0.read("recipe.toml").replace("init = \"random\"\n", ""));
    project
}

#[test]
fn a_file_that_is_not_there_is_named() {
    refused_set("data.train=trian.csv", &["trian.csv: cannot read: No such file"]);
    refused_set("data.test=nowhere/test.csv", &["nowhere/test.csv: cannot read: No such file"]);
    refused_set("data.valid=dev.csv", &["dev.csv: cannot read"]);
    refused_set("model.base=./bsae", &["bsae"]);
    let project = Project::reviews();
    let ran = project.0.gyeol(&["train", "recpie.toml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("recpie.toml"), "{}", ran.stderr);
}

#[test]
fn a_column_that_is_not_there_is_named_with_its_nearest() {
    refused_set(
        "data.label=lable",
        &["data.label: column \"lable\" not in ", "train.csv (ID, review, label); did you mean \"label\"?"],
    );
    refused_set("data.id=Id", &["data.id: column \"Id\"", "did you mean \"ID\"?"]);
    refused_set("data.text=sentence", &["data.text: column \"sentence\"", "train.csv (ID, review, label)\n"]);
    refused_set("data.group=origin", &["data.group: column \"origin\""]);
    let project = Project::reviews();
    project.0.write("test.csv", "ID,reviews\nt0,영화\n");
    refused(
        &project,
        &[],
        &["data.text: column \"review\" not in ", "test.csv (ID, reviews); did you mean \"reviews\"?"],
    );
}

#[test]
fn a_table_without_rows_is_refused() {
    refused_table("", &["train.csv: empty table: no header line"]);
    refused_table("ID,review,label\n", &["train.csv: empty table: no rows below the header (ID, review, label)"]);
    let project = Project::reviews();
    project.0.write("test.csv", "ID,review\n");
    refused(&project, &[], &["test.csv: empty table"]);
}

#[test]
fn a_label_that_training_does_not_have_is_named_with_its_row() {
    let project = Project::reviews();
    project.0.write("dev.csv", &format!("{}d7,그냥 영화,pso\n", reviews(3)));
    refused(
        &project,
        &["--set", "data.valid=dev.csv"],
        &["dev.csv: row 4 (line 5), id d7: label \"pso\" in column \"label\"", "pos"],
    );
}

#[test]
fn one_class_is_no_classification() {
    refused_table("ID,review,label\na,영화,pos\nb,배우,pos\n", &["column \"label\" holds the one label \"pos\""]);
}

#[test]
fn a_score_that_is_not_a_number_is_named_with_its_row() {
    for (score, at) in [("NaN", "row 2 (line 3), id b"), ("inf", "row 2"), ("", "row 2"), ("four", "row 2")] {
        let project = Project::reviews();
        project
            .0
            .write("train.csv", &format!("ID,review,label\na,영화,0.5\nb,배우,{score}\nc,연기,4.5\nd,결말,1.25\n"));
        let parts = ["train.csv: ", at, "column \"label\"", score];
        refused(&project, &["--set", "data.task=regression", "--set", "data.holdout=0"], &parts);
    }
}

#[test]
fn two_rows_of_one_id_are_named_both() {
    let table = format!("{}{}", reviews(12), review(4));
    refused_table(&table, &["train.csv: row 13 (line 14): id \"r4\" (column \"ID\") is already that of row 5"]);
}

#[test]
fn a_row_with_a_field_too_many_is_named() {
    let table = format!("{}r9,아니, 정말,pos\n", reviews(9));
    refused_table(&table, &["train.csv: row 10 (line 11): 4 fields where the header has 3"]);
    let table = format!("{}r9,\"아니, 정말,pos\n", reviews(9));
    refused_table(&table, &["train.csv: the quote opened on line 11 is never closed"]);
}

#[test]
fn names_of_classes_are_as_many_as_the_classes() {
    refused_set("data.label_names=[\"부정\", \"중립\", \"긍정\"]", &["data.label_names", "3", "2"]);
}

#[test]
fn a_holdout_that_leaves_nothing_is_refused() {
    let project = Project::reviews();
    project.0.write("train.csv", "ID,review,label\na,영화,neg\nb,배우,pos\n");
    refused(&project, &["--set", "data.test=train.csv"], &["data.holdout: ", "add rows"]);
}

#[test]
fn a_recipe_that_is_wrong_is_pointed_at() {
    let swap = |from: &'static str, to: &'static str| move |text: String| text.replace(from, to);
    refused_recipe(
        swap("epochs = 2", "epoch = 2"),
        &["recipe.toml:19:1: unknown key \"train.epoch\"; did you mean \"epochs\"?"],
    );
    refused_recipe(swap("epochs = 2", "epochs = \"2\""), &["recipe.toml:19:10: train.epochs: ", "a whole number"]);
    refused_recipe(swap("epochs = 2", "epochs = 2\nema = 1.0"), &["recipe.toml:20:7: train.ema: 1 is out of range"]);
    refused_recipe(swap("[train]", "[train"), &["recipe.toml:16:"]);
    refused_recipe(swap("text = \"review\"\n", ""), &["recipe.toml: data: missing key `text`"]);
    refused_set("train.epoch=3", &["--set train.epoch=3: unknown key", "did you mean \"epochs\"?"]);
    refused_set("train.learning_rate=fast", &["--set train.learning_rate=fast: train.learning_rate: "]);
    refused_set("train.batch_size=0", &["train.batch_size: 0"]);
    refused_set("swa.checkpoints=0", &["swa.checkpoints: 0", "at least 1"]);
    refused_set("guard=log_loss", &["guard: ", "has no <= or >=", "write one such as \"log_loss <= 1.2 * best\""]);
    refused_set("guard=rmse <= best", &["guard: rmse is not a metric of classification; use accuracy"]);
    refused_set("train.optimizer=adam", &["train.optimizer: unknown variant `adam`, expected one of `adamw`, `sgd`"]);
    refused_set("train.momentum=0.5", &["train.momentum: 0.5 is not read here: only `train.optimizer = \"sgd\"` does"]);
    refused_set("train.power=2", &["train.power: 2 is not read here: only `train.schedule = \"polynomial\"` does"]);
    refused(
        &Project::reviews(),
        &["--set", "train.warmup_steps=10", "--set", "train.warmup_ratio=0.1"],
        &["train.warmup_steps: 10 steps and train.warmup_ratio = 0.1 are both set; set one of them to 0"],
    );
    refused_set("train.layer_decay=0", &["train.layer_decay: 0 is out of range; expected above 0, and at most 1"]);
}

#[test]
fn a_word_that_is_no_value_of_its_key_names_those_there_are() {
    refused_set("train.precision=fp16", &["train.precision: unknown variant `fp16`, expected one of `auto`, `bf16`"]);
    refused_set("loss.kind=focol", &["loss.kind: unknown variant `focol`, expected one of `cross_entropy`, `focal`"]);
    refused_set("train.schedule=focal", &["train.schedule: unknown variant `focal`"]);
}

#[test]
fn a_seed_given_twice_is_refused() {
    refused(&Project::reviews(), &["--seeds", "1,2,1"], &["--seeds: 1 is given twice"]);
}

#[test]
fn a_metric_or_loss_of_the_other_task_is_refused() {
    refused_set("metric=pearson", &["metric: pearson is not a metric of classification; use accuracy"]);
    refused_set("loss.kind=l2", &["loss.kind: l2 is not a loss of classification; use cross_entropy, focal"]);
    refused_set("data.score_range=[0, 5]", &["data.score_range: only regression has scores"]);
    let pairs = Project::pairs();
    refused(&pairs, &["--set", "metric=accuracy"], &["metric: accuracy is not a metric of regression; use pearson"]);
    refused(
        &pairs,
        &["--set", "loss.kind=focal"],
        &["loss.kind: focal is not a loss of regression; use cross_entropy, l1, l2, huber, l1+huber, cosine"],
    );
    refused(&pairs, &["--set", "data.label_names=[\"a\"]"], &["data.label_names: only classification has classes"]);
}

#[test]
fn texts_longer_than_the_positions_of_the_model_are_refused() {
    refused_set(
        "model.max_length=64",
        &["model.max_length: 64 is more than the 40 positions of the model; use at most 40"],
    );
}

#[test]
fn more_frozen_layers_than_the_model_has_are_refused() {
    let most = "is more layers than the model's 1; use at most 1 (only the head trains)";
    refused_set("model.freeze_layers=2", &["model.freeze_layers: 2 ", most]);
    refused_set("model.freeze_layers=4/3", &["model.freeze_layers: 4/3 ", most]);
    refused_set("model.freeze_layers=1/0", &["model.freeze_layers: 1/0 is no share of the model's layers (1)"]);
    refused_set("model.freeze_layers=half", &["model.freeze_layers: expected a number of layers, or a share of them"]);
}

#[test]
fn a_tokeniser_larger_than_the_embedding_is_refused() {
    let project = Project::reviews();
    project.0.write("base/vocab.txt", &format!("{}\n하나\n둘", project.0.read("base/vocab.txt")));
    refused(&project, &[], &["model.base: the tokeniser of ", "base has 25 tokens, its word embedding only 23 rows"]);
}

#[test]
fn a_checkpoint_of_an_unknown_kind_is_refused() {
    let project = Project::reviews();
    let config = project.0.read("base/config.json");
    project.0.write("base/config.json", &config.replace("\"model_type\":\"bert\"", "\"model_type\":\"gpt2\""));
    refused(&project, &[], &["config.json: model_type \"gpt2\" is not supported; supported: bert"]);
    project.0.write("base/config.json", &config[..config.len() / 2]);
    refused(&project, &[], &["config.json: ", "line 1 column"]);
    fs::remove_file(project.0.path().join("base/config.json")).unwrap();
    refused(&project, &[], &["config.json: not found"]);
}

#[test]
fn a_checkpoint_without_weights_says_how_to_do_without() {
    refused_recipe(
        |text| text.replace("init = \"random\"\n", ""),
        &["base: no weights (model.safetensors or pytorch_model.bin); `model.init = \"random\"` starts without"],
    );
}

#[test]
fn a_checkpoint_without_a_tokeniser_is_refused() {
    let project = Project::reviews();
    fs::remove_file(project.0.path().join("base/vocab.txt")).unwrap();
    refused(&project, &[], &["base", "vocab.txt"]);
}

#[test]
fn weights_that_are_cut_off_are_named() {
    let project = with_weights();
    let path = project.0.path().join("base/model.safetensors");
    let whole = fs::read(&path).unwrap();
    for length in [0, 5, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        refused(&project, &[], &["model.safetensors: ", "truncated"]);
    }
    fs::write(&path, &whole).unwrap();
    project.report(&[]);
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    let project = with_weights();
    project.base(Shape { positions: TINY.positions + 8, ..TINY });
    let parts = ["model.safetensors: tensor \"bert.embeddings.position_embeddings.weight\"", "40", "48"];
    refused(&project, &[], &parts);
}

#[test]
fn a_pickle_that_wants_to_run_something_is_refused_and_not_run() {
    let hostile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/golden_hf/hostile");
    for name in names(hostile.clone()) {
        let project = Project::reviews();
        fs::copy(hostile.join(&name), project.0.path().join("base/pytorch_model.bin")).unwrap();
        // Nothing of it was run: no file appeared.
        refused(&project, &["--set", "model.init=pretrained"], &["pytorch_model.bin: refused: "]);
    }
}

#[test]
fn a_damaged_table_leaves_the_runs_before_it_alone() {
    let project = Project::reviews();
    project.report(&[]);
    project.0.write("train.csv", &format!("{}r60,영화\n", project.0.read("train.csv")));
    refused(&project, &[], &["train.csv: row 61 (line 62): 2 fields where the header has 3"]);
    refused(&project, &["--resume"], &["train.csv: row 61"]);
}

#[test]
fn a_learning_rate_that_explodes_is_failed_work_and_says_what_to_do() {
    let project = Project::pairs();
    let ran = project.train(&["--set", "train.learning_rate=1e30", "--set", "train.max_grad_norm=0"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.all());
    assert!(ran.stderr.contains("lower the learning rate"), "{}", ran.stderr);
    assert!(project.run_text(1, "events.jsonl").contains("\"event\":\"failed\""));
    assert!(!project.run_path(1, "model").exists() && !project.run_path(1, "report.json").exists());
}

#[test]
fn the_encodings_of_korean_spreadsheets_train_as_utf8_does() {
    let project = Project::reviews();
    project.report(&[]);
    let table = project.0.read("train.csv");
    project.0.write("train.csv", &format!("\u{feff}{}", table.replace('\n', "\r\n")));
    project.report(&[]);
    fs::write(project.0.path().join("train.csv"), encoding_rs::EUC_KR.encode(&table).0).unwrap();
    project.report(&[]);
    for run in 2..=3 {
        assert!(project.weights(run) == project.weights(1), "run {run}");
        assert_eq!(project.run_text(run, "valid.csv"), project.run_text(1, "valid.csv"));
    }
}
