//! The profile laid out for a terminal: one table a topic, the advice last, where the eye is. What the figures mean is in
//! `gyeol_data::profile`.

use console::{style, truncate_str};
use gyeol_data::profile::{
    Duplicates, Emotive, Finding, LabelKind, Labels, Profile, Severity, Sources, Summary, Telling, TestTable,
    Threshold, excerpt,
};

use crate::output::{self, title};

/// Classes, sources and columns listed; the page has all.
const LISTED: usize = 20;
/// Characters of the longest bar.
const BAR: usize = 32;
/// Columns of the terminal a name may take.
const NAME: usize = 32;
/// Words of each label.
const WORDS: usize = 10;

/// The whole summary; lines are cut to `width` columns.
pub(super) fn summary(profile: &Profile, width: usize) -> String {
    let mut sections = vec![format!("{}: {} rows", profile.file, profile.rows), columns(profile)];
    sections.extend(profile.labels.as_ref().map(labels));
    sections.push(lengths(profile));
    sections.extend(profile.tokens.as_ref().and_then(|tokens| {
        let unknown = tokens.unknown.as_ref().filter(|unknown| unknown.tokens > 0)?;
        let piece = |(piece, count): &(String, usize)| format!("{} ({count})", truncate_str(piece, 16, "…"));
        let pieces: Vec<String> = unknown.pieces.iter().map(piece).collect();
        let head = format!("unknown tokens: {} in {} rows: ", percent(unknown.share), unknown.rows);
        Some(truncate_str(&(head + &pieces.join(" ")), width, "…").into_owned())
    }));
    sections.push(duplicates(&profile.duplicates, width));
    sections.extend(emotive(&profile.emotive, profile));
    sections.extend(telling(&profile.telling, width));
    sections.extend(profile.sources.as_ref().map(sources));
    sections.extend(profile.overlap.as_ref().map(|overlap| {
        let score = |r: Option<f64>| r.map_or_else(String::new, |r| format!(", correlation with the score {r:.3}"));
        format!(
            "{}\nwords       {} on average{}\ncharacters  {} on average{}",
            title("Overlap of the two texts"),
            percent(overlap.words.mean),
            score(overlap.words_and_score),
            percent(overlap.bigrams.mean),
            score(overlap.bigrams_and_score),
        )
    }));
    sections.extend(profile.thresholds.iter().map(threshold));
    sections.extend(profile.test.as_ref().map(test));
    sections.push(advice(&profile.findings));
    sections.join("\n\n")
}

fn columns(profile: &Profile) -> String {
    let mut table = output::table(&["column", "read as", "missing", "distinct"], &[2, 3]);
    for column in profile.columns.iter().take(LISTED) {
        let role = column.role.unwrap_or("-").to_owned();
        table.add_row([short(&column.name), role, column.missing.to_string(), column.distinct.to_string()]);
    }
    listed(output::render(&table), profile.columns.len(), "columns")
}

fn labels(labels: &Labels) -> String {
    let (head, table, all) = match &labels.kind {
        LabelKind::Classification { classes, imbalance, .. } => {
            let most = classes.iter().map(|class| class.share).fold(0.0, f64::max);
            let mut table = output::table(&["label", "rows", "share", ""], &[1, 2]);
            for class in classes.iter().take(LISTED) {
                let name = match &class.name {
                    Some(name) if *name != class.label => format!("{} ({})", short(&class.label), short(name)),
                    _ => short(&class.label),
                };
                table.add_row([name, class.rows.to_string(), percent(class.share), bar(class.share / most)]);
            }
            (format!("{} classes, {imbalance:.1} to 1", classes.len()), output::render(&table), classes.len())
        }
        LabelKind::Regression { summary, buckets, .. } => {
            let most = buckets.counts.iter().max().copied().unwrap_or(1) as f64;
            let mut table = output::table(&["scores", "rows", "share", ""], &[1, 2]);
            for (at, &rows) in buckets.counts.iter().enumerate() {
                let range = format!("{} to {}", buckets.edge(at), buckets.edge(at + 1));
                let share = percent(rows as f64 / summary.count as f64);
                table.add_row([range, rows.to_string(), share, bar(rows as f64 / most)]);
            }
            let Summary { min, max, mean, quantiles, .. } = summary;
            let head = format!("scores from {min} to {max}, mean {mean:.2}, median {}", quantiles.p50);
            (head, output::render(&table), 0)
        }
    };
    let reason = labels.reason.as_ref().map(|reason| format!(" ({})", excerpt(reason))).unwrap_or_default();
    format!("{}\n{head}{reason}\n{}", title("Labels"), listed(table, all, "classes"))
}

