//! `train.precision` and `--precision`: what they come to on an instruction set, and where that is told.

use gyeol_engine::Isa;
use serde_json::Value;

use crate::{project::Project, support::Ran};

/// `gyeol` with `words` on the instruction set `isa`.
fn on(project: &Project, isa: Isa, words: &[&str]) -> Ran {
    Ran::of(project.0.command(words).env("GYEOL_ISA", isa.name()).output().unwrap())
}

/// The instruction sets of this processor.
fn available() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.available())
}

#[test]
fn auto_is_bf16_where_the_instruction_set_has_it_and_every_record_says_so() {
    let project = Project::reviews();
    for (run, isa) in (1..).zip(available()) {
        let precision = if isa.has_bf16() { "bf16" } else { "f32" };
        let ran = on(&project, isa, &["train", "recipe.toml"]);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        let name = isa.name();
        assert_eq!(ran.stderr.matches(&format!("precision: {precision} on {name}, as ")).count(), 1, "{}", ran.stderr);
        assert!(ran.stdout.contains(&format!("({name}, {precision})")), "{}", ran.stdout);
        let report: Value = serde_json::from_str(&project.run_text(run, "report.json")).unwrap();
        assert_eq!((&report["isa"], &report["precision"]), (&name.into(), &precision.into()));
        let started: Value =
            serde_json::from_str(project.run_text(run, "events.jsonl").lines().next().unwrap()).unwrap();
        assert_eq!((&started["isa"], &started["precision"]), (&name.into(), &precision.into()));
        let estimate = on(&project, isa, &["train", "recipe.toml", "--dry-run", "--json"]).json();
        assert_eq!((&estimate["isa"], &estimate["precision"]), (&name.into(), &precision.into()));
        let told = on(&project, isa, &["train", "recipe.toml", "--dry-run"]).stdout;
        assert!(told.contains(&format!("tokens/s in {precision} on {name}")), "{told}");
        let model = format!("recipe-{run:03}");
        let predicted = on(&project, isa, &["predict", &model, "test.csv", "-o", "out.csv", "--json"]).json();
        assert_eq!((&predicted["isa"], &predicted["precision"]), (&name.into(), &precision.into()));
        // The run predicted its own test table in the same arithmetic.
        assert_eq!(project.0.read("out.csv"), project.run_text(run, "test.csv"));
    }
}

#[test]
fn f32_can_be_asked_for_anywhere_and_the_summary_says_so() {
    let project = Project::reviews();
    project.report(&["--set", "train.precision=f32"]);
    let words = ["predict", "recipe-001", "test.csv", "-o", "out.csv", "--precision", "f32"];
    for isa in available() {
        let ran = on(&project, isa, &words);
        assert!(ran.stdout.contains(", f32)\n"), "{}", ran.all());
    }
    let ran = project.0.gyeol(&words);
    assert_eq!(project.0.read("out.csv"), project.run_text(1, "test.csv"), "{}", ran.all());
}

#[test]
fn single_precision_has_the_same_bits_with_and_without_the_instructions_of_bf16() {
    if Isa::Avx512Bf16.available() {
        let project = Project::reviews();
        for isa in [Isa::Avx512Bf16, Isa::Avx512] {
            let ran = on(&project, isa, &["train", "recipe.toml", "--set", "train.precision=f32", "--json"]);
            assert_eq!(ran.json()["isa"], "avx512");
        }
        assert!(project.weights(1) == project.weights(2));
    }
}

#[test]
fn bf16_without_its_instructions_is_refused_before_anything_is_read_or_written() {
    let project = Project::reviews();
    let before = project.files();
    let recipe = ["train", "recipe.toml", "--set", "train.precision=bf16", "--set", "data.train=nowhere.csv"];
    let predict = ["predict", "no-such-run", "nowhere.csv", "-o", "out.csv", "--precision", "bf16"];
    for (words, key) in [(&recipe[..], "train.precision"), (&predict[..], "--precision")] {
        let ran = on(&project, Isa::Portable, words);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
        let start = format!("error: {key}: \"bf16\" needs avx512bf16, and ");
        assert!(ran.stderr.starts_with(&start) && ran.stderr.contains("use \"auto\" or \"f32\""), "{}", ran.stderr);
        // Whoever pinned an instruction set is told that this is why, if it is.
        assert_eq!(ran.stderr.contains("GYEOL_ISA asks for portable"), Isa::Avx512Bf16.available(), "{}", ran.stderr);
    }
    assert!(project.files() == before && !project.0.path().join(".gyeol").exists());
}
