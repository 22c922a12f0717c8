//! `[head]`: every head trains, is written, predicts what it predicted in training, and is refused where it does not fit.

use std::{fmt::Write as _, fs};

use serde_json::{Value, json};

use crate::{
    project::{Project, Shape, TINY, names, text},
    support::Sandbox,
};

/// Pairs with scores from 0 to 5 to train on, and others, with the same columns, to validate on.
fn project() -> Project {
    let project = Project(Sandbox::new());
    project.base(Shape { layers: 2, ..TINY });
    for (name, rows) in [("train.csv", 0..40), ("valid.csv", 40..60)] {
        let mut table = "id,one,two,label\n".to_owned();
        for row in rows {
            let (one, two) = (text(row, row % 2), text(row + 1, usize::from(row % 3 == 0)));
            writeln!(table, "p{row},{one},{two},{:.1}", (row * 7 % 51) as f64 / 10.0).unwrap();
        }
        project.0.write(name, &table);
    }
    let data = "id = \"id\"\ntext = \"one\"\ntext_pair = \"two\"\nvalid = \"valid.csv\"\ntask = \"regression\"\n\
                score_range = [0.0, 5.0]";
    project.recipe(data, "epochs = 2");
    project
}

/// Words that lay these settings over the recipe.
fn sets<'a>(settings: &[&'a str]) -> Vec<&'a str> {
    settings.iter().flat_map(|&set| ["--set", set]).collect()
}

const HEADS: [&[&str]; 7] = [
    &["head.kind=default", "head.dropout=0.3"],
    &["head.kind=linear"],
    &["head.kind=linear", "head.pooling=max", "head.dropout=0.2"],
    &["head.kind=mlp", "head.widths=[12, 6]", "head.pooling=mean", "head.activation=gelu"],
    &["head.kind=mlp", "head.widths=[9]"],
    &["head.kind=bi-encoder"],
    &["head.kind=bi-encoder", "head.pooling=max", "model.freeze_layers=1"],
];

#[test]
fn predict_repeats_what_a_run_predicted_with_any_head() {
    let project = project();
    for (number, head) in (1..).zip(HEADS) {
        let report = project.report(&sets(head));
        assert!(report["metrics"]["pearson"].is_f64(), "{head:?}: {report}");
        let run = format!("recipe-{number:03}");
        let ran = project.0.gyeol(&["predict", &run, "valid.csv", "-o", "out.csv"]);
        assert_eq!(ran.code, Some(0), "{head:?}: {}", ran.all());
        assert_eq!(project.0.read("out.csv"), project.run_text(number, "valid.csv"), "{head:?}");
        let (_, rows) = project.predictions(number, "valid.csv");
        assert!(rows.iter().all(|row| (0.0..=5.0).contains(&row[1].parse::<f64>().unwrap())), "{head:?}: {rows:?}");
    }
}

#[test]
fn classes_can_be_told_apart_by_pooled_tokens() {
    let project = Project::reviews();
    let words = sets(&["head.kind=mlp", "head.widths=[8]", "head.pooling=mean", "train.epochs=12"]);
    let report = project.report(&words);
    assert!(report["score"].as_f64().unwrap() > 0.5, "{report}");
    let ran = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "out.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(project.0.read("out.csv"), project.run_text(1, "test.csv"));
}

