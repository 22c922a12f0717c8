//! Outputs of a run's model for the texts of a table, kept on disk: computed once, whoever asks.
//!
//! A file is named by a fingerprint of all that its bits depend on: the model's files, the texts as the table has them,
//! the settings, the arithmetic and the program itself. It holds a header, a line of JSON that says what the numbers
//! are, and the numbers. What is damaged is computed and written anew. The files used longest ago go where all together
//! grow beyond a bound.
//!
//! Ids are not among it: they come from the table that is predicted. What was warned of while computing is.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use gyeol_data::{Examples, fingerprint, text_fingerprint, write_atomic};
use gyeol_eval::Outputs;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::PredictOptions;
use super::files::{at, files};
use crate::Arithmetic;

const MAGIC: &[u8; 8] = b"gyeolout";

/// Changes with the form of the file, and with what models give for the same key.
const VERSION: &str = "2";

/// Bytes before the line of JSON: the magic word, and the checksum of what follows.
const HEADER: usize = MAGIC.len() + size_of::<u64>();

/// Bytes that the files of a home directory occupy at most: a hundred tables of half a million rows and five classes.
const BOUND: u64 = 1 << 30;

/// What the names of files begin with while [`write_atomic`] writes them.
const TEMPORARY: &str = ".tmp-";

/// A temporary file that is older than this is of a process that died while it wrote.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// The kept outputs of a home directory.
#[derive(Debug, Clone)]
pub(super) struct PredictionCache {
    dir: PathBuf,
    bound: u64,
}

/// What a model gave for the rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) outputs: Outputs,
    /// See [`Predictor::is_raw`](super::Predictor::is_raw).
    pub(super) raw: bool,
    /// What was warned of while they were computed.
    pub(super) warnings: Vec<String>,
    /// What the table was called then, as warnings name it.
    pub(super) table: String,
}

/// The line of JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Shape {
    /// The fingerprint it was written under, so that a renamed file is not taken for another.
    key: String,
    kind: Kind,
    labels: Vec<String>,
    raw: bool,
    numbers: usize,
    warnings: Vec<String>,
    table: String,
}

/// Which [`Outputs`] the numbers are.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Logits,
    Probabilities,
    IndependentLogits,
    IndependentProbabilities,
    Scores,
}

/// The fingerprint of what the model in `dir` gives for `examples`, as they are before they are cleaned. Reads the
/// model's files.
///
/// # Errors
/// If one cannot be read, there is something that is no file, or the program's own file is gone; nothing can then be
/// kept.
pub(super) fn key(
    dir: &Path,
    examples: &Examples,
    options: &PredictOptions,
    arithmetic: Arithmetic,
) -> io::Result<String> {
    let program = program().ok_or_else(|| io::Error::other("the file of this program cannot be read"))?;
    // The columns show in the texts, and the length that the model names is in its files.
    let texts = text_fingerprint(&examples.texts, examples.pairs.as_deref());
    let length = options.max_length.map_or_else(String::new, |length| length.to_string());
    Ok(fingerprint(&[
        "predictions",
        VERSION,
        program,
        &files_fingerprint(dir)?,
        &texts,
        &length,
        if options.logits { "logits" } else { "predictions" },
        arithmetic.isa(),
        arithmetic.precision(),
    ]))
}

/// Hash of the file this process runs: another build may give other bits, whatever version it says it is.
fn program() -> Option<&'static str> {
    static PROGRAM: OnceLock<Option<String>> = OnceLock::new();
    let hashed = || -> io::Result<String> {
        let mut hash = Xxh3::new();
        feed(&mut hash, &std::env::current_exe()?)?;
        Ok(format!("{:032x}", hash.digest128()))
    };
    PROGRAM.get_or_init(|| hashed().ok()).as_deref()
}

/// Hash of every file in `dir` and below it, and of their names.
fn files_fingerprint(dir: &Path) -> io::Result<String> {
    let mut hash = Xxh3::new();
    for path in files(dir)? {
        let name = path.strip_prefix(dir).unwrap_or(&path).as_os_str().as_encoded_bytes();
        hash.update(&(name.len() as u64).to_le_bytes());
        hash.update(name);
        let length = feed(&mut hash, &path).map_err(|error| at(&path, error))?;
        hash.update(&length.to_le_bytes());
    }
    Ok(format!("{:032x}", hash.digest128()))
}

/// Hashes the file `path`; how many bytes it has.
fn feed(hash: &mut Xxh3, path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    let mut length = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(length);
        }
        hash.update(&buffer[..read]);
        length += read as u64;
    }
}

impl PredictionCache {
    /// Those under the home directory `home`.
    pub(super) fn new(home: &Path) -> Self {
        Self { dir: home.join("cache").join("predictions"), bound: BOUND }
    }

