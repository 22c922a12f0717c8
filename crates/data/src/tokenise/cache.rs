//! Tokenised rows on disk: one file a fingerprint, written atomically, memory-mapped, and trusted only once checked.
//!
//! The file is a header of 64 bytes and four arrays in the machine's byte order: offsets (u64), ids (u32), segment ids
//! (u8), truncation flags (u8). A checksum covers all of it; the version is part of the file's name too.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::tokenised::{Tokenised, View};
use crate::atomic::write_atomic;
use crate::error::Result;

/// Read as a number, so that a file of the other byte order is not taken for one of this machine's.
const MAGIC: u64 = u64::from_be_bytes(*b"gyeoltok");
const VERSION: u64 = 1;
const HEADER: usize = size_of::<[u64; 8]>();

/// What became of the cache; only [`Stored`](Self::Stored) and [`Read`](Self::Read) go without saying.
#[derive(Debug)]
pub enum CacheOutcome {
    /// The rows were read from the cache.
    Read,
    /// There were none; they were made and kept.
    Stored,
    /// The file was damaged; the rows were made anew and the file replaced.
    Replaced {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        damage: String,
    },
    /// The rows were made but could not be kept (a full disk, say). The work can go on.
    NotStored {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Header {
    /// Hash of the fingerprint the rows were made for.
    fingerprint: u128,
    rows: u64,
    tokens: u64,
    /// Of the header with this field 0, then the arrays.
    pub(super) checksum: u64,
}

impl Header {
    /// A header still without its checksum.
    pub(super) fn new(fingerprint: &str, rows: u64, tokens: u64) -> Self {
        Self { fingerprint: xxh3_128(fingerprint.as_bytes()), rows, tokens, checksum: 0 }
    }

    pub(super) fn words(&self) -> [u64; 8] {
        let fingerprint = [self.fingerprint as u64, (self.fingerprint >> 64) as u64];
        [MAGIC, VERSION, fingerprint[0], fingerprint[1], self.rows, self.tokens, self.checksum, 0]
    }

    /// `None` if the words are not those of this version.
    fn from_words(words: [u64; 8]) -> Option<Self> {
        let fingerprint = u128::from(words[2]) | u128::from(words[3]) << 64;
        let header = Self { fingerprint, rows: words[4], tokens: words[5], checksum: words[6] };
        (header.words() == words).then_some(header)
    }
}

/// A checked, memory-mapped cache file.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Mmap,
    rows: usize,
    tokens: usize,
}

impl Mapped {
    pub(super) fn view(&self) -> View<'_> {
        // Sizes were checked when the file was opened, and maps start on a page, so each array is aligned.
        let (offsets, rest) = self.map[HEADER..].split_at((self.rows + 1) * size_of::<u64>());
        let (ids, rest) = rest.split_at(self.tokens * size_of::<u32>());
        let (segments, truncated) = rest.split_at(self.tokens);
        View { offsets: bytemuck::cast_slice(offsets), ids: bytemuck::cast_slice(ids), segments, truncated }
    }
}

pub(super) fn cached(
    dir: &Path,
    fingerprint: &str,
    build: impl FnOnce() -> Result<Tokenised>,
) -> Result<(Tokenised, CacheOutcome)> {
    let path = path(dir, fingerprint);
    let damage = match open(&path, fingerprint) {
        Ok(Some(mapped)) => return Ok((mapped.into(), CacheOutcome::Read)),
        Ok(None) => None,
        Err(damage) => Some(damage),
    };
    let rows = build()?;
    let outcome = match (write(&path, fingerprint, rows.view()), damage) {
        (Err(source), _) => CacheOutcome::NotStored { path, source },
        (Ok(()), None) => CacheOutcome::Stored,
        (Ok(()), Some(damage)) => CacheOutcome::Replaced { path, damage },
    };
    Ok((rows, outcome))
}

/// The file of a fingerprint.
pub(super) fn path(dir: &Path, fingerprint: &str) -> PathBuf {
    dir.join(format!("{fingerprint}.v{VERSION}.tokens"))
}

fn write(path: &Path, fingerprint: &str, view: View<'_>) -> io::Result<()> {
    let mut header = Header::new(fingerprint, view.truncated.len() as u64, view.ids.len() as u64);
    header.checksum = checksum(&header, view);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    write_atomic(path, |out: &mut dyn Write| {
        out.write_all(bytemuck::bytes_of(&header.words()))?;
        arrays(view).into_iter().try_for_each(|bytes| out.write_all(bytes))
    })
}

fn arrays(view: View<'_>) -> [&[u8]; 4] {
    [bytemuck::cast_slice(view.offsets), bytemuck::cast_slice(view.ids), view.segments, view.truncated]
}

fn checksum(header: &Header, view: View<'_>) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(bytemuck::bytes_of(&Header { checksum: 0, ..*header }.words()));
    arrays(view).into_iter().for_each(|bytes| hash.update(bytes));
    hash.digest()
}

