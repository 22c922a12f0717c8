//! Importances against Optuna, SciPy, and variances divided by hand.

use proptest::prelude::*;
use rand::SeedableRng as _;
use serde_json::Value;

use super::*;
use crate::{samplers::Random, space::Condition};

const GOLDEN: &str = include_str!("../../tests/golden/importance.json");

fn dimension(kind: Kind) -> Dimension {
    Dimension { kind, conditions: Vec::new() }
}

fn equal(choices: usize) -> Kind {
    Kind::Categorical { probabilities: vec![1.0 / choices as f64; choices] }
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

fn kind(kind: &Value) -> Kind {
    let levels = || kind[1].as_u64().unwrap() as usize;
    match kind[0].as_str() {
        None => Kind::Continuous,
        Some("ordinal") => Kind::Ordinal { levels: levels() },
        Some(_) => equal(levels()),
    }
}

/// A function on the unit cube, at random points of it.
fn sampled(rows: usize, dimensions: &[Dimension], function: impl Fn(&Point) -> f64) -> (Vec<Point>, Vec<Option<f64>>) {
    let mut random = Random::seed_from_u64(7);
    let points: Vec<Point> = (0..rows)
        .map(|_| {
            let mut point: Point = dimensions.iter().map(|_| random.random()).collect();
            crate::space::deactivate(dimensions, &mut point);
            point
        })
        .collect();
    let scores = points.iter().map(|point| Some(function(point))).collect();
    (points, scores)
}

#[test]
fn shares_agree_with_optuna_and_correlations_with_scipy() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    for study in golden.as_array().unwrap() {
        let name = study["name"].as_str().unwrap();
        let dimensions: Vec<Dimension> =
            study["kinds"].as_array().unwrap().iter().map(|it| dimension(kind(it))).collect();
        let points: Vec<Point> = study["points"].as_array().unwrap().iter().map(numbers).collect();
        let scores: Vec<Option<f64>> = numbers(&study["scores"]).into_iter().map(Some).collect();
        let ours = Importance::new(&dimensions, &points, &scores, 0).unwrap();

        // Optuna's figures are means of eight forests, ours is one. Its one-hot columns can be combined into points where a
        // parameter has several choices or none, over which it averages too.
        let one_hot = study["pairs"].as_array().unwrap().is_empty();
        let tolerance = if one_hot { 0.08 } else { 0.03 };
        let theirs = numbers(&study["importance"]);
        assert_eq!(ours.dimensions.len(), theirs.len(), "{name}");
        for (index, (ours, theirs)) in ours.dimensions.iter().zip(&theirs).enumerate() {
            assert!((ours.share - theirs).abs() < tolerance, "{name} {index}: {} {theirs}", ours.share);
        }
        for (a, b) in (0..theirs.len()).flat_map(|a| (0..theirs.len()).map(move |b| (a, b))) {
            let clear = theirs[a] > theirs[b] + 0.02;
            assert!(!clear || ours.dimensions[a].share > ours.dimensions[b].share, "{name}: {a} before {b}");
        }
        for pair in study["pairs"].as_array().unwrap().iter().map(numbers) {
            let of = |it: &&Interaction| it.dimensions == [pair[0] as usize, pair[1] as usize];
            if let Some(ours) = ours.interactions.iter().find(of) {
                assert!(
                    (ours.share - pair[2]).abs() < 0.03,
                    "{name} {:?}: {} {}",
                    ours.dimensions,
                    ours.share,
                    pair[2]
                );
            }
        }
        for (ours, theirs) in ours.dimensions.iter().zip(study["spearman"].as_array().unwrap()) {
            let difference = ours.correlation.unwrap_or(9.0) - theirs.as_f64().unwrap_or(9.0);
            assert!(difference.abs() < 1e-12, "{name}: {:?} {theirs}", ours.correlation);
        }
    }
}

#[test]
fn levels_weigh_what_the_space_says() {
    // Values 0, 1, 1 of probability 0.8, 0.1, 0.1 vary by 0.16; a list 0, 1, 2, 3 over 4 by 0.078; a number by 0.083.
    let skewed = Kind::Categorical { probabilities: vec![0.8, 0.1, 0.1] };
    let dimensions = [skewed.clone(), Kind::Ordinal { levels: 4 }, Kind::Continuous].map(dimension);
    let (points, scores) = sampled(600, &dimensions, |point| {
        f64::from(u8::from(skewed.level(point[0]) > 0)) + (point[1] * 4.0).floor() / 4.0 + point[2]
    });
    let shares = Importance::new(&dimensions, &points, &scores, 0).unwrap();
    for (importance, truth) in shares.dimensions.iter().zip([0.16, 0.078_125, 1.0 / 12.0]) {
        let truth = truth / (0.16 + 0.078_125 + 1.0 / 12.0);
        assert!((importance.share - truth).abs() < 0.03, "{} {truth}", importance.share);
    }
    assert!(shares.explained.unwrap() > 0.95);
}

