//! What every sampler keeps to, whatever it is asked.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};

use super::{Bayes, Gp, Observation, Outcome, Random, Sampler, Sobol, Tpe, Uniform, seen::Seen};
use crate::space::{Condition, Dimension, Kind, deactivate};

fn samplers() -> Vec<Box<dyn Sampler>> {
    vec![
        Box::new(Uniform),
        Box::new(Sobol::new(5)),
        Box::new(Tpe::new(5)),
        Box::new(Gp::new(5)),
        Box::new(Bayes::new(5)),
    ]
}

fn always(kind: Kind) -> Dimension {
    Dimension { kind, conditions: Vec::new() }
}

fn choices(probabilities: &[f64]) -> Dimension {
    always(Kind::Categorical { probabilities: probabilities.to_vec() })
}

/// Numbers, levels and choices, some of which hang on others.
fn mixed() -> Vec<Dimension> {
    let under = |kind, dimension, levels: &[usize]| Dimension {
        kind,
        conditions: vec![Condition { dimension, levels: levels.to_vec() }],
    };
    vec![
        choices(&[0.5, 0.0, 0.3, 0.2]),
        always(Kind::Continuous),
        under(Kind::Ordinal { levels: 40 }, 0, &[0, 3]),
        under(Kind::Continuous, 2, &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        under(Kind::Categorical { probabilities: vec![0.5, 0.5] }, 0, &[2]),
        under(Kind::Continuous, 0, &[2, 3]),
    ]
}

/// Random points with what `outcome` says of each.
fn history(dimensions: &[Dimension], count: usize, outcome: impl Fn(usize) -> Outcome) -> Vec<Observation> {
    let mut random = Random::seed_from_u64(11);
    let one = |number| {
        let mut point: Vec<f64> = dimensions.iter().map(|_| random.random()).collect();
        deactivate(dimensions, &mut point);
        Observation { point, outcome: outcome(number) }
    };
    (0..count).map(one).collect()
}

/// Asks a sampler twice, and checks what holds of every answer.
fn check(sampler: &dyn Sampler, dimensions: &[Dimension], history: &[Observation], seed: u64) -> Vec<f64> {
    let ask = || sampler.suggest(dimensions, history, &mut Random::seed_from_u64(seed));
    let point = ask();
    let bits = |point: &[f64]| point.iter().map(|coordinate| coordinate.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&point), bits(&ask()), "{sampler:?} is not a function of history and random");
    assert_eq!(point.len(), dimensions.len(), "{sampler:?}");
    let mut deactivated = point.clone();
    deactivate(dimensions, &mut deactivated);
    for (index, coordinate) in point.iter().enumerate() {
        let inactive = deactivated[index].is_nan();
        assert_eq!(coordinate.is_nan(), inactive, "{sampler:?}: dimension {index} of {point:?}");
        assert!(inactive || (0.0..=1.0).contains(coordinate), "{sampler:?}: dimension {index} of {point:?}");
        if let Kind::Categorical { probabilities } = &dimensions[index].kind {
            let level = dimensions[index].kind.level(*coordinate);
            assert!(inactive || probabilities[level] > 0.0, "{sampler:?} chose what has no probability: {point:?}");
        }
    }
    assert!(!Seen::new(dimensions, history).contains(&point), "{sampler:?} suggests {point:?} again");
    point
}

#[test]
fn any_history_is_coped_with() {
    let cases: [fn(usize) -> Outcome; 9] = [
        |number| Outcome::Value((number as f64).sin()),
        |_| Outcome::Failed,
        |_| Outcome::Pending,
        // All equal, huge, tiny, one value among failures, an outlier, and all kinds in turns.
        |_| Outcome::Value(0.25),
        |number| Outcome::Value(if number % 2 == 0 { f64::MAX } else { f64::MIN }),
        |number| Outcome::Value(number as f64 * f64::MIN_POSITIVE),
        |number| if number == 3 { Outcome::Value(1.0) } else { Outcome::Failed },
        |number| Outcome::Value(if number == 4 { 1e200 } else { number as f64 }),
        |number| match number % 4 {
            0 => Outcome::Pending,
            1 => Outcome::Failed,
            _ => Outcome::Value(number as f64),
        },
    ];
    let thirty: Vec<Dimension> = (0..30)
        .map(|index| match index % 3 {
            0 => always(Kind::Continuous),
            1 => always(Kind::Ordinal { levels: 2 + index }),
            _ => choices(&[0.25; 4]),
        })
        .collect();
    for dimensions in [mixed(), vec![always(Kind::Continuous)], vec![choices(&[0.01; 100])], thirty] {
        for outcome in &cases {
            for count in [0, 1, 2, 11, 30] {
                let history = history(&dimensions, count, outcome);
                samplers().iter().for_each(|sampler| drop(check(sampler.as_ref(), &dimensions, &history, 3)));
            }
        }
    }
}

