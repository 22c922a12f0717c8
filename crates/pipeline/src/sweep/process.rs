//! The process of a trial: started, listened to, answered.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Instant;

use super::protocol::{Answer, Message};
use crate::Error;

/// How the program is started for a trial.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The program: this one.
    pub program: PathBuf,
    /// The home directory.
    pub home: PathBuf,
    /// Threads of each process.
    pub threads: usize,
    /// How many processes at once.
    pub workers: usize,
    /// Bytes of memory of each, where several would else all count on the whole of it.
    pub memory: Option<u64>,
    /// Variables of the environment that are this process's own.
    pub private: &'static [&'static str],
}

/// What one process is to train.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    /// The name of the run.
    pub(super) run: String,
    /// The sweep, and which of its trials.
    pub(super) trial: (String, u32),
    /// The recipe.
    pub(super) recipe: PathBuf,
    /// What is laid over it.
    pub(super) sets: Vec<String>,
    /// Where the process says what it has to say to people.
    pub(super) log: PathBuf,
}

/// What comes from a process, which is told by the `usize` it was started with.
#[derive(Debug)]
pub(super) enum Said {
    /// A line.
    Line(usize, Message),
    /// It has closed its output, and ends.
    Closed(usize),
}

/// A process at work. Dropping it ends its input, so that it stops where it can go on.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    answers: Option<ChildStdin>,
    log: PathBuf,
    /// The end of the log when the process began.
    log_begins: u64,
    started: Instant,
    /// When the first step came next, and when the last evaluation was answered.
    trains_from: Option<Instant>,
    last_evaluation: Option<Instant>,
}

impl Launcher {
    /// Starts a process whose lines go to `said` under the number `id`.
    pub(super) fn launch(&self, order: &Order, id: usize, said: Sender<Said>) -> Result<Process, Error> {
        let Order { run, trial: (sweep, trial), recipe, sets, log } = order;
        let failed = |path: &Path, action| {
            let path = path.to_owned();
            move |source| Error::Io { path, action, source }
        };
        let mut errors = File::options().create(true).append(true).open(log).map_err(failed(log, "open"))?;
        let log_begins = errors.seek(SeekFrom::End(0)).map_err(failed(log, "open"))?;
        let mut command = Command::new(&self.program);
        command.arg("train").arg(recipe).args(["--controlled", "--quiet", "--run", run]);
        command.args(["--sweep", sweep, "--trial", &trial.to_string()]);
        command.arg("--home").arg(&self.home).args(["--threads", &self.threads.to_string()]);
        for set in sets {
            command.args(["--set", set]);
        }
        if let Some(bytes) = self.memory {
            command.env(crate::memory::VARIABLE, format!("{bytes}B"));
        }
        for variable in self.private {
            command.env_remove(variable);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().map_err(failed(&self.program, "start"))?;
        let (answers, output) = (child.stdin.take(), child.stdout.take());
        let listen = move || {
            for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()) {
                // A line that is no message is somebody else's; one that cannot be read ends it.
                let Ok(line) = line else { break };
                if let Ok(message) = serde_json::from_str(&line)
                    && said.send(Said::Line(id, message)).is_err()
                {
                    break;
                }
            }
            let _ = said.send(Said::Closed(id));
        };
        let spawned = thread::Builder::new().name(format!("listens to {run}")).spawn(listen);
        spawned.map_err(failed(&self.program, "listen to"))?;
        Ok(Process {
            child,
            answers,
            log: log.clone(),
            log_begins,
            started: Instant::now(),
            trains_from: None,
            last_evaluation: None,
        })
    }
}

impl Process {
    /// Answers an evaluation. A process that cannot be answered is about to be known as ended.
    pub(super) fn answer(&mut self, answer: Answer) {
        self.last_evaluation = Some(Instant::now());
        if let Some(answers) = &mut self.answers {
            let _ = writeln!(answers, "{}", answer.word()).and_then(|()| answers.flush());
        }
    }

    /// Notes that the first step comes next.
    pub(super) fn trains(&mut self) {
        self.trains_from.get_or_insert_with(Instant::now);
    }

    /// Asks it to stop after the step it is at.
    pub(super) fn stop(&mut self) {
        self.answers = None;
    }

    /// Waits for its end: how it ended, seconds it took, and seconds of these outside training.
    pub(super) fn wait(&mut self) -> io::Result<(ExitStatus, f64, f64)> {
        self.answers = None;
        let status = self.child.wait()?;
        let seconds = self.started.elapsed().as_secs_f64();
        let before = self.trains_from.map_or(seconds, |from| from.duration_since(self.started).as_secs_f64());
        let after = self.last_evaluation.map_or(0.0, |last| last.elapsed().as_secs_f64());
        Ok((status, seconds, (before + after).min(seconds)))
    }

    /// The last thing it said to people, as the reason of its failure.
    pub(super) fn last_words(&self) -> String {
        // What cannot be read back is only missing from a message.
        let mut text = String::new();
        let read = File::open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.log_begins))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            text = String::from_utf8_lossy(&bytes).into_owned();
            Ok(())
        });
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let panic = || {
            let mut from = lines.clone().skip_while(|line| !line.starts_with("thread '"));
            from.next().map(|place| from.next().unwrap_or(place))
        };
        let error = lines.clone().rfind(|line| line.starts_with("error:")).or_else(panic);
        let error = error.or_else(|| lines.next_back());
        match (read, error) {
            (Ok(()), Some(line)) => line.trim_start_matches("error:").trim().to_owned(),
            _ => format!("it said nothing; see {}", self.log.display()),
        }
    }
}
