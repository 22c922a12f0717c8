//! Watching the work: progress bars on standard error, and Ctrl-C.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// A bar over `total` steps or rows, hidden when progress is not to be shown.
///
/// The message after it is for what changes with each step, such as the loss.
#[expect(dead_code, reason = "the commands that train and predict draw it")]
pub(crate) fn bar(output: &Output, title: &'static str, total: u64, unit: &str) -> ProgressBar {
    let template =
        format!("{{prefix:>10.bold}} {{bar:28}} {{pos}}/{{len}} {unit} {{per_sec}}, {{eta}} left {{wide_msg}}");
    // A wrong template is a slip in the line above, which every test of a bar would show.
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
/// A second one ends the process at once.
#[expect(dead_code, reason = "the commands that train and predict listen for it")]
#[expect(clippy::exit, reason = "the user asked twice")]
pub(crate) fn interruption() -> Result<Arc<AtomicBool>> {
    let raised = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&raised);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            process::exit(130);
        }
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(raised)
}