fn lengths(profile: &Profile) -> String {
    let mut table = output::table(&["", "mean", "5 %", "median", "95 %", "99 %", "longest"], &[1, 2, 3, 4, 5, 6]);
    let mut row = |name: &str, summary: &Summary| {
        let Summary { mean, max, quantiles: q, .. } = summary;
        let numbers = [q.p5, q.p50, q.p95, q.p99, *max].map(|value| format!("{value:.0}"));
        table.add_row([name.to_owned(), format!("{mean:.1}")].into_iter().chain(numbers));
    };
    row("characters", &profile.text.characters.summary);
    row("words", &profile.text.words.summary);
    if let Some(pair) = &profile.text_pair {
        row("characters of the second text", &pair.characters.summary);
        row("words of the second text", &pair.words.summary);
    }
    let mut cut = String::new();
    if let Some(tokens) = &profile.tokens {
        row("tokens", &tokens.lengths.summary);
        cut = format!("\n{} of the rows are longer than {} tokens", percent(tokens.cut_share), tokens.max_length);
    }
    format!("{}\n{}{cut}", title("Lengths"), output::render(&table))
}

fn duplicates(found: &Duplicates, width: usize) -> String {
    let mut lines = vec![
        title("Duplicates"),
        format!("to the letter             {:>8} rows repeat an earlier one", found.exact.surplus),
        format!("but for spelling          {:>8}", found.normalised.surplus),
    ];
    let unit = "texts of several labels";
    lines.push(format!("{unit:<25} {:>8} in {} rows", found.conflicts.groups, found.conflicts.rows));
    if let Some(shared) = &found.shared_sentences {
        lines.push(format!("sharing the first text    {:>8} rows", shared.first));
        lines.push(format!("sharing the second text   {:>8} rows", shared.second));
        lines.push(format!("two texts the same        {:>8} rows", shared.identical));
    }
    for example in found.conflicts.examples.iter().take(3) {
        let pair = example.text_pair.as_ref().map(|pair| format!(" | {pair}")).unwrap_or_default();
        let line = format!("  {}: {}{pair}", example.labels.join(" / "), example.text);
        lines.push(style(truncate_str(&line, width, "…")).dim().to_string());
    }
    lines.join("\n")
}

