//! Runs of gyeol and of its peers in turns, each kept, and the ratios of their medians.
//!
//! A peer is a program that prints one JSON line with `real_tokens_per_s`, `samples_per_s` and `peak_rss_mib`. One script run
//! with different arguments counts as different peers.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;

use super::document::{self, Document, number};
use super::record::Record;
use super::statistics::median;
use crate::process;

/// Batches whose rows Trainer sorts by length at a time, the longest first.
const GROUP: u64 = 50;

/// How often, and against whom.
#[derive(Args, Clone)]
pub(crate) struct Turns {
    /// Runs of each side
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Python of the peers
    #[arg(long, value_name = "PYTHON", requires = "peer_script")]
    peer: Option<PathBuf>,
    /// Script of the peers
    #[arg(long, value_name = "SCRIPT", requires = "peer")]
    peer_script: Option<PathBuf>,
    /// Arguments of a peer besides those both sides share, split at spaces; once for each peer
    #[arg(long, value_name = "ARGUMENTS", allow_hyphen_values = true, requires = "peer")]
    peer_args: Vec<String>,
}

/// The figures of one run that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// Real tokens a second: padding does not count.
    pub(super) tokens: f64,
    /// Rows a second.
    pub(super) samples: f64,
    /// Peak resident memory in MiB.
    pub(super) memory: f64,
}

impl Figures {
    /// Those of a document in the words of the peers.
    pub(super) fn of(document: &Document) -> Result<Self> {
        Ok(Self {
            tokens: number(document, "real_tokens_per_s")?,
            samples: number(document, "samples_per_s")?,
            memory: number(document, "peak_rss_mib")?,
        })
    }
}

/// One side, and its figures so far.
struct Side {
    name: String,
    /// Arguments of the peer; `None` is gyeol.
    peer: Option<String>,
    figures: Vec<Figures>,
}

impl Turns {
    /// Refuses to count `steps` after `warmup` first ones where a peer groups by length and they are no whole groups: some
    /// would be without their longest rows, which are the most work.
    pub(super) fn check_groups(&self, default_peer: &str, steps: u64, warmup: u64) -> Result<()> {
        let groups = |side: &Side| side.peer.as_ref().is_some_and(|arguments| arguments.contains("--group-by-length"));
        let counted = steps.saturating_sub(warmup);
        ensure!(
            (counted > 0 && counted.is_multiple_of(GROUP)) || !self.sides(default_peer).iter().any(groups),
            "--steps {steps}: with --group-by-length the longest rows of every {GROUP} batches come first, so that whole groups \
             are to be counted: {} after --warmup {warmup}, as --steps {}",
            counted.next_multiple_of(GROUP).max(GROUP),
            warmup + counted.next_multiple_of(GROUP).max(GROUP),
        );
        Ok(())
    }

    /// Runs `ours` and each peer, which is given `shared` and its own arguments, in turns. Prints each run, and at the end
    /// medians and ratios; every run goes to `record`.
    pub(super) fn take(
        &self,
        record: &Record,
        default_peer: &str,
        shared: &[String],
        ours: impl Fn() -> Result<(Document, Figures)>,
    ) -> Result<()> {
        let mut sides = self.sides(default_peer);
        for round in 0..self.rounds as usize {
            // Who goes first alternates, so that a machine that warms up or throttles favours nobody.
            let count = sides.len();
            for side in (0..count).map(|i| (i + round) % count) {
                let side = &mut sides[side];
                let (run, figures) = match &side.peer {
                    None => ours()?,
                    Some(arguments) => self.run_peer(shared, arguments)?,
                };
                let Figures { tokens, samples, memory } = figures;
                let name = &side.name;
                println!("round {} {tokens:9.1} tokens/s {samples:8.2} samples/s {memory:6.0} MiB  {name}", round + 1);
                let who = if side.peer.is_some() { "peer" } else { "gyeol" };
                let mut line =
                    Document::from_iter([("round".to_owned(), (round + 1).into()), ("who".to_owned(), who.into())]);
                line.extend(run);
                record.add(&line)?;
                side.figures.push(figures);
            }
        }
        summarise(&sides);
        println!("raw runs: {}", record.file().display());
        Ok(())
    }

