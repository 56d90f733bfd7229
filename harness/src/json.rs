//! Values of a JSON text by path, without reading the rest of it.
//!
//! A full parse costs more than the request that brought the text. [`Path::find`] walks over the
//! bytes up to the value that is asked for, compares keys where they stand and builds nothing.
//! What lies behind the value is not looked at, and of two equal keys the first counts.

use std::borrow::Cow;

use crate::problem::or_list;

mod path;
mod scan;

pub use path::{Path, PathError};

use scan::Scanner;

/// The text is not JSON, as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON at byte {at}")]
pub struct NotJson {
    /// Where that showed.
    pub at: usize,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A text.
    Text,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Kind {
    /// The kinds by the names that JSON Schema gives them.
    const WORDS: [(&'static str, Self); 6] = [
        ("null", Self::Null),
        ("boolean", Self::Bool),
        ("number", Self::Number),
        ("string", Self::Text),
        ("array", Self::List),
        ("object", Self::Object),
    ];

    /// The kind of this name; what was expected otherwise.
    pub fn named(name: &str) -> Result<Self, String> {
        let known = Self::WORDS.iter().find(|(word, _)| *word == name);
        known
            .map(|(_, kind)| *kind)
            .ok_or_else(|| or_list(Self::WORDS.iter().map(|(word, _)| *word)))
    }

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// A value as it stands in its text, without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a> {
    bytes: &'a [u8],
}

impl<'a> Raw<'a> {
    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.bytes.first() {
            Some(b'"') => Kind::Text,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::List,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The inside of a text, any other value as it is written.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        match self.bytes {
            [b'"', inside @ .., b'"'] => scan::unescaped(inside),
            bytes => String::from_utf8_lossy(bytes),
        }
    }

    /// Its value, if it is a number.
    #[must_use]
    pub fn number(self) -> Option<f64> {
        if self.kind() != Kind::Number {
            return None;
        }
        std::str::from_utf8(self.bytes).ok()?.parse().ok()
    }

    /// Characters of a text, items of a list, entries of an object; `None` for what has no length.
    #[must_use]
    pub fn len(self) -> Option<usize> {
        match self.kind() {
            Kind::Text => Some(self.text().chars().count()),
            Kind::List | Kind::Object => Scanner::new(self.bytes).members().ok(),
            _ => None,
        }
    }

    /// Whether it has a length, and that is zero.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;
    use serde_json::{Value as Json, json};

    use super::*;

    fn found(text: &str, path: &str) -> Option<String> {
        let path = Path::parse(path).expect("a path");
        path.find(text.as_bytes()).expect("JSON").map(|raw| raw.text().into_owned())
    }

    const SHOP: &str = r#" { "user" : "u\u00e9\"\n1", "n": -1.5e2, "items": [ {"id": 7, "tags": ["a","b"]}, {"id": 8} ],
        "a.b": {"c d": true}, "none": null, "deep": {"items": []}, "7": "seven" } "#;

    #[test]
    fn values_are_found_by_path() {
        for (path, wanted) in [
            ("user", Some("u\u{e9}\"\n1")),
            ("$.user", Some("u\u{e9}\"\n1")),
            ("n", Some("-1.5e2")),
            ("items.0.id", Some("7")),
            ("$.items[1].id", Some("8")),
            ("items[-1].id", Some("8")),
            ("items[-2].tags[-1]", Some("b")),
            ("items[*].id", Some("7")),
            ("$.items[*].tags[1]", Some("b")),
            ("$['a.b']['c d']", Some("true")),
            ("none", Some("null")),
            ("7", Some("seven")),
            ("$.items[0].tags", Some(r#"["a","b"]"#)),
            ("items[2].id", None),
            ("items[-3]", None),
            ("deep.items[*]", None),
            ("user.name", None),
            ("nothing", None),
        ] {
            assert_eq!(found(SHOP, path).as_deref(), wanted, "{path}");
        }
        assert_eq!(found("[1, 2]", "$").as_deref(), Some("[1, 2]"));
        assert_eq!(found("[1, 2]", "[1]").as_deref(), Some("2"));
    }

    #[test]
    fn all_matches_of_a_star_are_seen_in_order() {
        let mut seen = Vec::new();
        let path = Path::parse("items[*].id").expect("a path");
        path.each(SHOP.as_bytes(), &mut |raw| {
            seen.push(raw.number());
            false
        })
        .expect("JSON");
        assert_eq!(seen, [Some(7.0), Some(8.0)]);
    }

    #[test]
    fn lengths_and_kinds_are_those_of_the_value() {
        let path = |path| Path::parse(path).expect("a path");
        let raw = |at| path(at).find(SHOP.as_bytes()).expect("JSON").expect("there");
        assert_eq!(raw("user").len(), Some(5));
        assert_eq!(raw("items").len(), Some(2));
        assert_eq!(raw("deep").len(), Some(1));
        assert_eq!(raw("deep.items").len(), Some(0));
        assert_eq!(raw("n").len(), None);
        assert_eq!(raw("n").number(), Some(-150.0));
        let kinds = ["none", "a.b", "items", "user", "n"].map(|at| {
            let parsed = Path::parse(&format!("['{at}']")).expect("a path");
            parsed.find(SHOP.as_bytes()).expect("JSON").map(|raw| raw.kind().word())
        });
        let wanted = ["null", "object", "array", "string", "number"];
        assert_eq!(kinds, wanted.map(Some));
    }

    #[test]
    fn what_is_not_json_is_told_and_never_panics() {
        let path = Path::parse("a.b").expect("a path");
        for text in
            ["", "<html>", "{", "{\"a\"", "{\"a\":", "{\"a\" 1}", "{a: 1}", "{\"x\": \"", "[1"]
        {
            assert!(path.find(text.as_bytes()).is_err(), "{text}");
        }
        for end in 0..SHOP.len() {
            // Cut anywhere, it is not JSON or the path is not in it.
            path.find(&SHOP.as_bytes()[..end]).ok();
        }
    }

    #[test]
    fn a_text_with_any_bytes_changed_never_panics() {
        let mut random = Pcg64Mcg::seed_from_u64(3);
        let paths = ["items[-1].tags[1]", "$['a.b']['c d']", "nothing"];
        let paths = paths.map(|path| Path::parse(path).expect("a path"));
        for _ in 0..3000 {
            let mut text = SHOP.as_bytes().to_vec();
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..text.len());
                text[at] = b"\"\\{}[],:0x\xff"[random.random_range(0..11)];
            }
            for path in &paths {
                if let Ok(Some(raw)) = path.find(&text) {
                    assert!(raw.text().len() <= 3 * text.len(), "{:?}", raw.len());
                }
            }
        }
    }

    /// A random value.
    fn random(random: &mut Pcg64Mcg, depth: u32) -> Json {
        match random.random_range(0..if depth == 0 { 5 } else { 8 }) {
            0 => Json::Null,
            1 => json!(random.random::<bool>()),
            2 => json!(random.random_range(-1_000_000_i64..1_000_000)),
            3 => json!(f64::from(random.random_range(-1000..1000)) / 8.0),
            4 => json!(word(random)),
            5 | 6 => (0..random.random_range(0..5))
                .map(|at| (format!("{}{at}", word(random)), self::random(random, depth - 1)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            _ => (0..random.random_range(0..5)).map(|_| self::random(random, depth - 1)).collect(),
        }
    }

    fn word(random: &mut Pcg64Mcg) -> String {
        let letters: Vec<char> = "ab\"\\/\n\t{}[],: \u{e9}\u{1f600}\u{1}".chars().collect();
        (0..random.random_range(0..6))
            .map(|_| letters[random.random_range(0..letters.len())])
            .collect()
    }

    fn paths(json: &Json, path: &str, all: &mut Vec<(String, Json)>) {
        all.push((path.to_owned(), json.clone()));
        match json {
            Json::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    paths(item, &format!("{path}[{at}]"), all);
                    let behind = items.len() - at;
                    all.push((format!("{path}[-{behind}]"), item.clone()));
                }
            }
            Json::Object(entries) => {
                for (key, item) in entries {
                    let key = key.replace('\\', "\\\\").replace('\'', "\\'");
                    paths(item, &format!("{path}['{key}']"), all);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_path_of_random_documents_is_found_as_a_full_parser_finds_it() {
        let mut source = Pcg64Mcg::seed_from_u64(11);
        let mut seen = 0;
        for turn in 0..600 {
            let json = random(&mut source, 5);
            let text = if turn % 2 == 0 {
                json.to_string()
            } else {
                serde_json::to_string_pretty(&json).expect("JSON")
            };
            let mut all = Vec::new();
            paths(&json, "$", &mut all);
            for (path, wanted) in all {
                let parsed = Path::parse(&path).expect("a path");
                let raw = parsed.find(text.as_bytes()).expect("JSON").expect(&path);
                let own: Json = serde_json::from_slice(raw.bytes()).expect("JSON again");
                assert_eq!(own, wanted, "{path} of {text}");
                if let Json::String(wanted) = wanted {
                    assert_eq!(raw.text(), wanted, "{path} of {text}");
                }
                seen += 1;
            }
            let absent = Path::parse("$['not here'].x").expect("a path");
            assert_eq!(absent.find(text.as_bytes()), Ok(None), "{text}");
        }
        assert!(seen > 1000, "{seen}");
    }
}
