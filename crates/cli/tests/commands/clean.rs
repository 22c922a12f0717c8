//! `gyeol clean`, and cleaning on its way from a recipe to the predictions of a model.

use serde_json::json;

use crate::{
    project::{Project, names, reviews},
    support::{Ran, Sandbox},
};

const REVIEWS: &str = "ID,review,label\n1,정말 재밌게 봤어요ㅋㅋㅋㅋ,3\n2,돈이  아깝다 ㅡㅡ;;,0\n3,그냥 그랬음,1\n\
                       4,배우\u{200b} 연기 &lt;최고&gt; 😊👍🏽,2\n5,[LAUGH] 다시는 안 본다!!!!,0\n6,ㅠㅠ 인생 영화 http://example.com,3\n7,~~,1\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", REVIEWS);
    sandbox
}

const STEPS: [&str; 6] =
    ["--text=review", "--emoticons", "--urls", "--repeats=2", "--keep-characters=,.?!", "--stop-words=그냥"];

#[test]
fn a_preview_shows_rows_before_and_after_and_counts_each_step() {
    let sandbox = sandbox();
    insta::assert_snapshot!("clean_preview", sandbox.gyeol(&[&["clean", "train.csv"][..], &STEPS].concat()).all());
    let words = [&["clean", "train.csv", "--rows", "1", "--json"][..], &STEPS].concat();
    let document = sandbox.gyeol(&words).json();
    assert_eq!((&document["rows"], &document["changed"], &document["emptied"]), (&7.into(), &7.into(), &1.into()));
    assert_eq!(document["steps"]["emoticons"], 4);
    assert_eq!(document["special_tokens"][0], json!({"token": "[LAUGH]", "rows": 2, "times": 2}));
    let expected = json!([{"row": 1, "column": "review", "before": "정말 재밌게 봤어요ㅋㅋㅋㅋ",
        "after": "정말 재밌게 봤어요 [LAUGH]", "steps": ["emoticons"]}]);
    assert_eq!(document["examples"], expected);
}

#[test]
fn without_steps_only_what_nobody_sees_is_changed() {
    let ran = sandbox().gyeol(&["clean", "train.csv", "--text", "review", "--json"]);
    let examples = &ran.json()["examples"];
    let rows: Vec<_> = examples.as_array().unwrap().iter().map(|example| &example["row"]).collect();
    assert_eq!(rows, [2, 4]);
    assert_eq!(examples[1]["after"], "배우 연기 <최고> 😊👍🏽");
}

#[test]
fn the_cleaned_table_keeps_its_other_columns_and_is_clean_already() {
    let sandbox = sandbox();
    let ran = sandbox.gyeol(&[&["clean", "train.csv", "-o", "clean.csv", "-q"][..], &STEPS].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    insta::assert_snapshot!("clean_table", sandbox.read("clean.csv"));
    let again = sandbox.gyeol(&[&["clean", "clean.csv", "--json"][..], &STEPS].concat()).json();
    assert_eq!((&again["changed"], &again["had_token"]), (&0.into(), &5.into()));
}

#[test]
fn what_cannot_be_cleaned_is_said_before_the_work() {
    let sandbox = sandbox();
    sandbox.write("bad.txt", "[LAUGH] ㅋ\n[CRY]\n");
    sandbox.write("plain.toml", "[data]\ntrain=\"train.csv\"\ntext=\"review\"\nlabel=\"label\"\n[model]\nbase=\"b\"\n");
    for (name, words) in [
        ("clean_no_text", vec!["clean", "train.csv"]),
        ("clean_column", vec!["clean", "train.csv", "--text", "reveiw"]),
        ("clean_bad_table", vec!["clean", "train.csv", "--text", "review", "--emoticons=bad.txt"]),
        ("clean_stop_word", vec!["clean", "train.csv", "--text", "review", "--stop-words", "두 단어"]),
        ("clean_no_table", vec!["clean", "train.csv", "--recipe", "plain.toml"]),
        ("clean_output", vec!["clean", "train.csv", "--text", "review", "-o", "clean.parquet"]),
        ("clean_both", vec!["clean", "train.csv", "--recipe", "plain.toml", "--urls"]),
    ] {
        let ran = sandbox.gyeol(&words);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.all());
        insta::assert_snapshot!(name, ran.all());
    }
}

