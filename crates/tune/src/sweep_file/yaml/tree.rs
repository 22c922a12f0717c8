//! From the parser's events to values.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{Data, Key, Mark, Node, scalar};

/// Values within values, so deep at most.
const MAX_DEPTH: usize = 64;
/// Values in all, those that aliases repeat counted each time.
const MAX_NODES: usize = 100_000;

/// What is wrong, and where.
pub(in crate::sweep_file) type Problem = (Mark, String);

/// The one document of a text.
pub(in crate::sweep_file) fn parse(text: &str) -> Result<Node, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // The parser takes a NUL for the end of the text.
    if let Some(at) = text.find('\0') {
        let before = &text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        return Err((Mark { line, column }, "a NUL character; the file is damaged, or not text".into()));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        builder.event(event, mark(&span))?;
    }
    builder.root.ok_or_else(|| (Mark { line: 1, column: 1 }, "the file is empty".into()))
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    /// What anchors stand for, with the number of values.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

/// A list or map that is not at its end.
struct Open {
    at: Mark,
    anchor: usize,
    /// How many values there were before it.
    nodes_before: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map {
        entries: Vec<(Key, Node)>,
        /// The key whose value is to come, and whether it is `<<` and merges.
        key: Option<(Key, bool)>,
        keys: HashSet<String>,
        merged: Vec<Node>,
    },
}

impl Builder {
    fn event(&mut self, event: Event<'_>, at: Mark) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                Err((at, "a second document begins; a sweep file is one".into()))
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
            Event::Alias(anchor) => {
                let Some((node, nodes)) = self.anchors.get(&anchor) else {
                    return Err((at, "an alias within what it stands for".into()));
                };
                let (node, nodes) = (node.clone(), *nodes);
                self.count(nodes, at)?;
                self.put(node, at)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, at)?;
                let data = tagged(&text, style, tag.as_deref()).map_err(|problem| (at, problem))?;
                if let Some(Open { items: Items::Map { key: key @ None, keys, .. }, .. }) = self.open.last_mut() {
                    let text = text.into_owned();
                    // A quoted "<<" is a key like any other.
                    let merges = style == ScalarStyle::Plain && text == "<<";
                    if !(merges || keys.insert(text.clone())) {
                        return Err((at, format!("the key \"{text}\" is there twice; keep one")));
                    }
                    if anchor != 0 {
                        self.anchors.insert(anchor, (Node { at, data }, 1));
                    }
                    *key = Some((Key { at, text }, merges));
                    return Ok(());
                }
                self.finish(Node { at, data }, anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => self.open(at, anchor, tag.as_deref(), Items::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let items = Items::Map { entries: Vec::new(), key: None, keys: HashSet::new(), merged: Vec::new() };
                self.open(at, anchor, tag.as_deref(), items)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { at, anchor, nodes_before, items }) = self.open.pop() else { return Ok(()) };
                let data = match items {
                    Items::List(items) => Data::List(items),
                    Items::Map { entries, keys, merged, .. } => Data::Map(merge(entries, keys, merged)?),
                };
                self.finish(Node { at, data }, anchor, self.nodes - nodes_before)
            }
        }
    }

    fn open(&mut self, at: Mark, anchor: usize, tag: Option<&Tag>, items: Items) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            return Err((at, format!("more than {MAX_DEPTH} values within each other")));
        }
        let own = |suffix: &str| matches!((&items, suffix), (Items::List(_), "seq") | (Items::Map { .. }, "map"));
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && own(&tag.suffix))) {
            return Err((at, unknown_tag(tag)));
        }
        self.not_a_key(at)?;
        let nodes_before = self.nodes;
        self.count(1, at)?;
        self.open.push(Open { at, anchor, nodes_before, items });
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize, nodes: usize) -> Result<(), Problem> {
        let at = node.at;
        if anchor != 0 {
            self.count(nodes, at)?;
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
        self.put(node, at)
    }

    /// A value that is complete, into what it is in.
    fn put(&mut self, node: Node, at: Mark) -> Result<(), Problem> {
        self.not_a_key(at)?;
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map { entries, key, merged, .. }) => match key.take() {
                Some((_, true)) => merged.push(node),
                Some((key, false)) => entries.push((key, node)),
                None => {}
            },
        }
        Ok(())
    }

    /// An error if a map is to go on with a key here.
    fn not_a_key(&self, at: Mark) -> Result<(), Problem> {
        match self.open.last() {
            Some(Open { items: Items::Map { key: None, .. }, .. }) => Err((at, "a key has to be a word".into())),
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, at: Mark) -> Result<(), Problem> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err((at, format!("more than {MAX_NODES} values"))) } else { Ok(()) }
    }
}