#[test]
fn a_parameter_that_is_not_always_there_matters_where_it_is() {
    // Under choice 1 of the first, the second counts: half of its variance is its own, half is of the two together.
    let mut dimensions = [equal(2), Kind::Continuous, Kind::Continuous].map(dimension);
    dimensions[1].conditions = vec![Condition { dimension: 0, levels: vec![1] }];
    let inactive = |point: &Point| point[1].is_nan();
    let (points, scores) = sampled(400, &dimensions, |point| if inactive(point) { 0.0 } else { point[1] - 0.5 });
    assert!(points.iter().filter(|point| inactive(point)).count() > 150);
    let importance = Importance::new(&dimensions, &points, &scores, 0).unwrap();
    let [choice, own, nothing] = [0, 1, 2].map(|index| importance.dimensions[index].share);
    assert!(choice < 0.03 && nothing < 0.03 && (own - 0.5).abs() < 0.06, "{choice} {own} {nothing}");
    assert_eq!(importance.interactions[0].dimensions, [0, 1]);
    assert!((importance.interactions[0].share - 0.5).abs() < 0.08, "{:?}", importance.interactions);
    assert_eq!(importance.dimensions[0].correlation, None);
    assert_eq!(importance.dimensions[1].correlation, Some(1.0));
}

#[test]
fn trials_without_a_score_are_left_out_and_counted() {
    let dimensions = [dimension(Kind::Continuous), dimension(Kind::Continuous)];
    let (mut points, mut scores) = sampled(12, &dimensions, |point| point[0]);
    let alone = Importance::new(&dimensions, &points, &scores, 3).unwrap();
    for score in [None, Some(f64::NAN), Some(f64::INFINITY)] {
        points.push(vec![0.5, 0.5]);
        scores.push(score);
    }
    let beside = Importance::new(&dimensions, &points, &scores, 3).unwrap();
    assert_eq!((beside.used, beside.left_out), (12, 3));
    assert_eq!(beside.dimensions, alone.dimensions);
    assert!(!beside.rests_on_few());
    assert!(Importance::new(&dimensions, &points[..7], &scores[..7], 3).unwrap().rests_on_few());
}

#[test]
fn noise_is_not_explained() {
    let dimensions = [const { Kind::Continuous }; 4].map(dimension);
    let (points, mut scores) = sampled(80, &dimensions, |_| 0.0);
    let mut random = Random::seed_from_u64(1);
    scores.iter_mut().for_each(|score| *score = Some(random.random()));
    assert!(Importance::new(&dimensions, &points, &scores, 0).unwrap().explained.unwrap() < 0.1);
}

#[test]
fn nothing_to_explain_is_said() {
    let dimensions = [dimension(Kind::Continuous)];
    let importance = |scores: &[Option<f64>]| {
        let points: Vec<Point> = (0..scores.len()).map(|at| vec![at as f64 / 9.0]).collect();
        Importance::new(&dimensions, &points, scores, 0)
    };
    let few = importance(&[Some(1.0), None, Some(2.0), Some(3.0)]).unwrap_err();
    assert_eq!(few.to_string(), "only 3 trials have a score; parameter importance needs at least 4");
    let constant = importance(&[Some(0.5); 5]).unwrap_err();
    assert_eq!(constant.to_string(), "all 5 scores are equal, so no parameter mattered");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn shares_are_shares_and_the_same_for_the_same_seed(
        rows in prop::collection::vec((prop::array::uniform4(-0.1f64..1.1), 0u8..16, -1e200f64..1e200), 4..40),
        seed in 0u64..9,
    ) {
        let kinds = [Kind::Continuous, Kind::Ordinal { levels: 3 }, equal(4), Kind::Continuous];
        let dimensions = kinds.map(dimension);
        let missing = |(point, missing, _): &([f64; 4], u8, f64)| -> Point {
            (0..4).map(|at| if missing >> at & 1 == 1 { f64::NAN } else { point[at] }).collect()
        };
        let points: Vec<Point> = rows.iter().map(missing).collect();
        let scores: Vec<Option<f64>> = rows.iter().map(|row| Some(row.2)).collect();
        let importance = Importance::new(&dimensions, &points, &scores, seed).unwrap();
        let sum: f64 = importance.dimensions.iter().map(|it| it.share).sum();
        prop_assert!((-1e-9..1.0 + 1e-9).contains(&sum), "{sum}");
        prop_assert!(importance.dimensions.iter().all(|it| (-1e-9..1.0 + 1e-9).contains(&it.share)));
        prop_assert!(importance.interactions.iter().all(|it| (0.0..1.0 + 1e-9).contains(&it.share)));
        prop_assert_eq!(importance, Importance::new(&dimensions, &points, &scores, seed).unwrap());
    }
}
