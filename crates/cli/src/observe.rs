//! Watching the work: progress bars on standard error, and Ctrl-C.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// A bar over `total` steps or rows with its speed and the time left, hidden when progress is not to be shown.
pub(crate) fn bar(output: &Output, title: &'static str, total: u64, unit: &str) -> ProgressBar {
    bar_with(output, title, total, &format!("{{pos}}/{{len}} {unit} {{per_sec}}, {{eta}} left"))
}

/// A bar over the steps of a training; its message tells the loss, the speed and the time left.
pub(crate) fn training_bar(output: &Output, steps: u64) -> ProgressBar {
    bar_with(output, "training", steps, "{pos}/{len} {wide_msg}")
}

fn bar_with(output: &Output, title: &'static str, total: u64, tail: &str) -> ProgressBar {
    let template = format!("{{prefix:>10.bold}} {{bar:28}} {tail}");
    // A wrong template is a slip in the lines above, which every test of a bar would show.
    let style = ProgressStyle::with_template(&template).expect("the template is well-formed");
    let target = if output.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(Some(total), target).with_style(style.progress_chars("━━╌")).with_prefix(title)
}

/// A spinner for work of unknown length, hidden when progress is not to be shown.
pub(crate) fn spinner(output: &Output, message: &'static str) -> ProgressBar {
    let target = if output.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let spinner = ProgressBar::with_draw_target(None, target).with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

/// A flag that the first Ctrl-C (or a request to terminate) raises, so that the work can stop where it can be resumed.
/// A second one ends the process at once. However often it is asked for, there is one flag a process.
#[expect(clippy::exit, reason = "the user asked twice")]
pub(crate) fn interruption() -> Result<&'static AtomicBool> {
    static RAISED: AtomicBool = AtomicBool::new(false);
    static LISTENING: AtomicBool = AtomicBool::new(false);
    if !LISTENING.swap(true, Ordering::SeqCst) {
        ctrlc::set_handler(|| {
            if RAISED.swap(true, Ordering::SeqCst) {
                process::exit(130);
            }
        })
        .context("cannot listen for Ctrl-C")?;
    }
    Ok(&RAISED)
}
