//! The profile as one HTML page: no script, style, font or picture from elsewhere, so it works offline and in a mail.
//!
//! `sections` and `tables` hold the content, `plots` what draws; everything is plain elements sized by percentages, so that
//! nothing needs a script (the one there is copies a recipe line). Texts of the table reach the page escaped by maud,
//! cut and without control or direction characters (`gyeol_data::profile::excerpt`).

mod plots;
mod sections;
mod tables;

use gyeol_data::profile::{Finding, LabelKind, Profile, Severity, excerpt};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The whole page.
pub(super) fn page(profile: &Profile) -> Markup {
    let file = excerpt(&profile.file);
    let name = file.rsplit('/').next().unwrap_or(&file);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Profile of " (name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.brand { "gyeol profile" }
                    h1 { bdi { (name) } }
                    @if name != file { p.path { bdi { (file) } } }
                    (tiles(profile))
                }
                main {
                    (advice(&profile.findings))
                    @if let Some(labels) = &profile.labels { (sections::labels(labels)) }
                    (sections::lengths(profile))
                    @if let Some(tokens) = &profile.tokens { (sections::tokens(tokens)) }
                    @for threshold in &profile.thresholds { (sections::threshold(threshold)) }
                    (sections::telling(&profile.telling))
                    (sections::emotive(profile))
                    @if let Some(sources) = &profile.sources { (sections::sources(sources, &profile.groups)) }
                    @if let Some(overlap) = &profile.overlap { (sections::overlap(overlap)) }
                    (tables::duplicates(&profile.duplicates))
                    @if let Some(test) = &profile.test { (tables::test(test, profile)) }
                    (tables::columns(profile))
                }
                footer { "Made by gyeol. Shares are of rows; every figure is also in " code { "gyeol profile --json" } "." }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// The figures one looks for first.
fn tiles(profile: &Profile) -> Markup {
    let mut tiles = vec![("rows", count(profile.rows))];
    match profile.labels.as_ref().map(|labels| &labels.kind) {
        Some(LabelKind::Classification { classes, imbalance, .. }) => {
            tiles.push(("classes", count(classes.len())));
            tiles.push(("largest to smallest", format!("{imbalance:.1} : 1")));
        }
        Some(LabelKind::Regression { summary, .. }) => {
            tiles.push(("mean score", format!("{:.2}", summary.mean)));
            tiles.push(("scores", format!("{} – {}", summary.min, summary.max)));
        }
        None => {}
    }
    tiles.push(("median characters", format!("{:.0}", profile.text.characters.summary.quantiles.p50)));
    tiles.push(("repeated rows", percent(profile.duplicates.normalised.surplus as f64 / profile.rows as f64)));
    if let Some(tokens) = &profile.tokens {
        tiles.push(("median tokens", format!("{:.0}", tokens.lengths.summary.quantiles.p50)));
    }
    if let Some(test) = &profile.test {
        tiles.push(("test rows", count(test.rows)));
    }
    html! {
        dl.tiles {
            @for (name, value) in tiles { div { dt { (name) } dd { (value) } } }
        }
    }
}

fn advice(findings: &[Finding]) -> Markup {
    html! {
        section #advice {
            h2 { "Advice" }
            @if findings.is_empty() { p.lead { "Nothing to mend." } }
            ol.advice {
                @for finding in findings { (card(finding)) }
            }
        }
    }
}

fn card(finding: &Finding) -> Markup {
    let (class, word) = match finding.severity {
        Severity::Problem => ("problem", "Problem"),
        Severity::Warning => ("warning", "Warning"),
        Severity::Note => ("note", "Note"),
    };
    html! {
        li class=(class) {
            p.what { span.badge { (word) } " " bdi { (capital(&finding.what)) } "." }
            p.do { bdi { (capital(&finding.advice)) } "." }
            @if let Some(line) = &finding.recipe {
                div.recipe { code { (excerpt(line)) } button type="button" data-copy=(line) { "Copy" } }
            }
        }
    }
}

/// A section with a heading and a line that says how to read it.
fn section(heading: &str, lead: impl maud::Render, body: &Markup) -> Markup {
    html! {
        section {
            h2 { bdi { (heading) } }
            p.lead { (lead) }
            (body)
        }
    }
}

/// The sentence with a capital letter at its start.
fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `1 row`, `25,000 rows`.
fn rows(number: usize) -> String {
    format!("{} {}", count(number), if number == 1 { "row" } else { "rows" })
}

/// `25,000`.
fn count(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap_or("")).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests;
