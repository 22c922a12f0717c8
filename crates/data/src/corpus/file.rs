//! A file of raw text: checked and its encoding told once, opened anew for each pass.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_8};
use flate2::bufread::MultiGzDecoder;

use super::encoding::{Transcoder, detect};
use super::lines::Lines;
use crate::error::{DataError, Result};

/// Bytes that tell the encoding.
const HEAD: u64 = 1 << 20;

/// Bytes read at once.
const BLOCK: usize = 64 << 10;

/// A file that was there and could be read when it was opened.
#[derive(Debug)]
pub(super) struct TextFile {
    path: PathBuf,
    name: String,
    gzipped: bool,
    encoding: &'static Encoding,
}

impl TextFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let lower = name.to_lowercase();
        let gzipped = lower.ends_with(".gz");
        if !lower.strip_suffix(".gz").unwrap_or(&lower).ends_with(".txt") {
            return Err(DataError::NotText { file: name });
        }
        let mut file = Self { path: path.into(), name, gzipped, encoding: UTF_8 };
        let metadata = std::fs::metadata(path).map_err(|source| file.error(source))?;
        if metadata.is_dir() {
            return Err(DataError::Read { path: path.into(), source: io::ErrorKind::IsADirectory.into() });
        }
        let mut head = Vec::new();
        file.bytes()?.take(HEAD).read_to_end(&mut head).map_err(|error| file.error(error))?;
        file.encoding = detect(&head, (head.len() as u64) < HEAD);
        Ok(file)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its lines from the start.
    pub(super) fn lines(&self) -> Result<Lines<'_>> {
        let bytes = self.bytes()?;
        let reader: Box<dyn BufRead + Send> =
            if self.encoding == UTF_8 { bytes } else { Box::new(Transcoder::new(bytes, self.encoding, &self.name)) };
        Ok(Lines::new(reader, self))
    }

    /// Its bytes, decompressed.
    fn bytes(&self) -> Result<Box<dyn BufRead + Send>> {
        let file = BufReader::with_capacity(BLOCK, File::open(&self.path).map_err(|source| self.error(source))?);
        Ok(if self.gzipped {
            Box::new(BufReader::with_capacity(BLOCK, MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        })
    }

    /// What went wrong on reading: the transcoder's own errors, else damage or the system's reason.
    pub(super) fn error(&self, error: io::Error) -> DataError {
        match error.downcast::<DataError>() {
            Ok(error) => error,
            // Errors of the system have its code; those without one are the decompressor's.
            Err(source) if self.gzipped && source.raw_os_error().is_none() => {
                DataError::Gzip { file: self.name.clone(), detail: source.to_string() }
            }
            Err(source) => DataError::Read { path: self.path.clone(), source },
        }
    }
}
