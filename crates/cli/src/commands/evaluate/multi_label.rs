//! The report on label sets laid out for a terminal. What the figures mean is in `gyeol_eval`.

use gyeol_eval::MultiLabelReport;

use super::{
    LabelNames,
    layout::{average_row, class_row, metrics, sources, with_texts},
};
use crate::output::{self, one_line, title};

/// The sections of the report; texts are cut to `width` columns.
pub(super) fn sections(
    report: &MultiLabelReport,
    names: &LabelNames,
    texts: Option<&[String]>,
    width: usize,
) -> Vec<String> {
    let mut sections = vec![metrics(&report.metrics), classes(report, names), decisions(report, names)];
    sections.extend(sources(&report.sources));
    let mut errors = output::table(&["p", "label", "mistake", "truth", "predicted", "id"], &[0]);
    for error in &report.confident_errors {
        let mistake = if error.is_false_alarm() { "false alarm" } else { "missed" };
        let [truth, prediction] = [&error.truth, &error.prediction]
            .map(|labels| if labels.is_empty() { "(none)".to_owned() } else { one_line(labels) });
        errors.add_row([
            format!("{:.3}", error.probability),
            one_line(&names.name(&error.label)),
            mistake.to_owned(),
            truth,
            prediction,
            one_line(&error.id),
        ]);
    }
    let rows: Vec<usize> = report.confident_errors.iter().map(|error| error.row).collect();
    sections.extend(with_texts("Most confident errors", &output::render(&errors), &rows, texts, width));
    sections
}

/// Precision, recall and F1 of each label, and their averages.
pub(super) fn classes(report: &MultiLabelReport, names: &LabelNames) -> String {
    let header = ["label", "precision", "recall", "f1", "support", "predicted"];
    let mut table = output::table(&header, &[1, 2, 3, 4, 5]);
    for class in &report.classes {
        table.add_row(class_row(class, names));
    }
    // A row may have several labels: their sums are not the rows.
    let support = report.classes.iter().map(|class| class.support).sum::<u64>().to_string();
    let predicted = report.classes.iter().map(|class| class.predicted).sum::<u64>().to_string();
    for (name, average) in [
        ("micro average", report.micro_average),
        ("macro average", report.macro_average),
        ("weighted average", report.weighted_average),
    ] {
        table.add_row(average_row(name, average).into_iter().chain([support.clone(), predicted.clone()]));
    }
    output::render(&table)
}

/// What was decided on each label.
fn decisions(report: &MultiLabelReport, names: &LabelNames) -> String {
    let header = ["label", "right", "missed", "false alarm", "rightly absent"];
    let mut table = output::table(&header, &[1, 2, 3, 4]);
    for (class, of) in report.classes.iter().zip(&report.decisions) {
        let counts = [of.hits, of.missed, of.false_alarms, of.absent].map(|count| count.to_string());
        table.add_row(std::iter::once(one_line(&names.name(&class.label))).chain(counts));
    }
    format!("{}\n{}", title("Decisions"), output::render(&table))
}