/// The rows of a file, `None` if there is no file, or what is wrong with it.
pub(super) fn open(path: &Path, fingerprint: &str) -> std::result::Result<Option<Mapped>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let map = map(&file).map_err(|error| error.to_string())?;
    let Some(words) = map.get(..HEADER) else {
        return Err(format!("{} bytes are too few for a header", map.len()));
    };
    let Some(header) = Header::from_words(bytemuck::pod_read_unaligned(words)) else {
        return Err("not a token cache of this version".into());
    };
    if header.fingerprint != xxh3_128(fingerprint.as_bytes()) {
        return Err("made for other data".into());
    }
    let size = expected_size(header.rows, header.tokens);
    if size != Some(map.len() as u64) {
        return Err(format!(
            "{} bytes where {} rows of {} tokens are announced",
            map.len(),
            header.rows,
            header.tokens
        ));
    }
    let mapped = Mapped { map, rows: header.rows as usize, tokens: header.tokens as usize };
    let view = mapped.view();
    if header.checksum != checksum(&header, view) {
        return Err("its checksum does not match".into());
    }
    let ordered = view.offsets.is_sorted_by(|a, b| a < b);
    if view.offsets[0] != 0 || !ordered || view.offsets[mapped.rows] != header.tokens {
        return Err("its offsets are out of order".into());
    }
    Ok(Some(mapped))
}

/// Bytes of a file; `None` where the numbers are absurd.
fn expected_size(rows: u64, tokens: u64) -> Option<u64> {
    let offsets = rows.checked_add(1)?.checked_mul(size_of::<u64>() as u64)?;
    let per_token = tokens.checked_mul(size_of::<u32>() as u64 + 1)?;
    (HEADER as u64).checked_add(offsets)?.checked_add(per_token)?.checked_add(rows)
}

#[allow(unsafe_code)]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: cache files are replaced by renaming and never written in place, so a mapped file does not change.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::super::tokenised::Owned;
    use super::*;
    use crate::error::DataError;
    use std::fs;

    fn rows() -> Tokenised {
        let mut rows = Owned::default();
        rows.push(&[2, 7, 8, 3], [0, 0, 1, 1].into_iter(), false);
        rows.push(&[2, 3], [0, 0].into_iter(), true);
        rows.push(&[2, 9, 3], [0, 0, 0].into_iter(), false);
        rows.into()
    }

    fn check(rows: &Tokenised) {
        assert_eq!((rows.len(), rows.tokens(), rows.truncated()), (3, 9, 1));
        assert_eq!(rows.row(0), (&[2, 7, 8, 3][..], &[0, 0, 1, 1][..]));
        assert_eq!((rows.length(1), rows.length(2)), (2, 3));
        let batch = rows.batch(&[2, 0]);
        assert_eq!((batch.ids, batch.cu_seqlens, batch.rows), (vec![2, 9, 3, 2, 7, 8, 3], vec![0, 3, 7], vec![2, 0]));
    }

    fn never() -> Result<Tokenised> {
        panic!("the cache should have been read")
    }

    #[test]
    fn rows_are_made_once_and_then_mapped() {
        let dir = tempfile::tempdir().unwrap();
        let (made, outcome) = Tokenised::cached(dir.path(), "f1", || Ok(rows())).unwrap();
        assert!(matches!(outcome, CacheOutcome::Stored));
        check(&made);
        let (mapped, outcome) = Tokenised::cached(dir.path(), "f1", never).unwrap();
        assert!(matches!(outcome, CacheOutcome::Read));
        check(&mapped);
    }

    #[test]
    fn any_damage_is_noticed_and_mended() {
        let dir = tempfile::tempdir().unwrap();
        Tokenised::cached(dir.path(), "f1", || Ok(rows())).unwrap();
        let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let good = fs::read(&path).unwrap();
        let mut damaged: Vec<Vec<u8>> = vec![vec![], good[..40].to_vec(), good[..good.len() - 1].to_vec()];
        damaged.push([&good[..], &[0]].concat());
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            damaged.push(bytes);
        }
        for bytes in damaged {
            fs::write(&path, bytes).unwrap();
            let (made, outcome) = Tokenised::cached(dir.path(), "f1", || Ok(rows())).unwrap();
            assert!(matches!(outcome, CacheOutcome::Replaced { .. }), "{outcome:?}");
            check(&made);
            assert_eq!(fs::read(&path).unwrap(), good);
        }
    }

    #[test]
    fn a_file_renamed_to_another_fingerprint_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        Tokenised::cached(dir.path(), "f1", || Ok(rows())).unwrap();
        let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        fs::rename(&path, dir.path().join(path.file_name().unwrap().to_str().unwrap().replace("f1", "f2"))).unwrap();
        let (_, outcome) = Tokenised::cached(dir.path(), "f2", || Ok(rows())).unwrap();
        assert!(matches!(outcome, CacheOutcome::Replaced { .. }));
    }

    #[test]
    fn a_cache_that_cannot_be_written_does_not_stop_the_work() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        fs::write(&blocked, b"in the way").unwrap();
        let (made, outcome) = Tokenised::cached(&blocked, "f1", || Ok(rows())).unwrap();
        assert!(matches!(outcome, CacheOutcome::NotStored { .. }));
        check(&made);
    }

    #[test]
    fn an_error_of_the_tokeniser_is_passed_on_and_nothing_kept() {
        let dir = tempfile::tempdir().unwrap();
        let failed =
            Tokenised::cached(dir.path(), "f1", || Err(DataError::MaxLength { max_length: 2, special: 3, least: 4 }));
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
