//! A corpus straight into a token cache: any amount of text in bounded memory, tokenised in parallel.

use std::ops::ControlFlow;
use std::path::Path;

use rayon::prelude::*;

use super::Tokeniser;
use super::cache::{self, CacheOutcome};
use super::spill::Spill;
use super::tokenised::{Owned, Tokenised};
use crate::corpus::{Corpus, CorpusHash, fill};
use crate::error::{DataError, Result};
use crate::fingerprint::fingerprint;

/// Bytes of text in memory at once: enough to occupy every thread, and few beside a model.
const WINDOW: usize = 4 << 20;

/// Texts a task takes.
const CHUNK: usize = 64;

/// How far a corpus is tokenised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamProgress {
    /// Texts tokenised.
    pub texts: u64,
    /// Texts there are.
    pub total_texts: u64,
    /// Bytes of text tokenised.
    pub bytes: u64,
    /// Bytes of text there are.
    pub total_bytes: u64,
    /// Rows made.
    pub rows: u64,
    /// Tokens of those rows, special ones included.
    pub tokens: u64,
}

/// A tokenised corpus.
#[derive(Debug)]
pub struct Streamed {
    /// Its rows, memory-mapped. [`Tokenised::truncated`] counts those whose text goes on in the next row.
    pub rows: Tokenised,
    /// [`Read`](CacheOutcome::Read), [`Stored`](CacheOutcome::Stored) or [`Replaced`](CacheOutcome::Replaced).
    pub outcome: CacheOutcome,
    /// Texts left out because the tokeniser finds no token in them.
    pub left_out: u64,
}

impl Tokenised {
    /// The rows of a corpus, each at most `max_length` tokens long including the special ones: read from the cache in
    /// `dir`, or tokenised into it in bounded memory, on rayon's current pool.
    ///
    /// A text of more tokens is cut into several rows of nearly equal length, each with its special tokens, so that
    /// nothing of it is lost. The cache is keyed by the fingerprint of the corpus (which takes a pass of its own),
    /// that of the tokeniser and the length; a file half written is never taken for whole.
    ///
    /// `progress` is called every few megabytes of text; `Ok(None)` if it says to stop.
    ///
    /// # Errors
    /// Those of [`Corpus::texts`] and of an empty corpus; [`DataError::MaxLength`] if no room is left for text;
    /// [`DataError::Encode`] names the text by its number; [`DataError::Write`] if the disk is full, say;
    /// [`DataError::CorpusChanged`].
    pub fn stream(
        dir: &Path,
        corpus: &Corpus,
        tokeniser: &Tokeniser,
        max_length: usize,
        mut progress: impl FnMut(&StreamProgress) -> ControlFlow<()>,
    ) -> Result<Option<Streamed>> {
        let room = tokeniser.room(max_length, false)?;
        let content = corpus.fingerprint()?;
        let total = corpus.counts()?;
        let key = fingerprint(&["corpus", &content, tokeniser.fingerprint(), &max_length.to_string()]);
        let path = cache::path(dir, &key);
        let left_out = |rows: &Self| total.texts - (rows.len() - rows.truncated()) as u64;
        let damage = match cache::open(&path, &key) {
            Ok(Some(mapped)) => {
                let rows = Self::from(mapped);
                return Ok(Some(Streamed { left_out: left_out(&rows), rows, outcome: CacheOutcome::Read }));
            }
            Ok(None) => None,
            Err(damage) => Some(damage),
        };
        let failed = |source| DataError::Write { path: path.clone(), source };
        let mut spill = Spill::new(dir).map_err(failed)?;
        let mut hash = CorpusHash::default();
        let mut texts = corpus.texts();
        let mut window = Vec::new();
        loop {
            let done = texts.counts();
            let report = StreamProgress {
                texts: done.texts,
                total_texts: total.texts,
                bytes: done.bytes,
                total_bytes: total.bytes,
                rows: spill.rows(),
                tokens: spill.tokens(),
            };
            if progress(&report).is_break() {
                return Ok(None);
            }
            fill(&mut texts, &mut window, WINDOW)?;
            if window.is_empty() {
                break;
            }
            window.iter().for_each(|text| hash.update(text));
            for part in encode_window(tokeniser, &window, room, done.texts)? {
                spill.append(part.view()).map_err(failed)?;
            }
        }
        if hash.finish() != content {
            return Err(DataError::CorpusChanged { name: corpus.name() });
        }
        spill.finish(&path, &key).map_err(failed)?;
        let rows = match cache::open(&path, &key) {
            Ok(Some(mapped)) => Self::from(mapped),
            Ok(None) => return Err(failed(std::io::ErrorKind::NotFound.into())),
            Err(damage) => return Err(failed(std::io::Error::other(damage))),
        };
        let outcome = match damage {
            None => CacheOutcome::Stored,
            Some(damage) => CacheOutcome::Replaced { path, damage },
        };
        Ok(Some(Streamed { left_out: left_out(&rows), rows, outcome }))
    }
}

