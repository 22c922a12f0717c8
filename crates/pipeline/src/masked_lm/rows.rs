//! Which texts of a corpus train, and which measure.

use gyeol_data::Tokenised;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Most texts kept aside: a perplexity is then known to a fraction of a percent, and measuring it takes seconds.
pub const MOST_HELD_OUT: usize = 5000;

/// The rows that train and those kept aside, about `holdout` of them, decided by their tokens: texts that are alike stay
/// together. At least one trains, and where any are wanted and there are two different texts, at least one is kept aside.
pub(super) fn split(tokens: &Tokenised, holdout: f64, seed: u64) -> (Vec<u32>, Vec<u32>) {
    let rows = tokens.len();
    if holdout <= 0.0 {
        return ((0..rows as u32).collect(), Vec::new());
    }
    let share = holdout.min(MOST_HELD_OUT as f64 / rows as f64);
    let lot = |row: &u32| {
        let (ids, _) = tokens.row(*row as usize);
        xxh3_64_with_seed(bytemuck::cast_slice(ids), seed)
    };
    let bound = (share * u64::MAX as f64) as u64;
    let (mut valid, mut train): (Vec<u32>, Vec<u32>) = (0..rows as u32).partition(|row| lot(row) < bound);
    if valid.is_empty() || train.is_empty() {
        // Few texts: the ones with the lowest lot are kept aside.
        let lowest = (0..rows as u32).map(|row| lot(&row)).min().unwrap_or_default();
        (valid, train) = (0..rows as u32).partition(|row| lot(row) == lowest);
        if train.is_empty() {
            std::mem::swap(&mut valid, &mut train);
        }
    }
    (train, valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(rows: impl IntoIterator<Item = u32>) -> Tokenised {
        rows.into_iter().map(|id| (vec![2, id, 3], vec![0; 3])).collect()
    }

    #[test]
    fn about_the_share_is_kept_aside_and_every_text_is_on_one_side() {
        let tokens = tokens(10..5010);
        let (train, valid) = split(&tokens, 0.1, 1);
        assert!((400..600).contains(&valid.len()), "{}", valid.len());
        let mut all = [train, valid].concat();
        all.sort_unstable();
        assert_eq!(all, (0..5000).collect::<Vec<_>>());
        assert_ne!(split(&tokens, 0.1, 1).1, split(&tokens, 0.1, 2).1, "the seed decides which");
    }

    #[test]
    fn texts_that_are_alike_stay_together() {
        let tokens = tokens((0..1000).map(|row| 10 + row % 50));
        let (train, valid) = split(&tokens, 0.3, 1);
        let kind = |rows: &[u32]| rows.iter().map(|row| row % 50).collect::<std::collections::BTreeSet<_>>();
        assert!(!valid.is_empty() && kind(&train).is_disjoint(&kind(&valid)));
    }

    #[test]
    fn few_texts_still_give_one_to_measure_on_and_one_to_train_on() {
        for rows in 2..20 {
            let (train, valid) = split(&tokens(10..10 + rows), 0.02, 7);
            assert!(!train.is_empty() && !valid.is_empty(), "{rows}");
        }
        assert_eq!(split(&tokens([10]), 0.02, 7), (vec![0], vec![]));
        assert_eq!(split(&tokens([10, 10]), 0.02, 7), (vec![0, 1], vec![]));
        assert_eq!(split(&tokens(10..20), 0.0, 7).1, Vec::<u32>::new());
    }

    #[test]
    fn a_large_corpus_keeps_no_more_aside_than_measuring_needs() {
        let (_, valid) = split(&tokens(10..200_010), 0.5, 3);
        assert!((4500..5500).contains(&valid.len()), "{}", valid.len());
    }
}
