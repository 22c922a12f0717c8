//! The table of reviews: shares of the classes, ambiguity and label noise. The words come from `grammar.rs`.

use super::{grammar, lexicon::Tone, random::SplitMix64, typos};

/// The classes for people, in label order. The table holds the labels `0` to `3`.
pub const CLASS_NAMES: [&str; 4] = ["강한 부정", "약한 부정", "약한 긍정", "강한 긍정"];

/// How often each class is meant, in tenths of a percent. Wrong labels move these to about 40/10/37/14 %.
const SHARES: [usize; 4] = [415, 73, 378, 134];
/// Percent of reviews whose writer's scale differs from ours: strong words for a weak feeling, or the reverse.
const AMBIGUOUS: usize = 7;
/// Percent of labels that are wrong.
const LABEL_NOISE: usize = 6;
/// Percent of reviews typed in haste.
const MISTYPED: usize = 22;

/// One row of the demo table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Unique in the table: `review-00001` and so on.
    pub id: String,
    /// Korean, one line, never empty.
    pub text: String,
    /// Index into [`CLASS_NAMES`].
    pub label: u8,
}

/// Writes `rows` reviews. The same seed gives the same reviews, and more rows only add to them.
///
/// Labels occur in about 40/10/37/14 %. A few reviews in a hundred say a weak feeling strongly or the reverse, and 6 %
/// of the labels are wrong, mostly by one class, so no model can get everything right: about 87 % is the ceiling.
pub fn reviews(seed: u64, rows: usize) -> Vec<Review> {
    (0..rows).map(|row| draft(seed, row).1).collect()
}

/// A review and the tone it was meant to have, whatever words and label it got.
fn draft(seed: u64, row: usize) -> (Tone, Review) {
    let random = &mut SplitMix64::for_item(seed, row as u64);
    let class = random.weighted(&SHARES);
    let tone = Tone::ALL[class];
    let written = if random.percent(AMBIGUOUS) { tone.other_strength() } else { tone };
    let mut text = grammar::compose(written, random);
    if random.percent(MISTYPED) {
        text = typos::mistype(&text, random);
    }
    let label = if random.percent(LABEL_NOISE) { another_class(class, random) } else { class };
    let review = Review { id: format!("review-{:05}", row + 1), text, label: label as u8 };
    (tone, review)
}

/// A wrong label: a neighbouring class seven times in ten, else any other.
fn another_class(class: usize, random: &mut SplitMix64) -> usize {
    if random.percent(70) {
        match class {
            0 => 1,
            3 => 2,
            _ if random.percent(50) => class - 1,
            _ => class + 1,
        }
    } else {
        (class + 1 + random.below(3)) % 4
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const ROWS: usize = 4000;

    #[test]
    fn a_seed_gives_the_same_reviews_and_more_rows_only_add() {
        let all = reviews(42, 200);
        assert_eq!(all, reviews(42, 200));
        assert_eq!(all[..50], reviews(42, 50));
        assert_ne!(all, reviews(43, 200));
    }

    #[test]
    fn reviews_stay_what_they_were() {
        // A change here changes the data behind every published demo score: say so in the change log.
        let texts: Vec<String> = reviews(42, 3).into_iter().map(|review| review.text).collect();
        assert_eq!(
            texts,
            [
                "더빙은 노답이었고 배우들 연기는 약간 늘어졌어요 근데 대사도 대체로 멋있었어요.",
                "음 하품만 나왔습니다!",
                "배우가 허접했다.ㅋㅋ 액션이 역대급으로 못 봐주겠다.",
            ]
        );
    }

    #[test]
    fn classes_have_their_shares() {
        let mut counts = [0usize; 4];
        reviews(1, ROWS).iter().for_each(|review| counts[usize::from(review.label)] += 1);
        for (count, share) in counts.into_iter().zip([40, 10, 37, 14]) {
            let percent = 100.0 * count as f64 / ROWS as f64;
            assert!((percent - f64::from(share)).abs() < 3.0, "{counts:?}");
        }
    }

    #[test]
    fn some_labels_are_wrong_but_not_many() {
        let wrong = (0..ROWS).map(|row| draft(1, row)).filter(|(tone, review)| *tone as u8 != review.label).count();
        let percent = 100.0 * wrong as f64 / ROWS as f64;
        assert!((4.5..7.5).contains(&percent), "{percent}");
    }

    #[test]
    fn a_wrong_label_is_never_the_right_one() {
        let random = &mut SplitMix64::new(9);
        for class in 0..4 {
            assert!((0..200).map(|_| another_class(class, random)).all(|other| other != class && other < 4));
        }
    }

    #[test]
    fn ids_are_unique_and_texts_nearly_all_distinct() {
        let reviews = reviews(1, ROWS);
        let ids: HashSet<&str> = reviews.iter().map(|review| review.id.as_str()).collect();
        let texts: HashSet<&str> = reviews.iter().map(|review| review.text.as_str()).collect();
        assert_eq!(ids.len(), ROWS);
        assert!(texts.len() * 10 > ROWS * 9, "{} of {ROWS} texts are distinct", texts.len());
    }

    #[test]
    fn texts_are_korean_of_one_line_short_and_long_with_emoticons() {
        let reviews = reviews(1, ROWS);
        let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
        let korean = reviews.iter().filter(|review| hangul(&review.text)).count();
        assert!(korean * 100 > ROWS * 98, "{korean} of {ROWS}");
        assert!(reviews.iter().all(|review| !review.text.trim().is_empty() && !review.text.contains(['\n', '\r'])));

        let lengths = || reviews.iter().map(|review| review.text.chars().count());
        assert!(lengths().min() < Some(5) && lengths().max() > Some(100));
        for emoticon in ["ㅋㅋ", "ㅠㅠ", "ㅎㅎ", "ㅡㅡ", "♥", "★", "😊", "^^"] {
            assert!(reviews.iter().any(|review| review.text.contains(emoticon)), "{emoticon}");
        }
    }
}
