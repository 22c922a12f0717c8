//! `gyeol predict`, on the tiny checkpoints the engine's goldens are made of.

use std::{fs, path::Path};

use crate::support::{Ran, Sandbox};

const WORDS: [&str; 8] = ["영화", "배우", "연기", "정말", "별로", "최고", "지루", "감동"];

/// Makes a checkpoint directory `name` of the engine's golden `golden` and a vocabulary of [`WORDS`].
fn checkpoint(sandbox: &Sandbox, name: &str, golden: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/golden").join(golden);
    let vocabulary: Vec<&str> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].into_iter().chain(WORDS).collect();
    sandbox.write(&format!("{name}/vocab.txt"), &vocabulary.join("\n"));
    let settings = r#"{"tokenizer_class": "BertTokenizer", "do_lower_case": false}"#;
    sandbox.write(&format!("{name}/tokenizer_config.json"), settings);
    for file in ["config.json", "model.safetensors"] {
        fs::copy(from.join(file), sandbox.path().join(name).join(file)).unwrap();
    }
}

/// A sandbox with a checkpoint of four classes that no run of ours wrote.
fn foreign() -> Sandbox {
    let sandbox = Sandbox::new();
    checkpoint(&sandbox, "checkpoint", "bert_cls");
    sandbox
}

/// A sandbox with a run whose model scores pairs from 0 to 0.01.
fn scorer() -> Sandbox {
    let sandbox = Sandbox::new();
    let model = ".gyeol/runs/pairs-001/model";
    checkpoint(&sandbox, model, "bert_reg_pairs");
    let settings = r#"{"format": 1, "task": "regression", "id": "id", "text": "one", "text_pair": "two",
        "label": "score", "max_length": 32, "labels": [], "score_range": [0.0, 0.01]}"#;
    sandbox.write(&format!("{model}/gyeol.json"), settings);
    sandbox.write(".gyeol/runs/pairs-001/recipe.toml", "seed = 42\n");
    sandbox.write("pairs.csv", "id,one,two\nx,영화 정말 최고,감동\ny,별로,지루 지루 배우\nz,,연기\n");
    sandbox
}

/// Texts of one to nine words, so that lengths differ within a batch of the engine and there are several batches.
fn texts(rows: usize) -> Vec<String> {
    let word = |row: usize, at: usize| WORDS[(row * 5 + at * (row % 3 + 1)) % WORDS.len()];
    (0..rows).map(|row| (0..=row * 7 % 9).map(|at| word(row, at)).collect::<Vec<_>>().join(" ")).collect()
}

fn reviews(rows: usize) -> String {
    let lines = texts(rows).into_iter().enumerate().map(|(row, text)| format!("r{row},{text}\n"));
    format!("ID,review\n{}", lines.collect::<String>())
}

/// Changes `key` of the JSON file `name`.
fn set(sandbox: &Sandbox, name: &str, key: &str, value: serde_json::Value) {
    let mut document: serde_json::Value = serde_json::from_str(&sandbox.read(name)).unwrap();
    document[key] = value;
    sandbox.write(name, &document.to_string());
}

const COLUMNS: [&str; 4] = ["--id", "ID", "--text", "review"];

fn predict(sandbox: &Sandbox, args: &[&str]) -> Ran {
    sandbox.gyeol(&[&["predict"], args].concat())
}

/// Speeds and durations, which differ from run to run.
fn settled(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find(" rows in ") {
        Some(at) => format!("{} rows in […]", &line[..at]),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn predictions_keep_the_order_of_the_table() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(150));
    let ran = predict(&sandbox, &[&["checkpoint", "reviews.csv", "-o", "out.csv"][..], &COLUMNS].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let written = sandbox.read("out.csv");
    let mut lines = written.lines();
    assert_eq!(lines.next(), Some("ID,prediction,p_LABEL_0,p_LABEL_1,p_LABEL_2,p_LABEL_3"));
    let ids: Vec<&str> = lines.map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids, (0..150).map(|row| format!("r{row}")).collect::<Vec<_>>());
}

