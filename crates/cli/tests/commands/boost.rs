//! `[boost]`: models one after the other, each on rows weighted by what those before were wrong about; they vote.

use std::{fs, process::Stdio};

use serde_json::Value;

use crate::project::{LABELS, Project, names};

/// Sixty reviews, and three rounds that learn something and not all of it; shrunk, as the rows that contradict the others would
/// soon be all that counts.
fn boosted() -> Project {
    let project = Project::reviews();
    let recipe = project.0.read("recipe.toml");
    let recipe = recipe
        .replace("learning_rate = 1e-3", "learning_rate = 1e-2")
        .replace("epochs = 2", "max_steps = 60\nevaluate_every = 60");
    project
        .0
        .write("recipe.toml", &format!("{recipe}precision = \"f32\"\n\n[boost]\nrounds = 3\nlearning_rate = 0.7\n"));
    project
}

/// The text of a file of round `round` of run 1.
fn of_round(project: &Project, round: usize, file: &str) -> String {
    project.0.read(&format!(".gyeol/runs/recipe-001-round-{round}/{file}"))
}

fn weights(project: &Project, round: usize) -> Vec<u8> {
    let path = format!(".gyeol/runs/recipe-001-round-{round}/model/model.safetensors");
    fs::read(project.0.path().join(path)).unwrap()
}

/// Id and prediction of each row of a file of predictions.
fn predicted(text: &str) -> Vec<(String, String)> {
    let row = |line: &str| {
        let mut cells = line.split(',').map(str::to_owned);
        (cells.next().unwrap(), cells.next().unwrap())
    };
    text.lines().skip(1).map(row).collect()
}

/// The label of the training row `id`.
fn label(project: &Project, id: &str) -> String {
    let table = project.0.read("train.csv");
    let line = table.lines().find(|line| line.starts_with(&format!("{id},"))).unwrap();
    line.rsplit(',').next().unwrap().to_owned()
}

fn numbers(report: &Value, key: &str) -> Vec<f64> {
    report["boost"]["rounds"].as_array().unwrap().iter().map(|round| round[key].as_f64().unwrap()).collect()
}

#[test]
fn each_round_learns_from_rows_weighted_by_the_errors_before_it_and_all_of_them_vote() {
    let project = boosted();
    let report = project.report(&[]);
    let (errors, alphas) = (numbers(&report, "error"), numbers(&report, "alpha"));
    assert_eq!(alphas.len(), 3, "{report}");
    // Written out here from what the rounds say of their training rows.
    let mut weights = vec![1.0 / 45.0; 45];
    for round in 1..=3 {
        let rows = predicted(&of_round(&project, round, "train.csv"));
        assert_eq!(rows.len(), 45);
        let wrong: Vec<bool> = rows.iter().map(|(id, prediction)| *prediction != label(&project, id)).collect();
        let weigh = |weights: &[f64]| -> f64 {
            weights.iter().zip(&wrong).filter(|(_, wrong)| **wrong).map(|(weight, _)| weight).sum()
        };
        let error = weigh(&weights);
        let alpha = 0.7 * ((1.0 - error) / error).ln();
        assert!(
            (errors[round - 1] - error).abs() < 1e-9 && (alphas[round - 1] - alpha).abs() < 1e-9,
            "{round}: {error}"
        );
        weights.iter_mut().zip(&wrong).filter(|(_, wrong)| **wrong).for_each(|(weight, _)| *weight *= alpha.exp());
        let all: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= all);
    }
    for file in ["valid.csv", "test.csv"] {
        let rounds: Vec<_> = (1..=3).map(|round| predicted(&of_round(&project, round, file))).collect();
        let all: f64 = alphas.iter().sum();
        for (at, row) in project.predictions(1, file).1.iter().enumerate() {
            assert_eq!(row[0], rounds[0][at].0);
            for (column, class) in LABELS.iter().enumerate() {
                let voted = rounds.iter().zip(&alphas).filter(|(round, _)| round[at].1 == *class);
                let share = voted.map(|(_, alpha)| alpha).sum::<f64>() / all;
                assert!((row[2 + column].parse::<f64>().unwrap() - share).abs() < 1e-6, "{row:?}");
            }
        }
    }
    let evaluated = project.0.gyeol(&["evaluate", ".gyeol/runs/recipe-001/valid.csv", "train.csv", "--json"]).json();
    assert_eq!(evaluated["metrics"]["accuracy"], report["score"]);
    assert_eq!(report["boost"]["rounds"][2]["score_so_far"], report["score"]);
    assert_eq!(report["boost"]["rounds"][0]["score_so_far"], report["boost"]["rounds"][0]["score"]);
    assert_eq!((&report["train_rows"], &report["valid_rows"]), (&45.into(), &15.into()));
}

