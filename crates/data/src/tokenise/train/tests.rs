//! Training on small texts: what the vocabularies hold, that they are the same each time, and what cannot be trained.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::corpus::CorpusSource;

const KINDS: [TokenizerKind; 3] = [TokenizerKind::WordPiece, TokenizerKind::Bpe, TokenizerKind::Unigram];

fn corpus(texts: &[String]) -> Corpus {
    Corpus::open(&[CorpusSource::Texts { name: "memory".into(), texts: texts.into() }]).unwrap()
}

fn reviews() -> Vec<String> {
    let first = ["정말", "진짜", "그냥", "Really", "아무튼"];
    let second = ["재미있는", "재미없는", "지루한", "감동적인", "Café"];
    let third = ["영화였다", "영화네요 ㅋㅋㅋ", "배우들 ㅠㅠ", "이야기다.", "영화!!"];
    (0..125).map(|n| format!("{} {} {}", first[n % 5], second[n / 5 % 5], third[n / 25])).collect()
}

fn config(kind: TokenizerKind, vocab_size: usize) -> TokenizerConfig {
    TokenizerConfig { kind, vocab_size, ..TokenizerConfig::default() }
}

fn train(texts: &[String], config: &TokenizerConfig) -> (tempfile::TempDir, Result<Trained>) {
    let dir = tempfile::tempdir().unwrap();
    let trained = Tokeniser::train(&corpus(texts), config, dir.path());
    (dir, trained)
}

