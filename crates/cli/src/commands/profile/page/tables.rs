//! The sections that show rows: duplicates, what a test table shares, the columns.

use gyeol_data::profile::{Duplicates, Profile, Repeated, TestTable, excerpt};
use maud::{Markup, html};

use super::{
    count, percent,
    plots::{self, Bar},
    section,
};

/// Columns listed.
const COLUMNS: usize = 60;

pub(super) fn duplicates(found: &Duplicates) -> Markup {
    let lead = format!(
        "{} rows repeat an earlier one to the letter, {} but for Unicode form, blanks, letter case and punctuation.",
        count(found.exact.surplus),
        count(found.normalised.surplus)
    );
    let unit = if found.conflicts.widest.is_some() { "scores" } else { "labels" };
    let body = html! {
        @if let Some(shared) = &found.shared_sentences {
            p.key {
                (count(shared.first)) " rows share their first text with another row, " (count(shared.second))
                " their second; in " (count(shared.identical)) " rows the two are the same."
            }
        }
        @if !found.conflicts.examples.is_empty() {
            h3 { "One text, different " (unit) " · " (count(found.conflicts.groups)) " texts in " (count(found.conflicts.rows)) " rows" }
            (texts(&found.conflicts.examples, "rows"))
        }
        @if !found.normalised.examples.is_empty() {
            h3 { "Most repeated · " (count(found.normalised.groups)) " texts" }
            (texts(&found.normalised.examples, "rows"))
        }
    };
    section("Duplicates", lead, &body)
}

fn texts(examples: &[Repeated], rows: &str) -> Markup {
    let labelled = examples.iter().any(|example| !example.labels.is_empty());
    html! {
        div.scroll {
            table {
                thead { tr { th { "text" } @if labelled { th { "labels" } } th { (rows) } } }
                tbody {
                    @for example in examples {
                        tr {
                            td.text {
                                bdi { (example.text) }
                                @if let Some(pair) = &example.text_pair { br; bdi { (pair) } }
                            }
                            @if labelled { td { bdi { (example.labels.join(" / ")) } } }
                            td.where { (numbers(example)) }
                        }
                    }
                }
            }
        }
    }
}

/// `3, 17, … (12)`.
fn numbers(example: &Repeated) -> String {
    let shown: Vec<String> = example.rows.iter().take(4).map(usize::to_string).collect();
    let more = if example.count > shown.len() { format!(", … ({})", count(example.count)) } else { String::new() };
    shown.join(", ") + &more
}

pub(super) fn test(found: &TestTable, profile: &Profile) -> Markup {
    let lead = html! {
        bdi { (excerpt(&found.file)) } ": " (count(found.rows)) " rows, of which " (count(found.shared.exact))
        " are in the training table to the letter and " (count(found.shared.normalised)) " but for spelling."
    };
    let (train, test) = (&profile.text.characters.summary, &found.characters);
    let high = train.quantiles.p95.max(test.quantiles.p95);
    let words = &found.vocabulary;
    let bar = |name: &str, share: f64| Bar { name: name.to_owned(), value: percent(share), share };
    let body = html! {
        div.columns {
            div {
                h3 { "Characters" }
                div.boxes {
                    div.name { "training" } (plots::box_plot(train, [0.0, high])) div.value { (format!("{:.0}", train.quantiles.p50)) }
                    div.name { "test" } (plots::box_plot(test, [0.0, high])) div.value { (format!("{:.0}", test.quantiles.p50)) }
                }
                p.key {
                    "Kolmogorov–Smirnov distance " (format!("{:.3}", found.length_shift.statistic)) ", p = "
                    (format!("{:.2e}", found.length_shift.p_value))
                }
            }
            div {
                h3 { "Words not in the training table" }
                (plots::bars(&[bar("test", words.unseen), bar("usual", words.baseline)]))
                p.key { "Usual: as many rows of the training table against its other rows." }
            }
        }
        @if !found.shared.examples.is_empty() {
            h3 { "Shared rows, with the labels they have in training" }
            (texts(&found.shared.examples, "test row"))
        }
    };
    section("Test table", lead, &body)
}

pub(super) fn columns(profile: &Profile) -> Markup {
    let body = html! {
        div.scroll {
            table {
                thead { tr { th { "column" } th { "read as" } th.number { "missing" } th.number { "distinct" } } }
                tbody {
                    @for column in profile.columns.iter().take(COLUMNS) {
                        tr {
                            td.column { bdi { (excerpt(&column.name)) } }
                            td { (column.role.unwrap_or("–")) }
                            td.number { (count(column.missing)) }
                            td.number { (count(column.distinct)) }
                        }
                    }
                }
            }
        }
        @if profile.columns.len() > COLUMNS { p.more { "… and " (profile.columns.len() - COLUMNS) " more columns" } }
    };
    section("Columns", "What each column is read as, and what is missing in it.", &body)
}