    /// What is kept under `key` for `rows` rows; nothing where there is no file, or none to be trusted.
    pub(super) fn read(&self, key: &str, rows: usize) -> Option<Kept> {
        let path = self.dir.join(key);
        let bytes = fs::read(&path).ok()?;
        let kept = decode(&bytes, key).filter(|kept| kept.outputs.rows() == rows)?;
        // Used now, so that others go before it. If that cannot be noted, it goes earlier, which harms nothing.
        let _ = File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(kept)
    }

    /// Keeps `kept` under `key`, and lets go what was used longest ago where there is too much; what alone is beyond
    /// the bound is not kept, as all else would go for it.
    ///
    /// # Errors
    /// Those of the operating system, a full disk say; the work can go on.
    pub(super) fn write(&self, key: &str, kept: &Kept) -> io::Result<()> {
        let bytes = encode(kept, key)?;
        if bytes.len() as u64 > self.bound {
            return Ok(());
        }
        fs::create_dir_all(&self.dir)?;
        write_atomic(&self.dir.join(key), |out| out.write_all(&bytes))?;
        self.shrink(key)
    }

    /// Removes the files used longest ago until the others are within the bound; that of `newest` stays. What processes
    /// that died left goes, too.
    fn shrink(&self, newest: &str) -> io::Result<()> {
        let (mut files, mut total) = (Vec::new(), 0);
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            // Gone meanwhile: another process makes room, too.
            let Ok(metadata) = entry.metadata() else { continue };
            if name.starts_with(TEMPORARY) && metadata.modified()?.elapsed().is_ok_and(|age| age > STALE) {
                // Where it cannot go now, it is tried again the next time.
                let _ = fs::remove_file(entry.path());
            }
            if !is_key(name) {
                continue;
            }
            total += metadata.len();
            if name != newest {
                files.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        files.sort_unstable();
        for (_, bytes, path) in files {
            if total <= self.bound {
                break;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => total -= bytes,
            }
        }
        Ok(())
    }
}

/// Whether a file is called as those written here.
fn is_key(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn encode(kept: &Kept, key: &str) -> io::Result<Vec<u8>> {
    let kind = match kept.outputs {
        Outputs::Logits { .. } => Kind::Logits,
        Outputs::Probabilities { .. } => Kind::Probabilities,
        Outputs::IndependentLogits { .. } => Kind::IndependentLogits,
        Outputs::IndependentProbabilities { .. } => Kind::IndependentProbabilities,
        Outputs::Scores(_) => Kind::Scores,
    };
    let values = kept.outputs.values();
    let labels = kept.outputs.labels().to_vec();
    let shape = Shape {
        key: key.to_owned(),
        kind,
        labels,
        raw: kept.raw,
        numbers: values.len(),
        warnings: kept.warnings.clone(),
        table: kept.table.clone(),
    };
    let mut bytes = vec![0; HEADER];
    serde_json::to_writer(&mut bytes, &shape)?;
    bytes.push(b'\n');
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let checksum = xxh3_64(&bytes[HEADER..]);
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[MAGIC.len()..HEADER].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// What `encode` made the bytes of under this key; `None` if it did not.
fn decode(bytes: &[u8], key: &str) -> Option<Kept> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (checksum, body) = rest.split_first_chunk::<8>()?;
    if magic != MAGIC || u64::from_le_bytes(*checksum) != xxh3_64(body) {
        return None;
    }
    let line = body.iter().position(|&byte| byte == b'\n')?;
    let Shape { key: own, kind, labels, raw, numbers, warnings, table } = serde_json::from_slice(&body[..line]).ok()?;
    let (values, rest) = body[line + 1..].as_chunks::<4>();
    let whole = rest.is_empty() && values.len() == numbers && numbers.is_multiple_of(labels.len().max(1));
    if own != key || !whole || labels.is_empty() != matches!(kind, Kind::Scores) {
        return None;
    }
    let values = values.iter().map(|&value| f32::from_le_bytes(value)).collect();
    let outputs = match kind {
        Kind::Logits => Outputs::Logits { labels, values },
        Kind::Probabilities => Outputs::Probabilities { labels, values },
        Kind::IndependentLogits => Outputs::IndependentLogits { labels, values },
        Kind::IndependentProbabilities => Outputs::IndependentProbabilities { labels, values },
        Kind::Scores => Outputs::Scores(values),
    };
    Some(Kept { outputs, raw, warnings, table })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "0123456789abcdef0123456789abcde0";

    fn cache(home: &Path) -> PredictionCache {
        PredictionCache::new(home)
    }

    fn logits(rows: usize) -> Kept {
        let values = (0..rows * 2).map(|at| (at as f32).sqrt() - 1.5).collect();
        let outputs = Outputs::Logits { labels: vec!["부정".to_owned(), "a\nb".to_owned()], values };
        Kept {
            outputs,
            raw: true,
            warnings: vec!["t.csv: 1 of 3 texts\nwas cut".to_owned()],
            table: "t.csv".to_owned(),
        }
    }

    #[test]
    fn what_is_kept_comes_back_to_the_bit() {
        let home = tempfile::tempdir().unwrap();
        let cache = cache(home.path());
        assert_eq!(cache.read(KEY, 3), None);
        let scores = Outputs::Scores(vec![0.1, -0.0, f32::MIN_POSITIVE / 2.0]);
        for kept in [
            logits(3),
            Kept { outputs: logits(3).outputs.independent(), raw: false, ..logits(3) },
            Kept { outputs: scores, raw: false, warnings: Vec::new(), ..logits(3) },
        ] {
            cache.write(KEY, &kept).unwrap();
            let back = cache.read(KEY, 3).unwrap();
            let bits = |kept: &Kept| kept.outputs.values().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!((bits(&back), &back), (bits(&kept), &kept));
        }
    }

    #[test]
    fn damaged_renamed_and_foreign_files_are_not_trusted_and_are_replaced() {
        let home = tempfile::tempdir().unwrap();
        let cache = cache(home.path());
        cache.write(KEY, &logits(3)).unwrap();
        let path = cache.dir.join(KEY);
        let good = fs::read(&path).unwrap();
        let mut damaged =
            vec![vec![], good[..12].to_vec(), good[..good.len() - 1].to_vec(), [&good[..], &[0]].concat()];
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            damaged.push(bytes);
        }
        for bytes in damaged {
            fs::write(&path, bytes).unwrap();
            assert_eq!(cache.read(KEY, 3), None);
        }
        cache.write(KEY, &logits(3)).unwrap();
        assert_eq!(cache.read(KEY, 3), Some(logits(3)));
        assert_eq!(cache.read(KEY, 4), None, "of another table");
        fs::rename(&path, cache.dir.join(OTHER)).unwrap();
        assert_eq!(cache.read(OTHER, 3), None);
    }

    #[test]
    fn those_used_longest_ago_go_first_and_files_of_others_stay() {
        let home = tempfile::tempdir().unwrap();
        let mut cache = cache(home.path());
        let key = |number: usize| format!("{number:032x}");
        for number in 0..4 {
            cache.write(&key(number), &logits(100)).unwrap();
            let file = File::options().append(true).open(cache.dir.join(key(number))).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(100 - number as u64)).unwrap();
        }
        let foreign = cache.dir.join("notes.txt");
        fs::write(&foreign, vec![0; 10_000]).unwrap();
        assert!(cache.read(&key(0), 100).is_some(), "used now");
        let one = fs::metadata(cache.dir.join(key(1))).unwrap().len();
        cache.bound = 3 * one + one / 2;
        cache.write(&key(4), &logits(100)).unwrap();
        let there: Vec<usize> = (0..5).filter(|&number| cache.dir.join(key(number)).exists()).collect();
        assert_eq!(there, [0, 3, 4]);
        cache.write(&key(5), &logits(1000)).unwrap();
        assert!(cache.read(&key(5), 1000).is_none() && cache.read(&key(4), 100).is_some(), "too large to be kept");
        cache.bound = one;
        cache.write(&key(6), &logits(100)).unwrap();
        assert!(cache.read(&key(6), 100).is_some(), "the newest stays");
        assert!(!cache.dir.join(key(0)).exists() && foreign.exists());
    }

