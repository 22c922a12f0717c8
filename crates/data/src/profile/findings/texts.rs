//! Advice on texts: length against `model.max_length`, unknown tokens, emotive patterns, shift, overlap of pairs.

use super::{Finding, Given, Severity, percent};
use crate::profile::{Pattern, Profile, excerpt};

/// Share of cut rows worth acting on.
const CUT: f64 = 0.01;
/// Share of unknown tokens from which another vocabulary is worth a thought.
const UNKNOWN: f64 = 0.01;
/// Share of rows with a pattern from which its signs are worth tokens of their own.
const EMOTIVE: f64 = 0.03;
/// A pattern is telling when it is this many times as frequent in one label as in another.
const TELLING: f64 = 1.5;
/// Share of rows with long runs from which folding them is worth it.
const LONG_RUNS: f64 = 0.01;
/// A distance of two distributions of lengths that matters, and the chance of it that does not.
const SHIFTED: (f64, f64) = (0.1, 0.001);
/// Share of unseen words beyond what the table itself has.
const UNSEEN: f64 = 0.05;
/// Correlation of mere overlap with the score from which it is worth knowing.
const OVERLAP: f64 = 0.3;

pub(super) fn findings(profile: &Profile, given: &Given) -> Vec<Finding> {
    let found = [
        length(profile, given),
        unknown(profile),
        emoticons(profile),
        long_runs(profile),
        length_shift(profile),
        vocabulary_shift(profile),
        overlap(profile),
    ];
    found.into_iter().flatten().collect()
}

fn length(profile: &Profile, given: &Given) -> Option<Finding> {
    let tokens = profile.tokens.as_ref()?;
    let numbers = [
        ("cut_share", tokens.cut_share),
        ("covers_99", tokens.covers_99 as f64),
        ("longest", tokens.lengths.summary.max),
    ];
    let limit = given.positions.unwrap_or(usize::MAX);
    let line = |length: usize| format!("model.max_length = {}", length.next_multiple_of(8).min(limit));
    if tokens.cut_share > CUT {
        let what = format!(
            "rows longer than {} tokens: {} ({}), which lose {} of all tokens",
            tokens.max_length,
            tokens.cut,
            percent(tokens.cut_share),
            percent(tokens.lost_share)
        );
        if tokens.max_length >= limit {
            let advice = "the base model has no more positions: shorten these texts, or use a base that has";
            return Some(Finding::new(Severity::Warning, "cut", what, advice).evidence(numbers));
        }
        let advice = "what is cut is never read: lengthen, to where one row in a hundred is cut or the base ends";
        let finding = Finding::new(Severity::Warning, "cut", what, advice).evidence(numbers);
        return Some(finding.recipe(line(tokens.covers_99)));
    }
    let longest = tokens.lengths.summary.max as usize;
    (longest * 2 <= tokens.max_length).then(|| {
        let what = format!("no row is longer than {longest} tokens, and model.max_length is {}", tokens.max_length);
        let advice = "nothing is padded, so it costs nothing here; a shorter one bounds the memory of new data";
        Finding::new(Severity::Note, "long_limit", what, advice).evidence(numbers).recipe(line(longest))
    })
}

fn unknown(profile: &Profile) -> Option<Finding> {
    let unknown = profile.tokens.as_ref()?.unknown.as_ref()?;
    if unknown.share < UNKNOWN {
        return None;
    }
    let pieces: Vec<&str> = unknown.pieces.iter().take(5).map(|(piece, _)| piece.as_str()).collect();
    let what = format!(
        "{} of the tokens, in {} rows, are unknown to the tokeniser, most often {}",
        percent(unknown.share),
        unknown.rows,
        pieces.join(" ")
    );
    let advice = "the model cannot tell these apart: take a base with a vocabulary for such texts; where they are \
                  emoticons, give those tokens of their own";
    let emotive = unknown.pieces.iter().take(5).filter(|(piece, _)| is_emotive(profile, piece)).count();
    let severity = if unknown.share >= 5.0 * UNKNOWN { Severity::Warning } else { Severity::Note };
    let finding = Finding::new(severity, "unknown_tokens", what, advice)
        .evidence([("share", unknown.share), ("rows", unknown.rows as f64)]);
    Some(if emotive > 0 { finding.recipe("clean.emoticons = true".to_owned()) } else { finding })
}

fn is_emotive(profile: &Profile, piece: &str) -> bool {
    profile.emotive.patterns.iter().any(|pattern| {
        let sign = pattern.pattern.chars().next();
        sign.is_some_and(|sign| piece.starts_with(sign))
    })
}

