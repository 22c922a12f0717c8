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
    text: String,
}

const NOTE_EXAMPLES: &str = "\
Examples:
  gyeol runs note kcbert-003 'best single model before the cleaning'
  gyeol runs note kcbert-003 ''";

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
    let text = args.text.trim();
    let notes = Notes { note: (!text.is_empty()).then(|| text.to_owned()), ..run.notes()? };
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
    let note = notes.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    output.text(&format!("{}{tags}{note}", run.name()))
}
