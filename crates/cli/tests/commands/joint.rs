//! `model.members`: several bases trained together, what they leave, and what predicts with them.

use std::{fmt::Write as _, fs};

use serde_json::{Value, json};

use crate::{
    project::{Project, TINY, names, reviews, text},
    support::Sandbox,
};

/// A recipe that starts from two bases: `base/`, a BERT, and `other/`, an ELECTRA of other sizes, whose tokeniser knows half of
/// the words.
fn with_members(project: Project) -> Project {
    project.base(TINY);
    let words = project.0.read("base/vocab.txt");
    let known: Vec<&str> = words.lines().enumerate().filter(|(at, _)| *at < 5 || at % 2 == 0).map(|(_, w)| w).collect();
    let config = json!({
        "model_type": "electra",
        "vocab_size": known.len(),
        "embedding_size": 8,
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 20,
        "max_position_embeddings": 36,
        "type_vocab_size": 2,
        "pad_token_id": 0,
    });
    project.0.write("other/config.json", &config.to_string());
    project.0.write("other/vocab.txt", &known.join("\n"));
    project.0.write("other/tokenizer_config.json", &project.0.read("base/tokenizer_config.json"));
    let recipe = project.0.read("recipe.toml").replace("base = \"base\"", "members = [\"base\", \"./other\"]");
    project.0.write("recipe.toml", &recipe);
    project
}

/// Reviews of two classes, those of `valid.csv` to validate on.
fn classes() -> Project {
    let project = Project::reviews();
    project.0.write("valid.csv", &reviews(80).replace("\nr", "\nv"));
    project.recipe("id = \"ID\"\ntext = \"review\"\ntest = \"test.csv\"\nvalid = \"valid.csv\"", "epochs = 2");
    with_members(project)
}

/// Pairs with scores from 0 to 5, those of `valid.csv` to validate on.
fn scores() -> Project {
    let project = Project(Sandbox::new());
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
    with_members(project)
}

fn sets<'a>(settings: &[&'a str]) -> Vec<&'a str> {
    settings.iter().flat_map(|&set| ["--set", set]).collect()
}

/// Trains, and asserts that `gyeol predict` gives the run's own predictions of its validation rows.
fn repeats(project: &Project, number: usize, settings: &[&str]) -> Value {
    let report = project.report(&sets(settings));
    let run = format!("recipe-{number:03}");
    let ran = project.0.gyeol(&["predict", &run, "valid.csv", "-o", "out.csv"]);
    assert_eq!(ran.code, Some(0), "{settings:?}: {}", ran.all());
    assert_eq!(project.0.read("out.csv"), project.run_text(number, "valid.csv"), "{settings:?}");
    report
}

#[test]
fn predict_repeats_what_members_predicted_together_however_they_are_joined() {
    let project = scores();
    for (number, settings) in (1..).zip([
        &[][..],
        &["head.kind=mlp", "head.widths=[9]", "head.pooling=mean"],
        &["head.kind=bi-encoder"],
        &["model.join=stack", "head.kind=linear", "head.pooling=max", "loss.kind=huber"],
        &["model.join=stack", "head.kind=linear", "model.freeze_layers=\"1/1\""],
    ]) {
        let report = repeats(&project, number, settings);
        assert!(report["metrics"]["pearson"].is_f64(), "{settings:?}: {report}");
    }
}

