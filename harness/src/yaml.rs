//! YAML as a tree that remembers where everything stands.
//!
//! The tree is checked as a whole (`shape`), so that all errors of a file can be told at once, and
//! is converted to JSON only then. Scalars follow the JSON schema of YAML 1.2: `yes` is a string.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::Number;

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At these bytes of the file.
    File(Range<usize>),
    /// In the command line, in the `--set` of this place.
    CommandLine(usize),
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing was written.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Any other text.
    Text(String),
    /// `[..]`, or lines that begin with `-`.
    List(Vec<Node>),
    /// `{..}`, or lines with `key:`; in the order of the file.
    Map(Vec<Entry>),
}

/// One line of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: Node,
}

/// The text is not YAML, or not of the kind read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotYaml {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes.
    pub at: Range<usize>,
}

/// A step on the way from the root to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seg {
    /// Into a map.
    Key(String),
    /// Into a list.
    Index(usize),
}

impl From<&str> for Seg {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Seg {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Node {
    /// Reads the one document in `text`.
    pub fn read(text: &str) -> Result<Self, NotYaml> {
        Reader::new(text).document()
    }

    /// The node at the end of `path`, or the last one on the way that is there.
    #[must_use]
    pub fn nearest(&self, path: &[Seg]) -> &Self {
        match path.split_first().and_then(|(seg, rest)| Some((self.child(seg)?, rest))) {
            Some((child, rest)) => child.nearest(rest),
            None => self,
        }
    }

    fn child(&self, seg: &Seg) -> Option<&Self> {
        match (&self.value, seg) {
            (Value::Map(entries), Seg::Key(key)) => {
                entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.node)
            }
            (Value::List(nodes), Seg::Index(index)) => nodes.get(*index),
            _ => None,
        }
    }

    /// Puts `node` at the end of `path`, making maps on the way where nothing stands yet. A list
    /// is entered by the number of its item. Fails with the step that leads nowhere.
    pub fn set(&mut self, path: &[Seg], node: Self) -> Result<(), Seg> {
        let Some((seg, rest)) = path.split_first() else {
            *self = node;
            return Ok(());
        };
        if matches!(self.value, Value::Null) {
            self.value = Value::Map(Vec::new());
        }
        match (&mut self.value, seg) {
            (Value::List(nodes), Seg::Index(index)) => {
                nodes.get_mut(*index).ok_or_else(|| seg.clone())?.set(rest, node)
            }
            (Value::Map(entries), Seg::Key(key)) => {
                let known = entries.iter().position(|entry| entry.key == *key);
                let at = known.unwrap_or_else(|| {
                    let place = node.place.clone();
                    let blank = Self { place: place.clone(), value: Value::Null };
                    entries.push(Entry { key: key.clone(), place, node: blank });
                    entries.len() - 1
                });
                entries[at].node.set(rest, node)
            }
            _ => Err(seg.clone()),
        }
    }

    /// The same without the entries whose keys stand at one of `places`.
    #[must_use]
    pub fn without_keys_at(&self, places: &[Place]) -> Self {
        let value = match &self.value {
            Value::List(nodes) => {
                Value::List(nodes.iter().map(|node| node.without_keys_at(places)).collect())
            }
            Value::Map(entries) => {
                let kept = entries.iter().filter(|entry| !places.contains(&entry.place));
                let kept = kept.map(|entry| Entry {
                    node: entry.node.without_keys_at(places),
                    ..entry.clone()
                });
                Value::Map(kept.collect())
            }
            value => value.clone(),
        };
        Self { place: self.place.clone(), value }
    }

    /// The same without places.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(value) => value.clone().into(),
            Value::Text(value) => value.clone().into(),
            Value::List(nodes) => nodes.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect()
            }
        }
    }

    /// The kind of value in words: `a number`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map of keys",
        }
    }
}