    fn sides(&self, default_peer: &str) -> Vec<Side> {
        let default = [default_peer.to_owned()];
        let arguments: &[String] = match &self.peer {
            None => &[],
            Some(_) if self.peer_args.is_empty() => &default,
            Some(_) => &self.peer_args,
        };
        let side = |name: &str, peer| Side { name: name.to_owned(), peer, figures: Vec::new() };
        let peers = arguments.iter().map(|arguments| side(&format!("peer {arguments}"), Some(arguments.clone())));
        std::iter::once(side("gyeol", None)).chain(peers).collect()
    }

    fn run_peer(&self, shared: &[String], arguments: &str) -> Result<(Document, Figures)> {
        let program = |path: &Option<PathBuf>| path.clone().unwrap_or_default();
        let mut command = Command::new(program(&self.peer));
        command.arg(program(&self.peer_script)).args(shared).args(arguments.split_whitespace());
        let document = document::last(&process::capture(&mut command)?)?;
        let figures = Figures::of(&document)?;
        Ok((document, figures))
    }
}

/// The arguments that name model and table to a peer.
pub(super) fn model_and_data(model: &Path, data: &Path, text: &str) -> Vec<String> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    ["--model".to_owned(), path(model), "--data".to_owned(), path(data), "--text".to_owned(), text.to_owned()].into()
}

/// Prints the medians of each side, and what gyeol's are to those of each peer.
fn summarise(sides: &[Side]) {
    let middle = |side: &Side, of: fn(&Figures) -> f64| median(&side.figures.iter().map(of).collect::<Vec<_>>());
    let of: [fn(&Figures) -> f64; 3] = [|run| run.tokens, |run| run.samples, |run| run.memory];
    let medians: Vec<[f64; 3]> = sides.iter().map(|side| of.map(|of| middle(side, of).unwrap_or(f64::NAN))).collect();
    println!("medians:  tokens/s   samples/s  MiB peak");
    for (side, [tokens, samples, memory]) in sides.iter().zip(&medians) {
        println!("        {tokens:10.1}  {samples:10.2}  {memory:8.0}  {}", side.name);
    }
    for (side, theirs) in sides.iter().zip(&medians).skip(1) {
        let [tokens, samples, memory] = [0, 1, 2].map(|i| medians[0][i] / theirs[i]);
        println!("ratio   {tokens:10.2}  {samples:10.2}  {memory:8.2}  gyeol to {}", side.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(arguments: &[&str]) -> Turns {
        use clap::Parser;
        #[derive(Parser)]
        struct Command {
            #[command(flatten)]
            turns: Turns,
        }
        Command::parse_from([&["bench"], arguments].concat()).turns
    }

    fn names(turns: &Turns) -> Vec<String> {
        turns.sides("--sort").into_iter().map(|side| side.name).collect()
    }

    #[test]
    fn every_peer_args_is_a_peer_and_without_any_there_is_a_usual_one() {
        let peer = ["--peer", "python3", "--peer-script", "peer.py"];
        assert_eq!(names(&turns(&[])), ["gyeol"]);
        assert_eq!(names(&turns(&peer)), ["gyeol", "peer --sort"]);
        let two = [&peer[..], &["--peer-args", "--precision bf16", "--peer-args", "--precision fp32"]].concat();
        assert_eq!(names(&turns(&two)), ["gyeol", "peer --precision bf16", "peer --precision fp32"]);
    }

    #[test]
    fn a_peer_that_groups_by_length_is_counted_over_whole_groups() {
        let grouped = turns(&["--peer", "python3", "--peer-script", "peer.py"]);
        let check = |turns: &Turns, steps| turns.check_groups("--group-by-length", steps, 2);
        assert!([52, 102].iter().all(|&steps| check(&grouped, steps).is_ok()));
        for (steps, wanted) in [(50, "--steps 52"), (53, "--steps 102"), (2, "--steps 52"), (1, "--steps 52")] {
            let error = check(&grouped, steps).unwrap_err().to_string();
            assert!(error.ends_with(wanted), "{error}");
        }
        let other = turns(&["--peer", "python3", "--peer-script", "peer.py", "--peer-args", "--precision fp32"]);
        assert!(check(&other, 50).is_ok() && check(&turns(&[]), 50).is_ok());
    }

    #[test]
    fn figures_are_read_in_the_words_of_the_peers() {
        let document = document::last("{\"real_tokens_per_s\": 450.25, \"samples_per_s\": 25.0, \"peak_rss_mib\": 2}");
        let figures = Figures::of(&document.unwrap()).unwrap();
        assert_eq!(figures, Figures { tokens: 450.25, samples: 25.0, memory: 2.0 });
    }
}
