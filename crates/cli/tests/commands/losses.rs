//! `[loss]` in a recipe: what a run of each loss leaves, class weights and their warning, score buckets from training to
//! prediction, and settings that do not go together.

use serde_json::{Value, json};

use crate::project::Project;

/// The words that set keys.
fn sets<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    keys.iter().flat_map(|key| ["--set", key]).collect()
}

/// Reviews of which three in four are negative, which the validation rows keep.
fn unbalanced() -> Project {
    let project = Project::reviews();
    let table = project.0.read("train.csv");
    let mut lines = table.lines();
    let header = lines.next().unwrap();
    let mut kept = Vec::new();
    for (row, line) in lines.enumerate() {
        if line.ends_with(",neg") || row % 3 == 0 {
            kept.push(line);
        }
    }
    project.0.write("train.csv", &format!("{header}\n{}\n", kept.join("\n")));
    project
}

#[test]
fn every_loss_trains_and_its_recipe_says_all_of_it() {
    let reviews = Project::reviews();
    let pairs = Project::pairs();
    for (project, run, loss) in [
        (&reviews, 1, "focal"),
        (&reviews, 2, "cross_entropy"),
        (&pairs, 1, "l1"),
        (&pairs, 2, "l2"),
        (&pairs, 3, "huber"),
        (&pairs, 4, "l1+huber"),
    ] {
        let kind = format!("loss.kind={loss}");
        let report = project.report(&sets(&[&kind, "train.epochs=1"]));
        assert!(report["score"].is_number(), "{loss}: {report}");
        assert_eq!(report["warnings"], json!([]), "{loss}");
        let recipe = project.run_text(run, "recipe.toml");
        let table = format!(
            "[loss]\nkind = \"{loss}\"\ngamma = 2.0\nclass_weights = \"none\"\nclass_weights_smooth = 0.0\n\
             label_smoothing = 0.0\nhuber_delta = 1.0\nbuckets = 11\n"
        );
        assert!(recipe.contains(&table), "{recipe}");
    }
}