#[test]
fn a_row_is_predicted_alone_as_among_others() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(70));
    let logits = |table: &str| {
        let ran = predict(&sandbox, &[&["checkpoint", table, "-o", "-", "--logits"][..], &COLUMNS].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        ran.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let together = logits("reviews.csv");
    assert_eq!(together[0], "ID,logit_LABEL_0,logit_LABEL_1,logit_LABEL_2,logit_LABEL_3");
    let table = reviews(70);
    for row in [0, 7, 66] {
        sandbox.write("one.csv", &format!("ID,review\n{}\n", table.lines().nth(row + 1).unwrap()));
        assert_eq!(logits("one.csv")[1], together[row + 1]);
    }
}

#[test]
fn standard_input_and_output_are_a_file_each_and_nothing_else() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(5));
    predict(&sandbox, &[&["checkpoint", "reviews.csv", "-o", "out.csv"][..], &COLUMNS].concat());
    let args = [&["predict", "checkpoint", "-", "-o", "-"][..], &COLUMNS].concat();
    let piped = sandbox.gyeol_reading(&args, &reviews(5));
    assert_eq!(piped.stdout, sandbox.read("out.csv"), "{}", piped.all());
    assert!(piped.stderr.contains("5 rows in"), "{}", piped.all());
    let broken = sandbox.gyeol_reading(&args, "ID,review\n1,영화,2\n");
    assert_eq!((broken.code, broken.stdout.as_str()), (Some(2), ""));
    assert!(broken.stderr.contains("standard input: row 1 (line 2)"), "{}", broken.stderr);
}

