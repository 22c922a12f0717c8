//! What the charts are drawn from, as JSON that can stand inside a page.

use gyeol_data::profile::excerpt;
use gyeol_tune::{Value, study::Goal};
use serde::Serialize;

use super::super::view::{Parameter, Row, Scale, View, score, state, value};

#[derive(Serialize)]
struct Data {
    metric: String,
    minimize: bool,
    winner: Option<u32>,
    /// The parameters' indices, the most important first.
    order: Vec<usize>,
    parameters: Vec<Axis>,
    trials: Vec<Point>,
}

#[derive(Serialize)]
struct Axis {
    name: String,
    scale: &'static str,
    levels: Vec<String>,
}

#[derive(Serialize)]
struct Point {
    number: u32,
    state: &'static str,
    score: Option<f64>,
    seconds: f64,
    ended: Option<f64>,
    /// By parameter: the number, or the index of the level; null where it has no place on the axis.
    values: Vec<Option<f64>>,
    /// By parameter, as it is read.
    texts: Vec<String>,
    /// Epochs of the evaluations, and what was measured there.
    epochs: Vec<f64>,
    curve: Vec<Option<f64>>,
}

/// The document. Everything that could end the element or begin another is written as an escape.
pub(super) fn json(view: &View) -> String {
    let scales: Vec<Scale> = view.parameters.iter().map(|parameter| with_strays(parameter, &view.rows)).collect();
    let axis = |(parameter, scale): (&Parameter, &Scale)| {
        let (kind, levels) = match scale {
            Scale::Linear => ("linear", Vec::new()),
            Scale::Log => ("log", Vec::new()),
            Scale::Levels(levels) => ("levels", levels.iter().map(|level| excerpt(&value(Some(level)))).collect()),
        };
        Axis { name: excerpt(&parameter.name), scale: kind, levels }
    };
    let data = Data {
        metric: excerpt(&view.metric),
        minimize: view.goal == Goal::Minimize,
        winner: view.winner,
        order: view.by_importance(),
        parameters: view.parameters.iter().zip(&scales).map(axis).collect(),
        trials: view.rows.iter().map(|row| point(row, &view.parameters, &scales)).collect(),
    };
    // Only numbers and texts are written, which cannot fail.
    let text = serde_json::to_string(&data).unwrap_or_default();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn point(row: &Row, parameters: &[Parameter], scales: &[Scale]) -> Point {
    let trial = &row.trial;
    let given = |parameter: &Parameter| trial.assignment.get(&parameter.name);
    let place = |(parameter, scale): (&Parameter, &Scale)| place(given(parameter)?, scale);
    Point {
        number: trial.number,
        state: state(trial.state),
        score: score(trial).map(rounded),
        seconds: rounded(trial.seconds),
        ended: row.ended.map(rounded),
        values: parameters.iter().zip(scales).map(place).collect(),
        texts: parameters.iter().map(|parameter| excerpt(&value(given(parameter)))).collect(),
        epochs: trial.reports.iter().map(|report| rounded(report.epoch)).collect(),
        curve: trial.reports.iter().map(|report| Some(rounded(report.value)).filter(|it| it.is_finite())).collect(),
    }
}

fn place(value: &Value, scale: &Scale) -> Option<f64> {
    match scale {
        Scale::Linear => value.as_f64(),
        Scale::Log => value.as_f64().filter(|number| *number > 0.0),
        Scale::Levels(levels) => levels.iter().position(|level| same(level, value)).map(|level| level as f64),
    }
}

/// The scale with a level more for every value that is not among its levels, as a recipe's own may be.
fn with_strays(parameter: &Parameter, rows: &[Row]) -> Scale {
    let mut scale = parameter.scale.clone();
    if let Scale::Levels(levels) = &mut scale {
        for value in rows.iter().filter_map(|row| row.trial.assignment.get(&parameter.name)) {
            if !levels.iter().any(|level| same(level, value)) {
                levels.push(value.clone());
            }
        }
    }
    scale
}

/// Whether two values are the same; 3 and 3.0 are.
fn same(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

/// Six significant digits: more than a chart shows, and a third of the file.
fn rounded(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}