/// Adds the entries of maps under `<<`: keys that are there already stay as they are, earlier maps come before later ones.
fn merge(
    mut entries: Vec<(Key, Node)>,
    mut keys: HashSet<String>,
    merged: Vec<Node>,
) -> Result<Vec<(Key, Node)>, Problem> {
    let maps = merged.into_iter().flat_map(|node| match node.data {
        Data::List(items) => items,
        _ => vec![node],
    });
    for node in maps {
        let Data::Map(further) = node.data else {
            return Err((node.at, "<< needs a mapping, such as the alias of one, or a list of them".into()));
        };
        entries.extend(further.into_iter().filter(|(key, _)| keys.insert(key.text.clone())));
    }
    Ok(entries)
}

/// The value of a scalar with its style and tag.
fn tagged(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Data, String> {
    let Some(tag) = tag else {
        let plain = style == ScalarStyle::Plain;
        return Ok(if plain { scalar::resolve(text) } else { Data::Text(text.into()) });
    };
    if !tag.is_yaml_core_schema() {
        return Err(unknown_tag(tag));
    }
    let value = match (tag.suffix.as_str(), scalar::resolve(text)) {
        ("str", _) => Some(Data::Text(text.into())),
        ("int", value @ Data::Integer(_)) | ("float", value @ Data::Float(_)) => Some(value),
        ("float", Data::Integer(value)) => Some(Data::Float(value as f64)),
        ("bool", value @ Data::Bool(_)) | ("null", value @ Data::Null) => Some(value),
        ("int" | "float" | "bool" | "null", _) => None,
        _ => return Err(unknown_tag(tag)),
    };
    value.ok_or_else(|| format!("\"{text}\" is no !!{}", tag.suffix))
}

fn unknown_tag(tag: &Tag) -> String {
    format!("the tag {tag} has no meaning in a sweep file; leave it out")
}

fn mark(span: &Span) -> Mark {
    Mark { line: span.start.line(), column: span.start.col() + 1 }
}

fn syntax(error: &ScanError) -> Problem {
    let at = error.marker();
    (Mark { line: at.line(), column: at.col() + 1 }, format!("not YAML: {}", error.info()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json(text: &str) -> serde_json::Value {
        parse(text).unwrap().json().unwrap()
    }

    fn problem(text: &str) -> String {
        let (at, problem) = parse(text).unwrap_err();
        format!("{}:{}: {problem}", at.line, at.column)
    }

    #[test]
    fn quoted_words_are_texts_and_plain_ones_what_they_look_like() {
        assert_eq!(
            json("a: '1e-5'\nb: 1e-5\nc: \"no\"\nd: no\ne:\n"),
            json!({"a": "1e-5", "b": 1e-5, "c": "no", "d": false, "e": null})
        );
        assert_eq!(json("[!!str 1, !!float 1, 0x10]"), json!(["1", 1.0, 16]));
    }

    #[test]
    fn aliases_repeat_and_merged_keys_give_way() {
        let text = "a: &a {min: 1, max: 2}\nb: *a\nc:\n  <<: *a\n  max: 3\nd:\n  max: 4\n  <<: [{q: 5}, *a]\n";
        assert_eq!(json(text)["b"], json!({"min": 1, "max": 2}));
        assert_eq!(json(text)["c"], json!({"min": 1, "max": 3}));
        assert_eq!(json(text)["d"], json!({"max": 4, "q": 5, "min": 1}));
        assert_eq!(json("'<<': 1"), json!({"<<": 1}));
    }

    #[test]
    fn what_is_not_one_plain_document_has_a_place() {
        assert_eq!(problem("a: 1\nb: 2\na: 3"), "3:1: the key \"a\" is there twice; keep one");
        assert_eq!(problem("a: 1\n--- \nb: 2"), "2:1: a second document begins; a sweep file is one");
        assert_eq!(problem("# nothing\n"), "1:1: the file is empty");
        assert_eq!(problem("a: 한\n둘\0: 1"), "2:2: a NUL character; the file is damaged, or not text");
        assert_eq!(problem("a: &a [*a]"), "1:8: an alias within what it stands for");
        assert_eq!(problem("? [1, 2]\n: 3"), "1:3: a key has to be a word");
        assert_eq!(problem("a:\n  <<: 3"), "2:7: << needs a mapping, such as the alias of one, or a list of them");
        assert!(problem("a: !!python/tuple [1]").starts_with("1:"));
        assert!(problem("a: [1, 2\nb: 3").contains("not YAML"));
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = String::from("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
        for level in 1..30 {
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(","));
        }
        assert!(problem(&bomb).ends_with("more than 100000 values"));
        assert!(problem(&"- ".repeat(5_000)).ends_with("within each other"));
        assert!(problem(&"[".repeat(100)).ends_with("within each other"));
        assert!(parse(&"[".repeat(1_000_000)).is_err());
        assert!(parse(&"{a: ".repeat(200_000)).is_err());
    }
}
