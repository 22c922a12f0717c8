//! A cache file written row by row, when neither the number of rows is known beforehand nor memory would hold them.
//!
//! The format wants whole arrays after each other. Each grows in a temporary file without a name, which the system
//! removes whatever happens; only when all is there is the cache file written.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use super::cache::Header;
use super::tokenised::View;
use crate::atomic::write_atomic;

/// Bytes written and read at once.
const BLOCK: usize = 256 << 10;

/// The arrays of a cache file to be, in its order.
pub(super) struct Spill {
    offsets: BufWriter<File>,
    ids: BufWriter<File>,
    segments: BufWriter<File>,
    truncated: BufWriter<File>,
    rows: u64,
    tokens: u64,
}

impl Spill {
    /// No rows yet. The temporary files are on the disk of `dir`, which is made if it is not there.
    pub(super) fn new(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let array = || tempfile::tempfile_in(dir).map(|file| BufWriter::with_capacity(BLOCK, file));
        let mut spill =
            Self { offsets: array()?, ids: array()?, segments: array()?, truncated: array()?, rows: 0, tokens: 0 };
        spill.offsets.write_all(bytemuck::bytes_of(&0_u64))?;
        Ok(spill)
    }

    pub(super) fn append(&mut self, part: View<'_>) -> io::Result<()> {
        for offset in &part.offsets[1..] {
            self.offsets.write_all(bytemuck::bytes_of(&(self.tokens + offset)))?;
        }
        self.ids.write_all(bytemuck::cast_slice(part.ids))?;
        self.segments.write_all(part.segments)?;
        self.truncated.write_all(part.truncated)?;
        self.rows += part.truncated.len() as u64;
        self.tokens += part.ids.len() as u64;
        Ok(())
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Writes the cache file of `fingerprint` at `path`.
    pub(super) fn finish(self, path: &Path, fingerprint: &str) -> io::Result<()> {
        let mut header = Header::new(fingerprint, self.rows, self.tokens);
        let mut arrays = Vec::new();
        for array in [self.offsets, self.ids, self.segments, self.truncated] {
            arrays.push(array.into_inner().map_err(io::IntoInnerError::into_error)?);
        }
        let mut hash = Xxh3::new();
        hash.update(bytemuck::bytes_of(&header.words()));
        for array in &mut arrays {
            blocks(array, |block| {
                hash.update(block);
                Ok(())
            })?;
        }
        header.checksum = hash.digest();
        write_atomic(path, |out| {
            out.write_all(bytemuck::bytes_of(&header.words()))?;
            arrays.iter_mut().try_for_each(|array| blocks(array, |block| out.write_all(block)))
        })
    }
}

/// Hands out the whole of a file, block by block.
fn blocks(file: &mut File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    file.rewind()?;
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(()),
            read => each(&block[..read])?,
        }
    }
}
