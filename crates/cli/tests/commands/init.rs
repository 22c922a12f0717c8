//! `gyeol init`.

use crate::support::Sandbox;

const REVIEWS: &str = "ID,review,label\n1,정말 재밌게 봤어요,3\n2,돈이 아깝다 ㅡㅡ,0\n3,그냥 그랬음,1\n4,배우 연기가 좋았다,2\n\
                       5,다시는 안 본다,0\n6,인생 영화 ㅠㅠ,3\n";

#[test]
fn reviews_become_a_classification_recipe_with_their_neighbours() {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", REVIEWS);
    sandbox.write("test.csv", "ID,review\n7,볼만하다\n");
    sandbox.write("valid.csv", "ID,text\n8,이 표에는 label이 없다\n");
    insta::assert_snapshot!("init_reviews", sandbox.gyeol(&["init", "train.csv"]).all());
    insta::assert_snapshot!("init_reviews_recipe", sandbox.read("recipe.toml"));
}

#[test]
fn pairs_with_fractions_become_a_regression_recipe() {
    let sandbox = Sandbox::new();
    let pairs = "id\tsource\tsentence1\tsentence2\tscore\na\tnews\t비가 온다\t눈이 온다\t1.5\n\
                 b\ttalk\t안녕하세요\t반갑습니다\t3.25\nc\tnews\t배가 고프다\t밥을 먹자\t2.0\n";
    sandbox.write("data/pairs.tsv", pairs);
    let found = sandbox.gyeol(&["init", "data/pairs.tsv", "-o", "pairs.toml", "--json"]).json();
    assert_eq!(found["task"], "regression");
    assert_eq!(found["columns"]["text_pair"]["column"], "sentence2");
    assert_eq!(found["labels"]["range"], serde_json::json!([1.5, 3.25]));
    insta::assert_snapshot!("init_pairs_recipe", sandbox.read("pairs.toml"));
}

#[test]
fn a_recipe_is_overwritten_only_when_asked() {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", REVIEWS);
    sandbox.write("recipe.toml", "mine");
    insta::assert_snapshot!("init_exists", sandbox.gyeol(&["init", "train.csv"]).all());
    assert_eq!(sandbox.read("recipe.toml"), "mine");
    assert_eq!(sandbox.gyeol(&["init", "train.csv", "--force", "-q"]).code, Some(0));
    assert_ne!(sandbox.read("recipe.toml"), "mine");
}

#[test]
fn what_cannot_be_found_or_read_is_said_and_nothing_is_written() {
    let sandbox = Sandbox::new();
    sandbox.write("numbers.csv", "a,b\n1,2\n3,4\n");
    sandbox.write("reviews.csv", REVIEWS);
    sandbox.write("semicolons.csv", &REVIEWS.replace(',', ";"));
    sandbox.write("tabs.csv", &REVIEWS.replace(',', "\t"));
    for (name, args) in [
        ("init_no_text", vec!["init", "numbers.csv"]),
        ("init_missing", vec!["init", "nothing.csv"]),
        ("init_column", vec!["init", "reviews.csv", "--label", "lable"]),
        ("init_stdin", vec!["init", "-"]),
        ("init_semicolons", vec!["init", "semicolons.csv"]),
        ("init_tabs", vec!["init", "tabs.csv"]),
    ] {
        insta::assert_snapshot!(name, sandbox.gyeol(&args).all());
    }
    assert!(!sandbox.path().join("recipe.toml").exists());
}

#[test]
fn a_recipe_that_cannot_be_written_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", REVIEWS);
    let ran = sandbox.gyeol(&["init", "train.csv", "-o", "no/such/place/recipe.toml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(
        ran.stderr.starts_with("error: --output: there is no directory no/such/place to write to"),
        "{}",
        ran.stderr
    );
}
