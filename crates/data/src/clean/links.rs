//! Steps that take out what points elsewhere: addresses and names of users. A space is left in their place.

use linkify::LinkFinder;
use serde::{Deserialize, Serialize};

/// Web addresses with a scheme or `www.`, and mail addresses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Urls {}

impl Urls {
    pub(super) fn apply(&self, text: &str) -> String {
        let mut finder = LinkFinder::new();
        // Korean is often written on to an address without a space: Hangul ends it.
        finder.url_must_have_scheme(false).url_can_be_iri(false);
        let mut out = String::with_capacity(text.len());
        for span in finder.spans(text) {
            let found = span.as_str();
            // Without a scheme almost any two words with a dot between would do ("영화.good"); `www.` tells.
            let is_address = span.kind().is_some()
                && (found.contains("://") || found.contains('@') || found.to_ascii_lowercase().starts_with("www."));
            out.push_str(if is_address { " " } else { found });
        }
        out
    }
}

/// `@` and the letters, digits and underscores after it, where a word begins: `@user`, but not `a@b` or `@ 7`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct UserNames {}

impl UserNames {
    pub(super) fn apply(&self, text: &str) -> String {
        let of_a_name = |c: char| c.is_alphanumeric() || c == '_';
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('@') {
            let (before, name) = (&rest[..at], &rest[at + 1..]);
            out.push_str(before);
            let inside = out.chars().next_back().is_some_and(|c| of_a_name(c) || c == '@');
            let len = name.find(|c| !of_a_name(c)).unwrap_or(name.len());
            if inside || len == 0 {
                out.push('@');
                rest = name;
            } else {
                out.push(' ');
                rest = &name[len..];
            }
        }
        out + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_end_where_hangul_begins() {
        let urls = Urls {};
        assert_eq!(urls.apply("보세요!!http://example.com/a/1어느 글"), "보세요!! 어느 글");
        assert_eq!(urls.apply("www.example.com/x?y=1 메일 me@example.com"), "  메일  ");
    }

    #[test]
    fn words_with_dots_are_no_addresses() {
        for text in ["최고.good", "3.14 vs 2.71", "http: //", "존@나", "a.b.c"] {
            assert_eq!(Urls {}.apply(text), text);
        }
    }

    #[test]
    fn names_begin_a_word() {
        let names = UserNames {};
        assert_eq!(names.apply("고마워요 @한호진, @user_1!"), "고마워요  ,  !");
        for text in ["존@나", "@ 7시", "@@", "me@example.com", "끝@"] {
            assert_eq!(names.apply(text), text);
        }
    }
}
