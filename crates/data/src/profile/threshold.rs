//! Whether a column of two values is a threshold on the score, and which: what the data says, not its documentation.

use std::collections::BTreeSet;

use serde::Serialize;

use super::text::excerpt;
use crate::examples::{Columns, Examples};
use crate::table::{Column, Table};

/// Rows shown that disagree.
const EXAMPLES: usize = 12;

/// A column of two values against the score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Threshold {
    /// The column.
    pub column: String,
    /// Its value below the threshold, and its value from it.
    pub values: [String; 2],
    /// The lowest score that counts as above: `score ≥ threshold` agrees with the column most often.
    pub threshold: f64,
    /// The highest score below it: any threshold above this and up to `threshold` splits these rows the same.
    pub below: f64,
    /// Share of the rows that agree.
    pub agreement: f64,
    /// Share that would agree if every row had the more frequent value.
    pub baseline: f64,
    /// Rows that do not agree.
    pub disagreeing: usize,
    /// The first of them.
    pub examples: Vec<Disagreeing>,
    /// Agreement of every threshold there is, ascending: pairs of threshold and share.
    pub curve: Vec<(f64, f64)>,
}

/// A row on the other side of the threshold than its value says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreeing {
    /// Row, counted from 1.
    pub row: usize,
    /// Its id.
    pub id: String,
    /// Its score.
    pub score: f64,
    /// Its value in the column.
    pub value: String,
}

/// Points of a curve kept: where there are more, those nearest the threshold.
const CURVE: usize = 200;

/// Every column without a role that has two values, against the scores.
pub(super) fn thresholds(
    table: &Table,
    examples: &Examples,
    roles: &Columns,
    scores: &[Option<f64>],
) -> Vec<Threshold> {
    let named = [&roles.id, &roles.text_pair, &roles.label, &roles.group, &roles.source];
    let free = |column: &&Column| {
        column.name() != roles.text && !named.iter().any(|role| role.as_deref() == Some(column.name()))
    };
    table.columns().iter().filter(free).filter_map(|column| threshold(column, examples, scores)).collect()
}

fn threshold(column: &Column, examples: &Examples, scores: &[Option<f64>]) -> Option<Threshold> {
    let mut values = BTreeSet::new();
    for cell in column.iter().flatten().map(str::trim).filter(|cell| !cell.is_empty()) {
        values.insert(cell);
        if values.len() > 2 {
            return None;
        }
    }
    let values: Vec<&str> = values.into_iter().collect();
    let &[first, second] = &values[..] else { return None };
    let value = |row: usize| column.get(row).map(str::trim).filter(|cell| !cell.is_empty());
    let mut rows: Vec<(f64, bool)> =
        (0..column.len()).filter_map(|row| Some((scores[row]?, value(row)? == second))).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (right, ascending) = best(&rows)?;
    let [low, high] = if ascending { [first, second] } else { [second, first] };
    let threshold = rows[right].0;
    let disagrees = |row: &usize| {
        let (Some(score), Some(value)) = (scores[*row], value(*row)) else { return false };
        (score >= threshold) != (value == high)
    };
    let disagreeing: Vec<usize> = (0..column.len()).filter(disagrees).collect();
    let ones = rows.iter().filter(|(_, one)| *one).count();
    Some(Threshold {
        column: column.name().to_owned(),
        values: [excerpt(low), excerpt(high)],
        threshold,
        below: rows[right - 1].0,
        agreement: 1.0 - disagreeing.len() as f64 / rows.len() as f64,
        baseline: ones.max(rows.len() - ones) as f64 / rows.len() as f64,
        disagreeing: disagreeing.len(),
        examples: (disagreeing.iter().take(EXAMPLES))
            .map(|&row| Disagreeing {
                row: row + 1,
                id: excerpt(&examples.ids[row]),
                score: scores[row].unwrap_or_default(),
                value: excerpt(value(row).unwrap_or_default()),
            })
            .collect(),
        curve: curve(&rows, ascending, threshold),
    })
}

/// Rows that agree if those from each position on are the second value; ties of the score are not parted.
fn agreements(rows: &[(f64, bool)]) -> impl Iterator<Item = (usize, usize)> {
    let ones = rows.iter().filter(|(_, one)| *one).count();
    let mut agree = ones;
    (1..rows.len()).filter_map(move |right| {
        if rows[right - 1].1 {
            agree -= 1
        } else {
            agree += 1
        }
        (rows[right - 1].0 < rows[right].0).then_some((right, agree))
    })
}

