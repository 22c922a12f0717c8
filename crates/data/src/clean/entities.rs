//! HTML entities to the characters they stand for. The names are those of the crate `html-escape`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// `&amp;`, `&#44032;`, `&#xac00;` and the named entities of HTML, decoded until none is left: a crawler may have encoded
/// a text twice. Only those with a semicolon count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct HtmlEntities {}

/// Longer than any entity's name.
const LONGEST: usize = 40;

impl HtmlEntities {
    /// Goes through the text once: what an entity stands for may complete another one, which is then looked at where it
    /// ends. So a text of nested entities takes no longer than any other.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            out.push(c);
            while out.ends_with(';') && decode_end(&mut out) {}
        }
        out
    }
}

/// Decodes the entity `out` ends with, if it is one.
fn decode_end(out: &mut String) -> bool {
    let from = out.floor_char_boundary(out.len().saturating_sub(LONGEST));
    let Some(start) = out[from..].rfind('&').map(|at| from + at) else { return false };
    let Cow::Owned(decoded) = html_escape::decode_html_entities(&out[start..]) else { return false };
    if decoded == out[start..] {
        return false;
    }
    out.truncate(start);
    out.push_str(&decoded);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(text: &str) -> String {
        HtmlEntities {}.apply(text)
    }

    #[test]
    fn entities_by_name_and_number_are_decoded() {
        assert_eq!(apply("&lt;b&gt; &quot;A&amp;B&quot; &#44032;&#xAC01; &hearts; &#x1F602;"), "<b> \"A&B\" 가각 ♥ 😂");
    }

    #[test]
    fn what_is_no_entity_stays() {
        for text in ["A & B; C", "&없다;", "&;", "&#xD800;", "&#99999999999;", "R&D;", "&lt", ";&"] {
            assert_eq!(apply(text), text);
        }
    }

    #[test]
    fn nested_entities_are_decoded_to_the_end_in_one_go() {
        assert_eq!(apply("&amp;lt;3 &l&#116;; &lt&semi;"), "<3 < <");
        let nested = format!("&{}", "amp;".repeat(300_000));
        assert_eq!(apply(&nested), "&");
    }
}