/// All rounds have the same rows, seed and settings: without weights they would all come to the same bits.
#[test]
fn the_first_round_is_the_run_without_boosting_and_the_others_are_not() {
    let project = boosted();
    project.report(&[]);
    let recipe = project.0.read("recipe.toml");
    project.0.write("plain.toml", recipe.split("[boost]").next().unwrap());
    let ran = project.0.gyeol(&["train", "plain.toml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let plain = fs::read(project.0.path().join(".gyeol/runs/plain-001/model/model.safetensors")).unwrap();
    assert!(weights(&project, 1) == plain);
    assert!(
        weights(&project, 2) != plain && weights(&project, 3) != plain && weights(&project, 2) != weights(&project, 3)
    );
    let files = names(project.0.path().join(".gyeol/runs/recipe-001-round-2"));
    let expected =
        ["events.jsonl", "model", "recipe.toml", "report.json", "run.lock", "test.csv", "train.csv", "valid.csv"];
    assert_eq!(files, expected);
    let files = ["events.jsonl", "recipe.toml", "report.json", "run.lock", "test.csv", "valid.csv"];
    assert_eq!(names(project.run_path(1, "")), files);
    assert!(of_round(&project, 2, "recipe.toml").contains("round = 2"));
    let again = project.0.gyeol(&["train", ".gyeol/runs/recipe-001-round-2/recipe.toml"]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("boost.round: round 2 alone has no weights for its rows"), "{}", again.stderr);
}

#[test]
fn other_rows_get_the_votes_of_the_rounds() {
    let project = boosted();
    project.report(&[]);
    let votes = project.run_text(1, "test.csv");
    for name in ["recipe-001", ".gyeol/runs/recipe-001"] {
        let ran = project.0.gyeol(&["predict", name, "test.csv", "-o", "out.csv", "--precision", "f32"]);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        assert_eq!(project.0.read("out.csv"), votes);
    }
    let ran = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "out.csv", "--logits"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("error: --logits: the models of 3 rounds predict by their votes"), "{}", ran.stderr);
    // One round is a run like any other.
    let ran = project.0.gyeol(&["predict", "recipe-001-round-2", "test.csv", "-o", "out.csv", "--precision", "f32"]);
    assert_eq!((ran.code, project.0.read("out.csv")), (Some(0), of_round(&project, 2, "test.csv")), "{}", ran.stderr);
}

#[test]
fn runs_tell_which_rounds_belong_together() {
    let project = boosted();
    let ran = project.train(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    for words in [" on 15 validation rows, by votes of the rounds", "weighted error", "recipe-001-round-3"] {
        assert!(ran.stdout.contains(words), "{words} not in\n{}", ran.stdout);
    }
    let listed = project.0.gyeol(&["runs", "ls"]).stdout;
    let first: Vec<&str> = listed.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(first, ["recipe-001", "recipe-001-round-1", "recipe-001-round-2", "recipe-001-round-3"]);
    let shown = project.0.gyeol(&["runs", "show", "recipe-001", "--json"]).json();
    assert_eq!((shown["rounds"].as_array().unwrap().len(), &shown["folds"]), (3, &Value::Null));
    assert_eq!(shown["steps"], shown["total_steps"]);
    let shown = project.0.gyeol(&["runs", "show", "recipe-001"]).stdout;
    assert!(shown.contains("accuracy so far"), "{shown}");
    let shown = project.0.gyeol(&["runs", "show", "recipe-001-round-2"]).stdout;
    assert!(shown.contains("2 of recipe-001\n"), "{shown}");
    let removed = project.0.gyeol(&["runs", "rm", "recipe-001-round-2", "--yes"]);
    assert!(removed.stderr.contains("recipe-001 predicts with the model of recipe-001-round-2"), "{}", removed.stderr);
    let gone = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "out.csv", "--precision", "f32"]);
    assert_eq!(gone.code, Some(2), "{}", gone.all());
}