#[test]
fn the_summary_counts_the_labels() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(40));
    let args = [&["checkpoint", "reviews.csv", "-o", "out.csv", "--precision", "f32"][..], &COLUMNS].concat();
    insta::assert_snapshot!("predict_summary", settled(&predict(&sandbox, &args).all()));
    let summary = predict(&sandbox, &[&args[..], &["--json"]].concat()).json();
    assert_eq!((&summary["rows"], &summary["output"]), (&40.into(), &"out.csv".into()));
    let counts = summary["labels"].as_object().unwrap();
    assert_eq!(counts.len(), 4);
    assert_eq!(counts.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 40);
    assert!(summary["samples_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_model_of_ours_brings_its_columns_and_its_range() {
    let sandbox = scorer();
    let clamped = predict(&sandbox, &["pairs-001", "pairs.csv", "-o", "-"]);
    assert_eq!(clamped.code, Some(0), "{}", clamped.all());
    assert!(clamped.stderr.contains("1 of 3 texts"), "the empty text is told: {}", clamped.stderr);
    let scores = |csv: &str, header: &str| -> Vec<f32> {
        let mut lines = csv.lines();
        assert_eq!(lines.next(), Some(header));
        lines.map(|line| line.split_once(',').unwrap().1.parse().unwrap()).collect()
    };
    let raw = predict(&sandbox, &[".gyeol/runs/pairs-001", "pairs.csv", "-o", "-", "--logits"]);
    let raw = scores(&raw.stdout, "id,logit");
    assert!(raw.iter().any(|score| !(0.0..=0.01).contains(score)), "nothing to clamp: {raw:?}");
    let expected: Vec<f32> = raw.iter().map(|score| score.clamp(0.0, 0.01)).collect();
    assert_eq!(scores(&clamped.stdout, "id,prediction"), expected);
}

#[test]
fn a_flag_replaces_its_own_column_alone() {
    let sandbox = scorer();
    let expected = predict(&sandbox, &["pairs-001", "pairs.csv", "-o", "-"]);
    let renamed = sandbox.read("pairs.csv").replace("id,one,two", "id,first,two");
    sandbox.write("renamed.csv", &renamed);
    let ran = predict(&sandbox, &["pairs-001", "renamed.csv", "--text", "first", "-o", "-"]);
    assert_eq!(ran.stdout, expected.stdout, "{}", ran.all());
    sandbox.write("renamed.csv", &renamed.replace("first,two", "one,second"));
    let ran = predict(&sandbox, &["pairs-001", "renamed.csv", "--text-pair", "second", "-o", "-"]);
    assert_eq!(ran.stdout, expected.stdout, "{}", ran.all());
}

#[test]
fn a_table_without_the_id_column_of_the_training_is_predicted_all_the_same() {
    let sandbox = scorer();
    let bare = "one,two\n영화 정말 최고,감동\n별로,지루 지루 배우\n";
    sandbox.write("bare.csv", bare);
    let ran = predict(&sandbox, &["pairs-001", "bare.csv", "-o", "-"]);
    assert_eq!((ran.code, ran.stdout.lines().next()), (Some(0), Some("id,prediction")), "{}", ran.all());
    assert!(ran.stderr.contains("bare.csv: no column \"id\" as in training"), "{}", ran.stderr);
    let piped = sandbox.gyeol_reading(&["predict", "pairs-001", "-", "-o", "-"], bare);
    assert_eq!(piped.stdout, ran.stdout, "{}", piped.all());
    assert!(piped.stderr.contains("standard input: no column"), "{}", piped.stderr);
    let asked = predict(&sandbox, &["pairs-001", "bare.csv", "--id", "id", "-o", "-"]);
    assert_eq!(asked.code, Some(2), "{}", asked.all());
    assert!(asked.stderr.starts_with("error: --id: column \"id\""), "{}", asked.stderr);
}

#[test]
fn ids_made_of_pairs_are_found_again_whatever_the_text_column_is_called() {
    let sandbox = scorer();
    sandbox.write("pairs.csv", "first,two,score\n영화 정말,감동,0.004\n별로,지루 배우,0.001\n별로,감동,0.01\n");
    let recipe = "[data]\ntrain = \"train.csv\"\ntext = \"one\"\ntext_pair = \"two\"\nlabel = \"score\"\n\
                  [model]\nbase = \"klue/bert-base\"\n";
    sandbox.write(".gyeol/runs/pairs-001/recipe.toml", recipe);
    let out = ".gyeol/runs/pairs-001/test.csv";
    let ran = predict(&sandbox, &["pairs-001", "pairs.csv", "--text", "first", "-o", out]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let document = sandbox.gyeol(&["evaluate", out, "pairs.csv", "--text", "first", "--json"]).json();
    assert_eq!((&document["rows"], &document["unpredicted"]), (&3.into(), &0.into()));
}

#[test]
fn a_head_of_several_scores_gives_raw_outputs_alone() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(5));
    let args = [&["checkpoint", "reviews.csv", "-o", "out.csv"][..], &COLUMNS].concat();
    let raw = [&args[..], &["--logits"]].concat();
    assert_eq!(predict(&sandbox, &raw).code, Some(0));
    let expected = sandbox.read("out.csv");
    fs::remove_file(sandbox.path().join("out.csv")).unwrap();
    set(&sandbox, "checkpoint/config.json", "problem_type", "regression".into());
    let refused = predict(&sandbox, &args);
    assert_eq!(refused.code, Some(2), "{}", refused.all());
    let (place, advice) = ("error: checkpoint/config.json: problem_type: ", "--logits writes the raw outputs");
    assert!(refused.stderr.starts_with(place) && refused.stderr.contains(advice), "{}", refused.stderr);
    assert!(refused.stderr.contains("\"regression\" of 4 outputs"), "{}", refused.stderr);
    assert!(!sandbox.path().join("out.csv").exists());
    let ran = predict(&sandbox, &raw);
    assert_eq!(sandbox.read("out.csv"), expected, "{}", ran.all());
    assert!(!ran.stdout.contains("prediction"), "raw outputs choose no label: {}", ran.stdout);
    let summary = predict(&sandbox, &[&raw[..], &["--json"]].concat()).json();
    assert_eq!((&summary["rows"], summary.get("labels")), (&5.into(), None));
}

