//! Appending to a journal: a JSON object a line, each handed to the operating system before the next.
//!
//! A process may die in the middle of a line. Whoever appends next first ends that line, so that what follows is whole;
//! readers pass over a line that they cannot read.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

/// The end of a journal.
#[derive(Debug)]
pub(crate) struct Appender {
    path: PathBuf,
    file: File,
    /// The file ends inside a line, after a crash or a failed write.
    torn: bool,
}

impl Appender {
    /// Opens the journal at `path`, or starts it.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let mut file = File::options().create(true).append(true).read(true).open(&path)?;
        let torn = ends_inside_a_line(&mut file)?;
        Ok(Self { path, file, torn })
    }

    /// The journal.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line, and where `sync` is set waits for the disk.
    pub(crate) fn append(&mut self, line: &impl Serialize, sync: bool) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(160);
        if self.torn {
            bytes.push(b'\n');
        }
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
        self.torn = true;
        self.file.write_all(&bytes)?;
        self.torn = false;
        if sync { self.file.sync_data() } else { Ok(()) }
    }
}

/// Seconds since 1970 (UTC). Milliseconds are enough for people, and keep lines short.
pub(crate) fn now() -> f64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64());
    (time * 1e3).round() / 1e3
}

fn ends_inside_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last[0] != b'\n')
}
