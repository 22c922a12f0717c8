//! A profile's figures agree with NumPy, SciPy and an independent reading of Monroe et al. (`golden/make_profile.py`).

use std::path::{Path, PathBuf};

use gyeol_data::profile::{LabelKind, Profile, ProfileOptions, Summary};
use gyeol_data::{Columns, Table};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/profile")
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("expected.json")).unwrap()).unwrap()
}

fn profile() -> Profile {
    let [train, test] = ["train.csv", "test.csv"].map(|name| Table::read(&root().join(name)).unwrap());
    let columns = Columns { text: "review".into(), label: Some("label".into()), ..Columns::default() };
    let options = ProfileOptions { test: Some(&test), ..ProfileOptions::default() };
    Profile::new(&train, &columns, &options).unwrap()
}

#[track_caller]
fn close(found: f64, wanted: &Value) {
    let wanted = wanted.as_f64().unwrap();
    assert!((found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0), "{found} is not {wanted}");
}

fn same(found: &Summary, wanted: &Value) {
    close(found.mean, &wanted["mean"]);
    close(found.deviation, &wanted["deviation"]);
    let q = found.quantiles;
    for (at, value) in [q.p5, q.p25, q.p50, q.p75, q.p95, q.p99].into_iter().enumerate() {
        close(value, &wanted["quantiles"][at]);
    }
}

#[test]
fn lengths_have_the_moments_and_percentiles_of_numpy() {
    let (profile, expected) = (profile(), expected());
    same(&profile.text.characters.summary, &expected["characters"]);
    same(&profile.text.words.summary, &expected["words"]);
}

#[test]
fn telling_words_have_the_scores_of_an_independent_computation() {
    let (profile, expected) = (profile(), expected());
    for told in &profile.telling {
        let wanted = &expected["telling"][&told.label];
        let mut order: Vec<(&String, f64)> =
            wanted.as_object().unwrap().iter().map(|(word, of)| (word, of["z"].as_f64().unwrap())).collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        assert!(!told.words.is_empty() && !told.against.is_empty());
        for word in told.words.iter().chain(&told.against) {
            close(word.z, &wanted[&word.word]["z"]);
            close(word.log_odds, &wanted[&word.word]["log_odds"]);
        }
        let surest: Vec<f64> = told.words.iter().map(|word| word.z).collect();
        for (found, (word, wanted)) in surest.iter().zip(&order) {
            assert!((found - wanted).abs() < 1e-9, "{word}");
        }
    }
}

#[test]
fn the_shift_of_lengths_is_that_of_scipy() {
    let (test, expected) = (profile().test.unwrap(), expected());
    close(test.length_shift.statistic, &expected["ks"]["statistic"]);
    close(test.length_shift.p_value, &expected["ks"]["p_value"]);
    close(test.vocabulary.unseen, &expected["unseen"]);
}

#[test]
fn evenness_is_the_entropy_of_the_shares() {
    let LabelKind::Classification { evenness, .. } = profile().labels.unwrap().kind else { panic!("classes") };
    close(evenness, &expected()["evenness"]);
}