/// The rows of some texts, of which `before` came first in the corpus.
fn encode_window(tokeniser: &Tokeniser, window: &[String], room: usize, before: u64) -> Result<Vec<Owned>> {
    window
        .par_chunks(CHUNK)
        .enumerate()
        .map(|(chunk, texts)| {
            let mut out = Owned::default();
            for (at, text) in texts.iter().enumerate() {
                tokeniser.encode_whole(text, room, &mut out).map_err(|error| DataError::Encode {
                    row: before as usize + chunk * CHUNK + at + 1,
                    detail: error.to_string(),
                })?;
            }
            Ok(out)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::corpus::CorpusSource;

    fn tokeniser(name: &str) -> Tokeniser {
        Tokeniser::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokeniser").join(name)).unwrap()
    }

    fn corpus(texts: &[String]) -> Corpus {
        Corpus::open(&[CorpusSource::Texts { name: "memory".into(), texts: texts.into() }]).unwrap()
    }

    fn stream(dir: &Path, texts: &[String], max_length: usize) -> Streamed {
        let go_on = |_: &StreamProgress| ControlFlow::Continue(());
        Tokenised::stream(dir, &corpus(texts), &tokeniser("bert-lower"), max_length, go_on).unwrap().unwrap()
    }

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn short_texts_are_the_rows_of_a_table_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let texts: Vec<String> = (0..500).map(|n| format!("정말 {n} 재미있는 영화 ㅋㅋ")).collect();
        let streamed = stream(dir.path(), &texts, 64);
        let rows = tokeniser("bert-lower").encode_rows(&texts, None, 64).unwrap();
        assert!(matches!(streamed.outcome, CacheOutcome::Stored));
        assert_eq!((streamed.rows.len(), streamed.rows.truncated(), streamed.left_out), (500, 0, 0));
        assert!((0..500).all(|row| streamed.rows.row(row) == rows.row(row)));
        let again = stream(dir.path(), &texts, 64);
        assert!(matches!(again.outcome, CacheOutcome::Read));
        assert_eq!((again.rows.tokens(), again.left_out), (rows.tokens(), 0));
    }

    #[test]
    fn a_long_text_goes_on_in_further_rows_and_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let texts = vec!["정말 재미있는 영화 ".repeat(50), "\u{200b}".into(), "영화".into()];
        let streamed = stream(dir.path(), &texts, 16);
        let whole = tokeniser("bert-lower").encode_rows(&texts, None, 10_000).unwrap();
        let last = streamed.rows.len() - 1;
        assert_eq!(streamed.rows.row(last), whole.row(2));
        let mut inner = Vec::new();
        for row in 0..last {
            let ids = streamed.rows.row(row).0;
            assert!(ids.len() <= 16 && ids.len() >= 15, "{}", ids.len());
            assert_eq!((ids[0], ids[ids.len() - 1]), (2, 3));
            inner.extend_from_slice(&ids[1..ids.len() - 1]);
        }
        assert_eq!(inner, whole.row(0).0[1..whole.length(0) - 1]);
        assert_eq!((streamed.rows.truncated(), streamed.left_out), (last - 1, 1));
        assert_eq!(stream(dir.path(), &texts, 16).left_out, 1);
    }

    #[test]
    fn texts_tokeniser_and_length_each_have_their_own_cache() {
        let dir = tempfile::tempdir().unwrap();
        let texts = vec!["정말 재미있는 영화".to_owned()];
        stream(dir.path(), &texts, 16);
        stream(dir.path(), &texts, 17);
        stream(dir.path(), &["다른 영화".to_owned()], 16);
        let go_on = |_: &StreamProgress| ControlFlow::Continue(());
        Tokenised::stream(dir.path(), &corpus(&texts), &tokeniser("roberta"), 16, go_on).unwrap().unwrap();
        assert_eq!(files(dir.path()), 4);
    }

    #[test]
    fn the_file_is_the_one_rows_in_memory_would_make() {
        let dir = tempfile::tempdir().unwrap();
        let texts: Vec<String> = (0..200).map(|n| "영화 좋다 ".repeat(n % 9 + 1)).collect();
        stream(dir.path(), &texts, 64);
        let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let key = path.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().to_owned();
        let streamed = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        Tokenised::cached(dir.path(), &key, || tokeniser("bert-lower").encode_rows(&texts, None, 64)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), streamed);
    }

    #[test]
    fn a_stopped_or_failed_pass_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let texts: Vec<String> = (0..40).map(|_| "정말 재미있는 영화 ".repeat(10_000)).collect();
        let corpus = corpus(&texts);
        let bert = tokeniser("bert-lower");
        let mut reports = Vec::new();
        let stopped = Tokenised::stream(dir.path(), &corpus, &bert, 128, |report| {
            reports.push(*report);
            if report.texts > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(stopped.unwrap().is_none());
        assert_eq!(files(dir.path()), 0);
        assert!(reports[1].bytes >= WINDOW as u64 && reports[1].bytes < reports[1].total_bytes);
        assert!(reports[1].rows > reports[1].texts && reports[1].tokens > reports[1].rows);
        let short = Tokenised::stream(dir.path(), &corpus, &bert, 2, |_| ControlFlow::Continue(()));
        assert!(matches!(short, Err(DataError::MaxLength { least: 3, .. })));
        let blocked = dir.path().join("file");
        fs::write(&blocked, b"in the way").unwrap();
        let error = Tokenised::stream(&blocked, &corpus, &bert, 128, |_| ControlFlow::Continue(())).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains(".tokens: cannot write"), "{error}");
    }

    #[test]
    fn a_corpus_that_changes_between_its_passes_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        fs::write(&path, "영화\n").unwrap();
        let corpus = Corpus::open(&[CorpusSource::File(path.clone())]).unwrap();
        corpus.fingerprint().unwrap();
        fs::write(&path, "다른 영화\n").unwrap();
        let cache = dir.path().join("cache");
        let error = Tokenised::stream(&cache, &corpus, &tokeniser("bert-lower"), 16, |_| ControlFlow::Continue(()));
        assert!(matches!(error, Err(DataError::CorpusChanged { .. })));
        assert_eq!(files(&cache), 0);
    }
}