#[test]
fn a_head_without_a_class_of_transformers_leaves_a_directory_of_sentence_transformers() {
    let project = project();
    project.report(&sets(HEADS[3]));
    let files = [
        "1_Pooling",
        "2_Dense",
        "3_Dense",
        "4_Dense",
        "config.json",
        "config_sentence_transformers.json",
        "gyeol.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ];
    assert_eq!(names(project.run_path(1, "model")), files);
    let read = |file: &str| -> Value { serde_json::from_str(&project.run_text(1, &format!("model/{file}"))).unwrap() };
    assert_eq!(read("config.json")["architectures"], json!(["BertModel"]));
    let gyeol = read("gyeol.json");
    assert_eq!((&gyeol["head"], &gyeol["format"]), (&json!("mlp"), &json!(3)));
    let last = read("4_Dense/config.json");
    assert_eq!((&last["in_features"], &last["out_features"]), (&json!(6), &json!(1)));
    assert_eq!(last["activation_function"], "torch.nn.modules.linear.Identity");
    assert_eq!(read("3_Dense/config.json")["activation_function"], "torch.nn.modules.activation.GELU");
    assert_eq!(read("sentence_bert_config.json")["max_seq_length"], 32);
}

#[test]
fn the_resolved_recipe_has_what_the_head_came_to() {
    let project = project();
    project.report(&sets(HEADS[4]));
    let recipe = project.run_text(1, "recipe.toml");
    let table: toml::Table = recipe.parse().unwrap();
    let head = json!({"kind": "mlp", "pooling": "cls", "widths": [9], "activation": "tanh", "dropout": 0.1});
    let mut found = serde_json::to_value(&table["head"]).unwrap();
    // In single precision.
    found["dropout"] = json!((found["dropout"].as_f64().unwrap() * 1e6).round() / 1e6);
    assert_eq!(found, head, "{recipe}");
}

/// The model of run 1 as someone else would have left it, its encoder in `path` of the directory `foreign`.
fn foreign(project: &Project, path: &str) {
    let (from, to) = (project.run_path(1, "model"), project.0.path().join("foreign"));
    let encoder = to.join(path);
    fs::create_dir_all(&encoder).unwrap();
    fs::create_dir_all(to.join("1_Pooling")).unwrap();
    for name in names(from.clone()) {
        match name.as_str() {
            "gyeol.json" => {}
            "1_Pooling" => {
                fs::copy(from.join("1_Pooling/config.json"), to.join("1_Pooling/config.json")).unwrap();
            }
            "modules.json" | "config_sentence_transformers.json" => {
                fs::copy(from.join(&name), to.join(&name)).unwrap();
            }
            _ => {
                fs::copy(from.join(&name), encoder.join(&name)).unwrap();
            }
        }
    }
    let mut modules: Value = serde_json::from_slice(&fs::read(to.join("modules.json")).unwrap()).unwrap();
    modules[0]["path"] = json!(path);
    fs::write(to.join("modules.json"), modules.to_string()).unwrap();
}

#[test]
fn a_bi_encoder_of_others_predicts_cosines_and_can_be_trained_further() {
    let project = project();
    project.report(&sets(HEADS[6]));
    foreign(&project, "0_Transformer");
    let own = project.0.gyeol(&["predict", "recipe-001", "valid.csv", "-o", "own.csv", "--logits"]);
    assert_eq!(own.code, Some(0), "{}", own.all());
    let words = ["predict", "foreign", "valid.csv", "-o", "out.csv", "--id", "id", "--text", "one"];
    let ran = project.0.gyeol(&[&words[..], &["--text-pair", "two"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let cosines = |file: &str| -> Vec<f64> {
        project.0.read(file).lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect()
    };
    assert_eq!(cosines("out.csv"), cosines("own.csv"));
    assert!(cosines("out.csv").iter().all(|cosine| cosine.abs() <= 1.0));
    let ran = project.0.gyeol(&words);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("--text-pair: foreign compares two texts; name the column"), "{}", ran.stderr);

    project.report(&sets(&["head.kind=bi-encoder", "model.base=foreign", "model.init=pretrained"]));
    assert!(project.run_text(2, "recipe.toml").contains("pooling = \"max\""));
    project.report(&sets(&["head.kind=default", "model.base=foreign", "model.init=pretrained"]));

    let mut modules: Value = serde_json::from_str(&project.0.read("foreign/modules.json")).unwrap();
    modules[1]["type"] = json!("sentence_transformers.models.WeightedLayerPooling");
    project.0.write("foreign/modules.json", &modules.to_string());
    let ran = project.0.gyeol(&[&words[..], &["--text-pair", "two"]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("\"1_Pooling\" (sentence_transformers.models.WeightedLayerPooling)"), "{}", ran.stderr);
}

#[test]
fn a_directory_that_lost_its_modules_is_told_of() {
    let project = project();
    project.report(&sets(HEADS[1]));
    fs::remove_file(project.run_path(1, "model/modules.json")).unwrap();
    let ran = project.0.gyeol(&["predict", "recipe-001", "valid.csv", "-o", "out.csv"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("modules.json: not found; gyeol.json says that the head is in it"), "{}", ran.stderr);
}

#[test]
fn a_head_that_does_not_fit_is_refused_with_key_and_advice() {
    let project = project();
    let before = project.files();
    for (settings, told) in [
        (&["head.kind=bi-encodre"][..], "head.kind: unknown variant `bi-encodre`"),
        (&["head.kin=mlp"], "unknown key \"head.kin\"; did you mean \"kind\"?"),
        (&["head.pooling=mean"], "head.pooling: the architecture's own head reads the first token; set head.kind"),
        (&["head.kind=mlp"], "head.widths: an mlp needs the widths of its hidden layers, such as [512, 256]"),
        (&["head.kind=mlp", "head.widths=[8, 0]"], "head.widths: 0 is out of range; expected widths from 1"),
        (
            &["head.kind=linear", "head.widths=[8]"],
            "head.widths: only an mlp has hidden layers, this head is \"linear\"",
        ),
        (&["head.activation=relu"], "head.activation: only an mlp has hidden layers, this head is \"default\""),
        (&["head.kind=mlp", "head.widths=[8]", "head.activation=elu"], "head.activation: unknown variant `elu`"),
        (&["head.kind=linear", "head.dropout=1.0"], "head.dropout: 1 is out of range; expected from 0 to below 1"),
        (&["head.kind=bi-encoder", "head.dropout=0.1"], "head.dropout: a bi-encoder's head has no layer"),
        (
            &["head.kind=bi-encoder", "model.freeze_layers=2"],
            "model.freeze_layers: 2 leaves a bi-encoder nothing to train",
        ),
    ] {
        let ran = project.train(&sets(settings));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{settings:?}: {}", ran.all());
        assert!(ran.stderr.contains(told), "{settings:?}: {}", ran.stderr);
    }
    assert!(project.files() == before);
}

#[test]
fn a_bi_encoder_needs_two_texts_and_a_range_of_scores() {
    let project = project();
    for (data, told) in [
        ("task = \"regression\"\nscore_range = [0, 5]", "\"bi-encoder\" compares two texts; name the column"),
        ("task = \"regression\"\ntext_pair = \"two\"", "\"bi-encoder\" needs data.score_range = [lowest, highest]"),
        ("task = \"classification\"\ntext_pair = \"two\"", "needs data.task = \"regression\""),
    ] {
        project.recipe(&format!("id = \"id\"\ntext = \"one\"\nvalid = \"valid.csv\"\n{data}"), "epochs = 1");
        let ran = project.train(&sets(&["head.kind=bi-encoder"]));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
        assert!(ran.stderr.contains("head.kind: ") && ran.stderr.contains(told), "{}", ran.stderr);
    }
}
