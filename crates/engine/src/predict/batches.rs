//! How rows fall into batches: functions of their lengths and of how many batches are computed at once.

use std::ops::Range;

/// Tokens of a batch that all threads compute together, unless its one text has more. With fewer than a thousand the products
/// get slow, with more than three thousand the activations of a block outgrow the last-level cache.
const SHARED: usize = 1536;

/// As many of a batch that one thread computes: with more the operands of its products leave the second-level cache.
const MOST: usize = 768;

/// Tokens of all batches that are computed at once, roughly: bounds their memory.
const MOST_AT_ONCE: usize = 2 * MOST;

/// A batch that one thread computes has room for so many tokens, however many there are: with fewer, weights are read more
/// often than they are worth.
const LEAST: usize = 512;

/// A thread with fewer tokens than this reads more of weights than it computes: others had better go without a batch.
const WORTHWHILE: usize = 256;

/// What goes into a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Texts at most.
    texts: usize,
    /// Tokens at most, unless one text has more.
    tokens: usize,
    /// Tokens from which on it is full.
    full: usize,
}

impl Room {
    /// Of batches that are computed one after the other: as many as `texts` texts.
    pub(crate) fn alone(texts: usize) -> Self {
        Self { texts, tokens: SHARED, full: SHARED }
    }

    /// How many of the next texts, of these lengths, make a batch.
    ///
    /// # Panics
    /// If there is room for no text.
    pub(crate) fn take(self, lengths: impl Iterator<Item = usize>) -> usize {
        assert!(self.texts > 0, "a batch holds at least one text");
        let mut tokens = 0;
        let fits = |length: &usize| {
            let was_full = tokens >= self.full;
            tokens += length;
            !was_full && tokens <= self.tokens
        };
        lengths.take(self.texts).take_while(fits).count().max(1)
    }
}

/// How many batches may be computed at once by `threads` threads, of `total` tokens.
pub(super) fn most_workers(total: usize, threads: usize) -> usize {
    threads.min(total / WORTHWHILE).max(1)
}

/// Cuts texts of `lengths` into batches of at most `batch_size` texts for `workers` that compute at once: into as few as memory
/// has room for, but alike, and a multiple of `workers`, unless that leaves them too small.
pub(super) fn cut(lengths: &[usize], batch_size: usize, workers: usize) -> Vec<Range<usize>> {
    let total: usize = lengths.iter().sum();
    let tokens = (MOST_AT_ONCE / workers).clamp(LEAST, MOST);
    let fewest = total.div_ceil(tokens);
    let count = fewest.next_multiple_of(workers).min(total / WORTHWHILE).max(fewest).max(1);
    let mut batches = Vec::new();
    let (mut start, mut before) = (0, 0);
    while start < lengths.len() {
        // Where this one would end if all were of one length: what one has too much, the next has less.
        let full = (total * (batches.len() + 1) / count).saturating_sub(before);
        let end = start + Room { texts: batch_size, tokens, full }.take(lengths[start..].iter().copied());
        before += lengths[start..end].iter().sum::<usize>();
        batches.push(start..end);
        start = end;
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_batch_is_bounded_by_texts_and_by_tokens() {
        let count = |lengths: &[usize], texts| Room::alone(texts).take(lengths.iter().copied());
        assert_eq!(count(&[5; 9], 4), 4);
        assert_eq!(count(&[5; 3], 4), 3);
        assert_eq!(count(&[SHARED / 2, SHARED / 2, 1], 4), 2);
        assert_eq!(count(&[SHARED / 2, SHARED / 2 + 1], 4), 1);
    }

    #[test]
    fn a_text_longer_than_a_batch_is_one_of_its_own() {
        assert_eq!(Room::alone(4).take([SHARED + 1, 1].into_iter()), 1);
        assert_eq!(cut(&[MOST + 1, 1, 1], 4, 2), [0..1, 1..3]);
    }

    /// Tokens of each batch of `texts` texts of 16 tokens.
    fn tokens(texts: usize, workers: usize) -> Vec<usize> {
        cut(&vec![16; texts], usize::MAX, workers).into_iter().map(|batch| 16 * batch.len()).collect()
    }

    #[test]
    fn few_texts_are_dealt_to_as_many_workers_as_it_pays_for() {
        assert_eq!(tokens(48, 1), [768]);
        assert_eq!(tokens(64, 2), [512, 512]);
        assert_eq!(tokens(64, 32), [256; 4]);
        assert_eq!(tokens(17, 2), [272]);
        assert_eq!(
            [most_workers(1024, 2), most_workers(1024, 32), most_workers(511, 2), most_workers(0, 2)],
            [2, 4, 1, 1]
        );
    }

    #[test]
    fn every_worker_has_as_many_batches_of_many_texts_and_all_are_alike() {
        for (workers, most) in [(1, 768), (2, 768), (3, 512), (6, 512), (32, 512)] {
            let batches = tokens(10_000, workers);
            let (least, largest) = (batches.iter().min().unwrap(), batches.iter().max().unwrap());
            assert!(batches.len().is_multiple_of(workers), "{} batches for {workers}", batches.len());
            assert!(*largest <= most && largest - least <= 16, "{least} to {largest} for {workers}");
        }
    }

    proptest! {
        #[test]
        fn batches_hold_each_text_once_in_order_within_their_bounds(
            mut lengths in prop::collection::vec(1usize..600, 0..300),
            batch_size in 1usize..200,
            workers in 1usize..40,
        ) {
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            let batches = cut(&lengths, batch_size, workers);
            let texts: Vec<usize> = batches.iter().cloned().flatten().collect();
            prop_assert_eq!(texts, (0..lengths.len()).collect::<Vec<_>>());
            let most = (MOST_AT_ONCE / workers).clamp(LEAST, MOST);
            for batch in batches {
                prop_assert!(batch.len() <= batch_size);
                prop_assert!(batch.len() == 1 || lengths[batch].iter().sum::<usize>() <= most);
            }
        }
    }
}
