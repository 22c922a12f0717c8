//! Many processes write one store at once: `cargo run --release -p gyeol-store --example hammer -- [PROCESSES] [EVENTS]`.
//!
//! Each appends its events (10,000 of 4 processes, unless told otherwise), a transaction an event, in turns to a run of its
//! own and to one that all share. Then they are counted: none may be lost, and no process may have met a lock.

#![allow(clippy::print_stdout, reason = "what it measured is what it is for")]

use std::{
    env,
    error::Error,
    path::Path,
    process::{Child, Command},
    time::Instant,
};

use gyeol_store::{EventRow, RunRecord, RunRow, RunStatus, Store};

/// The run that all processes write.
const SHARED: &str = "shared";

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (processes, events) = match *words {
        ["write", home, own, events] => return write(Path::new(home), own, events.parse()?),
        [] => (4, 10_000),
        [processes, events] => (processes.parse()?, events.parse()?),
        _ => return Err("usage: hammer [PROCESSES EVENTS]".into()),
    };
    hammer(processes, events)
}

fn hammer(processes: usize, events: usize) -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let program = env::current_exe()?;
    let began = Instant::now();
    let start = |number| {
        let own = format!("own-{number}");
        Command::new(&program).arg("write").arg(home.path()).args([&own, &events.to_string()]).spawn()
    };
    let children = (0..processes).map(start).collect::<Result<Vec<Child>, _>>()?;
    for mut child in children {
        let status = child.wait()?;
        if !status.success() {
            return Err(format!("a writer failed: {status}").into());
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let store = Store::open(home.path())?;
    store.check()?;
    let mut found = store.events(SHARED)?.len();
    for number in 0..processes {
        let own = store.events(&format!("own-{number}"))?;
        if own.iter().map(|event| event.step).ne((0..events as u64).step_by(2).map(Some)) {
            return Err(format!("the events of own-{number} are not those written, in their order").into());
        }
        found += own.len();
    }
    let expected = processes * events;
    println!(
        "{processes} processes, {events} events each: {found} of {expected} found, {seconds:.1} s, {:.0} events/s",
        found as f64 / seconds
    );
    if found == expected { Ok(()) } else { Err("events are lost".into()) }
}

/// What each process does.
fn write(home: &Path, own: &str, events: usize) -> Result<(), Box<dyn Error>> {
    let mut store = Store::open(home)?;
    for run in [own, SHARED] {
        store.extend_run(&RunRecord {
            row: RunRow::new(run, RunStatus::Running),
            events: Vec::new(),
            metrics: Vec::new(),
            scores: Vec::new(),
            artifacts: Vec::new(),
        })?;
    }
    for number in 0..events {
        let event = EventRow {
            time: number as f64,
            kind: "warning".to_owned(),
            step: Some(number as u64),
            body: format!("{{\"time\":{number}.0,\"event\":\"warning\",\"message\":\"event {number} of {own}\"}}"),
        };
        store.append_events(if number % 2 == 0 { own } else { SHARED }, &[event])?;
    }
    Ok(())
}
