//! Raw text as a stream, for masked-LM training and for training tokenisers: texts without ids or labels, read again
//! at each pass in bounded memory.
//!
//! `file` opens a file of raw text, `encoding` tells and changes its encoding, `lines` cuts it into lines of bounded
//! length, `texts` makes texts of them. Tokenising is elsewhere (`tokenise/stream.rs`), and so is cleaning.

mod encoding;
mod file;
mod lines;
mod texts;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use xxhash_rust::xxh3::Xxh3;

pub use texts::Texts;
pub(crate) use texts::fill;

use crate::error::{DataError, Result};
use crate::examples::Columns;
use crate::fingerprint::{hex, update};
use crate::table::{Column, Table};
use file::TextFile;

/// Where texts of a corpus come from.
#[derive(Debug, Clone)]
pub enum CorpusSource {
    /// A file of raw text, `.txt` or `.txt.gz`: one text a line, in UTF-8, UTF-16 with a byte-order mark, or CP949
    /// (EUC-KR), which is detected. It is streamed, never held.
    File(PathBuf),
    /// The text column of a table, and the column of second texts where there is one; each cell is a text.
    Table {
        /// The table, of any format [`Table::read`] reads.
        path: PathBuf,
        /// Its columns; only those of texts count.
        columns: Columns,
    },
    /// Texts in memory, for example rows of a split, cleaned.
    Texts {
        /// What messages call them.
        name: String,
        /// The texts, shared, not copied.
        texts: Arc<[String]>,
    },
}

/// How much a corpus holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CorpusCounts {
    /// Texts, empty ones not counted.
    pub texts: u64,
    /// UTF-8 bytes of those texts.
    pub bytes: u64,
    /// Lines and cells left out because they hold nothing but white space and control characters.
    pub empty: u64,
}

/// Texts of several sources, in their order.
#[derive(Debug)]
pub struct Corpus {
    sources: Vec<Source>,
    /// What the first whole pass found.
    survey: OnceLock<(CorpusCounts, String)>,
}

/// A source that has been opened once and can be read again.
#[derive(Debug)]
enum Source {
    File(TextFile),
    /// Columns of equal length, and what they are called in messages.
    Columns(String, Vec<Column>),
    Texts(String, Arc<[String]>),
}

impl Corpus {
    /// Opens every source: reads tables, and of files of raw text the first megabyte, which tells the encoding.
    ///
    /// # Errors
    /// A file is missing, a directory, unreadable, damaged gzip, or raw text by no name; a table or a column of it
    /// cannot be read. Errors further down a file of raw text come when it is read.
    pub fn open(sources: &[CorpusSource]) -> Result<Self> {
        let sources = sources.iter().map(Source::open).collect::<Result<_>>()?;
        Ok(Self { sources, survey: OnceLock::new() })
    }

    /// All texts from the start, sources and lines in order; any number of times.
    ///
    /// White space around a text is cut, tabs and line ends within are spaces, other control characters (NUL) are
    /// dropped, and what is then empty is left out. A text of more than 1 MiB comes in pieces, cut at white space.
    ///
    /// # Errors
    /// An item is the last one if it is an error: a file cannot be read, is damaged gzip, or holds bytes that are not
    /// of its encoding, named with their line.
    pub fn texts(&self) -> Texts<'_> {
        Texts::new(&self.sources)
    }

    /// Number of texts and bytes, from the first whole pass.
    ///
    /// # Errors
    /// Those of [`texts`](Self::texts); [`DataError::EmptyCorpus`] if there are none.
    pub fn counts(&self) -> Result<CorpusCounts> {
        self.survey().map(|(counts, _)| *counts)
    }

    /// Hash of the texts in order, whatever files they come from: 32 hexadecimal digits, from the first whole pass.
    ///
    /// # Errors
    /// Those of [`texts`](Self::texts); [`DataError::EmptyCorpus`] if there are none.
    pub fn fingerprint(&self) -> Result<String> {
        self.survey().map(|(_, fingerprint)| fingerprint.clone())
    }

    fn survey(&self) -> Result<&(CorpusCounts, String)> {
        if let Some(survey) = self.survey.get() {
            return Ok(survey);
        }
        let mut hash = CorpusHash::default();
        let mut texts = self.texts();
        for text in texts.by_ref() {
            hash.update(&text?);
        }
        let counts = texts.counts();
        if counts.texts == 0 {
            return Err(DataError::EmptyCorpus { name: self.name(), empty: counts.empty });
        }
        Ok(self.survey.get_or_init(|| (counts, hash.finish())))
    }

    /// The sources as messages name them.
    pub(crate) fn name(&self) -> String {
        let names: Vec<&str> = self.sources.iter().map(Source::name).collect();
        names.join(", ")
    }
}

/// The hash behind [`Corpus::fingerprint`], fed text by text.
#[derive(Default)]
pub(crate) struct CorpusHash(Xxh3);

impl CorpusHash {
    pub(crate) fn update(&mut self, text: &str) {
        update(&mut self.0, &[text]);
    }

    pub(crate) fn finish(&self) -> String {
        hex(&self.0)
    }
}

impl Source {
    fn open(source: &CorpusSource) -> Result<Self> {
        Ok(match source {
            CorpusSource::File(path) => Self::File(TextFile::open(path)?),
            CorpusSource::Table { path, columns } => {
                let table = Table::read(path)?;
                let named = [(Some(&columns.text), "text"), (columns.text_pair.as_ref(), "text_pair")];
                let named = named.into_iter().filter_map(|(name, key)| name.map(|name| (name, key)));
                let columns = named.map(|(name, key)| table.column(name, &columns.key(key)).cloned());
                Self::Columns(table.file().to_owned(), columns.collect::<Result<_>>()?)
            }
            CorpusSource::Texts { name, texts } => Self::Texts(name.clone(), Arc::clone(texts)),
        })
    }

    fn name(&self) -> &str {
        match self {
            Self::File(file) => file.name(),
            Self::Columns(name, _) | Self::Texts(name, _) => name,
        }
    }
}

#[cfg(test)]
mod tests;
