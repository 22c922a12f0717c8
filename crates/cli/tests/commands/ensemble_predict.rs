//! `gyeol predict` of ensembles: members predict with models of their own, rows go by id, and what is computed once is kept.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use gyeol_eval::{
    Metric, Predictions, Task,
    ensemble::{Fitted, Method, Rule},
};
use gyeol_pipeline::ensemble::{PredictionsFile, Saved, SavedMember, Source};

use crate::{
    project::{Project, names},
    support::Ran,
};

/// Two runs, `a-001` and `b-001`, that differ.
fn two_runs() -> Project {
    let project = Project::reviews();
    for (name, rate) in [("a", "1e-2"), ("b", "3e-3")] {
        let words = ["--set", &format!("name={name}"), "--set", &format!("train.learning_rate={rate}")];
        project.report(&words);
    }
    project
}

fn runs(project: &Project) -> PathBuf {
    project.0.path().join(".gyeol/runs")
}

/// A member of this weight that is the run of its name.
fn member(name: &str, weight: f64) -> (SavedMember, f64) {
    let valid = PredictionsFile { path: format!("{name}.csv").into(), fingerprint: "0".repeat(32) };
    let source = Source::Run(name.to_owned());
    (SavedMember { name: name.to_owned(), source, renamed: Vec::new(), valid, test: None }, weight)
}

/// What the ensemble of these members is kept as.
fn saved(task: Task, labels: &[&str], members: Vec<(SavedMember, f64)>) -> Saved {
    let (members, weights): (Vec<SavedMember>, Vec<f64>) = members.into_iter().unzip();
    let names = members.iter().map(|member| member.name.clone()).collect();
    let rule = Rule::Mean { weights };
    Saved {
        format: 1,
        task,
        metric: if task == Task::Regression { Metric::Pearson } else { Metric::Accuracy },
        id_column: "ID".to_owned(),
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
        label_names: None,
        score_range: None,
        fitted: Fitted { members: names, method: Method::Weighted, temperatures: Vec::new(), rule },
        members,
    }
}

fn classes(members: Vec<(SavedMember, f64)>) -> Saved {
    saved(Task::Classification, &["neg", "pos"], members)
}

/// Makes the run `name` of an ensemble.
fn write(project: &Project, name: &str, saved: &Saved) {
    let dir = runs(project).join(name);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("recipe.toml"), "").unwrap();
    saved.write(&dir).unwrap();
}

fn predict(project: &Project, name: &str, words: &[&str]) -> Ran {
    project.0.gyeol(&[&["predict", name, "test.csv", "-o", "out.csv"], words].concat())
}

/// The same, which must succeed; the file.
fn predicted(project: &Project, name: &str, words: &[&str]) -> String {
    let ran = predict(project, name, words);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    project.0.read("out.csv")
}

/// The probabilities of a file of predictions by id and class, or its scores.
fn numbers(text: &str, sandbox: &Path) -> BTreeMap<String, Vec<f32>> {
    let path = sandbox.join("numbers.csv");
    fs::write(&path, text).unwrap();
    let predictions = Predictions::read(&path).unwrap();
    let outputs = predictions.outputs();
    let width = outputs.labels().len().max(1);
    predictions.ids().iter().cloned().zip(outputs.values().chunks(width).map(<[f32]>::to_vec)).collect()
}

fn mixed(parts: &[(&BTreeMap<String, Vec<f32>>, f64)]) -> BTreeMap<String, Vec<f32>> {
    let mix = |id: &String, at: usize| {
        parts.iter().map(|(part, weight)| weight * f64::from(part[id][at])).sum::<f64>() as f32
    };
    parts[0].0.iter().map(|(id, row)| (id.clone(), (0..row.len()).map(|at| mix(id, at)).collect())).collect()
}

