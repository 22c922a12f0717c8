//! Which column is what: by its name first, by its content second. Every choice comes with its reason.

use std::collections::HashSet;

use anyhow::Result;
use gyeol_data::{Column, Columns, KeyStyle, Table};
use serde::Serialize;

use crate::exit::Mistake;

/// Columns the user named.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) text: Option<&'a str>,
    pub(crate) text_pair: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
    pub(crate) source: Option<&'a str>,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Choice {
    pub(crate) column: String,
    /// Why, as half a sentence.
    pub(crate) reason: String,
}

/// Which column is what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Found {
    pub(crate) id: Option<Choice>,
    pub(crate) text: Choice,
    pub(crate) text_pair: Option<Choice>,
    /// A table to be predicted has none.
    pub(crate) label: Option<Choice>,
    pub(crate) source: Option<Choice>,
    pub(crate) group: Option<Choice>,
}

impl Found {
    /// Each key of `[data]` with its choice.
    pub(crate) fn rows(&self) -> [(&'static str, Option<&Choice>); 6] {
        [
            ("id", self.id.as_ref()),
            ("text", Some(&self.text)),
            ("text_pair", self.text_pair.as_ref()),
            ("label", self.label.as_ref()),
            ("source", self.source.as_ref()),
            ("group", self.group.as_ref()),
        ]
    }

    /// The columns by name; messages call them by the flags that name them.
    pub(crate) fn columns(&self) -> Columns {
        let name = |choice: &Option<Choice>| choice.as_ref().map(|choice| choice.column.clone());
        Columns {
            id: name(&self.id),
            text: self.text.column.clone(),
            text_pair: name(&self.text_pair),
            label: name(&self.label),
            group: name(&self.group),
            source: name(&self.source),
            keys: KeyStyle::Flag,
        }
    }
}

// Usual names, likeliest first, compared without letter case, `_`, `-` and blanks.
const LABELS: [&str; 17] = [
    "label",
    "labels",
    "target",
    "score",
    "class",
    "category",
    "sentiment",
    "gold",
    "rating",
    "y",
    "라벨",
    "레이블",
    "정답",
    "점수",
    "감정",
    "분류",
    "등급",
];
const TEXTS: [&str; 20] = [
    "text",
    "review",
    "sentence",
    "document",
    "comment",
    "comments",
    "content",
    "body",
    "utterance",
    "message",
    "tweet",
    "title",
    "query",
    "question",
    "문장",
    "리뷰",
    "본문",
    "내용",
    "텍스트",
    "댓글",
];
const PAIRS: [(&str, &str); 14] = [
    ("sentence1", "sentence2"),
    ("text1", "text2"),
    ("texta", "textb"),
    ("sentencea", "sentenceb"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "answer"),
    ("question", "sentence"),
    ("query", "document"),
    ("query", "passage"),
    ("text", "textpair"),
    ("s1", "s2"),
    ("문장1", "문장2"),
    ("전제", "가설"),
];
const IDS: [&str; 10] = ["id", "idx", "index", "guid", "uuid", "rowid", "key", "no", "아이디", "번호"];
const SOURCES: [&str; 7] = ["source", "origin", "domain", "genre", "corpus", "출처", "도메인"];
const GROUPS: [&str; 7] = ["group", "groupid", "originid", "originalid", "parentid", "그룹", "원본id"];

/// More distinct values than this are no classes a person would name.
const MOST_CLASSES: usize = 100;

/// What a column holds.
struct Facts<'a> {
    column: &'a Column,
    plain_name: String,
    missing: usize,
    distinct: usize,
    mean_chars: f64,
    numeric: bool,
    fractions: bool,
}

impl<'a> Facts<'a> {
    fn of(column: &'a Column) -> Self {
        let (mut missing, mut chars, mut numeric, mut fractions) = (0, 0, true, false);
        let mut distinct = HashSet::new();
        for cell in column.iter() {
            let Some(cell) = cell else {
                missing += 1;
                continue;
            };
            chars += cell.chars().count();
            distinct.insert(cell);
            match cell.trim().parse::<f64>() {
                Ok(value) => fractions |= value.fract() != 0.0,
                Err(_) => numeric = false,
            }
        }
        let filled = column.len() - missing;
        Self {
            column,
            plain_name: plain(column.name()),
            missing,
            distinct: distinct.len(),
            mean_chars: chars as f64 / filled.max(1) as f64,
            numeric: numeric && filled > 0,
            fractions,
        }
    }

    fn name(&self) -> &'a str {
        self.column.name()
    }

    fn is_unique(&self) -> bool {
        self.missing == 0 && self.distinct == self.column.len()
    }

    /// Could be read: not numbers, and not the same few words in every row.
    fn is_texty(&self) -> bool {
        !self.numeric && self.distinct > 0 && (self.mean_chars >= 4.0 || self.distinct * 2 > self.column.len())
    }

    fn chosen(&self, reason: impl Into<String>) -> Choice {
        Choice { column: self.name().to_owned(), reason: reason.into() }
    }
}

fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '-', ' '], "")
}

/// Finds the columns of `table`, those of `wanted` taken as given.
///
/// # Errors
/// A wanted column that is not there; a table without texts.
pub(crate) fn detect(table: &Table, wanted: &Wanted<'_>) -> Result<Found> {
    for (name, flag) in [
        (wanted.id, "--id"),
        (wanted.text, "--text"),
        (wanted.text_pair, "--text-pair"),
        (wanted.label, "--label"),
        (wanted.source, "--source"),
    ] {
        if let Some(name) = name {
            table.column(name, flag)?;
        }
    }
    let facts: Vec<Facts<'_>> =
        table.columns().iter().filter(|column| column.unreadable().is_none()).map(Facts::of).collect();
    let asked = [wanted.id, wanted.text, wanted.text_pair, wanted.label, wanted.source];
    let mut free: Vec<&Facts<'_>> = facts.iter().filter(|fact| !asked.contains(&Some(fact.name()))).collect();
    let given = |name: Option<&str>| name.map(|name| Choice { column: name.to_owned(), reason: "as asked".to_owned() });

    let (text, text_pair) = match (given(wanted.text), given(wanted.text_pair)) {
        (Some(text), pair) => (Some(text), pair),
        (None, None) => match pair(&free) {
            Some((text, pair)) => (Some(text), Some(pair)),
            None => (None, None),
        },
        (None, pair) => (None, pair),
    };
    take(&mut free, text.as_ref());
    take(&mut free, text_pair.as_ref());
    let label_by_name = given(wanted.label).or_else(|| label_by_name(&free));
    take(&mut free, label_by_name.as_ref());
    let text = text.or_else(|| text_of(&free)).ok_or_else(|| not_found("text", "--text", table))?;
    take(&mut free, Some(&text));
    let id = given(wanted.id).or_else(|| id_by_name(&free));
    take(&mut free, id.as_ref());
    let source = given(wanted.source)
        .or_else(|| by_name(&free, &SOURCES, |fact| (2..=MOST_CLASSES).contains(&fact.distinct) && fact.missing == 0));
    take(&mut free, source.as_ref());
    let group = by_name(&free, &GROUPS, |fact| fact.missing == 0 && !fact.is_unique());
    take(&mut free, group.as_ref());
    let label = label_by_name.or_else(|| label_by_content(&free));
    take(&mut free, label.as_ref());
    let id = id.or_else(|| id_by_content(&free));
    Ok(Found { id, text, text_pair, label, source, group })
}

/// A column serves once.
fn take(free: &mut Vec<&Facts<'_>>, choice: Option<&Choice>) {
    if let Some(choice) = choice {
        free.retain(|fact| fact.name() != choice.column);
    }
}

fn by_name(free: &[&Facts<'_>], names: &[&str], fits: impl Fn(&Facts<'_>) -> bool) -> Option<Choice> {
    let fact = names.iter().find_map(|name| free.iter().find(|fact| fact.plain_name == *name && fits(fact)))?;
    Some(fact.chosen("by its name"))
}

