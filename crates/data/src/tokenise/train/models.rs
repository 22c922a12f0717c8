//! The trainers of the `tokenizers` crate, fed so that the same words give the same vocabulary to the bit.
//!
//! They keep words and characters in hash tables whose order differs from run to run. What they would take from there
//! is given to them in order, or put in order afterwards.

use serde_json::Value;
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};

use super::words::character_counts;

/// A vocabulary in order of id, and for BPE the merges in order of rank.
pub(super) struct Merged {
    pub(super) vocabulary: Vec<String>,
    pub(super) merges: Vec<String>,
}

/// Merges the commonest pairs until there are `size` tokens or no pair occurs `min_frequency` times.
///
/// `first` are the first tokens; they must hold every character of the words, as it begins a word and, with `prefix`
/// before it, as it goes on.
pub(super) fn merge(
    words: &[(String, u64)],
    first: &[String],
    prefix: &str,
    size: usize,
    min_frequency: u64,
) -> tokenizers::Result<Merged> {
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(min_frequency)
        // To the trainer, "special" only means first.
        .special_tokens(first.iter().map(|token| AddedToken::from(token, true)).collect());
    if !prefix.is_empty() {
        trainer = trainer.continuing_subword_prefix(prefix.to_owned());
    }
    let mut model = BPE::default();
    let counts = words.iter().map(|(word, count)| (word.as_str().into(), *count)).collect();
    trainer.build().do_train(&counts, &mut model)?;

    let mut vocabulary: Vec<(String, u32)> = model.get_vocab().into_iter().collect();
    vocabulary.sort_unstable_by_key(|(_, id)| *id);
    let definition = serde_json::to_value(&model)?;
    let merges = definition["merges"].as_array().into_iter().flatten();
    let merges = merges.map(|merge| match merge {
        Value::Array(pair) => pair.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => other.as_str().unwrap_or_default().to_owned(),
    });
    Ok(Merged { merges: merges.collect(), vocabulary: vocabulary.into_iter().map(|(token, _)| token).collect() })
}

/// Trains a unigram language model of `size` pieces, `special` the first of them, the unknown token among these.
///
/// Returns all pieces with their log probabilities (0 for special ones), likeliest first.
pub(super) fn unigram(
    words: &[(String, u64)],
    special: &[&str],
    unknown: &str,
    size: usize,
) -> tokenizers::Result<Vec<(String, f64)>> {
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size(u32::try_from(size)?)
        .special_tokens(special.iter().map(|&token| AddedToken::from(token, true)).collect())
        .unk_token(Some(unknown.to_owned()))
        .build()?;
    // Last word first: the suffix sorter the trainer uses (`esaxx_rs::suffix_rs`) carries a match over the end of its
    // text and then panics or miscounts, which cannot happen where the last word is the smallest.
    let sentences = words.iter().rev().map(|(word, count)| Ok((word.clone(), u32::try_from(*count)?)));
    let sentences = sentences.collect::<tokenizers::Result<Vec<_>>>()?;
    let mut model = Unigram::default();
    // Its sums of floating-point numbers depend on how threads share the words, so there is one.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    one.install(|| trainer.do_train(sentences, &mut model))?;
    let mut pieces: Vec<(String, f64)> = model.iter().cloned().collect();
    in_order(&mut pieces[special.len()..], words);
    Ok(pieces)
}

/// Undoes what the trainer took from a hash table: the order of equally likely pieces, and which of the characters it
/// had dropped and then put back got which of the lowest scores. The commoner character now gets the better one.
fn in_order(pieces: &mut [(String, f64)], words: &[(String, u64)]) {
    /// What the trainer adds to the lowest score for each character it puts back.
    const STEP: f64 = 0.0001;
    let is_character = |piece: &str| piece.chars().nth(1).is_none();
    let lowest = pieces.iter().map(|(_, score)| *score).fold(f64::INFINITY, f64::min);
    let characters = pieces.iter().filter(|(piece, _)| is_character(piece)).count();
    let highest = lowest + STEP * characters as f64;

    let counts = character_counts(words);
    let count = |piece: &str| piece.chars().next().and_then(|c| counts.get(&c)).copied().unwrap_or_default();
    // Characters the trainer had kept may be among these; theirs are as good as any.
    let mut back: Vec<usize> =
        (0..pieces.len()).filter(|&at| is_character(&pieces[at].0) && pieces[at].1 <= highest).collect();
    let mut scores: Vec<f64> = back.iter().map(|&at| pieces[at].1).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    back.sort_by(|&a, &b| {
        let (a, b) = (&pieces[a].0, &pieces[b].0);
        count(b).cmp(&count(a)).then_with(|| a.cmp(b))
    });
    for (at, score) in back.into_iter().zip(scores) {
        pieces[at].1 = score;
    }
    pieces.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
}