fn emoticons(profile: &Profile) -> Option<Finding> {
    let rows = profile.rows as f64;
    let share = profile.emotive.rows as f64 / rows;
    let telling = profile.emotive.patterns.iter().filter(|pattern| pattern.rows as f64 / rows >= 0.005);
    let (pattern, ratio) = telling
        .map(|pattern| (pattern, spread(pattern)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|_| share >= EMOTIVE)?;
    if ratio < TELLING {
        return None;
    }
    let extreme = |better: fn(f64, f64) -> bool| {
        let shares = pattern.shares.iter().enumerate();
        shares.reduce(|a, b| if better(*b.1, *a.1) { b } else { a }).map_or(0, |(at, _)| at)
    };
    let (most, least) = (extreme(|a, b| a > b), extreme(|a, b| a < b));
    let what = format!(
        "{} of the rows have emotive signs, and they tell labels apart: {} is in {} of {:?} and {} of {:?}",
        percent(share),
        pattern.pattern,
        percent(pattern.shares[most]),
        excerpt(&profile.groups[most]),
        percent(pattern.shares[least]),
        excerpt(&profile.groups[least]),
    );
    let advice = "one token a sign ([LAUGH], [CRY], …) lets the model see them, however long the run";
    let finding = Finding::new(Severity::Note, "emoticons", what, advice).evidence([
        ("share", share),
        ("most", pattern.shares[most]),
        ("least", pattern.shares[least]),
    ]);
    Some(finding.recipe("clean.emoticons = true".to_owned()))
}

/// The most frequent label of a pattern over its rarest, neither taken below one row in a thousand.
fn spread(pattern: &Pattern) -> f64 {
    let shares = || pattern.shares.iter().map(|share| share.max(0.001));
    shares().fold(0.0, f64::max) / shares().fold(f64::INFINITY, f64::min)
}

fn long_runs(profile: &Profile) -> Option<Finding> {
    let share = profile.emotive.long_runs as f64 / profile.rows as f64;
    (share >= LONG_RUNS).then(|| {
        let what = format!("runs such as ㅋㅋㅋㅋㅋ of more than three: {}", profile.emotive.long_runs);
        let advice = "every length is another token or an unknown one: fold them to one length";
        let finding = Finding::new(Severity::Note, "long_runs", what, advice)
            .evidence([("runs", profile.emotive.long_runs as f64), ("per_row", share)]);
        finding.recipe("clean.repeats = 2".to_owned())
    })
}

fn length_shift(profile: &Profile) -> Option<Finding> {
    let test = profile.test.as_ref()?;
    let shift = test.length_shift;
    (shift.statistic >= SHIFTED.0 && shift.p_value <= SHIFTED.1).then(|| {
        let [train, there] = [profile.text.characters.summary.quantiles.p50, test.characters.quantiles.p50];
        let what = format!(
            "texts of {} have other lengths: a median of {there} characters against {train} (Kolmogorov–Smirnov {:.3})",
            excerpt(&test.file),
            shift.statistic
        );
        let advice = "the validation score may not carry over to that table: see where its texts come from";
        Finding::new(Severity::Warning, "length_shift", what, advice).evidence([
            ("statistic", shift.statistic),
            ("p_value", shift.p_value),
            ("median_train", train),
            ("median_test", there),
        ])
    })
}

fn vocabulary_shift(profile: &Profile) -> Option<Finding> {
    let test = profile.test.as_ref()?;
    let words = test.vocabulary;
    (words.unseen - words.baseline >= UNSEEN).then(|| {
        let what = format!(
            "{} of the words of {} are not in the training table, where {} would be usual",
            percent(words.unseen),
            excerpt(&test.file),
            percent(words.baseline)
        );
        let advice = "adapt the base to the texts of both tables before fine-tuning";
        let finding = Finding::new(Severity::Warning, "vocabulary_shift", what, advice)
            .evidence([("unseen", words.unseen), ("baseline", words.baseline)]);
        finding.recipe("adapt.texts = [\"train\", \"test\"]".to_owned())
    })
}

fn overlap(profile: &Profile) -> Option<Finding> {
    let correlation = profile.overlap.as_ref()?.bigrams_and_score.filter(|&r| r.abs() >= OVERLAP)?;
    let what = format!("the overlap of characters alone correlates {correlation:.3} with the score (Pearson)");
    let advice = "that is the score to beat: a model near it has learned to compare wording, not meaning";
    Some(Finding::new(Severity::Note, "overlap", what, advice).evidence([("pearson", correlation)]))
}