#[test]
fn a_multi_label_checkpoint_gives_each_label_of_at_least_one_half() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(5));
    let args = [&["checkpoint", "reviews.csv", "-o", "out.csv"][..], &COLUMNS].concat();
    assert_eq!(predict(&sandbox, &[&args[..], &["--logits"]].concat()).code, Some(0));
    let logits = sandbox.read("out.csv");
    set(&sandbox, "checkpoint/config.json", "problem_type", "multi_label_classification".into());
    let labels = serde_json::json!({"0": "욕설", "1": "차별", "2": "광고", "3": "도배"});
    set(&sandbox, "checkpoint/config.json", "id2label", labels);
    let summary = predict(&sandbox, &[&args[..], &["--json"]].concat()).json();
    let written = sandbox.read("out.csv");
    assert_eq!(written.lines().next(), Some("ID,prediction,p_욕설,p_차별,p_광고,p_도배"));
    let mut none = 0;
    for (row, logits) in written.lines().zip(logits.lines()).skip(1) {
        let row: Vec<&str> = row.split(',').collect();
        let logits: Vec<f64> = logits.split(',').skip(1).map(|logit| logit.parse().unwrap()).collect();
        let mut given = Vec::new();
        for (label, (p, logit)) in ["욕설", "차별", "광고", "도배"].iter().zip(row[2..].iter().zip(&logits)) {
            let p: f64 = p.parse().unwrap();
            assert!((p - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6, "{row:?}");
            given.extend((p >= 0.5).then_some(*label));
        }
        assert_eq!(row[1], given.join("|"));
        none += usize::from(given.is_empty());
    }
    assert_eq!(summary["unlabelled"], none);
}

#[test]
fn labels_that_could_not_be_joined_are_numbered() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(3));
    set(&sandbox, "checkpoint/config.json", "problem_type", "multi_label_classification".into());
    let labels = serde_json::json!({"0": "a|b", "1": "c", "2": "d", "3": "e"});
    set(&sandbox, "checkpoint/config.json", "id2label", labels);
    let ran = predict(&sandbox, &[&["checkpoint", "reviews.csv", "-o", "-"][..], &COLUMNS].concat());
    let header = "ID,prediction,p_LABEL_0,p_LABEL_1,p_LABEL_2,p_LABEL_3";
    assert_eq!(ran.stdout.lines().next(), Some(header), "{}", ran.all());
    assert!(ran.stderr.contains("id2label has \"a|b\", which is no one label"), "{}", ran.stderr);
}

#[test]
fn settings_that_do_not_fit_the_head_are_refused_before_the_work() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(3));
    for (task, labels, expected) in [
        ("classification", vec!["0", "1"], "labels: 2 labels, but the head has 4 outputs"),
        ("classification", vec!["0", "1", "2", "0"], "labels: \"0\" is there twice"),
        ("regression", vec![], "task: a regression has 1 output, but the head has 4"),
    ] {
        let settings = serde_json::json!({
            "format": 1, "task": task, "text": "review", "max_length": 32, "labels": labels
        });
        sandbox.write("checkpoint/gyeol.json", &settings.to_string());
        let ran = predict(&sandbox, &["checkpoint", "reviews.csv", "-o", "out.csv"]);
        assert_eq!(ran.code, Some(2), "{}", ran.all());
        let expected = format!("error: checkpoint/gyeol.json: {expected}");
        assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
    }
    assert!(!sandbox.path().join("out.csv").exists());
}

#[test]
fn labels_of_a_checkpoint_that_are_alike_are_numbered() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(3));
    let labels = serde_json::json!({"0": "good", "1": "bad", "2": "good", "3": "mixed"});
    set(&sandbox, "checkpoint/config.json", "id2label", labels);
    let ran = predict(&sandbox, &[&["checkpoint", "reviews.csv", "-o", "-"][..], &COLUMNS].concat());
    let header = "ID,prediction,p_LABEL_0,p_LABEL_1,p_LABEL_2,p_LABEL_3";
    assert_eq!(ran.stdout.lines().next(), Some(header), "{}", ran.all());
    assert!(ran.stderr.contains("id2label has \"good\" twice"), "{}", ran.stderr);
}

#[test]
fn a_model_whose_replacement_was_cut_short_is_put_back_unless_someone_is_at_it() {
    let sandbox = scorer();
    let run = sandbox.path().join(".gyeol/runs/pairs-001");
    let (model, aside) = (run.join("model"), run.join(".model.old"));
    fs::rename(&model, &aside).unwrap();
    let lock = fs::File::create(run.join("run.lock")).unwrap();
    lock.lock().unwrap();
    for name in ["pairs-001", ".gyeol/runs/pairs-001"] {
        let busy = predict(&sandbox, &[name, "pairs.csv", "-o", "-"]);
        assert_eq!(busy.code, Some(2), "{}", busy.all());
        assert!(busy.stderr.contains("the run is not finished"), "{}", busy.stderr);
        assert!(aside.exists() && !model.exists());
    }
    drop(lock);
    for name in ["pairs-001", ".gyeol/runs/pairs-001"] {
        let ran = predict(&sandbox, &[name, "pairs.csv", "-o", "-"]);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        assert!(model.exists() && !aside.exists());
        fs::rename(&model, &aside).unwrap();
    }
}