/// A project whose reviews have emoticons, and a recipe that cleans them, trained once.
fn trained(clean: &str) -> (Project, Ran) {
    let project = Project::reviews();
    let ends = ["ㅋㅋㅋ", " ㅠㅠ", "  :)", "!!!!", " &amp; 끝", ""];
    let dirty = |table: String| {
        let mut lines = table.lines().map(str::to_owned).enumerate().collect::<Vec<_>>();
        for (row, line) in lines.iter_mut().skip(1) {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            cells[1].push_str(ends[*row % ends.len()]);
            *line = cells.join(",");
        }
        lines.into_iter().map(|(_, line)| line + "\n").collect::<String>()
    };
    project.0.write("train.csv", &dirty(reviews(60)));
    project.0.write("test.csv", &dirty(project.0.read("test.csv")));
    let recipe = project.0.read("recipe.toml");
    project.0.write("recipe.toml", &format!("{recipe}\n[clean]\n{clean}\n"));
    let ran = project.train(&["--set", "train.precision=f32"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    (project, ran)
}

#[test]
fn predict_on_raw_text_gives_the_predictions_of_the_run_in_every_bit() {
    let (project, ran) = trained("emoticons = true\nrepeats = 2\nrare_words = 3\nstop_words = [\"영화\"]");
    assert!(ran.stderr.contains("cleaning changed 4"), "{}", ran.stderr);
    assert!(ran.stderr.contains("new special tokens: 11"), "{}", ran.stderr);
    let predict = |model: &str, table: &str| {
        let ran = project.0.gyeol(&["predict", model, table, "-o", "-", "--precision", "f32"]);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        ran.stdout
    };
    for model in ["recipe-001", ".gyeol/runs/recipe-001/model"] {
        assert_eq!(predict(model, "test.csv"), project.run_text(1, "test.csv"));
    }
    // The validation rows are some of the training table's.
    let of_all = predict("recipe-001", "train.csv");
    let valid = project.run_text(1, "valid.csv");
    assert_eq!(valid.lines().count(), 16);
    assert!(valid.lines().all(|line| of_all.lines().any(|other| other == line)));
    // Texts cleaned before are predicted alike.
    let words = ["clean", "test.csv", "--recipe", "recipe.toml", "-o", "cleaned.csv"];
    assert_eq!(project.0.gyeol(&words).code, Some(0));
    assert_ne!(project.0.read("cleaned.csv"), project.0.read("test.csv"));
    assert_eq!(predict("recipe-001", "cleaned.csv"), project.run_text(1, "test.csv"));
}

#[test]
fn the_model_directory_has_the_tokens_everywhere_they_are_looked_for() {
    let (project, _) = trained("emoticons = true");
    let read = |file: &str| -> serde_json::Value {
        serde_json::from_str(&project.run_text(1, &format!("model/{file}"))).unwrap()
    };
    let size = project.0.read("base/vocab.txt").lines().count();
    assert_eq!(read("config.json")["vocab_size"], size + 11);
    assert_eq!(read("tokenizer_config.json")["additional_special_tokens"].as_array().unwrap().len(), 11);
    let added = read("tokenizer.json")["added_tokens"].clone();
    let laugh = added.as_array().unwrap().iter().find(|token| token["content"] == "[LAUGH]").unwrap();
    assert_eq!((&laugh["id"], &laugh["special"]), (&size.into(), &true.into()));
    assert_eq!(read("gyeol.json")["format"], 2);
    assert!(read("gyeol.json")["clean"]["steps"].is_array());
    assert!(!names(project.run_path(1, "model")).contains(&"clean.json".to_owned()));
}

#[test]
fn a_trained_model_trains_on_with_the_tokens_it_has() {
    let (project, _) = trained("emoticons = true");
    let sets = ["--set", "model.base=.gyeol/runs/recipe-001/model", "--set", "model.init=pretrained"];
    let ran = project.train(&sets);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(!ran.stderr.contains("new special tokens"), "{}", ran.stderr);
    let config = |run| project.run_text(run, "model/config.json");
    assert_eq!(config(1), config(2));
}

#[test]
fn a_tokeniser_without_the_tokens_of_the_cleaning_is_refused() {
    let (project, _) = trained("emoticons = true");
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::remove_file(project.run_path(1, "model").join(file)).unwrap();
    }
    let ran = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "-"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("gyeol.json: clean: the cleaning makes the special token [LAUGH]"), "{}", ran.stderr);
}
