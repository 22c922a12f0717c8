//! Watching the work: progress bars on standard error, and Ctrl-C.

use std::{
    fmt, process,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::{job, output::Output};

/// A bar over `total` rows with its speed and the time left, hidden when progress is not to be shown.
pub(crate) fn bar(output: &Output, title: &'static str, total: u64, unit: &str) -> ProgressBar {
    let style = style(&format!("{{prefix:>10.bold}} {{bar:28}} {{pos}}/{{len}} {unit}, {{speed}}, {{eta}} left"));
    let style = style.with_key("speed", |state: &ProgressState, text: &mut dyn fmt::Write| {
        // The only thing that can fail is the terminal, which the bar itself passes over.
        let _ = write!(text, "{:.0}/s", state.per_sec());
    });
    draw(output, Some(total)).with_style(style).with_prefix(title)
}

/// A bar over the steps of a training; its message tells the time left, the loss and the speed.
pub(crate) fn training_bar(output: &Output, steps: u64) -> ProgressBar {
    draw(output, Some(steps))
        .with_style(style("{prefix:>10.bold} {bar:16} {pos}/{len} {wide_msg}"))
        .with_prefix("training")
}

/// A spinner for work of unknown length, hidden when progress is not to be shown.
pub(crate) fn spinner(output: &Output, message: &'static str) -> ProgressBar {
    let spinner = draw(output, None).with_style(style("{spinner} {wide_msg}")).with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

fn draw(output: &Output, total: Option<u64>) -> ProgressBar {
    let target = if output.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(total, target)
}

fn style(template: &str) -> ProgressStyle {
    // A wrong template is a slip in this file, which every use of it would show.
    ProgressStyle::with_template(template).expect("the template is well-formed").progress_chars("━━╌")
}

/// A flag that the first Ctrl-C (or a request to terminate) raises, so that the work can stop where it can be resumed.
/// A second one ends the process at once, unless it is a job: the queue may ask again for another reason, and has other means
/// to end it. However often it is asked for, there is one flag a process.
#[expect(clippy::exit, reason = "the user asked twice")]
pub(crate) fn interruption() -> Result<&'static AtomicBool> {
    static RAISED: AtomicBool = AtomicBool::new(false);
    static LISTENING: AtomicBool = AtomicBool::new(false);
    if !LISTENING.swap(true, Ordering::SeqCst) {
        ctrlc::set_handler(|| {
            if RAISED.swap(true, Ordering::SeqCst) && !job::is_one() {
                process::exit(130);
            }
        })
        .context("cannot listen for Ctrl-C")?;
    }
    Ok(&RAISED)
}