#[test]
fn a_checkpoint_that_is_no_run_is_only_read() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(3));
    sandbox.write("checkpoint/recipe.toml", "seed = 42\n");
    sandbox.write(".checkpoint.old/notes.txt", "mine");
    let ran = predict(&sandbox, &[&["checkpoint", "reviews.csv", "-o", "-"][..], &COLUMNS].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(sandbox.read(".checkpoint.old/notes.txt"), "mine");
}

#[test]
fn standard_output_is_for_predictions_or_for_the_document() {
    let ran = predict(&Sandbox::new(), &["no-such-run", "no-such-table.csv", "-o", "-", "--json"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
    assert!(ran.stderr.contains("--json") && ran.stderr.contains("hint: "), "{}", ran.stderr);
}

#[test]
fn rows_without_an_id_column_get_ids_of_their_content() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", "review\n영화\n배우\n영화\n");
    let ran = predict(&sandbox, &["checkpoint", "reviews.csv", "--text", "review", "-o", "-"]);
    let ids: Vec<&str> = ran.stdout.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!((ids.len(), ids[0]), (4, "id"), "{}", ran.all());
    assert!(ids[1] != ids[2] && ids[1] != ids[3], "{ids:?}");
}

#[test]
fn what_is_missing_is_named_and_nothing_is_written() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(3));
    fs::create_dir(sandbox.path().join("empty")).unwrap();
    let args = |rest: &[&'static str]| [&["checkpoint", "reviews.csv", "-o", "out.csv"][..], rest].concat();
    for (name, args) in [
        ("predict_column", args(&["--text", "reveiw"])),
        ("predict_no_text", args(&[])),
        ("predict_too_long", args(&["--text", "review", "--max-length", "1000"])),
        ("predict_too_short", args(&["--text", "review", "--max-length", "2"])),
        ("predict_no_table", vec!["checkpoint", "nothing.csv", "--text", "review", "-o", "out.csv"]),
        ("predict_no_model", vec!["empty", "reviews.csv", "--text", "review", "-o", "out.csv"]),
        ("predict_no_run", vec!["checkpiont", "reviews.csv", "--text", "review", "-o", "out.csv"]),
    ] {
        let ran = predict(&sandbox, &args);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.all());
        insta::assert_snapshot!(name, ran.all());
    }
    assert!(!sandbox.path().join("out.csv").exists());
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_work() {
    let sandbox = Sandbox::new();
    let missing = predict(&sandbox, &["no-such-run", "no-such-table.csv", "-o", "no/such/out.csv"]);
    insta::assert_snapshot!("predict_no_directory", missing.all());
    let directory = predict(&sandbox, &["no-such-run", "no-such-table.csv", "-o", "."]);
    assert_eq!(directory.code, Some(2));
    assert!(directory.stderr.starts_with("error: --output: . is a directory"), "{}", directory.stderr);
}

#[test]
fn damaged_weights_are_the_users_to_mend() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(3));
    let path = sandbox.path().join("checkpoint/model.safetensors");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let ran = predict(&sandbox, &[&["checkpoint", "reviews.csv", "-o", "out.csv"][..], &COLUMNS].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("model.safetensors"), "{}", ran.stderr);
}

#[test]
fn an_instruction_set_that_does_not_exist_is_a_mistake() {
    let sandbox = foreign();
    sandbox.write("reviews.csv", &reviews(3));
    let args = [&["predict", "checkpoint", "reviews.csv", "-o", "out.csv"][..], &COLUMNS].concat();
    let ran = Ran::of(sandbox.command(&args).env("GYEOL_ISA", "sse9").output().unwrap());
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.starts_with("error: GYEOL_ISA=sse9: there is no such instruction set"), "{}", ran.stderr);
}
