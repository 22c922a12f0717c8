//! Which tokens of a text a masked language model is to fill in, and what stands in their place: drawn anew for each text
//! and epoch, as functions of seed, epoch and row, so that a resumed run hides the same ones.

use gyeol_data::{Batch, MaskVocabulary};

use crate::model::Masked;
use crate::random::{key, mix, uniform};

/// Of the tokens hidden, the share replaced by the mask token; half of the others are replaced by a random one, and half
/// stay as they are (Devlin et al. 2018).
const MASKED: f64 = 0.8;
const REPLACED: f64 = 0.1;

/// How tokens are hidden.
#[derive(Debug, Clone, Copy)]
pub struct Masking<'a> {
    /// What the tokeniser's ids are.
    pub vocabulary: &'a MaskVocabulary,
    /// The share of the tokens (or words) hidden, in (0, 1).
    pub share: f64,
    /// Whether the pieces of a word are hidden together (Cui et al. 2019).
    pub whole_words: bool,
}

/// Pieces of a word where a bound has to suppose how many there are: of several languages' texts, more than most words have.
const PIECES: f64 = 4.0;

impl Masking<'_> {
    /// How many of `tokens` are hidden at most, but for one batch in many millions: the share, and six standard deviations more.
    pub(crate) fn most_hidden(&self, tokens: usize) -> usize {
        // Pieces of a word share their lot: there are fewer lots to draw.
        let pieces = if self.whole_words { PIECES } else { 1.0 };
        let deviation = (tokens as f64 * self.share * (1.0 - self.share) * pieces).sqrt();
        tokens.min((tokens as f64 * self.share + 6.0 * deviation).ceil() as usize)
    }

    /// Hides tokens of `batch`, each (or each word) with the same probability: special tokens never, as in transformers'
    /// `DataCollatorForLanguageModeling`.
    pub(crate) fn hide(&self, batch: &mut Batch, seed: u64, epoch: u64) -> Masked {
        let mut masked = Masked::default();
        let stream = mix(key(seed, "mask") ^ epoch);
        for (row, bounds) in batch.rows.iter().zip(batch.cu_seqlens.windows(2)) {
            let key = mix(stream ^ u64::from(*row));
            self.hide_row(key, bounds[0], &mut batch.ids[bounds[0] as usize..bounds[1] as usize], &mut masked);
        }
        masked
    }

    /// Hides tokens of the row `ids`, which starts at token `start` of its batch.
    fn hide_row(&self, key: u64, start: u32, ids: &mut [u32], masked: &mut Masked) {
        let MaskVocabulary { mask, special, continues } = self.vocabulary;
        let mut hidden = false;
        let mut in_word = false;
        for (at, id) in ids.iter_mut().enumerate() {
            // Three numbers a token: whether it is hidden, what stands in its place, and which random one.
            let draw = |which: u64| uniform(key, 4 * at as u64 + which);
            let label = *id;
            if special[label as usize] {
                in_word = false;
                continue;
            }
            // A piece that goes on with a word shares the lot of its beginning.
            if !(self.whole_words && in_word && continues[label as usize]) {
                hidden = draw(0) < self.share;
            }
            in_word = true;
            if !hidden {
                continue;
            }
            masked.positions.push(start + at as u32);
            masked.labels.push(label);
            match draw(1) {
                lot if lot < MASKED => *id = *mask,
                lot if lot < MASKED + REPLACED => *id = self.ordinary(key, at as u64),
                _ => {}
            }
        }
    }

    /// A token that is not special, each as likely.
    fn ordinary(&self, key: u64, at: u64) -> u32 {
        let special = &self.vocabulary.special;
        let key = mix(key ^ at);
        let draws = (0..).map(|draw| (uniform(key, draw) * special.len() as f64) as u32);
        // A vocabulary has ordinary tokens: the text has at least this one.
        draws.into_iter().find(|&id| !special[id as usize]).unwrap_or(self.vocabulary.mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: u32 = 4;

    /// Ids 0 to 4 are special; of the others the even ones continue a word.
    fn vocabulary() -> MaskVocabulary {
        let special = (0..1000).map(|id| id < 5).collect();
        MaskVocabulary { mask: MASK, special, continues: (0..1000).map(|id| id >= 5 && id % 2 == 0).collect() }
    }

    /// `rows` texts of the given inner ids between two special tokens.
    fn batch(rows: u32, inner: &[u32]) -> Batch {
        let mut batch = Batch::new();
        let ids: Vec<u32> = [&[2], inner, &[3]].concat();
        (0..rows).for_each(|row| batch.push(row, &ids, &vec![0; ids.len()]));
        batch
    }

    fn hide(batch: &Batch, whole_words: bool, seed: u64, epoch: u64) -> (Batch, Masked) {
        let mut hidden = batch.clone();
        let vocabulary = vocabulary();
        let masked = Masking { vocabulary: &vocabulary, share: 0.15, whole_words }.hide(&mut hidden, seed, epoch);
        (hidden, masked)
    }

    #[test]
    fn the_shares_are_those_asked_for() {
        let inner: Vec<u32> = (0..50).map(|i| 5 + 2 * i).collect();
        let plain = batch(2000, &inner);
        let (hidden, masked) = hide(&plain, false, 1, 0);
        let (n, drawn) = (2000.0 * 50.0, masked.labels.len() as f64);
        // Four standard deviations of a binomial.
        let near = |got: f64, of: f64, share: f64| (got - of * share).abs() < 4.0 * (of * share * (1.0 - share)).sqrt();
        assert!(near(drawn, n, 0.15), "{drawn} of {n}");
        let count = |what: &dyn Fn(u32, u32) -> bool| {
            let pairs = masked.positions.iter().zip(&masked.labels);
            pairs.filter(|&(&at, &label)| what(hidden.ids[at as usize], label)).count() as f64
        };
        assert!(near(count(&|id, _| id == MASK), drawn, 0.8));
        assert!(near(count(&|id, label| id == label), drawn, 0.1));
        assert!(near(count(&|id, label| id != label && id != MASK), drawn, 0.1));
    }

    #[test]
    fn no_batch_has_more_tokens_hidden_than_the_bound_and_the_bound_is_near() {
        let plain = batch(100, &[7, 8, 9, 11, 12, 14, 15, 17, 18, 20]);
        for whole_words in [false, true] {
            let hidden = (0..200).map(|epoch| hide(&plain, whole_words, 1, epoch).1.labels.len()).max().unwrap();
            let vocabulary = vocabulary();
            let bound = |tokens| Masking { vocabulary: &vocabulary, share: 0.15, whole_words }.most_hidden(tokens);
            assert!(hidden <= bound(1200), "{hidden} of {}", bound(1200));
            assert!(bound(1200) < 2 * 180, "{}", bound(1200));
            assert_eq!([bound(0), bound(1)], [0, 1]);
        }
    }

    #[test]
    fn labels_are_what_was_there_and_everything_else_stays() {
        let plain = batch(300, &[7, 9, 11, 13, 600]);
        let (hidden, masked) = hide(&plain, false, 3, 2);
        assert!(masked.positions.is_sorted_by(|a, b| a < b));
        let mut restored = hidden.clone();
        for (&at, &label) in masked.positions.iter().zip(&masked.labels) {
            restored.ids[at as usize] = label;
        }
        assert_eq!(restored, plain);
        assert!(hidden.ids.iter().all(|&id| id == MASK || id == 2 || id == 3 || id >= 5), "replacements are ordinary");
    }

    #[test]
    fn the_pieces_of_a_word_are_hidden_together() {
        // Two words of three pieces, one that begins with a continuing piece after a special token, and one of one piece.
        let plain = batch(500, &[6, 7, 8, 10, 9, 12, 14, 11]);
        let (_, masked) = hide(&plain, true, 5, 0);
        let mut words = std::collections::BTreeMap::new();
        for &at in &masked.positions {
            *words.entry((at / 10, [0, 0, 1, 1, 1, 2, 2, 2, 3, 0][at as usize % 10])).or_insert(0) += 1;
        }
        assert!(!words.is_empty());
        for ((_, word), pieces) in words {
            assert_eq!(pieces, [1, 3, 3, 1][word], "word {word}");
        }
    }

    #[test]
    fn another_epoch_or_seed_hides_others_and_company_changes_nothing() {
        let plain = batch(50, &[7, 9, 11, 13, 15, 17]);
        let first = hide(&plain, false, 1, 0);
        assert_eq!(hide(&plain, false, 1, 0), first);
        assert_ne!(hide(&plain, false, 1, 1), first);
        assert_ne!(hide(&plain, false, 2, 0), first);
        let alone = {
            let mut batch = Batch::new();
            batch.push(3, &[2, 7, 9, 11, 13, 15, 17, 3], &[0; 8]);
            hide(&batch, false, 1, 0).0.ids
        };
        assert_eq!(alone, first.0.ids[24..32]);
    }
}
