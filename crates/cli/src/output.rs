//! What is printed and where: results on standard output, everything else on standard error.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};
use console::{Term, style};
use serde::Serialize;

use crate::args::Global;

/// The two streams, and how much to say on them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
    /// Results are dropped: a part of a command whose own result comes later.
    muted: bool,
}

impl Output {
    /// As the global flags say.
    pub(crate) fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet, verbose: global.verbose, muted: false }
    }

    /// The same streams without results, for a step on the way to the one result a program reads.
    pub(crate) fn muted(self) -> Self {
        Self { muted: true, ..self }
    }

    /// Whether the result is to be one JSON document.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether progress may be drawn: not when quiet, and not while a program reads.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && !self.json && console::user_attended_stderr()
    }

    /// Prints the result for people.
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        let line_end = if text.ends_with('\n') { "" } else { "\n" };
        self.bytes(format!("{text}{line_end}").as_bytes())
    }

    /// Prints a result that is a file.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<()> {
        if self.muted {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        reader_may_leave(written)
    }

    /// Prints the result for programs.
    pub(crate) fn json(&self, document: &impl Serialize) -> Result<()> {
        self.text(&serde_json::to_string_pretty(document).context("cannot write the result as JSON")?)
    }

    /// Tells a person something beside the result, unless quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            to_stderr(text);
        }
    }

    /// Tells a person something only those who ask for it want to know.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            to_stderr(&style(text).for_stderr().dim().to_string());
        }
    }

    /// Tells what may have gone wrong, unless quiet.
    pub(crate) fn warning(&self, text: &str) {
        self.note(&format!("{} {text}", style("warning:").for_stderr().yellow().bold()));
    }

    /// Tells what went wrong.
    pub(crate) fn error(&self, text: &str) {
        to_stderr(&format!("{} {text}", style("error:").for_stderr().red().bold()));
    }

    /// Tells what to do next.
    pub(crate) fn hint(&self, text: &str) {
        to_stderr(&format!("{} {text}", style("hint:").for_stderr().cyan().bold()));
    }
}

/// An empty table under `header`; the columns numbered in `right` hold numbers.
pub(crate) fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().map(|t| Cell::new(t).add_attribute(Attribute::Bold)));
    if !console::colors_enabled() {
        table.force_no_tty();
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        let alignment = if right.contains(&index) { CellAlignment::Right } else { CellAlignment::Left };
        column.set_cell_alignment(alignment);
        column.set_padding(if index == 0 { (0, 1) } else { (1, 1) });
    }
    table
}

/// The table's text without blanks at the ends of lines.
pub(crate) fn render(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A section's heading.
pub(crate) fn title(text: &str) -> String {
    style(text).bold().to_string()
}

/// Line breaks and control characters become blanks, so that a text of a table keeps to its line and cannot steer the
/// terminal.
pub(crate) fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Columns of the terminal on standard output; those of a page where it is none.
pub(crate) fn terminal_width() -> usize {
    const PAGE: usize = 100;
    Term::stdout().size_checked().map_or(PAGE, |(_, columns)| usize::from(columns))
}

/// Seconds as people say them: `4.2 s`, `3 min 07 s`, `2 h 05 min`, `3 d 4 h`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{:.1} s", seconds.max(0.0));
    }
    let whole = seconds.round() as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86400);
    match (minutes, hours) {
        (0..60, _) => format!("{minutes} min {:02} s", whole % 60),
        (_, 0..24) => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Bytes in powers of 1024: `812 B`, `1.4 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    if count < 1024 {
        return format!("{count} B");
    }
    let size = count as f64 / 1024.0;
    // One decimal: what would round to 1024.0 belongs to the next unit.
    let units = [(1.0, "KiB"), (1024.0, "MiB"), (1024.0 * 1024.0, "GiB")];
    let (unit, name) = units.into_iter().find(|&(unit, _)| size / unit < 1023.95).unwrap_or(units[2]);
    format!("{:.1} {name}", size / unit)
}

/// A reader that has seen enough, such as `head`, is no failure.
fn reader_may_leave(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

/// When standard error itself is gone there is nobody left to tell.
fn to_stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let said = [0.04, 59.9, 59.96, 187.0, 3599.6, 7500.0, 273_600.0].map(duration);
        assert_eq!(said, ["0.0 s", "59.9 s", "1 min 00 s", "3 min 07 s", "1 h 00 min", "2 h 05 min", "3 d 4 h"]);
    }

    #[test]
    fn sizes_move_to_the_next_unit_in_time() {
        let said = [0, 1023, 1024, 1_048_570, 1 << 40].map(bytes);
        assert_eq!(said, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1024.0 GiB"]);
    }

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        assert_eq!(one_line("  \u{1b}[31mred\r\n\tblue\u{7} "), "[31mred blue");
    }

    #[test]
    fn columns_line_up_beside_hangul() {
        let mut table = table(&["name", "score"], &[1]);
        table.add_row(["한글", "0.5"]).add_row(["ascii", "10.25"]);
        let rendered = console::strip_ansi_codes(&render(&table)).into_owned();
        assert_eq!(rendered, "name   score\n한글     0.5\nascii  10.25");
    }
}
