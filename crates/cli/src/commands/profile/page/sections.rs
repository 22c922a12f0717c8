//! The sections with plots: labels, lengths, tokens, thresholds, words, emotive signs, sources, overlap.

use gyeol_data::profile::{
    LabelKind, Labels, Lengths, Overlap, Profile, Sources, Telling, TextLengths, Threshold, Tokens, Word, excerpt,
};
use maud::{Markup, html};

use super::{
    count, percent,
    plots::{self, Bar, Mark},
    rows, section,
};

/// Classes drawn.
const CLASSES: usize = 30;
/// Words drawn of each label, for and against it.
const WORDS: [usize; 2] = [12, 6];

pub(super) fn labels(labels: &Labels) -> Markup {
    match &labels.kind {
        LabelKind::Classification { classes, imbalance, evenness } => {
            let most = classes.iter().map(|class| class.share).fold(f64::MIN_POSITIVE, f64::max);
            let bar = |class: &gyeol_data::profile::Class| Bar {
                name: match &class.name {
                    Some(name) if *name != class.label => format!("{} {}", excerpt(&class.label), excerpt(name)),
                    _ => excerpt(&class.label),
                },
                value: format!("{} · {}", count(class.rows), percent(class.share)),
                share: class.share / most,
            };
            let bars: Vec<Bar> = classes.iter().take(CLASSES).map(bar).collect();
            let body = html! {
                (plots::bars(&bars))
                @if classes.len() > CLASSES { p.more { "… and " (classes.len() - CLASSES) " more classes" } }
            };
            let lead = format!(
                "{} classes; the largest has {imbalance:.1} times the rows of the smallest (evenness {evenness:.2}, where 1 \
                 is balanced).",
                classes.len()
            );
            section("Labels", lead, &body)
        }
        LabelKind::Regression { summary, histogram, .. } => {
            let marks = [Mark { at: summary.mean, text: format!("mean {:.2}", summary.mean), limit: false }];
            let lead = format!(
                "Scores from {} to {}: mean {:.2}, standard deviation {:.2}, half of them between {} and {}.",
                summary.min, summary.max, summary.mean, summary.deviation, summary.quantiles.p25, summary.quantiles.p75
            );
            section("Scores", lead, &plots::histogram(histogram, "score", &marks))
        }
    }
}

pub(super) fn lengths(profile: &Profile) -> Markup {
    let lead = "Every text in characters and in words, the longest few left out of the plot.";
    let body = html! {
        div.columns.three { (text_lengths("Text", &profile.text)) }
        @if let Some(pair) = &profile.text_pair { div.columns.three { (text_lengths("Second text", pair)) } }
        @if !profile.groups.is_empty() {
            p.key { "By label: the line goes from 5 % to 95 % of the rows, the box is the middle half, stroke and number are the median, the dot is the mean." }
        }
    };
    section("Lengths", lead, &body)
}

fn text_lengths(name: &str, lengths: &TextLengths) -> Markup {
    let high =
        lengths.by_label.iter().filter_map(|label| Some(label.summary.as_ref()?.quantiles.p95)).fold(0.0, f64::max);
    html! {
        (length_plot(name, &lengths.characters, "characters"))
        (length_plot(name, &lengths.words, "words"))
        @if high > 0.0 {
            div {
                h3 { (name) " · characters by label" }
                div.boxes {
                    @for label in &lengths.by_label {
                        @if let Some(summary) = &label.summary {
                            div.name { bdi { (excerpt(&label.label)) } }
                            (plots::box_plot(summary, [0.0, high]))
                            div.value { (format!("{:.0}", summary.quantiles.p50)) }
                        }
                    }
                }
            }
        }
    }
}

fn length_plot(name: &str, lengths: &Lengths, unit: &str) -> Markup {
    let median = lengths.summary.quantiles.p50;
    let marks = [Mark { at: median, text: format!("median {median:.0}"), limit: false }];
    html! {
        div {
            h3 { (name) " · " (unit) }
            (plots::histogram(&lengths.histogram, unit, &marks))
        }
    }
}

