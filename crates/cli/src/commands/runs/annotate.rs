//! `gyeol runs note` and `gyeol runs tag`: what people write about runs. It is kept in the run's directory.

use anyhow::Result;
use gyeol_pipeline::runs::{Notes, Run, Runs};
use gyeol_store::Store;

use crate::{exit::Mistake, index, output::Output};

/// The words of `gyeol runs note`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTE_EXAMPLES)]
pub(super) struct NoteArgs {
    /// The run's name, as `gyeol runs ls` lists it
    run: String,

    /// What to remember; in the place of an earlier note. Empty: no note
    #[arg(required_unless_present_any = ["public", "private"])]
    text: Option<String>,

    /// The score that a competition's leaderboard shows for it
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    public: Option<f64>,

    /// The score on the rows that the leaderboard hides until the end
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    private: Option<f64>,
}

const NOTE_EXAMPLES: &str = "\
Examples:
  gyeol runs note kcbert-003 'best single model before the cleaning'
  gyeol runs note kcbert-003 ''
  gyeol runs note best-001 --public 0.8278
  gyeol runs note best-001 'three models, soft' --public 0.8278 --private 0.8301";

/// The words of `gyeol runs tag`.
#[derive(Debug, clap::Args)]
#[command(after_help = TAG_EXAMPLES)]
pub(super) struct TagArgs {
    /// The run's name, as `gyeol runs ls` lists it
    run: String,

    /// Words to find it by
    #[arg(required = true, value_name = "TAG")]
    tags: Vec<String>,

    /// Take them away instead
    #[arg(long)]
    remove: bool,
}

const TAG_EXAMPLES: &str = "\
Examples:
  gyeol runs tag kcbert-003 baseline submitted
  gyeol runs tag kcbert-003 submitted --remove
  gyeol runs ls --tag baseline";

/// Writes a note.
pub(super) fn note(args: &NoteArgs, runs: &Runs, output: &Output) -> Result<()> {
    let run = runs.open(&args.run)?;
    let mut notes = run.notes()?;
    if let Some(text) = &args.text {
        let text = text.trim();
        notes.note = (!text.is_empty()).then(|| text.to_owned());
    }
    for (flag, score, kept) in
        [("--public", args.public, &mut notes.public), ("--private", args.private, &mut notes.private)]
    {
        if score.is_some_and(|score| !score.is_finite()) {
            return Err(Mistake::new(format!("{flag}: a score is a finite number")).into());
        }
        *kept = score.or(*kept);
    }
    write(&run, &notes, runs, output)
}

/// Adds or removes tags.
pub(super) fn tag(args: &TagArgs, runs: &Runs, output: &Output) -> Result<()> {
    let run = runs.open(&args.run)?;
    let mut notes = run.notes()?;
    for tag in &args.tags {
        if tag.trim().is_empty() || tag.contains([',', '\n']) {
            return Err(Mistake::new(format!("\"{tag}\" is no tag: one is a word or more, without a comma")).into());
        }
        let tag = tag.trim().to_owned();
        if !args.remove {
            notes.tags.insert(tag);
        } else if !notes.tags.remove(&tag) {
            let tags: Vec<&str> = notes.tags.iter().map(String::as_str).collect();
            let has = if tags.is_empty() { "no tag".to_owned() } else { tags.join(", ") };
            return Err(Mistake::new(format!("{} is not tagged \"{tag}\"; it has {has}", run.name())).into());
        }
    }
    write(&run, &notes, runs, output)
}

fn write(run: &Run, notes: &Notes, runs: &Runs, output: &Output) -> Result<()> {
    run.write_notes(notes)?;
    // The process of a running one writes its row itself, notes included.
    if !run.is_running()? {
        Store::open(runs.home())?.replace_run(&index::record_of(run)?)?;
    }
    if output.is_json() {
        return output.json(notes);
    }
    let tags: Vec<&str> = notes.tags.iter().map(String::as_str).collect();
    let tags = if tags.is_empty() { String::new() } else { format!(" [{}]", tags.join(", ")) };
    let scores = [("public", notes.public), ("private", notes.private)];
    let scores: String = scores.into_iter().filter_map(|(name, score)| Some(format!(", {name} {}", score?))).collect();
    let note = notes.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    output.text(&format!("{}{tags}{scores}{note}", run.name()))
}
