//! Rules for Rust files: how they open, how long they are, and what a library never does.

use super::lexer::{code_lines, find_word};
use super::{Violation, safety};

/// Longest file that passes; most have under 400 lines.
const MAX_LINES: usize = 600;

/// Unfinished or parked work, in any file.
const UNFINISHED: [(&str, &str); 4] = [
    ("#[ignore", "a test that does not run; make it fast or remove it"),
    ("todo!(", "unfinished; finish or remove it"),
    ("unimplemented!(", "unfinished; finish it or return an error"),
    ("dbg!(", "left over from debugging; remove it"),
];

/// What only the binary may do.
const TALKING: [&str; 5] = ["print!", "println!", "eprint!", "eprintln!", "process::exit"];

/// What `engine` and `kernels` are given by their caller instead.
const SURROUNDINGS: [&str; 6] = ["std::time", "Instant", "SystemTime", "std::env", "env::var", "env::var_os"];

/// The one file that reads the environment: the variable that pins an instruction set for tests.
const PINNED_ISA: &str = "crates/kernels/src/isa.rs";

/// Checks one Rust file against every rule for sources.
pub(super) fn check(path: &str, text: &str) -> Vec<Violation> {
    let lines: Vec<&str> = text.lines().collect();
    let code = code_lines(text);
    let mut violations = safety::check(path, &lines, &code);
    let mut report = |line: usize, message: String| violations.push(Violation::new(path, line, message));

    if !text.starts_with("//!") {
        report(1, "does not open with `//!`; say what lives here and what does not".to_owned());
    }
    if lines.len() > MAX_LINES {
        report(MAX_LINES + 1, format!("{} lines, over {MAX_LINES}; split it, one idea a file", lines.len()));
    }
    let library = is_library(path);
    let blind = ["crates/engine/src/", "crates/kernels/src/"].iter().any(|folder| path.starts_with(folder));
    // Unit tests stand at the end of a file.
    let tests = code.iter().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(code.len());
    for (index, line) in code.iter().enumerate() {
        for (pattern, message) in UNFINISHED {
            if line.contains(pattern) {
                report(index + 1, format!("`{pattern}`: {message}"));
            }
        }
        if library && let Some(word) = TALKING.iter().find(|word| find_word(line, word).is_some()) {
            report(index + 1, format!("`{word}` in a library; return it, or report it to the caller's observer"));
        }
        if blind
            && index < tests
            && path != PINNED_ISA
            && let Some(word) = SURROUNDINGS.iter().find(|word| find_word(line, word).is_some())
        {
            report(index + 1, format!("`{word}`: reads the clock or the environment; take the value as an argument"));
        }
    }
    violations
}

/// Sources that end up in a library: not the binary, not tests, examples and benches.
fn is_library(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("crates/") else { return false };
    rest.split_once('/').is_some_and(|(name, file)| name != "cli" && file.starts_with("src/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(path, text).iter().map(ToString::to_string).collect()
    }

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(path, text).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        assert!(lines("crates/eval/src/lib.rs", "//! Metrics.\n").is_empty());
        let found = messages("crates/eval/tests/all.rs", "use std::fs;\n");
        assert_eq!(
            found,
            ["crates/eval/tests/all.rs:1: does not open with `//!`; say what lives here and what does not"]
        );
    }

    #[test]
    fn a_long_file_is_named_at_its_first_line_too_many() {
        let text = "//! Long.\n".to_owned() + &"x();\n".repeat(MAX_LINES);
        assert_eq!(lines("xtask/src/long.rs", &text), [MAX_LINES + 1]);
    }

    #[test]
    fn only_the_binary_and_programs_beside_it_print_or_exit() {
        let text = "//! Talks.\nfn f() {\n    eprintln!(\"x\");\n    std::process::exit(1);\n}\n";
        assert_eq!(lines("crates/data/src/lib.rs", text), [3, 4]);
        for path in ["crates/cli/src/main.rs", "crates/kernels/examples/gemm_bench.rs", "xtask/src/main.rs"] {
            assert!(lines(path, text).is_empty(), "{path}");
        }
        assert!(lines("crates/data/src/lib.rs", "//! println!()\nlet s = \"println!\"; // println!\n").is_empty());
    }

    #[test]
    fn engine_and_kernels_read_no_clock_and_no_environment() {
        let text = "//! Looks around.\nuse std::time::Instant;\nlet v = std::env::var(\"X\");\n";
        assert_eq!(lines("crates/engine/src/trainer.rs", text), [2, 3]);
        assert_eq!(lines("crates/kernels/src/gemm.rs", text), [2, 3]);
        assert!(lines(PINNED_ISA, text).is_empty());
        assert!(lines("crates/pipeline/src/lib.rs", text).is_empty());
        let tested = "//! Tested.\n#[cfg(test)]\nmod tests {\n    use std::env;\n}\n";
        assert!(lines("crates/engine/src/trainer.rs", tested).is_empty());
    }

    #[test]
    fn unfinished_work_is_found_everywhere() {
        let text = ["//! Parked.", "#[ignore]", "todo!()", "dbg!(x)", "// todo!()", "unimplemented!()"].join("\n");
        assert_eq!(lines("crates/cli/tests/all.rs", &text), [2, 3, 4, 6]);
    }
}
