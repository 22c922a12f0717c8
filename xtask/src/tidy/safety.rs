//! Rules for `unsafe`: where it may stand, and that it says why it is sound.

use super::Violation;
use super::lexer::find_word;

/// Checks the `unsafe` of one file. `lines` is the source, `code` the same without comments and strings.
///
/// In `kernels` a block or an `impl` needs a `SAFETY:` comment in the same function before it, or a `# Safety` section above
/// the function. Elsewhere only memory mapping and foreign functions use `unsafe`, each with `// SAFETY:` directly above.
pub(super) fn check(path: &str, lines: &[&str], code: &[String]) -> Vec<Violation> {
    let kernels = path.starts_with("crates/kernels/");
    let mut violations = Vec::new();
    for (index, line) in code.iter().enumerate() {
        let Some(at) = find_word(line, "unsafe") else { continue };
        let rest = line[at + "unsafe".len()..].trim_start();
        if line.trim_start().starts_with('#') {
            continue;
        }
        if kernels {
            let needs_reason = rest.starts_with('{') || rest.starts_with("impl") || rest.is_empty();
            if needs_reason && !explained_in_function(lines, code, index) {
                let message = "`unsafe` without a reason; say above it, or above the function's first, // SAFETY: why";
                violations.push(Violation::new(path, index + 1, message));
            }
        } else if !explained_above(lines, index) {
            let message = "`unsafe` outside crates/kernels; move it there, or for a memory map or a foreign function \
                           say directly above it // SAFETY: why";
            violations.push(Violation::new(path, index + 1, message));
        }
    }
    violations
}

/// Whether the comments and attributes directly above a line, or the line itself, hold a `SAFETY:`.
fn explained_above(lines: &[&str], index: usize) -> bool {
    let above = lines[..index].iter().rev().take_while(|line| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with("#[")
    });
    above.chain(std::iter::once(&lines[index])).any(|line| gives_reason(line))
}

/// Whether a `SAFETY:` stands between a line and the start of its function, or in the comments above that function.
fn explained_in_function(lines: &[&str], code: &[String], index: usize) -> bool {
    for at in (0..=index).rev() {
        if gives_reason(lines[at]) {
            return true;
        }
        if find_word(&code[at], "fn").is_some() {
            return explained_above(lines, at);
        }
    }
    false
}

fn gives_reason(line: &str) -> bool {
    line.split_once("//").is_some_and(|(_, comment)| comment.contains("SAFETY:") || comment.contains("# Safety"))
}

#[cfg(test)]
mod tests {
    use super::super::lexer::code_lines;
    use super::*;

    fn lines(path: &str, source: &str) -> Vec<usize> {
        let lines: Vec<&str> = source.lines().collect();
        check(path, &lines, &code_lines(source)).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn outside_kernels_only_an_explained_unsafe_passes() {
        let path = "crates/data/src/map.rs";
        assert_eq!(lines(path, "let m = unsafe { map(&f) };"), [1]);
        assert!(
            lines(path, "// SAFETY: the file is ours.\n#[allow(unsafe_code)]\nlet m = unsafe { map(&f) };").is_empty()
        );
        assert_eq!(lines(path, "// SAFETY: far away.\nlet x = 1;\nlet m = unsafe { map(&f) };"), [3]);
        assert!(lines(path, "#![deny(unsafe_code)]\n// unsafe\nlet s = \"unsafe\";").is_empty());
    }

    #[test]
    fn one_reason_serves_a_function_of_kernels() {
        let path = "crates/kernels/src/gemm.rs";
        let explained = "fn f() {\n    // SAFETY: in bounds.\n    unsafe { a() };\n    unsafe { b() };\n}";
        assert!(lines(path, explained).is_empty());
        assert_eq!(lines(path, &format!("{explained}\nfn g() {{\n    unsafe {{ a() }}\n}}")), [7]);
        assert!(lines(path, "/// # Safety\n/// Needs AVX2.\nunsafe fn f() {\n    unsafe { a() }\n}").is_empty());
        assert!(lines(path, "type Kernel = unsafe fn(&[f32]);").is_empty());
    }
}