pub(super) fn tokens(tokens: &Tokens) -> Markup {
    let marks = [
        Mark { at: tokens.max_length as f64, text: format!("cut at {}", tokens.max_length), limit: true },
        Mark {
            at: tokens.lengths.summary.quantiles.p50,
            text: format!("median {:.0}", tokens.lengths.summary.quantiles.p50),
            limit: false,
        },
    ];
    let lead = format!(
        "{} ({}) longer than {} tokens; {} tokens leave one row in a hundred cut.",
        rows(tokens.cut),
        percent(tokens.cut_share),
        tokens.max_length,
        tokens.covers_99
    );
    let body = html! {
        (plots::histogram(&tokens.lengths.histogram, "tokens", &marks))
        @if let Some(unknown) = tokens.unknown.as_ref().filter(|unknown| unknown.tokens > 0) {
            h3 { "Unknown to the tokeniser" }
            p.key { (percent(unknown.share)) " of the tokens, in " (count(unknown.rows)) " rows. Most often:" }
            ul.chips {
                @for (piece, times) in &unknown.pieces { li { bdi { (piece) } " " small { (count(*times)) } } }
            }
        }
    };
    section("Tokens", lead, &body)
}

pub(super) fn threshold(found: &Threshold) -> Markup {
    let [low, high] = &found.values;
    let lead = html! {
        bdi { (high) } " from a score of " strong { (found.threshold) } " on, " bdi { (low) } " up to " (found.below) ": "
        strong { (percent(found.agreement)) } " of the rows agree (one value throughout would reach "
        (percent(found.baseline)) ")."
    };
    let body = html! {
        (plots::curve(&found.curve, found.threshold))
        @if !found.examples.is_empty() {
            h3 { (count(found.disagreeing)) " rows disagree" }
            div.scroll {
                table {
                    thead { tr { th { "row" } th { "id" } th.number { "score" } th { "value" } } }
                    tbody {
                        @for row in &found.examples {
                            tr { td { (row.row) } td { bdi { (row.id) } } td.number { (row.score) } td { bdi { (row.value) } } }
                        }
                    }
                }
            }
        }
    };
    section(&format!("Threshold in {}", excerpt(&found.column)), lead, &body)
}

pub(super) fn telling(found: &[Telling]) -> Markup {
    let told: Vec<&Telling> = found.iter().filter(|told| !told.words.is_empty() || !told.against.is_empty()).collect();
    if told.is_empty() {
        return html! {};
    }
    let words = || told.iter().flat_map(|told| told.words.iter().chain(&told.against));
    // Both sides on one scale: their tracks are as wide as their longest bars.
    let [left, right] = [-1.0, 1.0].map(|side| words().map(|word| side * word.z).fold(0.0, f64::max));
    let all = left + right;
    let tracks = format!("grid-template-columns:fit-content(38%) {:.3}fr {:.3}fr auto", left / all, right / all);
    let lead = "Words more (right) or less (left) frequent under a label than in all other rows: z-scores of the log-odds \
                ratio with an informative Dirichlet prior (Monroe et al. 2008).";
    let body = html! {
        div.columns {
            @for told in &told {
                div {
                    h3 { bdi { (excerpt(&told.label)) } }
                    div.diverging style=(tracks) {
                        @for word in told.words.iter().take(WORDS[0]) { (word_bar(word, right)) }
                        @for word in told.against.iter().take(WORDS[1]).rev() { (word_bar(word, left)) }
                    }
                }
            }
        }
    };
    section("Telling words", lead, &body)
}

fn word_bar(word: &Word, most: f64) -> Markup {
    let tip = format!("{} times here, {} elsewhere; log-odds {:+.2}", word.here, word.elsewhere, word.log_odds);
    let style = plots::width(word.z.abs() / most);
    html! {
        div.name title=(tip) { bdi { (excerpt(&word.word)) } }
        div.left title=(tip) { @if word.z < 0.0 { i style=(style) {} } }
        div.right title=(tip) { @if word.z > 0.0 { i style=(style) {} } }
        div.value { (format!("{:+.1}", word.z)) }
    }
}

