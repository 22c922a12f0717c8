//! What cleaning did to a table: counted, and told to people and programs.

use std::{borrow::Cow, path::Path};

use console::{Style, style};
use gyeol_data::{Cleaner, Columns, Examples, StepKind, Trace};
use serde::Serialize;
use serde_json::Map;
use similar::{ChangeTag, TextDiff};

use crate::output;

/// Most characters of a text shown: a preview is no place for a whole article.
const LONGEST: usize = 400;

/// Most rare words named.
const RARE_WORDS: usize = 20;

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Preview<'a> {
    table: &'a str,
    rows: usize,
    /// Rows any step changed.
    changed: usize,
    /// Rows of which a text became empty.
    emptied: usize,
    /// Rows that held a special token, written out, before.
    had_token: usize,
    /// Rows changed by each step that ran, in their order.
    steps: Map<String, serde_json::Value>,
    special_tokens: Vec<TokenCount<'a>>,
    rare_words: Vec<&'a str>,
    examples: Vec<Example<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a Path>,
}

/// How often a special token stands in the cleaned texts.
#[derive(Debug, Serialize)]
struct TokenCount<'a> {
    token: &'a str,
    rows: usize,
    times: usize,
}

/// A text that changed.
#[derive(Debug, Serialize)]
struct Example<'a> {
    /// Counted from 1, the header not.
    row: usize,
    column: &'a str,
    before: &'a str,
    after: String,
    steps: Vec<&'static str>,
}

impl<'a> Preview<'a> {
    /// Cleans every text of `raw`; also the cleaned texts and second texts. The first `examples` rows that change are shown.
    pub(super) fn new(
        cleaner: &'a Cleaner,
        raw: &'a Examples,
        columns: &'a Columns,
        examples: usize,
        output: Option<&'a Path>,
    ) -> (Self, Vec<String>, Option<Vec<String>>) {
        let (mut texts, mut pairs) = (raw.texts.clone(), raw.pairs.clone());
        let of_texts = cleaner.clean(&mut texts);
        let of_pairs = pairs.as_mut().map(|pairs| cleaner.clean(pairs));
        let traces: Vec<Trace> = (0..raw.len())
            .map(|row| of_pairs.as_ref().map_or(of_texts[row], |of_pairs| of_texts[row].or(of_pairs[row])))
            .collect();
        let count = |holds: &dyn Fn(&Trace) -> bool| traces.iter().filter(|trace| holds(trace)).count();
        let changed_rows = (0..raw.len()).filter(|&row| traces[row].changed()).take(examples);
        let mut shown = Vec::new();
        for row in changed_rows {
            let example = |column, before: &'a [String], after: &[String], trace: Trace| Example {
                row: row + 1,
                column,
                before: &before[row],
                after: after[row].clone(),
                steps: steps_of(trace),
            };
            if of_texts[row].changed() {
                shown.push(example(columns.text.as_str(), &raw.texts, &texts, of_texts[row]));
            }
            let pair = of_pairs.as_ref().map(|traces| traces[row]).filter(|trace| trace.changed());
            if let (Some(trace), Some(name), Some(before), Some(after)) = (pair, &columns.text_pair, &raw.pairs, &pairs)
            {
                shown.push(example(name, before, after, trace));
            }
        }
        let step = |step: StepKind| (step.name().to_owned(), count(&|trace| trace.changed_by(step)).into());
        let preview = Self {
            table: raw.file(),
            rows: raw.len(),
            changed: count(&|trace| trace.changed()),
            emptied: count(&|trace| trace.emptied),
            had_token: count(&|trace| trace.had_token),
            steps: cleaner.steps().map(step).collect(),
            special_tokens: token_counts(cleaner, &texts, pairs.as_deref()),
            rare_words: cleaner.rare_words().collect(),
            examples: shown,
            output,
        };
        (preview, texts, pairs)
    }

    pub(super) fn tell(&self) -> String {
        let mut parts = vec![format!("{}: {} of {} rows change", self.table, self.changed, self.rows)];
        parts.extend(self.examples.iter().map(Example::tell));
        let mut table = output::table(&["step", "rows", "share"], &[1, 2]);
        for (step, rows) in &self.steps {
            let share = 100.0 * rows.as_f64().unwrap_or_default() / self.rows as f64;
            table.add_row([step.clone(), rows.to_string(), format!("{share:.1} %")]);
        }
        parts.push(output::render(&table));
        if !self.special_tokens.is_empty() {
            let mut table = output::table(&["special token", "rows", "times"], &[1, 2]);
            for count in &self.special_tokens {
                table.add_row([count.token.to_owned(), count.rows.to_string(), count.times.to_string()]);
            }
            parts.push(output::render(&table));
        }
        let mut last = Vec::new();
        if !self.rare_words.is_empty() {
            let some = self.rare_words.iter().take(RARE_WORDS).copied().collect::<Vec<_>>().join(" ");
            let more = if self.rare_words.len() > RARE_WORDS { " …" } else { "" };
            last.push(format!("rare words ({}): {some}{more}", self.rare_words.len()));
        }
        if self.emptied > 0 {
            last.push(format!("rows with nothing left of a text: {}", self.emptied));
        }
        if self.had_token > 0 {
            last.push(format!(
                "rows with a special token written out, which is taken for the token: {}",
                self.had_token
            ));
        }
        last.extend(self.output.map(|path| format!("written to {}", path.display())));
        if !last.is_empty() {
            parts.push(last.join("\n"));
        }
        parts.join("\n\n")
    }
}

