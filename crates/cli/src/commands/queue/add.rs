//! `gyeol queue add -- COMMAND`: a job, on disk when the command returns.

use std::{collections::BTreeMap, env, path::Path};

use anyhow::{Context as _, Result};
use bytesize::ByteSize;
use gyeol_store::queue::{Job, Queue, Spec, State};

use super::{files::Files, words::Line};
use crate::{args::Global, clock, exit::Mistake, job, output::Output};

/// The words of `gyeol queue add`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A name to call it by
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,

    /// A larger number goes first
    #[arg(long, value_name = "P", default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,

    /// The jobs that must be done before, by number or name
    #[arg(long, value_name = "JOB", num_args = 1.., value_delimiter = ',')]
    after: Vec<String>,

    /// Memory it takes at most, as in 4GiB [default: none counted]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,

    /// How often it is tried again after a failure
    #[arg(long, value_name = "N", default_value_t = 1)]
    retries: u32,

    /// Dropped if it has not begun by then, stopped if it still runs
    #[arg(long, value_name = "TIME", value_parser = clock::parse)]
    deadline: Option<f64>,

    /// The command, as it would follow `gyeol`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

const EXAMPLES: &str = "\
The job runs in this directory, with the variables GYEOL_… as they are now. --threads says how
many it needs; without, it gets what the daemon gives to each. An attempt that fails is followed
by another after a pause, but not one that ends with exit code 2, a mistake in the command, the
recipe or the data. Further attempts of commands that can resume do.

Examples:
  gyeol queue add -- train recipe.toml
  gyeol queue add --name kcbert --threads 4 --memory 6GiB -- train kcbert.toml --resume
  gyeol queue add --after kcbert --priority 5 -- predict kcbert-001 test.csv -o out.csv
  gyeol queue add --deadline 2026-11-23T09:00 --retries 3 -- train recipe.toml --seeds 1,2,3";

/// Does what `gyeol queue add` says.
pub(super) fn run(args: &Args, home: &Path, global: &Global, output: &Output) -> Result<()> {
    let line = Line::parse(&args.command)?;
    let mut queue = Queue::open(home)?;
    let mut after = Vec::new();
    for reference in &args.after {
        after.push(queue.find(reference)?);
    }
    let directory = env::current_dir().context("cannot find the working directory")?;
    if directory.to_str().is_none() {
        let words = format!("{}: the queue keeps directories as text, and this name is none", directory.display());
        return Err(Mistake::new(words).hint("rename it").into());
    }
    let now = clock::now();
    if args.deadline.is_some_and(|deadline| deadline <= now) {
        return Err(Mistake::new("--deadline: this time has passed").into());
    }
    let spec = Spec {
        name: args.name.clone(),
        kind: line.kind.clone(),
        words: line.words().to_vec(),
        directory,
        environment: environment(home)?,
        priority: args.priority,
        after: after.iter().map(|job| job.id).collect(),
        // What the job says itself is what it takes.
        threads: line.threads().or(global.threads.map(u32::from)),
        memory: args.memory,
        retries: args.retries,
        deadline: args.deadline,
    };
    let id = queue.add(&spec, now)?;
    if output.is_json() {
        output.json(&queue.job(id)?)?;
    } else {
        output.text(&format!("job {id} added"))?;
    }
    if let Some(problem) = after.iter().find_map(hold) {
        output.note(&format!("it is held: {problem}"));
    }
    if !Files::new(home).daemon_runs()? {
        output.note("nothing runs the queue yet: gyeol queue start");
    }
    Ok(())
}

/// The variables that steer gyeol, and the home of this queue as the job's. A value that is no text is refused.
fn environment(home: &Path) -> Result<BTreeMap<String, String>> {
    let mut environment = BTreeMap::new();
    for (name, value) in env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("GYEOL_")) else { continue };
        if [job::JOB, job::QUEUE].contains(&name) {
            continue;
        }
        let value = value.to_str().ok_or_else(|| Mistake::new(format!("{name}: its value is no text")))?;
        environment.insert(name.to_owned(), value.to_owned());
    }
    let home = home.to_str().ok_or_else(|| Mistake::new(format!("{}: the queue's home is no text", home.display())))?;
    environment.insert("GYEOL_HOME".to_owned(), home.to_owned());
    Ok(environment)
}

fn hold(job: &Job) -> Option<String> {
    let over = job.state.is_over() && job.state != State::Done;
    over.then(|| format!("job {} is {}; gyeol queue retry {} frees it", job.id, job.state, job.id))
}

/// A name that cannot be taken for a number.
fn name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("give it at least one character".to_owned()),
        name if name.parse::<i64>().is_ok() => Err("a number means the job with that number".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// An amount of memory, in bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let size: Result<ByteSize, _> = text.parse();
    size.map(|size| size.as_u64()).map_err(|_| "not an amount of memory; write one such as 4GiB or 800MB".to_owned())
}