#[test]
fn an_ensemble_predicts_what_its_members_predict_combined() {
    let project = two_runs();
    write(&project, "both", &classes(vec![member("a-001", 0.75), member("b-001", 0.25)]));
    let of = |text: &str| numbers(text, project.0.path());
    let alone: Vec<_> = ["a-001", "b-001"].map(|run| of(&predicted(&project, run, &["--no-cache"]))).into();
    assert_ne!(alone[0], alone[1]);
    let together = predicted(&project, "both", &["--no-cache", "--threads", "2"]);
    assert_eq!(of(&together), mixed(&[(&alone[0], 0.75), (&alone[1], 0.25)]));
    let ids = |text: &str| text.lines().map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&together), ids(&project.0.read("test.csv")), "in the order of the table");
    assert_eq!(together.lines().next(), Some("ID,prediction,p_neg,p_pos"));
    assert!(!project.0.path().join(".gyeol/cache/predictions").exists());

    // By its directory, read from standard input, on one thread.
    let words = ["predict", ".gyeol/runs/both", "-", "-o", "-", "--threads", "1"];
    let piped = project.0.gyeol_reading(&words, &project.0.read("test.csv"));
    assert_eq!(piped.stdout, together, "{}", piped.stderr);
    assert!(!project.0.path().join(".gyeol/cache/predictions").exists(), "standard input is not kept");

    // Rows go by id, whatever their order.
    let table = project.0.read("test.csv");
    let (header, rows) = table.split_once('\n').unwrap();
    let shuffled: Vec<&str> = rows.lines().skip(4).chain(rows.lines().take(4)).collect();
    project.0.write("test.csv", &format!("{header}\n{}\n", shuffled.join("\n")));
    let moved = predicted(&project, "both", &[]);
    assert_ne!(moved, together);
    assert_eq!(of(&moved), of(&together));

    let refused = predict(&project, "both", &["--logits"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.starts_with("error: --logits: both is an ensemble"), "{}", refused.stderr);
}

