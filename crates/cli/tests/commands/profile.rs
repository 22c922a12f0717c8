//! `gyeol profile`.

use std::fmt::Write as _;

use crate::{
    project::Project,
    support::{Ran, Sandbox},
};

/// Forty reviews: the negative ones sad and few, some repeated, one under two labels.
fn reviews() -> String {
    let mut table = "ID,review,label\n".to_owned();
    for row in 0..40 {
        let (text, label) = match row % 5 {
            0 => ("돈이 아깝다 ㅠㅠ", 0),
            1 => ("정말 재밌게 봤어요 ㅋㅋㅋㅋㅋ", 1),
            2 => ("배우 연기가 최고 ♥", 1),
            3 => ("인생 영화, 감동 ^^", 1),
            _ => ("또 보고 싶은 영화 ㅋㅋ", 1),
        };
        writeln!(table, "r{row},\"{text} {}\",{label}", "아주 ".repeat(row % 7).trim_end()).unwrap();
    }
    table + "x1,그냥 그랬음,0\nx2,그냥 그랬음!,1\nx3,그냥 그랬음,0\nx4,,1\n"
}

/// Pairs of two sources whose score of 2.5 and more is the other column's 1, but for one row.
fn pairs() -> String {
    let mut table = "id,source,sentence1,sentence2,score,binary\n".to_owned();
    for row in 0..30 {
        let score = f64::from(row) / 6.0;
        let source = if row < 15 { "news" } else { "review" };
        let second = if row < 15 { "눈이 온다" } else { "비가 많이 온다" };
        let binary = u8::from(score >= 2.5 || row == 3);
        writeln!(table, "p{row},{source},비가 온다 {},{second} {row},{score:.2},{binary}", row / 2).unwrap();
    }
    table
}

fn with_reviews() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", &reviews());
    sandbox.write("test.csv", "ID,review\nt1,그냥 그랬음.\nt2,처음 보는 낱말만 있다\nt3,영화 최고\n");
    sandbox
}