pub(super) fn emotive(profile: &Profile) -> Markup {
    let found = &profile.emotive;
    if found.patterns.is_empty() {
        return html! {};
    }
    let most =
        found.patterns.iter().flat_map(|pattern| pattern.shares.iter().copied()).fold(f64::MIN_POSITIVE, f64::max);
    let lead = format!(
        "{} ({}) with signs of feeling. The share of each label's rows with a sign; ㅋ stands for runs of any length, \
         ㅠ for ㅜ too.",
        rows(found.rows),
        percent(found.rows as f64 / profile.rows as f64)
    );
    let heat = |share: f64| format!("--heat:{:.0}%", (share / most).sqrt() * 55.0);
    let body = html! {
        div.scroll {
            table.heat {
                thead {
                    tr {
                        th { "sign" } th.number { "rows" }
                        @for group in &profile.groups { th.number { bdi { (excerpt(group)) } } }
                    }
                }
                tbody {
                    @for pattern in &found.patterns {
                        tr {
                            th { bdi { (pattern.pattern) } } td.number { (count(pattern.rows)) }
                            @for share in &pattern.shares { td.cell style=(heat(*share)) { (percent(*share)) } }
                        }
                    }
                }
            }
        }
    };
    section("Emotive signs", lead, &body)
}

pub(super) fn sources(found: &Sources, groups: &[String]) -> Markup {
    let lead = match found.explained {
        Some(share) => format!(
            "{} sources; the source alone explains {} of the variance of the scores.",
            found.count,
            percent(share)
        ),
        None => format!("{} sources.", found.count),
    };
    let scores = || found.rows.iter().filter_map(|source| source.scores.as_ref());
    let range = [
        scores().map(|s| s.min).fold(f64::INFINITY, f64::min),
        scores().map(|s| s.max).fold(f64::NEG_INFINITY, f64::max),
    ];
    let names: Vec<String> = groups.iter().map(|group| excerpt(group)).collect();
    let body = html! {
        @if scores().next().is_none() && !names.is_empty() { (plots::legend(&names)) }
        div.boxes.sources {
            @for source in &found.rows {
                div.name {
                    bdi { @if source.source.is_empty() { "(none)" } @else { (source.source) } }
                    small { (count(source.rows)) " · " (percent(source.share)) }
                }
                @match &source.scores {
                    Some(scores) => (plots::box_plot(scores, range)),
                    None => (plots::stack(&source.shares, &names)),
                }
                div.value { @if let Some(scores) = &source.scores { (format!("{:.2}", scores.mean)) } }
            }
        }
        @if scores().next().is_some() {
            p.key {
                "Scores from " (range[0]) " to " (range[1]) ". Line: 5 % to 95 % of the rows. Box: the middle half. Stroke: the \
                 median. Dot and number: the mean."
            }
        }
        @if found.count > found.rows.len() { p.more { "… and " (found.count - found.rows.len()) " more sources" } }
    };
    section("Sources", lead, &body)
}

pub(super) fn overlap(found: &Overlap) -> Markup {
    let score = |r: Option<f64>| r.map_or_else(String::new, |r| format!(" (correlation with the score {r:.3})"));
    let lead = format!(
        "The two texts share {} of their words{} and {} of their pairs of characters{}. What wording alone gives away, a model \
         must beat.",
        percent(found.words.mean),
        score(found.words_and_score),
        percent(found.bigrams.mean),
        score(found.bigrams_and_score),
    );
    let bars: Vec<Bar> = (found.by_label.iter())
        .map(|label| Bar { name: excerpt(&label.label), value: percent(label.bigrams), share: label.bigrams })
        .collect();
    section("Overlap of the two texts", lead, &plots::bars(&bars))
}