    #[test]
    fn temporary_files_of_processes_that_died_go() {
        let home = tempfile::tempdir().unwrap();
        let cache = cache(home.path());
        cache.write(KEY, &logits(3)).unwrap();
        let [old, new] = [".tmp-old", ".tmp-new"].map(|name| cache.dir.join(name));
        for path in [&old, &new] {
            fs::write(path, "half").unwrap();
        }
        let file = File::options().append(true).open(&old).unwrap();
        file.set_modified(SystemTime::now() - STALE - Duration::from_secs(60)).unwrap();
        cache.write(OTHER, &logits(3)).unwrap();
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn every_file_of_a_model_counts_wherever_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("members")).unwrap();
        fs::write(path("config.json"), "{}").unwrap();
        fs::write(path("members/model.safetensors"), "weights").unwrap();
        let mut seen = vec![files_fingerprint(dir.path()).unwrap()];
        assert_eq!(seen[0], files_fingerprint(dir.path()).unwrap());
        let mut changed = |what: &str| {
            let now = files_fingerprint(dir.path()).unwrap();
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        fs::write(path("members/model.safetensors"), "weighty").unwrap();
        changed("a byte");
        fs::rename(path("members/model.safetensors"), path("model.safetensors")).unwrap();
        changed("a place");
        fs::write(path("gyeol.json"), "").unwrap();
        changed("an empty file");
        fs::rename(path("gyeol.json"), path("gyeol.jsom")).unwrap();
        changed("a name");
    }
}
