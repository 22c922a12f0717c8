//! `gyeol queue start`: becomes the daemon, or starts one.

use std::{
    fs,
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use gyeol_pipeline::available_memory;
use gyeol_store::queue::{Queue, schedule::Capacity};

use super::{
    add,
    daemon::{Daemon, Ending},
    files::{self, Files},
};
use crate::{
    args::Global,
    exit::{Interrupted, Mistake},
    output::{self, Output},
};

/// The words of `gyeol queue start`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Jobs at once, where they do not say what they need: each gets an equal part of the threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    workers: u32,

    /// Memory to give to jobs, as in 12GiB [default: what the system has left]
    #[arg(long, value_name = "SIZE", value_parser = add::size)]
    memory: Option<u64>,

    /// Run in the background, and return once it does
    #[arg(long)]
    detach: bool,

    /// End when no job is left that could run
    #[arg(long)]
    until_empty: bool,
}

const EXAMPLES: &str = "\
One daemon runs the jobs of a home. It starts them by priority, then in the order they were added;
a job that has no room is overtaken by at most four smaller ones, then the room is kept for it.
--threads is what all jobs together get.

Ctrl-C, or gyeol queue stop, stops what runs where it can go on; the next daemon goes on with it.
If the daemon is killed, its jobs run on, and the next one finds them.

Examples:
  gyeol queue start
  gyeol queue start --detach --workers 2 --memory 24GiB
  gyeol queue start --threads 6 --until-empty";

/// Does what `gyeol queue start` says.
pub(super) fn run(args: &Args, home: &Path, global: &Global, output: &Output) -> Result<()> {
    let files = Files::new(home);
    let mut lock = files::open(&files.daemon_lock())?;
    if !files::try_lock_for_long(&lock).context("cannot take the daemon's lock")? {
        let pid = fs::read_to_string(files.daemon_lock()).unwrap_or_default();
        let words = format!("a daemon runs already (process {}) for {}", pid.trim(), home.display());
        return Err(Mistake::new(words).hint("gyeol queue ls shows what it does, gyeol queue stop ends it").into());
    }
    if args.detach {
        drop(lock);
        return detach(args, &files, global, output);
    }
    lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).context("cannot write the daemon's lock")?;
    let threads = match global.threads {
        Some(threads) => threads.into(),
        None => thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
    };
    let memory = match args.memory {
        Some(memory) => Some(memory),
        None => available_memory()?,
    };
    let capacity = Capacity { threads, memory };
    let share = (threads / args.workers).max(1);
    let queue = Queue::open(home)?;
    output.note(&format!(
        "running the jobs of {} on {threads} threads and {} of memory; Ctrl-C stops",
        home.display(),
        memory.map_or_else(|| "an unknown amount".to_owned(), output::bytes)
    ));
    match Daemon::new(queue, files, (capacity, args.memory.is_none(), share), output)?.run(args.until_empty)? {
        Ending::Empty => {
            output.note("no job is left that could run");
            Ok(())
        }
        Ending::Stopped => Ok(()),
        Ending::Interrupted => {
            let hint = "the jobs that ran wait with their state saved: gyeol queue start goes on".to_owned();
            Err(Interrupted { hint: Some(hint) }.into())
        }
    }
}

/// Starts the same command without a terminal, and waits until it is the daemon.
fn detach(args: &Args, files: &Files, global: &Global, output: &Output) -> Result<()> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let path = files.daemon_log();
    let log = files::open(&path)?;
    let emptied = log.set_len(0).and_then(|()| log.try_clone());
    let errors = emptied.with_context(|| format!("cannot write {}", path.display()))?;
    let mut command = Command::new(program);
    command.args(["queue", "start", "--home"]).arg(files.home()).arg(format!("--workers={}", args.workers));
    command.args(global.threads.map(|threads| format!("--threads={threads}")));
    command.args(args.memory.map(|memory| format!("--memory={memory}B")));
    command.args(args.until_empty.then_some("--until-empty"));
    // A group of its own: Ctrl-C, and the end of the terminal, are not for it.
    command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
    let mut child = command.spawn().context("cannot start the daemon")?;
    let mut queue = Queue::open(files.home())?;
    loop {
        if queue.last_daemon()?.is_some_and(|daemon| daemon.pid == child.id()) {
            output.note(&format!("the daemon runs (process {}); gyeol queue stop ends it", child.id()));
            return Ok(());
        }
        if let Some(status) = child.try_wait().context("cannot look after the daemon")? {
            let said = fs::read_to_string(&path).unwrap_or_default();
            anyhow::bail!("the daemon ended at once ({status}): {}", said.trim().trim_start_matches("error: "));
        }
        thread::sleep(Duration::from_millis(10));
    }
}
