//! The report laid out for a terminal: one table a section. What the figures mean is in `gyeol_eval`.

use console::{style, truncate_str};
use gyeol_eval::{ClassAverage, ClassRow, ClassificationReport, MetricValues, RegressionReport, Report, SourceRow};
use gyeol_pipeline::Evaluated;

use super::{LabelNames, multi_label};
use crate::output::{self, one_line, title};

/// The whole report; texts are cut to `width` columns.
pub(super) fn report(evaluated: &Evaluated, names: &LabelNames, width: usize) -> String {
    let texts = evaluated.texts.as_deref();
    let sections = match &evaluated.report {
        Report::Classification(report) => classification(report, names, texts, width),
        Report::MultiLabel(report) => multi_label::sections(report, names, texts, width),
        Report::Regression(report) => regression(report, texts, width),
    };
    sections.join("\n\n")
}

fn classification(
    report: &ClassificationReport,
    names: &LabelNames,
    texts: Option<&[String]>,
    width: usize,
) -> Vec<String> {
    let mut sections = vec![metrics(&report.metrics), classes(report, names), confusion(report, names)];
    sections.extend(sources(&report.sources));
    let mut errors = output::table(&["p", "truth", "predicted", "id"], &[0]);
    for error in &report.confident_errors {
        let [truth, prediction] = [&error.truth, &error.prediction].map(|label| one_line(&names.name(label)));
        errors.add_row([format!("{:.3}", error.probability), truth, prediction, one_line(&error.id)]);
    }
    let rows: Vec<usize> = report.confident_errors.iter().map(|error| error.row).collect();
    sections.extend(with_texts("Most confident errors", &output::render(&errors), &rows, texts, width));
    sections
}

fn regression(report: &RegressionReport, texts: Option<&[String]>, width: usize) -> Vec<String> {
    let mut sections = vec![metrics(&report.metrics)];
    if let Some(residuals) = &report.residuals {
        let rows = [
            ("bias", Some(residuals.bias)),
            ("standard deviation", residuals.standard_deviation),
            ("mean absolute", Some(residuals.mean_absolute)),
            ("median absolute", Some(residuals.median_absolute)),
            ("largest absolute", Some(residuals.largest_absolute)),
        ];
        sections.push(format!("{}\n{}", title("Residuals (prediction − truth)"), listing(rows)));
    }
    sections.extend(sources(&report.sources));
    let mut worst = output::table(&["off by", "truth", "predicted", "id"], &[0, 1, 2]);
    for error in &report.worst {
        let [truth, prediction] = [error.truth, error.prediction].map(|score| format!("{score:.3}"));
        worst.add_row([format!("{:+.3}", error.residual), truth, prediction, one_line(&error.id)]);
    }
    let rows: Vec<usize> = report.worst.iter().map(|error| error.row).collect();
    sections.extend(with_texts("Furthest off", &output::render(&worst), &rows, texts, width));
    sections
}

pub(super) fn metrics(values: &MetricValues) -> String {
    listing(values.iter().map(|(metric, value)| (metric.name(), value)))
}

/// Names and values, one a line.
fn listing<'a>(rows: impl IntoIterator<Item = (&'a str, Option<f64>)>) -> String {
    let rows: Vec<(&str, Option<f64>)> = rows.into_iter().collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:width$}  {:>8}", number(*value))).collect();
    lines.join("\n")
}

/// Precision, recall and F1 of each class, and their averages.
pub(super) fn classes(report: &ClassificationReport, names: &LabelNames) -> String {
    let header = ["class", "precision", "recall", "f1", "support", "predicted"];
    let mut table = output::table(&header, &[1, 2, 3, 4, 5]);
    for class in &report.classes {
        table.add_row(class_row(class, names));
    }
    let rows = report.rows.to_string();
    for (name, average) in [("macro average", report.macro_average), ("weighted average", report.weighted_average)] {
        table.add_row(average_row(name, average).into_iter().chain([rows.clone(), rows.clone()]));
    }
    output::render(&table)
}