#[test]
fn suggestions_that_run_at_once_differ() {
    for dimensions in [mixed(), vec![always(Kind::Continuous)]] {
        for sampler in samplers() {
            let mut history = history(&dimensions, 12, |number| Outcome::Value(number as f64));
            for _ in 0..6 {
                // The same generator each time: only what is pending can make them differ.
                let point = check(sampler.as_ref(), &dimensions, &history, 3);
                history.push(Observation { point, outcome: Outcome::Pending });
            }
        }
    }
}

#[test]
fn a_finite_space_is_tried_out_before_anything_is_tried_twice() {
    let dimensions = vec![choices(&[0.5, 0.0, 0.5]), always(Kind::Ordinal { levels: 3 }), choices(&[0.999, 0.001])];
    for sampler in samplers() {
        let mut history = Vec::new();
        for number in 0..12 {
            let point = check(sampler.as_ref(), &dimensions, &history, number);
            history.push(Observation { point, outcome: Outcome::Value(number as f64) });
        }
        // Nothing is left: any point will do.
        let point = sampler.suggest(&dimensions, &history, &mut Random::seed_from_u64(0));
        assert!(Seen::new(&dimensions, &history).contains(&point));
    }
}

#[test]
fn a_thousand_trials_are_looked_at_in_moments() {
    let dimensions: Vec<Dimension> = (0..10).map(|_| always(Kind::Continuous)).collect();
    let history = history(&dimensions, 1000, |number| Outcome::Value((number as f64).sin()));
    samplers().iter().for_each(|sampler| drop(check(sampler.as_ref(), &dimensions, &history, 3)));
}

#[test]
fn those_that_learn_find_a_lowest_point_that_chance_does_not() {
    let dimensions: Vec<Dimension> = (0..3).map(|_| always(Kind::Continuous)).chain([choices(&[0.2; 5])]).collect();
    let bowl = |point: &[f64]| {
        let numbers: f64 = point[..3].iter().map(|x| (x - 0.3).powi(2)).sum();
        numbers + 0.1 * (dimensions[3].kind.level(point[3]) as f64 - 2.0).abs()
    };
    let lowest = |sampler: &dyn Sampler, seed: u64| {
        let mut history: Vec<Observation> = Vec::new();
        for number in 0..40 {
            let point = check(sampler, &dimensions, &history, 1000 * seed + number);
            let outcome = Outcome::Value(bowl(&point));
            history.push(Observation { point, outcome });
        }
        history.iter().map(|observation| bowl(&observation.point)).fold(f64::INFINITY, f64::min)
    };
    let over_seeds =
        |sampler: fn(u64) -> Box<dyn Sampler>| (0..6).map(|seed| lowest(&*sampler(seed), seed)).sum::<f64>();
    let chance = over_seeds(|_| Box::new(Uniform));
    assert!(over_seeds(|seed| Box::new(Tpe::new(seed))) < 0.7 * chance);
    assert!(over_seeds(|seed| Box::new(Gp::new(seed))) < 0.1 * chance);
}

#[test]
fn a_sobol_sequence_fills_cells_evenly() {
    let dimensions = vec![always(Kind::Continuous); 3];
    let (sampler, mut history) = (Sobol::new(9), Vec::new());
    for _ in 0..64 {
        let point = check(&sampler, &dimensions, &history, 0);
        history.push(Observation { point, outcome: Outcome::Pending });
    }
    // 64 points of a (0, 6, 2)-sequence: one in each of 64 columns of every dimension.
    for index in 0..3 {
        let mut columns: Vec<usize> = history.iter().map(|seen| (64.0 * seen.point[index]) as usize).collect();
        columns.sort_unstable();
        assert_eq!(columns, (0..64).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn points_of_any_values_and_seeds_keep_to_the_contract(
        values in prop::collection::vec(prop_oneof![Just(None), any::<f64>().prop_map(Some)], 0..20),
        seed: u64,
    ) {
        let outcome = |number: usize| match values[number] {
            None => Outcome::Pending,
            Some(value) if value.is_finite() => Outcome::Value(value),
            Some(_) => Outcome::Failed,
        };
        let dimensions = mixed();
        let history = history(&dimensions, values.len(), outcome);
        for sampler in samplers() {
            check(sampler.as_ref(), &dimensions, &history, seed);
        }
    }
}