/// What a plain (unquoted) scalar means.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match serde_json::from_str::<Number>(text) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Text(text.to_owned()),
        },
    }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// The byte at which each character begins: the parser counts characters.
    bytes: Vec<usize>,
    anchors: BTreeMap<usize, Node>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let ends = [text.len()];
        let bytes = text.char_indices().map(|(byte, _)| byte).chain(ends).collect();
        Self { events: Parser::new_from_str(text), bytes, anchors: BTreeMap::new() }
    }

    fn document(mut self) -> Result<Node, NotYaml> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd => {
                    return Ok(Node { place: Place::File(0..0), value: Value::Null });
                }
                event => {
                    let node = self.node(event, span)?;
                    return self.end().map(|()| node);
                }
            }
        }
    }

    /// A second document would silently be left out, so it is refused.
    fn end(&mut self) -> Result<(), NotYaml> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentStart(_) => {
                    let message = "a second document begins here; one file is one scenario";
                    return Err(NotYaml { message: message.to_owned(), at: self.range(span) });
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), NotYaml> {
        let next = self.events.next().unwrap_or(Ok((Event::StreamEnd, Span::default())));
        next.map_err(|error: ScanError| {
            let at = self.byte(error.marker().index());
            NotYaml { message: error.info().to_owned(), at: at..at }
        })
    }

    fn byte(&self, character: usize) -> usize {
        self.bytes[character.min(self.bytes.len() - 1)]
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, NotYaml> {
        let at = self.range(span);
        let (value, anchor, end) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = match style {
                    ScalarStyle::Plain if tag.is_none() => plain(&text),
                    _ => Value::Text(text.into_owned()),
                };
                (value, anchor, at.end)
            }
            Event::SequenceStart(anchor, _) => {
                let (value, end) = self.list()?;
                (value, anchor, end)
            }
            Event::MappingStart(anchor, _) => {
                let (value, end) = self.map()?;
                (value, anchor, end)
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor);
                let value = node.map_or(Value::Null, |node| node.value.clone());
                (value, 0, at.end)
            }
            _ => (Value::Null, 0, at.end),
        };
        let node = Node { place: Place::File(at.start..end.max(at.start)), value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<(Value, usize), NotYaml> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, span) => {
                    return Ok((Value::List(nodes), self.range(span).end));
                }
                (event, span) => nodes.push(self.node(event, span)?),
            }
        }
    }

    fn map(&mut self) -> Result<(Value, usize), NotYaml> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let known = |entry: &Entry| entries.iter().any(|own| own.key == entry.key);
                merged.retain(|entry| !known(entry));
                entries.extend(merged);
                return Ok((Value::Map(entries), self.range(span).end));
            }
            let at = self.range(span);
            let Event::Scalar(key, ..) = event else {
                return Err(NotYaml { message: "a key must be a word".to_owned(), at });
            };
            if entries.iter().any(|entry| entry.key == key) {
                return Err(NotYaml { message: format!("`{key}` stands here twice"), at });
            }
            let (event, span) = self.next()?;
            let node = self.node(event, span)?;
            match node.value {
                Value::Map(inner) if key == "<<" => merged.extend(inner),
                _ => {
                    entries.push(Entry { key: key.into_owned(), place: Place::File(at), node });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bytes_even_behind_wide_characters() {
        let text = "이름: 주문\nrate: 0\n";
        let node = Node::read(text).expect("yaml");
        let Place::File(at) = node.nearest(&["rate".into()]).place.clone() else {
            panic!("from a file");
        };
        assert_eq!(&text[at], "0");
    }

    #[test]
    fn scalars_mean_what_they_mean_in_json() {
        let json = Node::read("[300/s, 12, 1.5, true, yes, '7', ~]").expect("yaml").to_json();
        assert_eq!(json, serde_json::json!(["300/s", 12, 1.5, true, "yes", "7", null]));
    }

    #[test]
    fn anchors_and_merge_keys_are_followed() {
        let text = "a: &a { x: 1, y: 2 }\nb: { <<: *a, y: 3 }\n";
        let json = Node::read(text).expect("yaml").to_json();
        assert_eq!(json["b"], serde_json::json!({ "y": 3, "x": 1 }));
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let error = Node::read("a: 1\na: 2\n").expect_err("twice");
        assert_eq!((error.at.start, error.message.as_str()), (5, "`a` stands here twice"));
    }

    #[test]
    fn a_value_can_be_set_deep_inside() {
        let mut node = Node::read("load: [{ rate: 1 }]").expect("yaml");
        let two = Node { place: Place::CommandLine(0), value: Value::Number(2.into()) };
        node.set(&["load".into(), 0.into(), "rate".into()], two.clone()).expect("there");
        node.set(&["users".into()], two.clone()).expect("new key");
        assert_eq!(node.to_json(), serde_json::json!({ "load": [{ "rate": 2 }], "users": 2 }));
        assert_eq!(node.set(&["load".into(), 5.into()], two), Err(Seg::Index(5)));
    }
}
