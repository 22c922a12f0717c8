//! The tasks: functions of a point, all minimised. The first seven are those that Optuna was measured on; the others were looked at
//! beside them when the samplers were chosen, so that a choice does not fit those seven alone.

use std::f64::consts::{E, PI, TAU};

use gyeol_tune::{
    samplers::Random,
    space::{Condition, Dimension, Kind},
};
use rand::RngExt;
use serde::Deserialize;

/// The value of a point; the generator is for its noise.
type Objective = Box<dyn Fn(&[f64], &mut Random) -> f64 + Sync>;

/// A function to minimise.
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) dimensions: Vec<Dimension>,
    pub(crate) objective: Objective,
}

/// A table of measured errors: several of each combination of levels, the last dimension varying fastest.
#[derive(Deserialize)]
pub(crate) struct Table {
    name: String,
    levels: Vec<usize>,
    errors: Vec<Vec<f64>>,
}

/// The tasks that Optuna was measured on.
pub(crate) fn compared(tables: Vec<Table>) -> Vec<Task> {
    let mut tasks = vec![
        Task { name: "branin".into(), dimensions: numbers(2), objective: Box::new(|u, _| branin(u)) },
        Task { name: "hartmann6".into(), dimensions: numbers(6), objective: Box::new(|u, _| hartmann6(u)) },
        Task {
            name: "mixed10".into(),
            dimensions: [numbers(6), (0..4).map(|_| choice(5)).collect()].concat(),
            objective: Box::new(|u, _| mixed10(u)),
        },
    ];
    tasks.extend(tables.into_iter().map(|table| Task {
        name: table.name.clone(),
        dimensions: table.levels.iter().map(|&levels| always(Kind::Ordinal { levels })).collect(),
        objective: Box::new(move |u, random| {
            let place = u
                .iter()
                .zip(&table.levels)
                .fold(0, |place, (&u, &levels)| place * levels + Kind::Ordinal { levels }.level(u));
            let measured = &table.errors[place];
            measured[random.random_range(0..measured.len())]
        }),
    }));
    tasks
}

/// Other tasks.
pub(crate) fn others() -> Vec<Task> {
    vec![
        Task {
            name: "rosenbrock4".into(),
            dimensions: numbers(4),
            objective: Box::new(|u, _| rosenbrock(&between(u, -5.0, 10.0))),
        },
        Task {
            name: "ackley8".into(),
            dimensions: numbers(8),
            objective: Box::new(|u, _| ackley(&between(u, -20.0, 30.0))),
        },
        Task {
            name: "conditional".into(),
            dimensions: vec![
                choice(3),
                always(Kind::Continuous),
                under(Kind::Continuous, 0),
                under(Kind::Continuous, 0),
                under(Kind::Continuous, 1),
                under(Kind::Ordinal { levels: 19 }, 2),
                always(Kind::Ordinal { levels: 4 }),
            ],
            objective: Box::new(|u, random| conditional(u) + 0.005 * random.random::<f64>()),
        },
        Task {
            name: "fine-tuning".into(),
            dimensions: vec![
                always(Kind::Continuous),
                always(Kind::Ordinal { levels: 4 }),
                always(Kind::Continuous),
                always(Kind::Ordinal { levels: 3 }),
                always(Kind::Ordinal { levels: 19 }),
                always(Kind::Continuous),
                always(Kind::Continuous),
                always(Kind::Continuous),
                choice(3),
                always(Kind::Ordinal { levels: 3 }),
                always(Kind::Ordinal { levels: 4 }),
            ],
            objective: Box::new(|u, random| {
                fine_tuning(u) + 0.004 * (random.random::<f64>() + random.random::<f64>() - 1.0)
            }),
        },
    ]
}

fn always(kind: Kind) -> Dimension {
    Dimension { kind, conditions: Vec::new() }
}

fn under(kind: Kind, level: usize) -> Dimension {
    Dimension { kind, conditions: vec![Condition { dimension: 0, levels: vec![level] }] }
}

