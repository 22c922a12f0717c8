//! Tables of emoticons: the built-in one, and those of users.
//!
//! A user's table is a text file: a line names a special token and then what it stands for, separated by white space. Lines
//! that are empty or begin with `#` are for people.
//!
//! ```text
//! [LAUGH]  ㅋ ㅎ 😂
//! [RIBBON] 🎀
//! ```

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use unicode_normalization::UnicodeNormalization;

use super::emoji;
use super::emoticons::SpecialToken;
use crate::error::{DataError, Result};

/// The built-in emoticons beside emoji, which [`emoji`] sorts by name. The order is that of the tokens' ids.
const EMOTICONS: [(&str, &str); 11] = [
    (emoji::LAUGH, "ㅋ ㅎ xD XD :D :-D =D ^ㅋ^"),
    (
        emoji::CRY,
        "ㅠ ㅜ ㅠ.ㅠ ㅜ.ㅜ ㅠ_ㅠ ㅜ_ㅜ ㅠㅅㅠ ㅜㅅㅜ ㅠㅁㅠ ㅜㅁㅜ ㅡㅜ ㅡㅠ T_T T.T TT ToT :( :-( :'( OTL OTZ orz",
    ),
    (emoji::SMILE, ":) :-) =) (: ;) ;-) ^^ ^^* ^_^ ^-^ ^.^ ^~^ ^o^ ^O^ ^0^ ^ㅅ^ ^ㅁ^ ^ㅇ^ ☺ ☻ ㅎㅅㅎ"),
    (emoji::HEART, "♥ ♡ ❤ ❣ ღ <3"),
    (emoji::STAR, "★ ☆ ⭐ 🌟"),
    (emoji::DISPLEASED, "ㅡㅡ ㅡㅡ; ㅡ_ㅡ ㅡ.ㅡ ㅡ,.ㅡ ㅡㅅㅡ -_- -_-; -,.- -.- -.-; --; =_= ㅉㅉ"),
    (emoji::AWKWARD, ";; ^^; ^_^; ^-^; ㅎㅎ; ㅋㅋ; ㅠㅠ; ㅜㅜ;"),
    (emoji::ANGRY, "ㅗㅗ 凸 >:( :@"),
    (emoji::SURPRISE, "ㄷㄷ ㅎㄷㄷ ㄷㄷㄷ; ㅇㅁㅇ ㅇ_ㅇ ㅇㅅㅇ O_O o_o O.O o.O O_o 0_0 :O :-O :o"),
    (emoji::THUMBS_UP, ""),
    (emoji::THUMBS_DOWN, ""),
];

/// The built-in table.
pub(super) fn built_in() -> Vec<SpecialToken> {
    let mut tokens: Vec<SpecialToken> = EMOTICONS
        .iter()
        .map(|(token, entries)| SpecialToken {
            token: (*token).to_owned(),
            replaces: entries.split_whitespace().map(str::to_owned).collect(),
        })
        .collect();
    for (emoji, name) in emoji::emotive() {
        if let Some(token) = tokens.iter_mut().find(|token| token.token == name)
            && !token.replaces.contains(&emoji)
        {
            token.replaces.push(emoji);
        }
    }
    tokens
}

/// Reads a user's table.
///
/// # Errors
/// [`DataError::Read`]; [`DataError::EmoticonTable`] names the line for a token of another form or without entries, a
/// token or an entry that is there twice, and text that is not UTF-8.
pub(super) fn read(path: &Path) -> Result<Vec<SpecialToken>> {
    let bytes = fs::read(path).map_err(|source| DataError::Read { path: path.into(), source })?;
    let wrong =
        |(line, problem): (usize, String)| DataError::EmoticonTable { path: path.into(), line: line as u64, problem };
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
        wrong((line, "not UTF-8; save the file as UTF-8".into()))
    })?;
    parse(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(wrong)
}

