//! What a tokeniser makes of the texts: lengths with special tokens, what a length would cut, pieces it does not know.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;

use super::lengths::Lengths;
use super::stats::quantile;
use super::text::excerpt;
use crate::error::{DataError, Result};
use crate::examples::Examples;
use crate::tokenise::Tokeniser;

/// Unknown pieces kept.
const UNKNOWN: usize = 20;
/// Rows a task takes.
const CHUNK: usize = 512;

/// The texts in tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tokens {
    /// Tokens a row, both texts and special tokens together.
    pub lengths: Lengths,
    /// The length rows are to be cut at.
    pub max_length: usize,
    /// Rows that are longer.
    pub cut: usize,
    /// Their share.
    pub cut_share: f64,
    /// Share of all tokens that cutting loses.
    pub lost_share: f64,
    /// The length that cuts one row in a hundred.
    pub covers_99: usize,
    /// Unknown tokens; absent where the tokeniser knows every byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Unknown>,
}

/// What the tokeniser does not know.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unknown {
    /// Unknown tokens.
    pub tokens: usize,
    /// Their share of all tokens but the special ones.
    pub share: f64,
    /// Rows with any.
    pub rows: usize,
    /// The most frequent pieces of text it stood for, with their occurrences.
    pub pieces: Vec<(String, usize)>,
}

#[derive(Default)]
struct Counts {
    lengths: Vec<f64>,
    unknown: usize,
    rows: usize,
    pieces: HashMap<String, usize>,
}

/// Tokenises every row of `examples` whole.
///
/// # Errors
/// [`DataError::Encode`] names the row.
pub(super) fn tokens(examples: &Examples, tokeniser: &Tokeniser, max_length: usize) -> Result<Tokens> {
    let special = tokeniser.special_tokens(examples.pairs.is_some());
    let starts: Vec<usize> = (0..examples.len()).step_by(CHUNK).collect();
    let part = |&start: &usize| {
        let mut counts = Counts::default();
        for row in start..examples.len().min(start + CHUNK) {
            let (mut length, mut unknown) = (special, 0);
            let pair = examples.pairs.as_ref().map(|pairs| &pairs[row]);
            for text in [Some(&examples.texts[row]), pair].into_iter().flatten() {
                let pieces = tokeniser
                    .pieces(text)
                    .map_err(|error| DataError::Encode { row: row + 1, detail: error.to_string() })?;
                length += pieces.tokens;
                unknown += pieces.unknown.len();
                for piece in pieces.unknown {
                    *counts.pieces.entry(excerpt(&text[piece])).or_default() += 1;
                }
            }
            counts.lengths.push(length as f64);
            counts.unknown += unknown;
            counts.rows += usize::from(unknown > 0);
        }
        Ok(counts)
    };
    let parts: Vec<Counts> = starts.par_iter().map(part).collect::<Result<_>>()?;
    let counts = parts.into_iter().fold(Counts::default(), Counts::join);
    let mut sorted = counts.lengths.clone();
    sorted.par_sort_unstable_by(f64::total_cmp);
    let all: f64 = sorted.iter().sum();
    let longer: Vec<f64> = sorted.iter().copied().filter(|&length| length > max_length as f64).collect();
    let lost: f64 = longer.iter().map(|length| length - max_length as f64).sum();
    let texts = all - (special * examples.len()) as f64;
    let unknown = tokeniser.has_unknown().then(|| {
        let mut pieces: Vec<(String, usize)> = counts.pieces.into_iter().collect();
        pieces.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        pieces.truncate(UNKNOWN);
        Unknown { tokens: counts.unknown, share: counts.unknown as f64 / texts.max(1.0), rows: counts.rows, pieces }
    });
    Ok(Tokens {
        cut: longer.len(),
        cut_share: longer.len() as f64 / examples.len() as f64,
        lost_share: lost / all.max(1.0),
        covers_99: quantile(&sorted, 0.99).ceil() as usize,
        lengths: Lengths::of(counts.lengths, Some(max_length)),
        max_length,
        unknown,
    })
}

impl Counts {
    fn join(mut self, other: Self) -> Self {
        self.lengths.extend(other.lengths);
        self.unknown += other.unknown;
        self.rows += other.rows;
        other.pieces.into_iter().for_each(|(piece, count)| *self.pieces.entry(piece).or_default() += count);
        self
    }
}