fn numbers(count: usize) -> Vec<Dimension> {
    (0..count).map(|_| always(Kind::Continuous)).collect()
}

fn choice(choices: usize) -> Dimension {
    always(Kind::Categorical { probabilities: vec![1.0 / choices as f64; choices] })
}

fn between(u: &[f64], low: f64, high: f64) -> Vec<f64> {
    u.iter().map(|u| low + (high - low) * u).collect()
}

fn branin(u: &[f64]) -> f64 {
    let (x, y) = (15.0 * u[0] - 5.0, 15.0 * u[1]);
    (y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0).powi(2) + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0
}

fn hartmann6(u: &[f64]) -> f64 {
    const HEIGHTS: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const WIDTHS: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const CENTRES: [[f64; 6]; 4] = [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ];
    let bump = |i: usize| {
        let exponent: f64 = (0..6).map(|j| WIDTHS[i][j] * (u[j] - CENTRES[i][j]).powi(2)).sum();
        HEIGHTS[i] * (-exponent).exp()
    };
    -(0..4).map(bump).sum::<f64>()
}

fn rosenbrock(x: &[f64]) -> f64 {
    x.windows(2).map(|x| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2)).sum()
}

fn mixed10(u: &[f64]) -> f64 {
    let mut x = between(&u[..6], -2.0, 2.0);
    let choices: Vec<f64> = u[6..].iter().map(|u| (5.0 * u).floor().min(4.0)).collect();
    x[0] += 0.1 * choices.iter().sum::<f64>();
    rosenbrock(&x) + choices.iter().map(|choice| (choice - 3.0).powi(2) / 4.0).sum::<f64>()
}

fn ackley(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    let square = x.iter().map(|x| x * x).sum::<f64>() / n;
    let wave = x.iter().map(|x| (TAU * x).cos()).sum::<f64>() / n;
    -20.0 * (-0.2 * square.sqrt()).exp() - wave.exp() + 20.0 + E
}

/// Three families with parameters of their own; the lowest point, 0, is in the second.
fn conditional(u: &[f64]) -> f64 {
    let level = |u: f64, levels: usize| (u * levels as f64).floor().min(levels as f64 - 1.0);
    let shared = (u[1] - 0.7).powi(2) + 0.02 * (level(u[6], 4) - 2.0).abs();
    shared
        + match (3.0 * u[0]).floor() as usize {
            0 => 0.1 + (u[2] - 0.3).powi(2) + 2.0 * (u[3] - u[1]).powi(2),
            1 => 4.0 * (u[4] - 0.15).powi(2),
            _ => 0.05 + 0.3 * (level(u[5], 19) / 18.0 - 0.6).powi(2),
        }
}

/// The shape of an error of fine-tuning: steep in the learning rate, flat in most others, diverging where steps are too large.
fn fine_tuning(u: &[f64]) -> f64 {
    let level = |u: f64, levels: usize| (u * levels as f64).floor().min(levels as f64 - 1.0);
    let (epochs, batch, schedule) = (level(u[1], 4), level(u[3], 3), (3.0 * u[8]).floor());
    let accumulation = level(u[9], 3);
    let log_rate = 4.0 * u[0] - 0.35 * (batch + accumulation) + 0.2 * epochs;
    if log_rate > 3.4 {
        return 0.5;
    }
    let mut error = 0.12 + 0.05 * (log_rate - 2.1).powi(2) + 0.01 * (epochs - 2.0).abs();
    error += 0.02 * (u[2] - 0.4).powi(2) + 0.02 * (level(u[4], 19) / 18.0 - 0.3).powi(2);
    error += 0.03 * (u[5] - 0.5).powi(2) + 0.04 * (u[6] - 0.3).powi(2) + 0.05 * (u[7] - 0.2).powi(2);
    error + [0.0, 0.003, 0.012][schedule.min(2.0) as usize] + 0.002 * level(u[10], 4)
}