/// The finding `name` of a document.
fn finding(ran: &Ran, name: &str) -> serde_json::Value {
    let document = ran.json();
    let findings = document["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["name"] == name).unwrap_or_else(|| panic!("{name} in {findings:#?}")).clone()
}

#[test]
fn reviews_are_summed_up_with_advice() {
    let sandbox = with_reviews();
    insta::assert_snapshot!("profile_reviews", sandbox.gyeol(&["profile", "train.csv", "--test", "test.csv"]).all());
}

#[test]
fn pairs_are_summed_up_with_sources_overlap_and_the_threshold() {
    let sandbox = Sandbox::new();
    sandbox.write("pairs.csv", &pairs());
    insta::assert_snapshot!("profile_pairs", sandbox.gyeol(&["profile", "pairs.csv"]).all());
    let document = sandbox.gyeol(&["profile", "pairs.csv", "--json"]);
    let threshold = finding(&document, "threshold");
    assert_eq!((&threshold["evidence"]["threshold"], &threshold["evidence"]["below"]), (&2.5.into(), &2.33.into()));
    assert_eq!(document.json()["thresholds"][0]["examples"][0]["id"], "p3");
}

#[test]
fn a_table_without_labels_is_profiled_by_its_texts() {
    let sandbox = with_reviews();
    let document = sandbox.gyeol(&["profile", "test.csv", "--json"]).json();
    assert_eq!((&document["rows"], &document["groups"]), (&3.into(), &serde_json::json!([])));
    assert!(document.get("labels").is_none());
    let ran = sandbox.gyeol_reading(&["profile", "-", "-q"], "review,label\n좋다 정말,1\n나쁘다 정말,0\n");
    assert!(ran.stdout.starts_with("standard input: 2 rows\n"), "{}", ran.all());
}

#[test]
fn a_recipe_brings_its_columns_tokeniser_and_test_table_and_is_not_advised_what_it_says() {
    let project = Project::reviews();
    let document = project.0.gyeol(&["profile", "train.csv", "--recipe", "recipe.toml", "--json"]).json();
    assert_eq!((&document["tokens"]["max_length"], &document["test"]["rows"]), (&32.into(), &15.into()));
    assert_eq!(document["tokens"]["unknown"]["tokens"], 0);
    let short = ["profile", "train.csv", "--base", "base", "--max-length", "6", "--json"];
    let cut = finding(&project.0.gyeol(&short), "cut");
    assert_eq!(cut["recipe"], "model.max_length = 16");
    let advised = |extra: &str| {
        project.0.write("twice.csv", "ID,review,label\na,정말 영화,pos\nb,정말 영화,pos\nc,그냥 배우,neg\n");
        project.recipe(&format!("id = \"ID\"\ntext = \"review\"\n{extra}"), "");
        let document = project.0.gyeol(&["profile", "twice.csv", "--recipe", "recipe.toml", "--json"]).json();
        let findings = document["findings"].as_array().unwrap();
        findings.iter().any(|finding| finding["name"] == "duplicates")
    };
    assert!(advised("") && !advised("group = \"review\""));
}

#[test]
fn tokens_a_vocabulary_lacks_are_named() {
    let project = Project::reviews();
    project.0.write("new.csv", "review,label\n정말 뷁 ㅋㅋ,1\n그냥 뷁,0\n영화 뷁 ㅋㅋ,1\n");
    let ran = project.0.gyeol(&["profile", "new.csv", "--base", "base", "--json"]);
    let unknown = &ran.json()["tokens"]["unknown"];
    assert_eq!(unknown["pieces"], serde_json::json!([["뷁", 3], ["ㅋㅋ", 2]]));
    assert_eq!(finding(&ran, "unknown_tokens")["recipe"], "clean.emoticons = true");
}

#[test]
fn every_recipe_line_advised_makes_a_recipe() {
    let sandbox = Sandbox::new();
    sandbox.write("pairs.csv", &pairs());
    sandbox.write("train.csv", &reviews());
    for table in ["pairs.csv", "train.csv"] {
        let document = sandbox.gyeol(&["profile", table, "--json"]).json();
        let lines = document["findings"].as_array().unwrap().iter().filter_map(|finding| finding["recipe"].as_str());
        let lines: Vec<&str> = lines.collect();
        assert!(!lines.is_empty());
        sandbox.gyeol(&["init", table, "--force", "-q"]);
        for line in lines {
            let ran =
                sandbox.gyeol(&["train", "recipe.toml", "--dry-run", "--set", line, "--set", "model.base=./none"]);
            assert!(ran.stderr.contains("model.base: no such directory"), "{line}: {}", ran.all());
        }
    }
}

#[test]
fn the_page_is_written_whole_and_stands_alone() {
    let sandbox = with_reviews();
    let ran = sandbox.gyeol(&["profile", "train.csv", "--html", "out.html", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.all());
    let page = sandbox.read("out.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    for part in ["그냥 그랬음", "metric = &quot;macro_f1&quot;", "Telling words", "Emotive signs"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let sandbox = with_reviews();
    sandbox.write("empty.csv", "ID,review,label\n");
    sandbox.write("numbers.csv", "a,b\n1,2\n3,4\n");
    sandbox.write("other.csv", "ID,text\nt1,다른 이름\n");
    for (name, args) in [
        ("profile_missing", vec!["nothing.csv"]),
        ("profile_empty", vec!["empty.csv"]),
        ("profile_no_text", vec!["numbers.csv"]),
        ("profile_column", vec!["train.csv", "--label", "lable"]),
        ("profile_test_column", vec!["train.csv", "--test", "other.csv"]),
        ("profile_html", vec!["train.csv", "--html", "no/such/place.html"]),
        ("profile_base", vec!["train.csv", "--base", "./none"]),
        ("profile_recipe", vec!["train.csv", "--recipe", "none.toml"]),
    ] {
        let ran = sandbox.gyeol(&[&["profile"][..], &args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{name}: {}", ran.all());
        insta::assert_snapshot!(name, ran.all());
    }
}
