//! Kills a sweep at random, again and again, and compares what comes of it with an unbroken one.
//!
//! ```console
//! $ cargo build --release
//! $ cargo run --release --example kill_sweep -- --gyeol target/release/gyeol --kills 20 sweep.yaml recipe.toml -- --count 12
//! ```
//!
//! Each time, after a random while, the process of the sweep, or that of the trial at work, gets SIGKILL; then the same command is
//! given again. Prints how often which was killed, and whether the trials, their scores and their order are those of the
//! unbroken sweep; ends with 1 if not, or if a trial finished twice.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> anyhow::Result<()> {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use std::{
        fs,
        path::{Path, PathBuf},
        process::{Child, Command, Stdio},
        thread,
        time::{Duration, Instant, SystemTime, UNIX_EPOCH},
    };

    use anyhow::{Context as _, Result, bail};
    use clap::Parser;
    use rustix::process::{Pid, Signal, kill_process};
    use serde_json::Value;

    /// Kills a sweep at random and compares it with an unbroken one.
    #[derive(Debug, Parser)]
    struct Args {
        /// The binary
        #[arg(long, default_value = "gyeol")]
        gyeol: PathBuf,
        /// How many times to kill
        #[arg(long, default_value_t = 20)]
        kills: u32,
        /// Keys the random moments [default: the time of day, which is printed]
        #[arg(long)]
        seed: Option<u64>,
        /// The sweep file
        sweep: PathBuf,
        /// The recipe
        recipe: PathBuf,
        /// Further words of `gyeol sweep run`
        #[arg(last = true)]
        words: Vec<String>,
    }

    /// Random numbers from 0 to 1 (a splitmix64, which needs no crate).
    struct Chance(u64);

    impl Chance {
        fn draw(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    pub(super) fn main() -> Result<()> {
        let args = Args::parse();
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64);
        let seed = args.seed.unwrap_or(clock);
        let home = tempfile::tempdir().context("cannot make a home")?;
        let (whole, broken) = (home.path().join("whole"), home.path().join("broken"));
        let began = Instant::now();
        let expected = outcome(&args, &whole)?;
        let seconds = began.elapsed().as_secs_f64();
        println!("unbroken: {} trials in {seconds:.1} s; seed {seed}", expected.len());
        let mut chance = Chance(seed);
        let (mut sweeps, mut trials, mut ended) = (0, 0, 0);
        for _ in 0..args.kills {
            let mut child = command(&args, &broken).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            // So that about as many kills as there are spread over the whole sweep.
            thread::sleep(Duration::from_secs_f64(chance.draw() * 2.5 * seconds / f64::from(args.kills)));
            if child.try_wait()?.is_some() {
                ended += 1;
            } else if chance.draw() < 0.5 && kill_trial(&broken) {
                trials += 1;
                // It is started again by its sweep; that dies a little later.
                thread::sleep(Duration::from_secs_f64(chance.draw() * 2.0));
                kill(&mut child)?;
            } else {
                sweeps += 1;
                kill(&mut child)?;
            }
        }
        let found = outcome(&args, &broken)?;
        println!(
            "killed: {sweeps} times the sweep, {trials} times a trial and then the sweep; {ended} times it had ended"
        );
        let twice = finished_twice(&broken)?;
        println!("trials that finished twice: {twice}");
        if found != expected || twice > 0 {
            bail!("the trials differ:\n{expected:#?}\n{found:#?}");
        }
        println!("the trials, their scores and their order are those of the unbroken sweep");
        Ok(())
    }

    fn command(args: &Args, home: &Path) -> Command {
        let mut command = Command::new(&args.gyeol);
        command
            .args(["sweep", "run", "--json", "--home"])
            .arg(home)
            .arg(&args.sweep)
            .arg(&args.recipe)
            .args(&args.words);
        command.stdin(Stdio::null());
        command
    }

    /// Runs the sweep to its end; what of its trials must not depend on what was killed.
    fn outcome(args: &Args, home: &Path) -> Result<Vec<Value>> {
        let output = command(args, home).stderr(Stdio::inherit()).output()?;
        let document: Value = serde_json::from_slice(&output.stdout).context("the sweep printed no document")?;
        let trials = document[0]["trials"].as_array().context("the sweep has no trials")?;
        let keys = ["number", "assignment", "state", "score", "evaluations", "steps"];
        let told = |trial: &Value| keys.iter().map(|key| trial[*key].clone()).collect::<Value>();
        Ok(trials.iter().map(told).collect())
    }

    fn kill(child: &mut Child) -> Result<()> {
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Kills the process that writes the run of the latest trial, if one does.
    fn kill_trial(home: &Path) -> bool {
        let Ok(runs) = fs::read_dir(home.join("runs")) else { return false };
        let locks = runs.filter_map(|run| Some(run.ok()?.path().join("run.lock")));
        let held = locks.filter(|lock| fs::File::open(lock).is_ok_and(|file| file.try_lock_shared().is_err()));
        let pids = held.filter_map(|lock| fs::read_to_string(lock).ok()?.trim().parse().ok());
        let killed = pids.filter_map(Pid::from_raw).map(|pid| kill_process(pid, Signal::KILL).is_ok());
        killed.fold(false, |any, this| any | this)
    }

    fn finished_twice(home: &Path) -> Result<usize> {
        let mut twice = 0;
        for sweep in fs::read_dir(home.join("sweeps"))? {
            let text = fs::read_to_string(sweep?.path().join("journal.jsonl"))?;
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut numbers: Vec<u64> =
                lines.filter(|line| line["event"] == "finished").filter_map(|line| line["trial"].as_u64()).collect();
            let all = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            twice += all - numbers.len();
        }
        Ok(twice)
    }
}