#[test]
fn a_dry_run_counts_every_round_and_leaves_none() {
    let project = boosted();
    let before = project.files();
    let estimate = project.report(&["--dry-run"]);
    assert_eq!((&estimate["runs"], &estimate["train_rows"]), (&3.into(), &45.into()));
    let ran = project.train(&["--dry-run"]);
    assert!(ran.stdout.contains("3 rounds at most; rows and steps are those of one"), "{}", ran.stdout);
    assert_eq!(project.files(), before);
}

#[test]
fn what_cannot_be_boosted_is_told_before_a_run_is_made() {
    let project = boosted();
    for (set, words) in [
        ("boost.rounds=1", "boost.rounds: 1 is no boosting; use at least 2"),
        ("boost.learning_rate=0", "boost.learning_rate: 0 is out of range"),
        ("boost.round=4", "boost.round: 4 is no round"),
        ("boost.round=2", "boost.round: round 2 alone has no weights"),
        ("boost.round_count=4", "unknown key"),
        ("folds.k=3", "boost: rounds are not trained within folds"),
        ("sample.balance=true", "sample.balance: draws rows as often as their classes want"),
        ("metric=loss", "metric: the loss is of a model's outputs"),
        ("loss.kind=bce", "boost: SAMME counts rows of one class each"),
    ] {
        let ran = project.train(&["--set", set]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
        assert!(ran.stderr.contains(words), "{words} not in\n{}", ran.stderr);
    }
    let pairs = Project::pairs();
    let ran = pairs.train(&["--set", "boost.rounds=2"]);
    assert!(ran.stderr.contains("boost: SAMME is for classification, and the task is regression"), "{}", ran.stderr);
    assert_eq!(ran.code, Some(2));
    assert!(!project.run_path(1, "").exists() && !pairs.run_path(1, "").exists());
}

#[test]
fn boosting_ends_where_no_error_is_left() {
    let project = boosted();
    let rows = (0..16).map(|row| format!("r{row},{},{}\n", ["최악", "최고"][row % 2], LABELS[row % 2]));
    project.0.write("train.csv", &format!("ID,review,label\n{}", rows.collect::<String>()));
    let report = project.report(&["--set", "data.holdout=0", "--set", "train.max_steps=60"]);
    let rounds = report["boost"]["rounds"].as_array().unwrap();
    assert_eq!((rounds.len(), &rounds[0]["error"], &rounds[0]["alpha"]), (1, &0.0.into(), &1.0.into()));
    let ended = report["boost"]["ended"].as_str().unwrap();
    assert!(ended.starts_with("round 1 is right about every training row"), "{ended}");
    assert!(report["warnings"].to_string().contains(ended));
    assert!(project.run_text(1, "events.jsonl").contains(ended));
    let ran = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "out.csv", "--precision", "f32"]);
    assert_eq!((ran.code, project.0.read("out.csv")), (Some(0), project.run_text(1, "test.csv")), "{}", ran.stderr);
}