#[test]
fn what_was_computed_is_taken_the_next_time_to_the_byte() {
    let project = two_runs();
    write(&project, "both", &classes(vec![member("a-001", 0.5), member("b-001", 0.5)]));
    let computed = predicted(&project, "both", &["--no-cache"]);
    let first = predict(&project, "both", &["--json"]).json();
    assert_eq!((&first["kept"], project.0.read("out.csv")), (&0.into(), computed.clone()));
    let cache = project.0.path().join(".gyeol/cache/predictions");
    let kept = names(cache.clone());
    assert!(kept.len() == 2 && kept.iter().all(|name| name.len() == 32), "{kept:?}");
    let again = predict(&project, "both", &[]);
    assert!(again.stderr.contains("a-001: its predictions of this table were kept, and are taken"), "{}", again.stderr);
    assert_eq!(project.0.read("out.csv"), computed);
    // A member alone has them from its ensemble.
    assert_eq!(predict(&project, "a-001", &["--json"]).json()["kept"], 1);
    // What was warned of is said again.
    for expected in [0, 1] {
        let ran = predict(&project, "a-001", &["--max-length", "3", "--json"]);
        assert_eq!(ran.json()["kept"], expected);
        assert!(ran.stderr.contains("longer than 3 tokens and were cut"), "{}", ran.stderr);
    }
    // Another length is another question, and so are raw outputs.
    for words in [&["--max-length", "4"][..], &["--logits"]] {
        assert_eq!(predict(&project, "a-001", &[words, &["--json"]].concat()).json()["kept"], 0);
    }
    // A damaged file is computed anew, and mended.
    for name in &kept {
        let mut bytes = fs::read(cache.join(name)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(cache.join(name), bytes).unwrap();
    }
    for expected in [0, 2] {
        assert_eq!(predict(&project, "both", &["--json"]).json()["kept"], expected);
        assert_eq!(project.0.read("out.csv"), computed);
    }
    // What counts is what a model is, not what it is called: with the weights of the other run it is the other.
    let of = |run: &str, file: &str| runs(&project).join(run).join("model").join(file);
    fs::copy(of("b-001", "model.safetensors"), of("a-001", "model.safetensors")).unwrap();
    assert_eq!(predict(&project, "both", &["--json"]).json()["kept"], 2);
    assert_eq!(project.0.read("out.csv"), predicted(&project, "b-001", &["--no-cache"]));
    let settings = fs::read_to_string(of("a-001", "gyeol.json")).unwrap();
    fs::write(of("a-001", "gyeol.json"), settings + "\n").unwrap();
    assert_eq!(predict(&project, "both", &["--json"]).json()["kept"], 1);
}

#[cfg(unix)]
#[test]
fn a_model_whose_files_cannot_all_be_read_predicts_and_nothing_is_kept() {
    let project = two_runs();
    write(&project, "both", &classes(vec![member("a-001", 0.5), member("b-001", 0.5)]));
    let expected = predicted(&project, "both", &["--no-cache"]);
    std::os::unix::fs::symlink("nowhere", runs(&project).join("a-001/model/notes.txt")).unwrap();
    for kept in [0, 1] {
        let ran = predict(&project, "both", &["--json"]);
        assert_eq!((&ran.json()["kept"], project.0.read("out.csv")), (&kept.into(), expected.clone()));
    }
    let ran = predict(&project, "a-001", &[]);
    assert!(ran.stderr.contains("a-001: its predictions cannot be kept: "), "{}", ran.stderr);
}

#[test]
fn rows_without_ids_are_the_same_rows_whatever_texts_a_member_reads() {
    let project = two_runs();
    let settings = runs(&project).join("b-001/model/gyeol.json");
    let text = fs::read_to_string(&settings).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["text"] = "other".into();
    fs::write(&settings, json.to_string()).unwrap();
    project.0.write("test.csv", "review,other\n영화 배우,정말 최고\n그냥 별로,영화 배우\n");
    write(&project, "both", &classes(vec![member("a-001", 0.75), member("b-001", 0.25)]));
    let rows = |name: &str| numbers(&predicted(&project, name, &[]), project.0.path());
    let (a, both) = (rows("a-001"), rows("both"));
    assert_eq!(a.keys().collect::<Vec<_>>(), both.keys().collect::<Vec<_>>());
    let b = predicted(&project, "b-001", &[]);
    let in_order = |text: &str| -> Vec<String> {
        text.lines().skip(1).map(|line| line.split_once(',').unwrap().0.to_owned()).collect()
    };
    let of_b = numbers(&b, project.0.path());
    let ids = in_order(&predicted(&project, "a-001", &[])).into_iter().zip(in_order(&b));
    let b = ids.map(|(ours, theirs)| (ours, of_b[&theirs].clone())).collect();
    assert_eq!(both, mixed(&[(&a, 0.75), (&b, 0.25)]));
}

#[test]
fn a_member_is_what_it_was_wherever_it_is_asked_from_and_whatever_it_is_called() {
    let project = two_runs();
    let expected = predicted(&project, "a-001", &[]);
    // A directory of its name is not it.
    fs::create_dir(project.0.path().join("a-001")).unwrap();
    let twice = |source: &str| {
        let of = |name: &str| {
            let (mut member, weight) = member(name, 0.5);
            member.source = Source::Run(source.to_owned());
            (member, weight)
        };
        classes(vec![of("left"), of("right")])
    };
    // Two of the one below, time and again: each is looked at once.
    write(&project, "e0", &twice("a-001"));
    for level in 1..16 {
        write(&project, &format!("e{level}"), &twice(&format!("e{}", level - 1)));
    }
    let of = |text: &str| numbers(text, project.0.path());
    assert_eq!(of(&predicted(&project, "e15", &[])), of(&expected));
    // An ensemble of another home may be called the same.
    let here = runs(&project);
    let there = project.0.path().join("other/runs");
    fs::create_dir_all(&there).unwrap();
    fs::rename(here.join("e0"), there.join("e0")).unwrap();
    fs::rename(here.join("a-001"), there.join("a-001")).unwrap();
    write(&project, "e0", &twice(there.join("e0").to_str().unwrap()));
    assert_eq!(of(&predicted(&project, "e0", &[])), of(&expected));
}

#[test]
fn ensembles_and_folds_are_members_like_runs_unless_one_is_within_itself() {
    let project = two_runs();
    let recipe = project.0.read("recipe.toml");
    project.0.write("recipe.toml", &format!("{recipe}\n[folds]\nk = 2\n"));
    project.report(&["--set", "name=f"]);
    write(&project, "inner", &classes(vec![member("a-001", 0.5), member("b-001", 0.5)]));
    write(&project, "outer", &classes(vec![member("inner", 0.5), member("f-001", 0.25), member("a-001", 0.25)]));
    let of = |name: &str| numbers(&predicted(&project, name, &[]), project.0.path());
    let (inner, folds, alone) = (of("inner"), of("f-001"), of("a-001"));
    let expected = mixed(&[(&inner, 0.5), (&folds, 0.25), (&alone, 0.25)]);
    assert_eq!(of("outer"), expected);

    // Without one of its folds, a member is left out, and so are its other folds.
    let fold = runs(&project).join("f-001-fold-2/model");
    fs::rename(&fold, project.0.path().join("aside")).unwrap();
    assert_eq!(predict(&project, "outer", &["--allow-missing", "--json"]).json()["kept"], 2);
    fs::rename(project.0.path().join("aside"), &fold).unwrap();

    write(&project, "inner", &classes(vec![member("a-001", 0.5), member("outer", 0.5)]));
    let ran = predict(&project, "outer", &[]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    let words = "error: ensemble outer: it is a member of itself: outer > inner > outer";
    assert!(ran.stderr.starts_with(words), "{}", ran.stderr);
}

#[test]
fn a_member_that_is_gone_is_named_and_left_out_on_request() {
    let project = two_runs();
    let mut files = member("theirs", 0.2);
    files.0.source = Source::Foreign;
    write(&project, "three", &classes(vec![files, member("a-001", 0.6), member("b-001", 0.2)]));
    let ran = predict(&project, "three", &[]);
    assert_eq!((ran.code, project.0.path().join("out.csv").exists()), (Some(2), false));
    insta::assert_snapshot!("ensemble_predict_foreign", ran.all());
    let of = |name: &str, words: &[&str]| numbers(&predicted(&project, name, words), project.0.path());
    let (a, b) = (of("a-001", &[]), of("b-001", &[]));
    let near = |left: &BTreeMap<String, Vec<f32>>, right: &BTreeMap<String, Vec<f32>>| {
        left.iter().all(|(id, row)| row.iter().zip(&right[id]).all(|(one, other)| (one - other).abs() < 1e-6))
    };
    assert!(near(&of("three", &["--allow-missing"]), &mixed(&[(&a, 0.75), (&b, 0.25)])));

    // Damaged weights show when they are read.
    let weights = runs(&project).join("b-001/model/model.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..100]).unwrap();
    write(&project, "two", &classes(vec![member("b-001", 0.5), member("a-001", 0.5)]));
    let ran = predict(&project, "two", &[]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("error: ensemble two: member b-001: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("; --allow-missing goes on"), "{}", ran.stderr);
    assert_eq!(of("two", &["--allow-missing"]), a);

    fs::remove_dir_all(runs(&project).join("b-001")).unwrap();
    let ran = predict(&project, "two", &[]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.starts_with("error: ensemble two: member b-001: "), "{}", ran.stderr);
    let ran = predict(&project, "two", &["--allow-missing"]);
    assert_eq!((ran.code, of("two", &["--allow-missing"])), (Some(0), a), "{}", ran.all());
    assert!(ran.stderr.contains("ensemble two: member b-001 is left out"), "{}", ran.stderr);

    fs::remove_dir_all(runs(&project).join("a-001/model")).unwrap();
    let ran = predict(&project, "two", &["--allow-missing"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("ensemble two: none of its members can predict"), "{}", ran.stderr);
}

#[test]
fn labels_have_the_names_and_the_order_of_the_ensemble() {
    let project = two_runs();
    let renamed = |(mut member, weight): (SavedMember, f64)| {
        let pairs = [("neg", "0"), ("pos", "1")];
        member.renamed = pairs.map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned())).into();
        (member, weight)
    };
    let members = vec![renamed(member("a-001", 0.5)), renamed(member("b-001", 0.5))];
    let mut saved = saved(Task::Classification, &["1", "0"], members);
    saved.label_names = Some(vec!["좋음".to_owned(), "나쁨".to_owned()]);
    write(&project, "renamed", &saved);
    write(&project, "plain", &classes(vec![member("a-001", 0.5), member("b-001", 0.5)]));
    let plain = numbers(&predicted(&project, "plain", &[]), project.0.path());
    let ran = predict(&project, "renamed", &[]);
    assert!(ran.stdout.contains("좋음"), "{}", ran.all());
    let text = project.0.read("out.csv");
    assert_eq!(text.lines().next(), Some("ID,prediction,p_1,p_0"));
    for (id, row) in numbers(&text, project.0.path()) {
        assert_eq!(row, [plain[&id][1], plain[&id][0]]);
    }
    write(&project, "unfit", &self::saved(Task::Classification, &["neg", "mid"], vec![member("a-001", 1.0)]));
    let ran = predict(&project, "unfit", &[]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("member a-001: its classes are neg, pos; those of the ensemble are neg, mid"),
        "{}",
        ran.stderr
    );
}

#[test]
fn scores_are_brought_into_the_range_of_the_ensemble() {
    let project = Project::pairs();
    project.0.write("test.csv", "one,two\n영화 배우,정말 최고\n그냥 별로,영화 배우\n");
    project.report(&["--set", "name=a"]);
    project.report(&["--set", "name=b", "--set", "seed=8"]);
    let mut saved = saved(Task::Regression, &[], vec![member("a-001", 0.5), member("b-001", 0.5)]);
    write(&project, "free", &saved);
    let of = |name: &str| numbers(&predicted(&project, name, &[]), project.0.path());
    let free = of("free");
    assert_eq!(free, mixed(&[(&of("a-001"), 0.5), (&of("b-001"), 0.5)]));
    let lowest = free.values().map(|row| row[0]).fold(f32::INFINITY, f32::min);
    saved.score_range = Some([f64::from(lowest) + 0.5, 50.0]);
    write(&project, "bound", &saved);
    assert!(of("bound").values().all(|row| row[0] >= lowest + 0.5));
}
