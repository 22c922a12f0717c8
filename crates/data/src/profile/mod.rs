//! What a table holds, as numbers: the look at the data before any model. One file a topic; advice is in `findings`.
//!
//! Nothing here prints or draws, and no number depends on a seed or on the number of threads.

mod columns;
mod duplicates;
mod emotive;
mod findings;
#[cfg(test)]
mod fixture;
mod labels;
mod lengths;
mod pairs;
mod shift;
mod sources;
mod stats;
mod text;
mod threshold;
mod tokens;
mod words;

use serde::Serialize;

pub use columns::ColumnFacts;
pub use duplicates::{Conflicts, Duplicates, Repeated, Repeats, Shared, SharedSentences};
pub use emotive::{Emotive, Pattern};
pub use findings::{Finding, Given, Severity};
pub use labels::{Class, LabelKind, Labels};
pub use lengths::{LabelLength, Lengths, TextLengths};
pub use pairs::{LabelOverlap, Overlap};
pub use shift::{KolmogorovSmirnov, TestTable, Vocabulary};
pub use sources::{Source, Sources};
pub use stats::{Histogram, Quantiles, Summary};
pub use text::excerpt;
pub use threshold::{Disagreeing, Threshold};
pub use tokens::{Tokens, Unknown};
pub use words::{Telling, Word};

use crate::config::Task;
use crate::error::Result;
use crate::examples::{Columns, Examples};
use crate::table::Table;
use crate::tokenise::Tokeniser;
use duplicates::Keys;
use labels::{Groups, Read};
use shift::WordRows;

/// Everything known of a table. Texts in it are excerpts of at most 160 characters; names of columns and labels are whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// The table as the user named it.
    pub file: String,
    /// Its rows.
    pub rows: usize,
    /// What may be wrong and what to do, the worst first.
    pub findings: Vec<Finding>,
    /// Every column.
    pub columns: Vec<ColumnFacts>,
    /// Rows without a text, or without a second text.
    pub empty_texts: usize,
    /// The labels; absent without a label column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// What the other topics are told by: the most frequent classes, or ranges of scores; empty without labels.
    pub groups: Vec<String>,
    /// Rows that say the same.
    pub duplicates: Duplicates,
    /// Lengths of the text.
    pub text: TextLengths,
    /// Lengths of the second text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<TextLengths>,
    /// Lengths in tokens; absent without a tokeniser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// Emotive patterns.
    pub emotive: Emotive,
    /// The most telling words of each group.
    pub telling: Vec<Telling>,
    /// Each source apart; absent without a source column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Sources>,
    /// Wording the two texts of a pair share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// Columns of two values as thresholds on the score.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// A second table against this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<TestTable>,
}

/// What to profile a table by, beside the table.
#[derive(Debug, Clone, Default)]
pub struct ProfileOptions<'a> {
    /// The task; inferred when absent.
    pub task: Option<Task>,
    /// Names of the classes for people.
    pub label_names: Option<&'a [String]>,
    /// A table to be predicted later, under the same column names.
    pub test: Option<&'a Table>,
    /// The tokeniser, and the length rows are to be cut at.
    pub tokeniser: Option<(&'a Tokeniser, usize)>,
    /// What a recipe says already: advice is about the rest.
    pub given: Given,
}

impl Profile {
    /// Looks at `table` under the names of `columns`. Runs on rayon's current pool.
    ///
    /// # Errors
    /// A column that is not there, an id that is missing or occurs twice, a label that is no score where the task is
    /// a regression, a text the tokeniser refuses.
    pub fn new(table: &Table, columns: &Columns, options: &ProfileOptions<'_>) -> Result<Self> {
        let examples = Examples::from_table(table, columns)?;
        let test = options.test.map(|test| {
            // A second table is not told by its rows, so its ids do not matter.
            let columns = Columns { id: None, ..columns.unlabelled() };
            Examples::from_table(test, &columns)
        });
        let test = test.transpose()?;
        let (texts, pairs) = (examples.texts.as_slice(), examples.pairs.as_deref());
        let read = labels::read(&examples, options.task, options.label_names)?;
        let (labels, groups, scores) = match read {
            Some(Read { labels, groups, scores }) => (Some(labels), Some(groups), scores),
            None => (None, None, None),
        };
        let scores = scores.as_deref();
        let everyone = Groups { names: Vec::new(), of: vec![0; examples.len()] };
        let told_by = groups.as_ref().unwrap_or(&everyone);
        let keys = Keys::of(&examples);
        let (characters, words) = lengths::measure(texts);
        let overlaps = pairs.map(|pairs| pairs::measure(texts, pairs));
        let known = sources::Known {
            groups: groups.as_ref(),
            scores,
            overlap: overlaps.as_ref().map(|(words, _)| words.as_slice()),
        };
        let mut profile = Self {
            file: table.file().to_owned(),
            rows: table.rows(),
            findings: Vec::new(),
            columns: columns::columns(table, columns),
            empty_texts: blank_texts(&examples),
            labels,
            groups: told_by.names.clone(),
            duplicates: duplicates::within(&examples, &keys, scores),
            text: lengths::lengths(&characters, &words, groups.as_ref()),
            text_pair: pairs.map(|pairs| {
                let (characters, words) = lengths::measure(pairs);
                lengths::lengths(&characters, &words, groups.as_ref())
            }),
            tokens: options.tokeniser.map(|(own, length)| tokens::tokens(&examples, own, length)).transpose()?,
            emotive: emotive::emotive(texts, pairs, told_by),
            telling: words::telling(texts, pairs, told_by),
            sources: examples.sources.as_deref().map(|names| sources::sources(names, &known)),
            overlap: overlaps.map(|(words, bigrams)| pairs::overlap(&words, &bigrams, scores, groups.as_ref())),
            thresholds: scores
                .map(|scores| threshold::thresholds(table, &examples, columns, scores))
                .unwrap_or_default(),
            test: test.as_ref().map(|test| compare(&examples, &keys, &characters, test)),
        };
        profile.findings = findings::findings(&profile, columns, &options.given);
        Ok(profile)
    }
}

/// Rows with a text, or a second text, of nothing but blanks.
fn blank_texts(examples: &Examples) -> usize {
    let blank = |texts: &[String], row: usize| texts[row].trim().is_empty();
    let either = |row: &usize| blank(&examples.texts, *row) || examples.pairs.as_ref().is_some_and(|p| blank(p, *row));
    (0..examples.len()).filter(either).count()
}

fn compare(train: &Examples, keys: &Keys, characters: &[f64], test: &Examples) -> TestTable {
    let ascending = |mut lengths: Vec<f64>| {
        lengths.sort_by(f64::total_cmp);
        lengths
    };
    let lengths = ascending(lengths::measure(&test.texts).0);
    let words = |examples: &Examples| WordRows::of(&examples.texts, examples.pairs.as_deref());
    TestTable {
        file: test.file().to_owned(),
        rows: test.len(),
        shared: duplicates::between((train, keys), (test, &Keys::of(test))),
        characters: Summary::of_sorted(&lengths).expect("a table has rows"),
        length_shift: shift::kolmogorov_smirnov(&ascending(characters.to_vec()), &lengths),
        vocabulary: shift::vocabulary(&words(train), &words(test)),
    }
}
