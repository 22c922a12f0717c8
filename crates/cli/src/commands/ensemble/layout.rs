//! An ensemble laid out for a terminal.

use gyeol_pipeline::ensemble::{Gathered, Source, Standing};

use super::{Document, submission::Told};
use crate::output::{self, one_line, title};

/// Members in a matrix; more than these would not fit a line.
const WIDEST_MATRIX: usize = 12;

/// The whole of it.
pub(super) fn document(document: &Document<'_>, gathered: &Gathered) -> String {
    let mut sections = vec![standings(document), members(document)];
    sections.extend(matrix("Agreement", &document.agreement.agreement, document));
    sections.extend(matrix("Correlation of errors", &document.agreement.error_correlation, document));
    sections.extend(document.submission.map(|told| submission(told, document)));
    sections.push(ending(document, gathered));
    sections.join("\n\n")
}

fn standings(document: &Document<'_>) -> String {
    let best = &document.compared.members[document.compared.best];
    let metric = document.metric.name();
    let against = format!("against {}", best.name);
    // Who asks for calibrated members wants to see what it did.
    let calibration: &[&str] = if document.calibrated { &["calibration error"] } else { &[] };
    let header = [&["", metric, "95 %", &against, "95 %", "better"], calibration].concat();
    let mut table = output::table(&header, &[1, 4, 5, 6][..header.len() - 3]);
    let row = |standing: &Standing, best: &Standing, chosen: bool| {
        let error = document.calibrated.then(|| number(standing.calibration_error));
        row(standing, best, chosen).into_iter().chain(error).collect::<Vec<_>>()
    };
    for standing in &document.compared.members {
        table.add_row(row(standing, best, false));
    }
    for standing in &document.compared.methods {
        table.add_row(row(standing, best, standing.name == document.method));
    }
    let heading = format!(
        "{} members, {} rows that none of them trained on; what is fitted is cross-validated",
        document.compared.members.len(),
        document.rows
    );
    format!("{heading}\n\n{}", output::render(&table))
}

fn row(standing: &Standing, best: &Standing, chosen: bool) -> [String; 6] {
    let range = |[low, high]: [f64; 2], signed: bool| match signed {
        true => format!("{low:+.4} … {high:+.4}"),
        false => format!("{low:.4} … {high:.4}"),
    };
    let difference = standing.difference.and_then(|_| Some(standing.score? - best.score?));
    [
        if chosen { format!("{} *", standing.name) } else { one_line(&standing.name) },
        number(standing.score),
        standing.interval.map_or_else(String::new, |ends| range(ends, false)),
        difference.map_or_else(String::new, |difference| format!("{difference:+.4}")),
        standing.difference.map_or_else(String::new, |ends| range(ends, true)),
        standing.beats_best.map_or_else(String::new, |share| format!("{:.1} %", share * 100.0)),
    ]
}

/// What the members count for, and what each adds.
fn members(document: &Document<'_>) -> String {
    let temperature: &[&str] = if document.calibrated { &["temperature"] } else { &[] };
    let mut table = output::table(&[&["member", "weight", "adds"], temperature].concat(), &[1, 2, 3]);
    for (at, contribution) in document.contributions.iter().enumerate() {
        let weight = document.weights.map_or_else(|| "-".to_owned(), |weights| format!("{:.4}", weights[at]));
        let adds = contribution.gain.map_or_else(|| "-".to_owned(), |gain| format!("{gain:+.4}"));
        let temperature = document.temperatures.get(at).map(|temperature| format!("{temperature:.3}"));
        table.add_row([one_line(&contribution.member), weight, adds].into_iter().chain(temperature));
    }
    let calibrated = if document.calibrated { ", calibrated" } else { "" };
    let heading = title(&format!("Members of {}{calibrated}", document.method));
    let note = format!("adds: by how much {} is better with it than without, cross-validated", document.metric.name());
    let ties = document.ties.map_or_else(String::new, |ties| format!("\n{ties} rows were tied"));
    format!("{heading}\n{}\n{note}{ties}", output::render(&table))
}

fn matrix(heading: &str, values: &[Vec<Option<f64>>], document: &Document<'_>) -> Option<String> {
    let names: Vec<String> = document.compared.members.iter().map(|member| one_line(&member.name)).collect();
    if names.len() > WIDEST_MATRIX {
        return None;
    }
    let numbers: Vec<String> = (1..=names.len()).map(|number| number.to_string()).collect();
    let header: Vec<&str> = ["", ""].into_iter().chain(numbers.iter().map(String::as_str)).collect();
    let mut table = output::table(&header, &(2..header.len()).collect::<Vec<_>>());
    for (at, (name, row)) in names.iter().zip(values).enumerate() {
        let cells = row.iter().map(|value| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}")));
        table.add_row([numbers[at].clone(), name.clone()].into_iter().chain(cells));
    }
    Some(format!("{}\n{}", title(heading), output::render(&table)))
}

/// The predicted classes beside those of the labelled rows, what an adjustment is worth, and the day's count.
fn submission(told: &Told, document: &Document<'_>) -> String {
    let mut parts = vec![title("Submission")];
    if let Some(shares) = &told.shares {
        let mut table = output::table(&["class", "predicted", "labelled rows"], &[1, 2]);
        for class in &shares.classes {
            let percent = |share: f64| format!("{:.1} %", 100.0 * share);
            table.add_row([one_line(&class.label), percent(class.predicted), percent(class.training)]);
        }
        parts.push(output::render(&table));
    }
    if let Some((kind, score)) = told.adjusted {
        let before = document.compared.methods.iter().find(|standing| standing.name == document.method);
        let (metric, before) = (document.metric.name(), number(before.and_then(|standing| standing.score)));
        parts.push(format!("adjusted by {kind}: {metric} {}, {before} without, both cross-validated", number(score)));
    }
    let (today, quota) = told.today;
    parts.push(format!("today {today}{}", quota.map_or_else(String::new, |quota| format!(" of {quota}"))));
    parts.join("\n")
}

/// What was written, and what could be.
fn ending(document: &Document<'_>, gathered: &Gathered) -> String {
    let mut lines = Vec::new();
    if !document.left_out.is_empty() {
        lines.push(format!("left out: {}", document.left_out.join(", ")));
    }
    if let Some(path) = document.output {
        lines.push(format!(
            "{} test rows written to {}",
            gathered.test.as_ref().map_or(0, |test| test.rows()),
            path.display()
        ));
    }
    match document.saved {
        Some(name) => {
            let foreign: Vec<&str> = gathered
                .members
                .iter()
                .filter(|member| member.source == Source::Foreign)
                .map(|member| member.name.as_str())
                .collect();
            lines.push(match foreign.is_empty() {
                true => format!("saved as {name}: `gyeol predict {name} TABLE -o OUT` predicts with it"),
                false => {
                    format!("saved as {name}; other tables need {}, whose models are not here", foreign.join(", "))
                }
            });
        }
        None if document.output.is_none() => {
            lines.push("nothing was kept; --save NAME keeps it, -o OUT writes the test predictions".to_owned());
        }
        None => {}
    }
    lines.join("\n")
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}
