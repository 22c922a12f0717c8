//! A small WordPiece vocabulary of the demo's own texts: the same on every machine, which trainers that break ties by
//! hash order are not.

use std::collections::{BTreeMap, BTreeSet};

const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Longest piece, in characters.
const LONGEST: usize = 5;

/// At most `size` pieces: the special tokens, every character both at the start of a word and inside one, then the
/// pieces that shorten the texts most. A piece of n characters saves n − 1 tokens where it occurs.
pub(super) fn build<'a>(texts: impl Iterator<Item = &'a str>, size: usize) -> Vec<String> {
    let mut characters = BTreeSet::new();
    let mut savings: BTreeMap<String, usize> = BTreeMap::new();
    for word in texts.flat_map(str::split_whitespace) {
        let letters: Vec<char> = word.chars().collect();
        characters.extend(&letters);
        for start in 0..letters.len() {
            for end in start + 2..=letters.len().min(start + LONGEST) {
                let inside = if start > 0 { "##" } else { "" };
                let piece: String = inside.chars().chain(letters[start..end].iter().copied()).collect();
                *savings.entry(piece).or_default() += end - start - 1;
            }
        }
    }
    let mut vocabulary: Vec<String> = SPECIAL.map(str::to_owned).into();
    vocabulary.extend(characters.iter().flat_map(|c: &char| [c.to_string(), format!("##{c}")]));
    let mut pieces: Vec<(String, usize)> = savings.into_iter().collect();
    // The map's order settles ties.
    pieces.sort_by_key(|(_, saved)| std::cmp::Reverse(*saved));
    let room = size.saturating_sub(vocabulary.len());
    vocabulary.extend(pieces.into_iter().take(room).map(|(piece, _)| piece));
    vocabulary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_come_first_and_the_most_useful_pieces_fill_the_room() {
        let built = build(["좋아요 좋아요", "좋네"].into_iter(), 16);
        assert_eq!(built[..5], SPECIAL);
        assert_eq!(built[5..13], ["네", "##네", "아", "##아", "요", "##요", "좋", "##좋"]);
        // «좋아요» occurs twice and saves two tokens each time.
        assert_eq!(built[13], "좋아요");
        assert_eq!(built.len(), 16);
    }
}