fn steps_of(trace: Trace) -> Vec<&'static str> {
    StepKind::ALL.into_iter().filter(|&step| trace.changed_by(step)).map(StepKind::name).collect()
}

fn token_counts<'a>(cleaner: &'a Cleaner, texts: &[String], pairs: Option<&[String]>) -> Vec<TokenCount<'a>> {
    let tokens = cleaner.special_tokens();
    let mut counts: Vec<TokenCount<'_>> =
        tokens.iter().map(|token| TokenCount { token: &token.token, rows: 0, times: 0 }).collect();
    for (row, text) in texts.iter().enumerate() {
        let mut found = cleaner.tokens_in(text);
        found.extend(pairs.map(|pairs| cleaner.tokens_in(&pairs[row])).unwrap_or_default());
        found.iter().for_each(|&token| counts[token].times += 1);
        found.sort_unstable();
        found.dedup();
        found.into_iter().for_each(|token| counts[token].rows += 1);
    }
    counts
}

impl Example<'_> {
    /// The text before and after, with what differs in colour where there is any.
    fn tell(&self) -> String {
        let (before, after) = (visible(self.before), visible(&self.after));
        let diff = TextDiff::from_chars(&*before, &*after);
        let (mut removed, mut added) = (String::new(), String::new());
        let (red, green) = (Style::new().red().underlined(), Style::new().green().underlined());
        for change in diff.iter_all_changes() {
            match change.tag() {
                ChangeTag::Equal => {
                    removed.push_str(change.value());
                    added.push_str(change.value());
                }
                ChangeTag::Delete => removed.push_str(&red.apply_to(change.value()).to_string()),
                ChangeTag::Insert => added.push_str(&green.apply_to(change.value()).to_string()),
            }
        }
        let title = style(format!("row {}, {}: {}", self.row, self.column, self.steps.join(", "))).bold();
        format!("{title}\n- {removed}\n+ {added}")
    }
}

/// The beginning of a text on one line, with characters nobody would see spelled out.
fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{3000}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}')
    };
    if text.chars().take(LONGEST + 1).count() <= LONGEST && !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for c in text.chars().take(LONGEST) {
        if hidden(c) { shown.extend(c.escape_debug()) } else { shown.push(c) }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_nobody_sees_are_spelled_out_and_long_texts_cut() {
        assert_eq!(visible("가\u{200b}나\n다"), "가\\u{200b}나\\n다");
        assert_eq!(visible("영화 👨\u{1f3fd}"), "영화 👨\u{1f3fd}");
        let cut = visible(&"가".repeat(LONGEST + 1)).into_owned();
        assert_eq!((cut.chars().count(), cut.ends_with('…')), (LONGEST + 1, true));
    }
}