fn files(dir: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.file_name().unwrap().to_owned(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

fn ids(tokeniser: &Tokeniser, text: &str) -> Vec<u32> {
    tokeniser.encode_rows(&[text.to_owned()], None, 128).unwrap().row(0).0.to_vec()
}

fn tokens(tokeniser: &Tokeniser, text: &str) -> Vec<String> {
    ids(tokeniser, text).into_iter().map(|id| tokeniser.inner.id_to_token(id).unwrap()).collect()
}

#[test]
fn each_kind_has_its_special_tokens_and_knows_its_words() {
    for (kind, size, names) in [
        (TokenizerKind::WordPiece, 250, &["tokenizer.json", "tokenizer_config.json", "vocab.txt"][..]),
        (TokenizerKind::Bpe, 420, &["merges.txt", "tokenizer.json", "tokenizer_config.json", "vocab.json"]),
        (TokenizerKind::Unigram, 110, &["tokenizer.json", "tokenizer_config.json"]),
    ] {
        let (dir, trained) = train(&reviews(), &config(kind, size));
        let trained = trained.unwrap();
        assert!(trained.vocab_size <= size && trained.vocab_size > trained.alphabet + 5, "{kind:?}: {trained:?}");
        assert_eq!((trained.texts, trained.bytes > 0), (125, true));
        let there: Vec<String> = files(dir.path()).into_iter().map(|(name, _)| name.into_string().unwrap()).collect();
        assert_eq!(there, names);
        let special = special(kind);
        for (id, token) in special.iter().enumerate() {
            assert_eq!(trained.tokeniser.inner.token_to_id(token), Some(id as u32), "{kind:?}");
        }
        let masking = trained.tokeniser.masking().unwrap();
        assert_eq!(masking.mask, 4);
        assert_eq!(masking.special.iter().filter(|special| **special).count(), 5, "{kind:?}");
        let (begin, end) = if kind == TokenizerKind::Bpe { (0, 2) } else { (2, 3) };
        let row = ids(&trained.tokeniser, "정말 재미있는 영화였다");
        assert_eq!((row[0], row[row.len() - 1]), (begin, end));
        assert!(!row.contains(&trained.tokeniser.inner.token_to_id(special[if begin == 0 { 3 } else { 1 }]).unwrap()));
        // A word is one piece or goes on with pieces that say so.
        let begins = row[1..row.len() - 1].iter().filter(|&&id| !masking.continues[id as usize]).count();
        assert_eq!(begins, 3, "{kind:?}: {:?}", tokens(&trained.tokeniser, "정말 재미있는 영화였다"));
    }
}

#[test]
fn the_same_texts_give_the_same_files_on_any_number_of_threads() {
    for kind in KINDS {
        let config = config(kind, if kind == TokenizerKind::Bpe { 400 } else { 200 });
        let (dir, trained) = train(&reviews(), &config);
        trained.unwrap();
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (other, trained) = pool.install(|| train(&reviews(), &config));
            trained.unwrap();
            assert!(files(dir.path()) == files(other.path()), "{kind:?} on {threads} threads");
        }
    }
}

#[test]
fn hangul_is_composed_and_jamo_and_accents_stay() {
    // The same words taken apart, as some systems write them.
    let apart = "\u{110b}\u{1167}\u{11bc}\u{1112}\u{116a} \u{110e}\u{116c}\u{1100}\u{1169} ㅋㅋ cafe\u{301}";
    let texts = vec![apart.to_owned(); 5];
    for kind in [TokenizerKind::WordPiece, TokenizerKind::Unigram] {
        let (_dir, trained) = train(&texts, &config(kind, 60));
        let tokeniser = trained.unwrap().tokeniser;
        let pieces = tokens(&tokeniser, "영화 최고 ㅋㅋ café").concat().replace("##", "").replace('▁', " ");
        assert_eq!(pieces.replace(' ', ""), "[CLS]영화최고ㅋㅋcafé[SEP]", "{kind:?}");
        if kind == TokenizerKind::Unigram {
            assert_eq!(ids(&tokeniser, apart), ids(&tokeniser, " 영화\t최고  ㅋㅋ café "));
        }
    }
}

#[test]
fn lower_casing_and_a_limited_alphabet_are_obeyed() {
    for kind in [TokenizerKind::WordPiece, TokenizerKind::Unigram] {
        let lower = TokenizerConfig { lowercase: true, ..config(kind, 200) };
        let (_dir, trained) = train(&reviews(), &lower);
        let tokeniser = trained.unwrap().tokeniser;
        assert_eq!(ids(&tokeniser, "REALLY"), ids(&tokeniser, "really"));
        let few = TokenizerConfig { limit_alphabet: Some(12), ..config(kind, 60) };
        let (_dir, trained) = train(&reviews(), &few);
        let trained = trained.unwrap();
        assert_eq!(trained.alphabet, 12);
        assert!(ids(&trained.tokeniser, "그냥").contains(&1), "{kind:?}");
        let one = TokenizerConfig { limit_alphabet: Some(1), ..config(kind, 60) };
        let error = train(&["영화 최고".to_owned(), "이영화".to_owned()], &one).1.unwrap_err();
        assert!(error.to_string().starts_with("tokenizer.limit_alphabet: no word of memory"), "{error}");
    }
}

#[test]
fn a_vocabulary_too_small_says_the_least_that_works_and_it_does() {
    for kind in KINDS {
        let (_dir, trained) = train(&reviews(), &config(kind, 30));
        let error = trained.unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let message = error.to_string();
        assert!(message.starts_with("tokenizer.vocab_size: 30 tokens cannot hold 5 special tokens and "), "{message}");
        let (_, least) = message.split_once("use at least ").unwrap();
        let least: usize = least.split(',').next().unwrap().parse().unwrap();
        let (_dir, trained) = train(&reviews(), &config(kind, least));
        assert_eq!(trained.unwrap().vocab_size, least);
        assert!(train(&reviews(), &config(kind, least - 1)).1.is_err());
    }
}

#[test]
fn fewer_pieces_than_asked_for_are_a_result_and_no_words_an_error() {
    for kind in KINDS {
        let (_dir, trained) = train(&["영화 최고".to_owned(), "영화 별로".to_owned()], &config(kind, 30_000));
        assert!(trained.unwrap().vocab_size < 300);
        let (_dir, trained) = train(&[" ".to_owned()], &config(kind, 300));
        assert!(matches!(trained, Err(DataError::EmptyCorpus { .. })));
        let little = TokenizerConfig { sample_bytes: 5, ..config(kind, 300) };
        let error = train(&reviews(), &little).1.unwrap_err().to_string();
        assert!(error.starts_with("tokenizer.sample_bytes: 5 bytes of memory have no words"), "{error}");
    }
}

#[test]
fn special_tokens_written_in_the_text_do_not_become_pieces() {
    let texts = vec!["앞[MASK]뒤 <mask> [SEP]</s> 영화".to_owned(); 20];
    for kind in KINDS {
        let (_dir, trained) = train(&texts, &config(kind, 300));
        let trained = trained.unwrap();
        let special = special(kind);
        assert_eq!(trained.tokeniser.inner.token_to_id(special[4]), Some(4));
        assert!(ids(&trained.tokeniser, &format!("영화 {}", special[4])).contains(&4));
    }
}

#[test]
fn a_sample_is_bounded_and_spread_over_the_corpus() {
    let texts: Vec<String> = (0..1000).map(|n| format!("{n:04}")).collect();
    let steps = steps(&config(TokenizerKind::WordPiece, 100)).unwrap();
    let words = Words::count(&corpus(&texts), &steps, 400).unwrap();
    assert_eq!((words.texts, words.bytes, words.counts.len()), (100, 400, 100));
    let in_half = words.counts.iter().filter(|(word, _)| word.as_str() < "0500").count();
    assert_eq!(in_half, 50);
}

#[test]
fn the_alphabet_is_the_commonest_characters() {
    let words = Words { counts: vec![("가가나".into(), 5000), ("다".into(), 1)], texts: 0, bytes: 0 };
    assert_eq!(words.alphabet(None), ['가', '나']);
    assert_eq!(words.alphabet(Some(1)), ['가']);
    assert_eq!(words.alphabet(Some(9)), ['가', '나', '다']);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_text_trains_to_the_same_vocabulary_within_its_size_or_is_refused(
        texts in proptest::collection::vec("[ab가나ㅋ. ]{1,24}", 1..30),
        extra in 1_usize..60,
    ) {
        for kind in KINDS {
            let size = extra + if kind == TokenizerKind::Bpe { 261 } else { 20 };
            let ((a, first), (b, second)) = (train(&texts, &config(kind, size)), train(&texts, &config(kind, size)));
            match (first, second) {
                (Ok(first), Ok(_)) => {
                    prop_assert!(first.vocab_size <= size, "{kind:?}: {} tokens", first.vocab_size);
                    prop_assert!(files(a.path()) == files(b.path()), "{kind:?}");
                }
                (first, second) => prop_assert_eq!(first.unwrap_err().to_string(), second.unwrap_err().to_string()),
            }
        }
    }
}