/// The tokens of a table, or the line, from 1, that is wrong, and why.
fn parse(text: &str) -> std::result::Result<Vec<SpecialToken>, (usize, String)> {
    let mut tokens: Vec<SpecialToken> = Vec::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    for (line, words) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        let mut words = words.split_whitespace().map(|word| word.nfc().collect::<String>());
        let token = words.next().unwrap_or_default();
        if !is_token(&token) {
            let problem = format!(
                "{token:?} is no name for a special token; write capital letters, digits and _ in brackets, as in [LAUGH]"
            );
            return Err((line, problem));
        }
        let replaces: Vec<String> = words.collect();
        if replaces.is_empty() {
            return Err((
                line,
                format!("{token} stands for nothing; write the emoticons after it, or remove the line"),
            ));
        }
        for word in std::iter::once(&token).chain(&replaces) {
            if let Some(first) = lines.insert(word.clone(), line) {
                return Err((
                    line,
                    format!("{word} is on line {first} already; every token and emoticon is there once"),
                ));
            }
        }
        tokens.push(SpecialToken { token, replaces });
    }
    if let Some((entry, line)) = lines.iter().find(|(word, _)| holds_token(word, &tokens)) {
        return Err((*line, format!("{entry} holds a special token of this table; tokens do not stand for tokens")));
    }
    if tokens.is_empty() {
        return Err((
            1,
            "the table is empty; write lines such as \"[LAUGH] ㅋ ㅎ\", or set clean.emoticons = true".into(),
        ));
    }
    Ok(tokens)
}

fn is_token(word: &str) -> bool {
    let name = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    name.is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

/// Whether an entry (not a token) has a token in it.
fn holds_token(word: &str, tokens: &[SpecialToken]) -> bool {
    tokens.iter().any(|token| word != token.token && word.contains(&token.token))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_built_in_table_is_one_a_user_could_write() {
        let text: String =
            built_in().iter().map(|token| format!("{} {}\n", token.token, token.replaces.join(" "))).collect();
        assert_eq!(parse(&text).unwrap(), built_in());
        assert_eq!(built_in().iter().map(|token| &token.token).collect::<HashSet<_>>().len(), EMOTICONS.len());
        assert!(built_in().iter().all(|token| !token.replaces.is_empty()));
    }

    #[test]
    fn comments_and_empty_lines_are_skipped_and_order_is_kept() {
        let tokens = parse("# mine\n\n[B_2]  ㅋ  ㅎ\n  [A] #_#\n").unwrap();
        let names: Vec<&str> = tokens.iter().map(|token| token.token.as_str()).collect();
        assert_eq!((names, tokens[0].replaces.len()), (vec!["[B_2]", "[A]"], 2));
    }

    #[test]
    fn a_malformed_line_is_named() {
        for (text, line, word) in [
            ("[A] ㅋ\nLAUGH ㅎ", 2, "in brackets"),
            ("[laugh] ㅎ", 1, "capital letters"),
            ("[A] ㅋ\n\n[B]", 3, "stands for nothing"),
            ("[A] ㅋ\n[B] ㅎ ㅋ", 2, "on line 1 already"),
            ("[A] ㅋ\n[A] ㅎ", 2, "[A] is on line 1 already"),
            ("[A] ㅋ ㅋ", 1, "on line 1 already"),
            ("[A] ㅋ\n[B] x[A]", 2, "tokens do not stand for tokens"),
            ("# nothing", 1, "the table is empty"),
        ] {
            let (found, problem) = parse(text).unwrap_err();
            assert_eq!(found, line, "{text:?}: {problem}");
            assert!(problem.contains(word), "{text:?}: {problem}");
        }
    }

    #[test]
    fn a_table_that_is_no_text_names_file_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.txt");
        fs::write(&path, b"[A] x\n\xff\xfe\n").unwrap();
        let error = read(&path).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().ends_with("table.txt: line 2: not UTF-8; save the file as UTF-8"), "{error}");
        assert_eq!(read(&dir.path().join("none.txt")).unwrap_err().exit_code(), 2);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_what_it_takes_is_sound(text in "(\\[[A-B]{1,2}\\]|[ㅋㅎ:)#\\[\\]]|[ \n]){0,40}") {
            if let Ok(tokens) = parse(&text) {
                prop_assert!(tokens.iter().all(|token| is_token(&token.token) && !token.replaces.is_empty()));
            }
        }
    }
}