#[test]
fn classes_special_tokens_averages_and_other_losses_work_with_members() {
    let project = classes();
    let mut table = project.0.read("train.csv");
    table.push_str("l1,영화 ㅋㅋㅋ 최고,pos\nl2,배우 ㅠㅠ 별로,neg\n");
    project.0.write("train.csv", &table);
    repeats(
        &project,
        1,
        &["clean.emoticons=true", "loss.kind=focal", "train.ema=0.9", "swa.checkpoints=2", "train.evaluate_every=3"],
    );
    repeats(&project, 2, &["loss.kind=bce", "train.optimizer=adafactor"]);
    repeats(&project, 3, &["train.optimizer=lion", "model.join=stack", "head.kind=linear"]);
    assert!(project.run_text(1, "recipe.toml").contains("join = \"mean\""), "the default is not written out");

    let recipe = project.0.read("recipe.toml");
    project.0.write("recipe.toml", &format!("{recipe}\n[folds]\nk = 2\n"));
    let ran = project.train(&["--seeds", "1,2", "--set", "train.epochs=1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
}

#[test]
fn each_member_is_a_checkpoint_of_its_own_and_the_mean_of_their_logits_is_the_models() {
    let project = classes();
    project.report(&[]);
    assert_eq!(names(project.run_path(1, "model")), ["gyeol.json", "members"]);
    let model = ".gyeol/runs/recipe-001/model";
    let logits = |dir: &str| -> Vec<f64> {
        let ran = project.0.gyeol(&["predict", dir, "valid.csv", "-o", "out.csv", "--logits"]);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        let text = project.0.read("out.csv");
        text.lines().skip(1).flat_map(|line| line.split(',').skip(1)).map(|cell| cell.parse().unwrap()).collect()
    };
    let joined = logits(model);
    let [one, two] = [0, 1].map(|member| logits(&format!("{model}/members/{member}")));
    assert!(joined.len() == 160 && one != two);
    for ((joined, one), two) in joined.iter().zip(&one).zip(&two) {
        assert!((joined - (one + two) / 2.0).abs() < 1e-5, "{joined}: {one} and {two}");
    }
    fs::remove_dir_all(project.0.path().join(model).join("members/1")).unwrap();
    let ran = project.0.gyeol(&["predict", "recipe-001", "valid.csv", "-o", "out.csv"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("members/1"), "{}", ran.stderr);
}

#[test]
fn a_stacked_layer_has_one_bias() {
    let project = scores();
    project.report(&sets(&["model.join=stack", "head.kind=linear"]));
    let bias = |member: usize| {
        let file = fs::read(project.run_path(1, &format!("model/members/{member}/2_Dense/model.safetensors"))).unwrap();
        crate::project::tensors(&file)["linear.bias"].clone()
    };
    assert_ne!(bias(0), [0; 4]);
    assert_eq!(bias(1), [0; 4]);
}

#[test]
fn a_dry_run_counts_every_member_and_a_refit_starts_from_all_of_them() {
    let project = classes();
    let count = |set: &str| {
        let ran = project.train(&["--dry-run", "--json", "--set", set]);
        ran.json()["parameters"].as_u64().unwrap()
    };
    let both = count("train.epochs=1");
    project.0.write(
        "one.toml",
        &project.0.read("recipe.toml").replace("members = [\"base\", \"./other\"]", "base = \"base\""),
    );
    let one = project.0.gyeol(&["train", "one.toml", "--dry-run", "--json"]).json()["parameters"].as_u64().unwrap();
    assert!(both > one);

    project.report(&[]);
    for (number, from) in (1..).zip(["base", "best"]) {
        let ran = project.train(&["--refit", "recipe-001", "--from", from]);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        let model = format!(".gyeol/runs/recipe-refit-{number:03}/model/members");
        assert_eq!(names(project.0.path().join(model)), ["0", "1"]);
    }
}

#[test]
fn members_that_make_no_sense_are_refused_before_anything_is_written() {
    let project = classes();
    let refused = |settings: &[&str], parts: &[&str]| {
        let ran = project.train(&sets(settings));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
        for part in parts {
            assert!(ran.stderr.contains(part), "{part:?} not in\n{}", ran.stderr);
        }
        assert!(!project.0.path().join(".gyeol/runs").exists(), "{settings:?} left a run");
    };
    refused(&["model.members=[\"base\"]"], &["model.members: ", "two or more"]);
    refused(&["model.members=[\"base\", \"./ohter\"]"], &["model.members: no such directory", "other"]);
    refused(&["model.members=[\"base\", \"\"]"], &["model.members: "]);
    refused(&["model.base=base"], &["model.members: stands beside model.base"]);
    refused(&["model.join=sum"], &["model.join", "mean", "stack"]);
    refused(&["model.join=stack"], &["model.join: ", "head.kind = \"linear\", not \"default\""]);
    refused(&["model.freeze_layers=2"], &["model.freeze_layers: "]);
    refused(&["model.max_length=37"], &["model.max_length: ", "use at most 36"]);
    refused(&["adapt.epochs=1"], &["model.members: ", "[adapt]"]);
    let ran = project.0.gyeol(&["adapt", "recipe.toml", "--set", "model.init=pretrained"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("model.members: "), "{}", ran.stderr);

    let without = project.0.read("recipe.toml").replace("members = [\"base\", \"./other\"]\n", "");
    project.0.write("recipe.toml", &without);
    refused(&[], &["model.base: ", "model.members"]);
    refused(&["model.base=base", "model.join=mean"], &["model.join: "]);

    let project = scores();
    let ran = project.train(&sets(&["model.join=stack", "head.kind=bi-encoder"]));
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("not \"bi-encoder\""), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn members_that_were_killed_go_on_to_the_same_bits() {
    use crate::resume::{count, ended, start, wait_until};

    let endings = [false, true].map(|killed| {
        let project = classes();
        let lines = "max_steps = 240\nevaluate_every = 2\nkeep = 1\nema = 0.9\nschedule = \"constant\"";
        project.recipe("id = \"ID\"\ntext = \"review\"\nholdout = 0.25", lines);
        let recipe = project.0.read("recipe.toml").replace("learning_rate = 1e-3", "learning_rate = 2e-6");
        // The score gets better every time: a state is saved whenever enough checkpoints fell out.
        project.0.write("recipe.toml", &format!("metric = \"log_loss\"\n{recipe}"));
        let project = with_members(project);
        for target in [60, 150].into_iter().filter(|_| killed) {
            let mut child = start(&project, &["--resume"]);
            wait_until(&mut child, || count(&project, "step") >= target);
            child.kill().unwrap();
            let ran = ended(child);
            assert_eq!(ran.code, None, "the run ended before it was killed: {}", ran.all());
        }
        project.report(&["--resume"]);
        assert!(!killed || count(&project, "resumed") > 0, "no state was saved before the kills");
        let weights = [0, 1]
            .map(|member| fs::read(project.run_path(1, &format!("model/members/{member}/model.safetensors"))).unwrap());
        (weights, project.run_text(1, "valid.csv"))
    });
    assert!(endings[0] == endings[1], "the weights or the predictions differ");
}