#[test]
fn a_first_round_that_only_guesses_is_an_error() {
    let project = boosted();
    // Each text once with either label: whatever is predicted, half of it is wrong.
    let rows = (0..16).map(|row| format!("r{row},{},{}\n", ["최악", "최고"][row / 2 % 2], LABELS[row % 2]));
    project.0.write("train.csv", &format!("ID,review,label\n{}", rows.collect::<String>()));
    let ran = project.train(&["--set", "data.holdout=0"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("boost: round 1 of 3 is wrong about 50.0 % of the weight"), "{}", ran.stderr);
    let shown = project.0.gyeol(&["runs", "show", "recipe-001", "--json"]).json();
    assert_eq!(shown["status"], "failed");
}

#[test]
#[cfg(unix)]
fn a_boosted_run_killed_twice_ends_at_the_same_bytes() {
    let unbroken = boosted();
    let words =
        ["--set", "train.max_steps=150", "--set", "train.evaluate_every=10", "--set", "boost.learning_rate=0.4"];
    unbroken.report(&words);
    let project = boosted();
    let resumed = [&words[..], &["--resume"]].concat();
    for (round, steps) in [(2, 71), (3, 23)] {
        let mut command = project.0.command(&[&["train", "recipe.toml"], &resumed[..]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let journal = project.0.path().join(format!(".gyeol/runs/recipe-001-round-{round}/events.jsonl"));
        let reached =
            || fs::read_to_string(&journal).is_ok_and(|text| text.matches("\"event\":\"step\"").count() >= steps);
        while !reached() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before it was killed");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let error = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "out.csv", "--precision", "f32"]);
        assert_eq!(error.code, Some(2), "{}", error.all());
        assert!(error.stderr.contains("its rounds are not all trained"), "{}", error.stderr);
    }
    let ran = project.train(&resumed);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stderr.contains("round 2 of 3 is finished already: recipe-001-round-2"), "{}", ran.stderr);
    for file in ["valid.csv", "test.csv"] {
        assert_eq!(project.run_text(1, file), unbroken.run_text(1, file), "{file}");
    }
    for round in 1..=3 {
        assert!(weights(&project, round) == weights(&unbroken, round), "round {round}");
    }
    assert!(!project.run_path(2, "").exists());
}

#[test]
fn a_later_round_that_only_guesses_has_no_vote_and_none_follows() {
    let project = boosted();
    // Models that stay as they start, so that each round is wrong about the same rows; shrinking by more than 1 makes those
    // weigh more than half.
    let still = ["--set", "train.learning_rate=1e-9", "--set", "data.holdout=0", "--set", "boost.learning_rate=1.5"];
    let texts: Vec<&str> = ["최악", "최고", "영화", "그냥 별로"].into_iter().cycle().take(16).collect();
    let table = |labels: &[String]| {
        let rows = texts.iter().zip(labels).enumerate().map(|(row, (text, label))| format!("r{row},{text},{label}\n"));
        project.0.write("train.csv", &format!("ID,review,label\n{}", rows.collect::<String>()));
    };
    table(&(0..16).map(|row| LABELS[row % 2].to_owned()).collect::<Vec<_>>());
    let plain = project.0.read("recipe.toml").split("[boost]").next().unwrap().to_owned();
    project.0.write("plain.toml", &plain);
    let ran = project.0.gyeol(&[&["train", "plain.toml"], &still[..4]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let words = ["predict", "plain-001", "train.csv", "-o", "out.csv", "--precision", "f32"];
    assert_eq!(project.0.gyeol(&words).code, Some(0));
    // Three of four rows are labelled as these models predict them.
    let other = |label: &str| LABELS[usize::from(label == LABELS[0])].to_owned();
    let labels = predicted(&project.0.read("out.csv")).into_iter().enumerate();
    table(&labels.map(|(row, (_, label))| if row % 4 == 3 { other(&label) } else { label }).collect::<Vec<_>>());

    let report = project.report(&still);
    let rounds = report["boost"]["rounds"].as_array().unwrap();
    assert_eq!((rounds.len(), &rounds[0]["error"], &rounds[1]["alpha"]), (2, &0.25.into(), &Value::Null), "{report}");
    let (wrong, right) = (0.25 * 3f64.powf(1.5), 0.75);
    assert!((rounds[1]["error"].as_f64().unwrap() - wrong / (wrong + right)).abs() < 1e-9);
    let ended = report["boost"]["ended"].as_str().unwrap();
    assert!(
        ended.starts_with("round 2 of 3 is wrong about ") && ended.ends_with("no vote, and none follows"),
        "{ended}"
    );
    assert!(project.run_text(1, "events.jsonl").contains(ended));
    let ran = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "out.csv", "--precision", "f32"]);
    assert_eq!((ran.code, project.0.read("out.csv")), (Some(0), project.run_text(1, "test.csv")), "{}", ran.stderr);
}

#[test]
fn rounds_left_by_a_removed_run_are_not_taken_for_those_of_another() {
    let project = boosted();
    project.report(&[]);
    fs::remove_dir_all(project.run_path(1, "")).unwrap();
    let old = weights(&project, 1);
    let other = ["--set", "train.learning_rate=5e-3"];
    let ran = project.train(&[&other[..], &["--run", "recipe-001"]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    let problem = "runs: recipe-001-round-1 is there already, and of another recipe; remove it (gyeol runs rm recipe-001-round-1)";
    assert!(ran.stderr.contains(problem), "{}", ran.stderr);
    fs::remove_dir_all(project.run_path(1, "")).unwrap();
    // A number of which rounds are left is taken.
    let report = project.report(&other);
    assert_eq!(
        (&report["run"], &report["boost"]["rounds"][0]["run"]),
        (&"recipe-002".into(), &"recipe-002-round-1".into())
    );
    assert!(weights(&project, 1) == old);
}

#[test]
#[cfg(unix)]
fn a_table_changed_between_rounds_is_refused() {
    let project = boosted();
    let words = ["train", "recipe.toml", "--set", "train.max_steps=300"];
    let mut child = project.0.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let journal = project.0.path().join(".gyeol/runs/recipe-001-round-1/events.jsonl");
    while !fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"event\":\"step\"")) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before its table was changed");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let table = project.0.read("train.csv");
    let mut lines: Vec<&str> = table.lines().collect();
    lines[1..].reverse();
    project.0.write("train.csv", &format!("{}\n", lines.join("\n")));
    let ran = crate::support::Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("data: a table was changed while the run was trained"), "{}", ran.stderr);
    assert!(!project.0.path().join(".gyeol/runs/recipe-001-round-2").exists());
    project.0.write("train.csv", &table);
    let ran = project.train(&["--set", "train.max_steps=300", "--resume"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stderr.contains("round 1 of 3 is finished already"), "{}", ran.stderr);
}

#[test]
fn a_round_set_by_hand_is_refused_before_the_base_is_adapted() {
    let project = boosted();
    let recipe = project.0.read("recipe.toml");
    // A base with weights: those of a run.
    project.0.write("base.toml", recipe.split("[boost]").next().unwrap());
    assert_eq!(project.0.gyeol(&["train", "base.toml"]).code, Some(0));
    let model = project.0.path().join(".gyeol/runs/base-001/model");
    let recipe =
        recipe.replace("init = \"random\"\n", "").replace("base = \"base\"", &format!("base = '{}'", model.display()));
    project.0.write("recipe.toml", &format!("{recipe}round = 2\n\n[adapt]\nepochs = 1\nbatch_size = 8\n"));
    let ran = project.train(&[]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("boost.round: round 2 alone has no weights for its rows"), "{}", ran.stderr);
    assert!(!project.0.path().join(".gyeol/runs/recipe-adapt-001").exists() && !project.run_path(1, "").exists());
}

#[test]
fn weights_that_are_no_finite_numbers_end_the_boosting() {
    let project = boosted();
    let report = project.report(&["--set", "boost.learning_rate=1e5"]);
    let rounds = report["boost"]["rounds"].as_array().unwrap();
    assert_eq!((rounds.len(), &report["score"]), (1, &rounds[0]["score"]), "{report}");
    assert!(rounds[0]["alpha"].as_f64().unwrap() > 709.0);
    let ended = report["boost"]["ended"].as_str().unwrap();
    assert!(
        ended.starts_with("round 1 of 3 has an alpha of ") && ended.ends_with("lower boost.learning_rate"),
        "{ended}"
    );
    assert!(report["warnings"].to_string().contains(ended));
}

#[test]
fn members_are_boosted_together_as_one_model() {
    let project = boosted();
    for name in names(project.0.path().join("base")) {
        project.0.write(&format!("other/{name}"), &project.0.read(&format!("base/{name}")));
    }
    let recipe = project.0.read("recipe.toml").replace("base = \"base\"", "members = [\"base\", \"./other\"]");
    project.0.write("recipe.toml", &recipe);
    let report = project.report(&["--set", "boost.rounds=2"]);
    assert_eq!(numbers(&report, "alpha").len(), 2, "{report}");
    for round in 1..=2 {
        let members = format!(".gyeol/runs/recipe-001-round-{round}/model/members");
        assert_eq!(names(project.0.path().join(members)), ["0", "1"]);
    }
    let ran = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "out.csv", "--precision", "f32"]);
    assert_eq!((ran.code, project.0.read("out.csv")), (Some(0), project.run_text(1, "test.csv")), "{}", ran.stderr);
}
