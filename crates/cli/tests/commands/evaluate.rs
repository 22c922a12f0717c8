//! `gyeol evaluate`.

use crate::support::Sandbox;

const TABLE: &str = "ID,review,label,origin\n\
    a,정말 재밌게 봤어요,1,web\n\
    b,돈이 아깝다,0,web\n\
    c,\"그냥\n그랬음\",0,app\n\
    d,배우 연기가 좋았다,1,app\n\
    e,다시는 안 본다,0,web\n\
    f,인생 영화 ㅠㅠ,1,app\n";

const PREDICTIONS: &str = "ID,prediction,p_0,p_1\n\
    e,0,0.75,0.25\n\
    c,1,0.125,0.875\n\
    a,1,0.25,0.75\n\
    d,0,0.625,0.375\n";

/// A run with predictions of some rows, and the table they are about.
fn run() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", TABLE);
    sandbox.write(".gyeol/runs/a-001/valid.csv", PREDICTIONS);
    let recipe = "[data]\ntrain = \"train.csv\"\nid = \"ID\"\ntext = \"review\"\nlabel = \"label\"\n\
                  source = \"origin\"\n[model]\nbase = \"klue/bert-base\"\n";
    sandbox.write(".gyeol/runs/a-001/recipe.toml", recipe);
    let model = r#"{"format": 1, "task": "classification", "id": "ID", "text": "review", "label": "label",
        "max_length": 32, "labels": ["0", "1"], "label_names": ["부정", "긍정"]}"#;
    sandbox.write(".gyeol/runs/a-001/model/gyeol.json", model);
    sandbox
}

/// The same predictions where nothing beside them says what the columns are.
fn alone() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", TABLE);
    sandbox.write("out/predictions.csv", PREDICTIONS);
    sandbox
}

const VALID: &str = ".gyeol/runs/a-001/valid.csv";

#[test]
fn predictions_of_a_run_are_reported_with_its_columns_and_label_names() {
    insta::assert_snapshot!("evaluate_run", run().gyeol(&["evaluate", VALID, "train.csv"]).all());
}

#[test]
fn predictions_alone_are_matched_by_their_first_column() {
    let ran = alone().gyeol(&["evaluate", "out/predictions.csv", "train.csv", "--errors", "1"]);
    insta::assert_snapshot!("evaluate_alone", ran.all());
}

#[test]
fn flags_win_over_the_recipe() {
    let sandbox = run();
    sandbox.write("other.csv", "row,said,gold\na,x,1\nb,x,0\nc,x,1\nd,둘째 글,1\ne,x,0\n");
    let flags = ["--id", "row", "--label", "gold", "--text", "said"];
    let ran = sandbox.gyeol(&[&["evaluate", VALID, "other.csv"][..], &flags].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stdout.contains("둘째 글") && !ran.stdout.contains("Sources"), "{}", ran.all());
}

#[test]
fn the_document_for_programs_has_every_figure() {
    let sandbox = run();
    let document = sandbox.gyeol(&["evaluate", VALID, "train.csv", "--json"]).json();
    assert_eq!((&document["task"], &document["rows"]), (&"classification".into(), &4.into()));
    assert_eq!(document["metrics"]["accuracy"], 0.5);
    assert_eq!(document["unpredicted"], 2);
    assert_eq!(document["confusion"], serde_json::json!([[1, 1], [1, 1]]));
    assert_eq!(document["confident_errors"][0]["id"], "c");
    assert_eq!(document["sources"][0]["source"], "app");
}

#[test]
fn scores_are_reported_by_their_residuals() {
    let sandbox = Sandbox::new();
    sandbox.write("pairs.csv", "id,one,score\n1,가,0.5\n2,나,4.0\n3,다,2.5\n4,라,1.0\n");
    sandbox.write("scores.csv", "id,prediction\n1,0.75\n2,3.0\n3,2.5\n4,1.5\n");
    let args = ["evaluate", "scores.csv", "pairs.csv", "--label", "score", "--text", "one", "--errors", "2"];
    insta::assert_snapshot!("evaluate_scores", sandbox.gyeol(&args).all());
}

#[test]
fn what_does_not_fit_is_named() {
    let sandbox = alone();
    sandbox.write("other.csv", "ID,label\na,1\nc,0\nd,1\n");
    sandbox.write("stars.csv", "ID,label\na,1\nc,0\nd,five\ne,0\n");
    let evaluate = |table: &'static str, rest: &[&'static str]| {
        sandbox.gyeol(&[&["evaluate", "out/predictions.csv", table][..], rest].concat())
    };
    for (name, ran) in [
        ("evaluate_column", evaluate("train.csv", &["--label", "lable"])),
        ("evaluate_unknown_id", evaluate("other.csv", &[])),
        ("evaluate_unknown_label", evaluate("stars.csv", &[])),
        ("evaluate_no_predictions", sandbox.gyeol(&["evaluate", "nothing.csv", "train.csv"])),
    ] {
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.all());
        insta::assert_snapshot!(name, ran.all());
    }
}

#[test]
fn a_model_of_a_later_version_is_the_users_to_mend() {
    let sandbox = run();
    sandbox.write(".gyeol/runs/a-001/model/gyeol.json", r#"{"format": 99}"#);
    let ran = sandbox.gyeol(&["evaluate", VALID, "train.csv"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("gyeol.json"), "{}", ran.stderr);
}

#[test]
fn predictions_of_another_table_are_told_with_both_files_and_the_column() {
    let sandbox = alone();
    sandbox.write("train.csv", &TABLE.replace("그랬음\",0", "그랬음\",meh"));
    let ran = sandbox.gyeol(&["evaluate", "out/predictions.csv", "train.csv"]);
    let expected = "error: out/predictions.csv against train.csv (column \"label\"): id \"c\": label \"meh\" is not a class of \
                    the predictions (0, 1)\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), expected));
    sandbox.write("train.csv", &TABLE.replace("\nd,", "\nz,"));
    let ran = sandbox.gyeol(&["evaluate", "out/predictions.csv", "train.csv"]);
    let expected =
        "error: out/predictions.csv against train.csv (column \"ID\"): prediction row 4: id \"d\" is not in the table";
    assert!(ran.code == Some(2) && ran.stderr.starts_with(expected), "{}", ran.all());
}