fn emotive(found: &Emotive, profile: &Profile) -> Option<String> {
    found.patterns.first()?;
    let names: Vec<String> = profile.groups.iter().map(|name| short(name)).collect();
    let header: Vec<&str> = ["sign", "rows"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut table = output::table(&header, &(1..header.len()).collect::<Vec<_>>());
    for pattern in found.patterns.iter().take(8) {
        let shares = pattern.shares.iter().map(|&share| percent(share));
        table.add_row([pattern.pattern.clone(), pattern.rows.to_string()].into_iter().chain(shares));
    }
    let share = percent(found.rows as f64 / profile.rows as f64);
    Some(format!("{}\n{} rows ({share}) have any\n{}", title("Emotive signs"), found.rows, output::render(&table)))
}

fn telling(found: &[Telling], width: usize) -> Option<String> {
    let lines: Vec<String> = (found.iter().filter(|told| !told.words.is_empty()))
        .map(|told| {
            let words: Vec<String> =
                told.words.iter().take(WORDS).map(|word| format!("{} {:.1}", short(&word.word), word.z)).collect();
            truncate_str(&format!("{}  {}", short(&told.label), words.join(", ")), width, "…").into_owned()
        })
        .collect();
    let heading = title("Telling words (z of the log-odds against all other rows)");
    (!lines.is_empty()).then(|| format!("{heading}\n{}", lines.join("\n")))
}

fn sources(found: &Sources) -> String {
    let mut table = output::table(&["source", "rows", "share", "mean score", "deviation", "overlap"], &[1, 2, 3, 4, 5]);
    for source in found.rows.iter().take(LISTED) {
        let name = if source.source.is_empty() { "(none)".to_owned() } else { short(&source.source) };
        let of = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        table.add_row([
            name,
            source.rows.to_string(),
            percent(source.share),
            of(source.scores.as_ref().map(|scores| scores.mean)),
            of(source.scores.as_ref().map(|scores| scores.deviation)),
            of(source.overlap),
        ]);
    }
    let explained = found.explained.map(|share| format!("\nthe source explains {} of the variance", percent(share)));
    let table = listed(output::render(&table), found.count, "sources");
    format!("{}\n{table}{}", title("Sources"), explained.unwrap_or_default())
}

fn threshold(found: &Threshold) -> String {
    let [low, high] = &found.values;
    let heading = title(&format!("Column {:?} as a threshold on the score", short(&found.column)));
    let mut text = format!(
        "{heading}\n{high:?} from {} on, {low:?} up to {}: {} of the rows agree, all but {} (one value throughout: {})",
        found.threshold,
        found.below,
        percent(found.agreement),
        found.disagreeing,
        percent(found.baseline),
    );
    for row in found.examples.iter().take(5) {
        text.push_str(&format!("\n  row {} ({}): score {}, {:?}", row.row, row.id, row.score, row.value));
    }
    text
}

fn test(found: &TestTable) -> String {
    let words = &found.vocabulary;
    format!(
        "{}\nin the training table     {:>8} rows to the letter, {} but for spelling\n\
         lengths                   {:>8.3} Kolmogorov–Smirnov, p = {:.2e}\n\
         unseen words              {:>8} ({} would be usual)",
        title(&format!("{}: {} rows", found.file, found.rows)),
        found.shared.exact,
        found.shared.normalised,
        found.length_shift.statistic,
        found.length_shift.p_value,
        percent(words.unseen),
        percent(words.baseline),
    )
}

fn advice(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return format!("{}\nnothing to mend", title("Advice"));
    }
    let told = findings.iter().map(|finding| {
        let mark = match finding.severity {
            Severity::Problem => style("problem").red().bold(),
            Severity::Warning => style("warning").yellow().bold(),
            Severity::Note => style("note").cyan().bold(),
        };
        let line = finding.recipe.as_ref().map(|line| format!("\n    {}", style(line).green())).unwrap_or_default();
        format!("{mark} {}\n    {}{line}", finding.what, finding.advice)
    });
    format!("{}\n{}", title("Advice"), told.collect::<Vec<_>>().join("\n"))
}

/// A table, and how much of `all` it does not list.
fn listed(table: String, all: usize, what: &str) -> String {
    if all > LISTED { format!("{table}\n… and {} more {what}", all - LISTED) } else { table }
}

/// A name that leaves room for the figures beside it.
fn short(name: &str) -> String {
    truncate_str(&excerpt(name), NAME, "…").into_owned()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn bar(share: f64) -> String {
    let eighths = (share * (BAR * 8) as f64).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{rest}", "█".repeat(eighths / 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_share() {
        assert_eq!(console::measure_text_width(&bar(1.0)), BAR);
        assert_eq!(bar(0.0), "");
        assert_eq!(bar(1.5 / BAR as f64), "█▌");
    }
}