#[test]
fn class_weights_are_told_and_reported_and_warned_about_beside_accuracy() {
    let project = unbalanced();
    let words = sets(&["loss.kind=focal", "loss.class_weights=inverse_frequency", "train.learning_rate=1e-2"]);
    let named = sets(&["data.label_names=[\"부정\", \"긍정\"]"]);
    let ran = project.train(&[&words[..], &named].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let report: Value = serde_json::from_str(&project.run_text(1, "report.json")).unwrap();
    let weight = |class: usize| report["class_weights"][class]["weight"].as_f64().unwrap();
    assert!(weight(0) < 1.0 && weight(1) > 1.0 && (weight(0) + weight(1) - 2.0).abs() < 1e-12, "{report}");
    let note = format!("class weights: 부정 {:.3}, 긍정 {:.3}", weight(0), weight(1));
    assert!(ran.stderr.contains(&note), "{note} not in\n{}", ran.stderr);

    let (_, rows) = project.predictions(1, "valid.csv");
    for (class, label) in ["neg", "pos"].into_iter().enumerate() {
        let share = &report["class_shares"][class];
        let predicted = rows.iter().filter(|row| row[1] == label).count() as f64 / rows.len() as f64;
        assert_eq!((&share["label"], &share["predicted"]), (&json!(label), &json!(predicted)));
    }
    let warning = "warning: loss.class_weights let some classes count for more, and the metric is accuracy";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
    assert!(report["warnings"][0].as_str().unwrap().starts_with(&warning["warning: ".len()..]), "{report}");
    let shown = project.0.gyeol(&["runs", "show", "recipe-001"]);
    assert!(shown.stdout.contains("loss.class_weights let some classes count for more"), "{}", shown.all());

    for quiet in [&["metric=macro_f1", "loss.class_weights=[1, 2]"][..], &["loss.class_weights=[3, 3]"], &[]] {
        let report = project.report(&[&sets(quiet)[..], &sets(&["train.epochs=1"])].concat());
        assert_eq!(report["warnings"], json!([]), "{quiet:?}");
        assert_eq!(report["class_shares"].as_array().unwrap().len(), 2, "{quiet:?}");
        assert_eq!(report.get("class_weights").is_some(), !quiet.is_empty(), "{quiet:?}");
    }
}

#[test]
fn score_buckets_go_from_the_recipe_to_predictions() {
    let project = Project::pairs();
    let words = sets(&[
        "loss.kind=cross_entropy",
        "loss.buckets=6",
        "loss.label_smoothing=0.05",
        "data.score_range=[0, 5]",
        "train.precision=f32",
    ]);
    let report = project.report(&words);
    let metrics: Vec<&str> = report["metrics"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((&report["task"], metrics), (&json!("regression"), vec!["loss", "pearson", "rmse", "spearman"]));
    let file = |name: &str| -> Value { serde_json::from_str(&project.run_text(1, name)).unwrap() };
    let config = file("model/config.json");
    assert_eq!(config["id2label"], json!({"0": "0", "1": "1", "2": "2", "3": "3", "4": "4", "5": "5"}));
    assert_eq!(config["problem_type"], "single_label_classification");
    let settings = file("model/gyeol.json");
    assert_eq!(settings["score_buckets"], json!([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    assert_eq!(settings["format"], 3);

    let (header, valid) = project.predictions(1, "valid.csv");
    assert_eq!(header, "id,prediction");
    let predict = |words: &[&str]| -> Vec<Vec<String>> {
        let ran = project.0.gyeol(&[&["predict", "recipe-001", "train.csv", "--precision", "f32"], words].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        ran.stdout.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let predicted = predict(&["-o", "-"]);
    for row in &valid {
        assert!(predicted.contains(row), "{row:?} is predicted otherwise");
    }
    let logits = predict(&["-o", "-", "--logits"]);
    assert_eq!(logits[0].join(","), "id,logit_0,logit_1,logit_2,logit_3,logit_4,logit_5");
    for (logits, predicted) in logits[1..].iter().zip(&predicted[1..]) {
        let exponentials: Vec<f64> = logits[1..].iter().map(|logit| logit.parse::<f64>().unwrap().exp()).collect();
        let mean = exponentials.iter().enumerate().map(|(centre, e)| centre as f64 * e).sum::<f64>()
            / exponentials.iter().sum::<f64>();
        assert!((mean - predicted[1].parse::<f64>().unwrap()).abs() < 1e-5, "{logits:?} {predicted:?}");
    }
    let evaluate = ["evaluate", ".gyeol/runs/recipe-001/valid.csv", "train.csv", "--json"];
    let evaluated = project.0.gyeol(&evaluate).json();
    assert_eq!(evaluated["metrics"]["pearson"], report["score"]);
}

#[test]
fn centres_that_do_not_fit_the_head_are_refused() {
    let project = Project::pairs();
    project.report(&sets(&["loss.kind=cross_entropy", "loss.buckets=3", "data.score_range=[0, 5]"]));
    let path = project.run_path(1, "model/gyeol.json");
    let mut settings: Value = serde_json::from_str(&project.run_text(1, "model/gyeol.json")).unwrap();
    for (centres, problem) in [
        (json!([0.0, 5.0]), "score_buckets: 2 buckets, but the head has 3 outputs"),
        (json!([0.0, 5.0, 2.5]), "score buckets are at least two finite numbers that rise"),
    ] {
        settings["score_buckets"] = centres;
        std::fs::write(&path, settings.to_string()).unwrap();
        let ran = project.0.gyeol(&["predict", "recipe-001", "train.csv", "-o", "-"]);
        assert_eq!(ran.code, Some(2), "{}", ran.all());
        assert!(ran.stderr.contains(problem), "{}", ran.stderr);
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    for (project, keys, problem) in [
        (
            Project::reviews(),
            &["loss.gamma=3", "loss.kind=cross_entropy"][..],
            "--set loss.gamma=3: loss.gamma: loss.kind = \"cross_entropy\" does not read it, it is for focal of",
        ),
        (Project::reviews(), &["loss.gamma=3"], "loss.gamma: loss.kind = \"cross_entropy\" of classification does not"),
        (
            Project::reviews(),
            &["loss.class_weights=[1, 2, 3]"],
            "loss.class_weights: 3 weights for 2 classes (neg, pos); give one each",
        ),
        (Project::reviews(), &["loss.class_weights=balanced"], "expected \"none\", \"inverse_frequency\" or a list"),
        (Project::reviews(), &["loss.label_smoothing=1"], "loss.label_smoothing: 1 is out of range"),
        (
            Project::pairs(),
            &["loss.kind=cross_entropy"],
            "data.score_range: loss.kind = \"cross_entropy\" of regression",
        ),
        (
            Project::pairs(),
            &["loss.kind=cosine"],
            "loss.kind: cosine compares the embeddings of two texts: it needs head",
        ),
        (
            Project::pairs(),
            &["loss.huber_delta=2"],
            "loss.huber_delta: loss.kind = \"l2\" of regression does not read it",
        ),
    ] {
        let ran = project.train(&sets(keys));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
        assert!(ran.stderr.contains(problem), "{problem:?} not in\n{}", ran.stderr);
        assert!(!project.0.path().join(".gyeol/runs").exists(), "{keys:?} left a run");
    }
}
