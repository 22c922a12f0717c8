//! `gyeol queue logs JOB`: what a job printed, on both streams.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use gyeol_store::queue::{Queue, State};

use super::files::Files;
use crate::output::Output;

/// The words of `gyeol queue logs`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The job, by number or name
    job: String,

    /// Go on printing until the job is over
    #[arg(short, long)]
    follow: bool,
}

const EXAMPLES: &str = "\
Examples:
  gyeol queue logs 3
  gyeol queue logs kcbert -f";

/// How often the end of the log is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Does what `gyeol queue logs` says.
pub(super) fn run(args: &Args, home: &Path, output: &Output) -> Result<()> {
    let mut queue = Queue::open(home)?;
    let job = queue.find(&args.job)?;
    let path = Files::new(home).log(job.id);
    let mut printed = 0;
    loop {
        // Asked before the log is read, so that what a job printed last is not missed.
        let state = queue.job(job.id)?.state;
        let ends = !args.follow || state.is_over() || state == State::Paused;
        let read = tail(&path, printed).with_context(|| format!("cannot read {}", path.display()))?;
        // Lines are printed whole.
        let end = if ends { read.len() } else { read.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1) };
        if end > 0 {
            output.text(&String::from_utf8_lossy(&read[..end]))?;
            printed += end as u64;
        }
        if ends {
            if printed == 0 {
                output.note(&format!("job {} has printed nothing: it is {state}", job.id));
            }
            return Ok(());
        }
        thread::sleep(POLL);
    }
}

/// What the file holds from a byte on; nothing if it is not there.
fn tail(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => {
            file.seek(SeekFrom::Start(from))?;
            file.read_to_end(&mut bytes)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(bytes)
}