/// A class's precision, recall, F1, support and how often it was predicted.
pub(super) fn class_row(class: &ClassRow, names: &LabelNames) -> [String; 6] {
    let [precision, recall, f1] = [class.precision, class.recall, class.f1].map(|value| format!("{value:.4}"));
    let [support, predicted] = [class.support, class.predicted].map(|rows| rows.to_string());
    [one_line(&names.name(&class.label)), precision, recall, f1, support, predicted]
}

/// The precision, recall and F1 of an average.
pub(super) fn average_row(name: &str, average: ClassAverage) -> [String; 4] {
    let ClassAverage { precision, recall, f1 } = average;
    let [precision, recall, f1] = [precision, recall, f1].map(|value| format!("{value:.4}"));
    [name.to_owned(), precision, recall, f1]
}

fn confusion(report: &ClassificationReport, names: &LabelNames) -> String {
    let labels: Vec<String> = report.classes.iter().map(|class| one_line(&class.label)).collect();
    let header: Vec<&str> = std::iter::once("truth \\ predicted").chain(labels.iter().map(String::as_str)).collect();
    let mut table = output::table(&header, &(1..header.len()).collect::<Vec<_>>());
    for (class, counts) in report.classes.iter().zip(report.confusion.rows()) {
        let name = one_line(&names.name(&class.label));
        table.add_row(std::iter::once(name).chain(counts.iter().map(u64::to_string)));
    }
    format!("{}\n{}", title("Confusion"), output::render(&table))
}

pub(super) fn sources(sources: &[SourceRow]) -> Option<String> {
    let metrics: Vec<&str> = sources.first()?.metrics.iter().map(|(metric, _)| metric.name()).collect();
    let rows = sources.iter().map(|source| {
        let values = source.metrics.iter().map(|(_, value)| value).collect();
        (source.source.as_str(), source.rows as u64, values)
    });
    Some(source_table(&metrics, rows))
}

/// A row a source: its name, how many rows it has, and its values in the order of `metrics`.
pub(super) fn source_table<'a>(
    metrics: &[&str],
    sources: impl Iterator<Item = (&'a str, u64, Vec<Option<f64>>)>,
) -> String {
    let header: Vec<&str> = ["source", "rows"].into_iter().chain(metrics.iter().copied()).collect();
    let mut table = output::table(&header, &(1..header.len()).collect::<Vec<_>>());
    for (name, rows, values) in sources {
        let name = if name.is_empty() { "(none)".to_owned() } else { one_line(name) };
        table.add_row([name, rows.to_string()].into_iter().chain(values.into_iter().map(number)));
    }
    format!("{}\n{}", title("Sources"), output::render(&table))
}

/// A rendered table whose rows are each followed by their text; nothing without rows.
pub(super) fn with_texts(
    heading: &str,
    table: &str,
    rows: &[usize],
    texts: Option<&[String]>,
    width: usize,
) -> Option<String> {
    const INDENT: &str = "    ";
    rows.first()?;
    let mut lines = table.lines();
    let mut section = vec![title(heading), lines.next().unwrap_or_default().to_owned()];
    for (line, &row) in lines.zip(rows) {
        section.push(line.to_owned());
        if let Some(texts) = texts {
            let text = one_line(&texts[row]);
            let text = if text.is_empty() { "(empty)" } else { &text };
            let text = truncate_str(text, width.saturating_sub(INDENT.len()), "…");
            section.push(format!("{INDENT}{}", style(text).dim()));
        }
    }
    Some(section.join("\n"))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_the_columns_they_take() {
        let texts = vec!["한글은 두 칸씩\n차지한다".to_owned(), String::new()];
        let section = with_texts("Errors", "p\n0.9\n0.8", &[0, 1], Some(&texts), 16).unwrap();
        let plain = console::strip_ansi_codes(&section).into_owned();
        assert_eq!(plain, "Errors\np\n0.9\n    한글은 두 …\n0.8\n    (empty)");
    }

    #[test]
    fn no_errors_make_no_section() {
        assert_eq!(with_texts("Errors", "p", &[], None, 80), None);
    }
}
