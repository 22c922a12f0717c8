//! Tells Rust code from its comments and strings: enough of a lexer that a rule cannot be fooled by a quotation.

/// Where the scanner is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    /// Nested this deep.
    BlockComment(usize),
    Text,
    /// Ended by a quote and this many `#`.
    RawText(usize),
}

/// The code of a source file, line by line, with comments, strings and characters blanked out.
pub(super) fn code_lines(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut state = State::Code;
    let mut at = 0;
    while at < chars.len() {
        let (next, length) = step(state, &chars, at);
        for &c in &chars[at..at + length] {
            let kept = c == '\n' || (state == State::Code && next == State::Code && length == 1);
            code.push(if kept { c } else { ' ' });
        }
        state = next;
        at += length;
    }
    code.lines().map(str::to_owned).collect()
}

/// The state after the token at `at`, and the token's length in characters.
fn step(state: State, chars: &[char], at: usize) -> (State, usize) {
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    match state {
        State::Code if starts("//") => (State::LineComment, 2),
        State::Code if starts("/*") => (State::BlockComment(1), 2),
        State::Code if starts("\"") => (State::Text, 1),
        State::Code if starts("'") => (State::Code, character(chars, at)),
        // An identifier that ends in `r` cannot be followed by a quote, so this is a raw string or no string at all.
        State::Code if starts("r") => {
            let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
            match chars.get(at + 1 + hashes) {
                Some('"') => (State::RawText(hashes), hashes + 2),
                _ => (State::Code, 1),
            }
        }
        State::LineComment if starts("\n") => (State::Code, 1),
        State::BlockComment(1) if starts("*/") => (State::Code, 2),
        State::BlockComment(depth) if starts("*/") => (State::BlockComment(depth - 1), 2),
        State::BlockComment(depth) if starts("/*") => (State::BlockComment(depth + 1), 2),
        State::Text if starts("\\") => (State::Text, 2.min(chars.len() - at)),
        State::Text if starts("\"") => (State::Code, 1),
        State::RawText(hashes)
            if starts("\"") && chars[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes =>
        {
            (State::Code, hashes + 1)
        }
        unchanged => (unchanged, 1),
    }
}

/// Length of the character literal at `at`, or 1 for the quote of a lifetime.
fn character(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), Some(_)) => {
            let end = chars[at + 3..].iter().position(|&c| c == '\'');
            end.map_or(1, |end| end + 4)
        }
        (Some(_), Some('\'')) => 3,
        _ => 1,
    }
}

/// Whether a character can be part of an identifier.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands in `line` as a whole word.
pub(super) fn find_word(line: &str, word: &str) -> Option<usize> {
    let whole = |at: usize| !line[..at].ends_with(in_word) && !line[at + word.len()..].starts_with(in_word);
    line.match_indices(word).map(|(at, _)| at).find(|&at| whole(at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_text_keeps_its_lines_and_gains_no_code(source in "[ab한\\\\r#\"'/*\n ]{0,40}") {
            let code = code_lines(&source);
            prop_assert_eq!(code.len(), source.lines().count());
            for (code, source) in code.iter().zip(source.lines()) {
                prop_assert_eq!(code.chars().count(), source.chars().count());
                prop_assert!(code.chars().zip(source.chars()).all(|(kept, was)| kept == was || kept == ' '));
            }
        }
    }

    /// Compares the code of `source`, every run of blanks written as one.
    fn check(source: &str, expected: &str) {
        let code = code_lines(source);
        assert_eq!(code.len(), source.lines().count());
        let squeezed = code.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(squeezed.collect::<Vec<_>>().join("\n"), expected);
    }

    #[test]
    fn comments_are_blanked_and_lines_kept() {
        check("a // b\nc", "a\nc");
        check("a /* b /* c */\n d */ e", "a\ne");
        check("/// println!()\nf()", "\nf()");
    }

    #[test]
    fn strings_are_blanked_and_columns_kept() {
        check(r#"f("a\"b // c", d)"#, "f( , d)");
        check("f(\"a\\\nb\", d)", "f(\n, d)");
        check("f(r#\"x \" y\"#, br\"z\", b\"w\")", "f( , b , b )");
        check("for r in 0..n {}", "for r in 0..n {}");
        assert_eq!(code_lines("f(\"ab\", c)"), ["f(    , c)"]);
    }

    #[test]
    fn characters_are_not_lifetimes() {
        check(r"f('\'', '\\', '\u{ac00}', '한', &'static str)", "f( , , , , &'static str)");
        check("f('\"', x)", "f( , x)");
    }

    #[test]
    fn a_word_is_found_whole() {
        assert_eq!(find_word("allow(unsafe_code) unsafe {", "unsafe"), Some(19));
        assert_eq!(find_word("unsafe_code", "unsafe"), None);
    }
}