/// The position that agrees most often, and whether the second value is above it; `None` if no two scores differ.
fn best(rows: &[(f64, bool)]) -> Option<(usize, bool)> {
    let up = agreements(rows).map(|(right, agree)| (agree, right, true));
    let down = agreements(rows).map(|(right, agree)| (rows.len() - agree, right, false));
    // Of equals the first, which `max_by_key` would not take.
    let better = |best: (usize, usize, bool), next: (usize, usize, bool)| if next.0 > best.0 { next } else { best };
    up.chain(down).reduce(better).map(|(_, right, ascending)| (right, ascending))
}

fn curve(rows: &[(f64, bool)], ascending: bool, threshold: f64) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = agreements(rows)
        .map(|(right, agree)| {
            let agree = if ascending { agree } else { rows.len() - agree };
            (rows[right].0, agree as f64 / rows.len() as f64)
        })
        .collect();
    if points.len() > CURVE {
        let at = points.partition_point(|(score, _)| *score < threshold);
        let start = at.saturating_sub(CURVE / 2).min(points.len() - CURVE);
        points = points.split_off(start);
        points.truncate(CURVE);
    }
    points
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::TextFormat;

    /// The thresholds of a table of scores and one more column.
    fn found(rows: &[(f64, &str)]) -> Vec<Threshold> {
        let lines: String = rows.iter().map(|(score, value)| format!("글,{score},{value}\n")).collect();
        let csv = format!("text,score,other\n{lines}");
        let table = Table::from_reader(csv.as_bytes(), TextFormat::Csv, "t.csv").unwrap();
        let roles = Columns { text: "text".into(), label: Some("score".into()), ..Columns::default() };
        let examples = Examples::from_table(&table, &roles).unwrap();
        thresholds(&table, &examples, &roles, &rows.iter().map(|(score, _)| Some(*score)).collect::<Vec<_>>())
    }

    #[test]
    fn the_threshold_is_the_one_the_rows_have_with_the_gap_below_it() {
        let rows = [(1.0, "0.0"), (2.9, "0.0"), (3.5, "1.0"), (4.0, "1.0"), (0.5, "0.0")];
        let found = &found(&rows)[0];
        assert_eq!((found.below, found.threshold, found.agreement, found.disagreeing), (2.9, 3.5, 1.0, 0));
        assert_eq!((found.values.each_ref().map(String::as_str), found.baseline), (["0.0", "1.0"], 0.6));
    }

    #[test]
    fn rows_that_disagree_are_named() {
        let rows = [(1.0, "no"), (2.0, "no"), (3.0, "yes"), (2.5, "yes"), (5.0, "no"), (4.0, "yes"), (4.5, "yes")];
        let found = &found(&rows)[0];
        assert_eq!((found.threshold, found.disagreeing), (2.5, 1));
        let row = &found.examples[0];
        assert_eq!((row.row, row.score, row.value.as_str()), (5, 5.0, "no"));
    }

    #[test]
    fn a_column_may_count_the_other_way_round_or_have_gaps() {
        let found = &found(&[(1.0, "same"), (4.0, "other"), (2.0, "same"), (3.0, "")])[0];
        assert_eq!((found.threshold, found.agreement), (4.0, 1.0));
        assert_eq!(found.values.each_ref().map(String::as_str), ["same", "other"]);
    }

    #[test]
    fn columns_of_more_values_and_constant_scores_have_no_threshold() {
        assert!(found(&[(1.0, "a"), (2.0, "b"), (3.0, "c")]).is_empty());
        assert!(found(&[(1.0, "a"), (1.0, "b")]).is_empty());
    }

    proptest! {
        #[test]
        fn no_other_threshold_agrees_more_often(rows in prop::collection::vec((0u8..10, any::<bool>()), 2..40)) {
            let mut sorted: Vec<(f64, bool)> = rows.iter().map(|&(score, one)| (f64::from(score), one)).collect();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            let agree = |threshold: f64, up: bool| {
                sorted.iter().filter(|(score, one)| (*score >= threshold) == (*one == up)).count()
            };
            let candidates = sorted.iter().filter(|(score, _)| *score > sorted[0].0);
            let most = candidates.flat_map(|&(score, _)| [agree(score, true), agree(score, false)]).max();
            let found = best(&sorted).map(|(right, up)| agree(sorted[right].0, up));
            prop_assert_eq!(found, most);
        }
    }
}