fn pair(free: &[&Facts<'_>]) -> Option<(Choice, Choice)> {
    PAIRS.iter().find_map(|(first, second)| {
        let texty = |name: &str| free.iter().find(|fact| fact.plain_name == name && fact.is_texty());
        Some((texty(first)?.chosen("by its name"), texty(second)?.chosen("by its name, the second text")))
    })
}

fn text_of(free: &[&Facts<'_>]) -> Option<Choice> {
    by_name(free, &TEXTS, |fact| fact.is_texty()).or_else(|| {
        let readable = free.iter().filter(|fact| fact.is_texty());
        let longest = readable.max_by(|a, b| a.mean_chars.total_cmp(&b.mean_chars))?;
        Some(longest.chosen(format!("the longest texts, {:.0} characters on average", longest.mean_chars)))
    })
}

fn label_by_name(free: &[&Facts<'_>]) -> Option<Choice> {
    by_name(free, &LABELS, |fact| fact.distinct >= 2 && (fact.numeric || fact.distinct <= MOST_CLASSES))
}

fn label_by_content(free: &[&Facts<'_>]) -> Option<Choice> {
    let classes = |fact: &&&Facts<'_>| {
        fact.missing == 0 && (2..=MOST_CLASSES).contains(&fact.distinct) && fact.distinct * 2 <= fact.column.len()
    };
    let candidates: Vec<_> = free.iter().rev().filter(classes).collect();
    // Labels stand last in most tables, which settles a tie.
    let fewest = candidates.iter().min_by_key(|fact| fact.distinct).map(|fact| {
        let others: Vec<&str> =
            candidates.iter().map(|other| other.name()).filter(|name| *name != fact.name()).collect();
        let others = if others.is_empty() { String::new() } else { format!("; or is it {}?", others.join(", ")) };
        fact.chosen(format!("{} distinct values{others}", fact.distinct))
    });
    fewest.or_else(|| {
        let scores = free.iter().rev().find(|fact| fact.missing == 0 && fact.fractions && fact.numeric)?;
        Some(scores.chosen("numbers with fractions"))
    })
}

fn id_by_name(free: &[&Facts<'_>]) -> Option<Choice> {
    by_name(free, &IDS, |fact| fact.is_unique())
}

fn id_by_content(free: &[&Facts<'_>]) -> Option<Choice> {
    let short = |fact: &&&Facts<'_>| {
        fact.is_unique()
            && fact.mean_chars <= 40.0
            && !fact.fractions
            && !fact.column.iter().flatten().any(|cell| cell.contains(char::is_whitespace))
    };
    Some(free.iter().find(short)?.chosen("short and different in every row"))
}

/// The error for a column that is needed and not there.
pub(crate) fn not_found(what: &str, flag: &str, table: &Table) -> anyhow::Error {
    let names: Vec<&str> = table.columns().iter().map(Column::name).collect();
    Mistake::new(format!("{}: no column looks like the {what} ({})", table.file(), names.join(", ")))
        .hint(other_delimiter(table).unwrap_or_else(|| format!("name it with {flag} COLUMN")))
        .into()
}

/// What to do about a table that has one column where its header names several.
pub(crate) fn other_delimiter(table: &Table) -> Option<String> {
    let [column] = table.columns() else { return None };
    if column.name().contains('\t') {
        return Some("the header has tabs between names: a table separated by tabs is called .tsv".to_owned());
    }
    let semicolons = "the header has semicolons between names: save the table with commas, or with tabs as .tsv";
    column.name().contains(';').then(|| semicolons.to_owned())
}

#[cfg(test)]
mod tests {
    use gyeol_data::TextFormat;

    use super::*;

    fn found(csv: &str) -> String {
        let table = Table::from_reader(csv.as_bytes(), TextFormat::Csv, "t.csv").unwrap();
        match detect(&table, &Wanted::default()) {
            Ok(found) => {
                let rows = found.rows().into_iter().filter_map(|(key, choice)| Some((key, choice?)));
                rows.map(|(key, choice)| format!("{key}={}", choice.column)).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn usual_names_are_known_in_english_and_korean() {
        assert_eq!(found("ID,review,label\n1,재밌다 정말,2\n2,별로였다,0\n"), "id=ID text=review label=label");
        assert_eq!(found("번호,리뷰,감정\n1,재밌다 정말,좋음\n2,별로였다,싫음\n"), "id=번호 text=리뷰 label=감정");
    }

    #[test]
    fn a_pair_its_source_and_the_label_among_two_are_found() {
        let csv = "id,source,sentence_1,sentence_2,label,binary-label\n\
                   a,x,안녕하세요,반갑습니다,4.9,1.0\nb,y,하나 둘 셋,넷 다섯,1.4,0.0\nc,x,여섯 일곱,여덟아홉,2.5,0.0\n";
        assert_eq!(found(csv), "id=id text=sentence_1 text_pair=sentence_2 label=label source=source");
    }

    #[test]
    fn content_decides_where_names_say_nothing() {
        let csv = "a,b,c\nk1,this one is rather long,x\nk2,another long sentence here,y\n\
                   k3,yet another long sentence,x\nk4,and a last long sentence,y\n";
        assert_eq!(found(csv), "id=a text=b label=c");
    }

    #[test]
    fn an_unclear_label_names_the_other_candidates() {
        let csv = "comments,bias,hate\nfirst comment,a,x\nsecond comment,b,y\nthird comment,a,x\nfourth one,b,z\n\
                   fifth comment,a,y\nsixth comment,b,z\n";
        let table = Table::from_reader(csv.as_bytes(), TextFormat::Csv, "t.csv").unwrap();
        let label = detect(&table, &Wanted::default()).unwrap().label.unwrap();
        assert_eq!((label.column.as_str(), label.reason.as_str()), ("bias", "2 distinct values; or is it hate?"));
    }

    #[test]
    fn an_id_that_repeats_is_no_id() {
        let csv = "id,text,label\n1,a long text,0\n1,another text,1\n2,third text,0\n";
        assert_eq!(found(csv), "text=text label=label");
    }

    #[test]
    fn a_table_may_lack_labels_but_not_texts() {
        assert_eq!(found("id,text\n1,one text\n2,two texts\n"), "id=id text=text");
        assert_eq!(found("id,label\n1,0\n2,1\n"), "t.csv: no column looks like the text (id, label)");
    }
}
