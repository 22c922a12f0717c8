//! The command line of a job: checked when it is added, completed when it is started.

use clap::{ArgMatches, Command, CommandFactory as _, parser::ValueSource};
use gyeol_store::queue::Job;

use crate::{args::Cli, exit::Mistake};

/// A command line that means something to gyeol.
#[derive(Debug)]
pub(super) struct Line {
    words: Vec<String>,
    /// The command's names, as in `runs ls`.
    pub(super) kind: String,
    matches: ArgMatches,
    /// The command itself, below those that only group.
    command: Command,
}

impl Line {
    /// Understands `words`, in front of which the program's name may stand.
    ///
    /// # Errors
    /// Words that gyeol does not take, and commands that make no sense as a job.
    pub(super) fn parse(words: &[String]) -> Result<Self, Mistake> {
        let words = match words {
            [first, rest @ ..] if first == "gyeol" && !rest.is_empty() => rest,
            all => all,
        };
        let mut command = Cli::command();
        let line = std::iter::once("gyeol").chain(words.iter().map(String::as_str));
        let matches = command.clone().try_get_matches_from(line).map_err(|error| {
            let text = error.to_string();
            let why = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let said = words.join(" ");
            Mistake::new(format!("\"{said}\" is no command of gyeol: {why}")).hint("gyeol --help")
        })?;
        let mut names = Vec::new();
        let mut below = &matches;
        while let Some((name, inner)) = below.subcommand() {
            command = command.find_subcommand(name).cloned().unwrap_or(command);
            names.push(name);
            below = inner;
        }
        if names.first() == Some(&"queue") {
            return Err(Mistake::new("a job cannot be a command of the queue; add the command itself"));
        }
        Ok(Self { words: words.to_vec(), kind: names.join(" "), matches: below.clone(), command })
    }

    /// The words after the program's name.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// The threads it asks for itself.
    pub(super) fn threads(&self) -> Option<u32> {
        self.gives("threads").then(|| self.matches.get_one::<u16>("threads").copied().map(u32::from))?
    }

    /// Whether the command has this option.
    fn takes(&self, option: &str) -> bool {
        self.command.get_arguments().any(|known| known.get_long() == Some(option))
    }

    /// Whether the words give the argument with this id.
    fn gives(&self, id: &str) -> bool {
        let known = self.matches.ids().any(|known| known == id);
        known && self.matches.value_source(id) == Some(ValueSource::CommandLine)
    }

    /// The words to start an attempt of `job` with `threads`: from the second on it goes on with what the first left.
    pub(super) fn for_attempt(&self, job: &Job, threads: u32) -> Vec<String> {
        let mut more = Vec::new();
        if !self.gives("threads") {
            more.extend(["--threads".to_owned(), threads.to_string()]);
        }
        if let Some(first) = job.attempt.first_started
            && self.takes("resume")
        {
            let resumes = self.gives("resume");
            if !resumes {
                more.push("--resume".to_owned());
            }
            // Seeds that were finished before the job, and that --resume is to leave out, are not begun again.
            if self.takes("unless-finished-since") && !(resumes && self.gives("seeds")) {
                more.extend(["--unless-finished-since".to_owned(), first.to_string()]);
            }
        }
        let end = self.words.iter().position(|word| word == "--").unwrap_or(self.words.len());
        let (mut before, after) = (self.words[..end].to_vec(), &self.words[end..]);
        // The sweep that the first attempt began is there: the same command goes on with it.
        if job.attempt.first_started.is_some() && self.takes("new") {
            before.retain(|word| word != "--new");
        }
        [&before, &*more, after].concat()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gyeol_store::queue::{Attempt, JobId, Spec, State};

    use super::*;

    fn parse(line: &str) -> Result<Line, Mistake> {
        Line::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    fn attempt(line: &str, first_started: Option<f64>) -> String {
        let job = Job {
            id: JobId(1),
            spec: Spec {
                name: None,
                kind: String::new(),
                words: Vec::new(),
                directory: ".".into(),
                environment: BTreeMap::new(),
                priority: 0,
                after: Vec::new(),
                threads: None,
                memory: None,
                retries: 0,
                deadline: None,
            },
            added: 0.0,
            state: State::Waiting,
            since: 0.0,
            wish: None,
            not_before: None,
            failures: 0,
            alone: false,
            overtaken: 0,
            note: None,
            run: None,
            attempt: Attempt { first_started, ..Attempt::default() },
        };
        parse(line).unwrap().for_attempt(&job, 2).join(" ")
    }

    #[test]
    fn commands_are_known_by_their_names() {
        assert_eq!(parse("runs ls --json").unwrap().kind, "runs ls");
        assert_eq!(parse("gyeol train recipe.toml").unwrap().words(), ["train", "recipe.toml"]);
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in ["trian recipe.toml", "train", "train recipe.toml --sed 3", "queue start", "--help", "train --help"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_first_attempt_gets_threads_unless_it_says_how_many() {
        assert_eq!(attempt("train r.toml", None), "train r.toml --threads 2");
        assert_eq!(attempt("train r.toml --threads 5", None), "train r.toml --threads 5");
        assert_eq!(parse("--threads 5 train r.toml").unwrap().threads(), Some(5));
        assert_eq!(attempt("evaluate p.csv -- t.csv", None), "evaluate p.csv --threads 2 -- t.csv");
    }

    #[test]
    fn a_further_attempt_goes_on_with_the_sweep_that_the_first_began() {
        let line = "sweep run s.yaml r.toml --new --count 3";
        assert_eq!(attempt(line, None), format!("{line} --threads 2"));
        assert_eq!(attempt(line, Some(12.5)), "sweep run s.yaml r.toml --count 3 --threads 2");
    }

    #[test]
    fn a_further_attempt_resumes_where_the_command_can() {
        let train = attempt("train r.toml", Some(12.5));
        assert_eq!(train, "train r.toml --threads 2 --resume --unless-finished-since 12.5");
        assert_eq!(attempt("adapt r.toml", Some(12.5)), "adapt r.toml --threads 2 --resume");
        assert_eq!(attempt("runs ls", Some(12.5)), "runs ls --threads 2");
        let seeds = attempt("train r.toml --resume --seeds 1,2", Some(12.5));
        assert_eq!(seeds, "train r.toml --resume --seeds 1,2 --threads 2");
    }
}
