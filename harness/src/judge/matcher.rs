//! What is wanted of one value, and whether it is so.

use std::borrow::Cow;

use regex::bytes::Regex;
use serde_json::Value as Json;

use crate::json::{Kind, Path, Raw};
use crate::template::{Template, Values};

use super::SHOWN;

/// A value that is looked at.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// There is none.
    Nothing,
    /// A text: of a header, a body or a variable.
    Text(&'a str),
    /// A value of JSON.
    Json(Raw<'a>),
}

impl<'a> Found<'a> {
    /// The value as a text.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Nothing => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Json(raw) => raw.text(),
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Text(text) => text.trim().parse().ok(),
            Self::Json(raw) => raw.number(),
        }
    }

    fn len(self) -> Option<usize> {
        match self {
            Self::Nothing => None,
            Self::Text(text) => Some(text.chars().count()),
            Self::Json(raw) => raw.len(),
        }
    }

    /// Whether it is JSON of this kind; what is no JSON is a text.
    fn is(self, kind: Kind) -> bool {
        match self {
            Self::Nothing => false,
            Self::Text(_) => kind == Kind::Text,
            Self::Json(raw) => raw.kind() == kind,
        }
    }
}

/// A value that another is compared with.
#[derive(Clone, Debug)]
pub enum Literal {
    /// A text. The text of any value is compared with it, for variables are always texts.
    Text(Template),
    /// A number, a truth or nothing: compared as such.
    Plain(Json),
    /// A list or an object, written in JSON.
    Structure(Template),
}

impl Literal {
    fn equals(&self, found: Found<'_>, values: &mut Values<'_>) -> bool {
        match self {
            Self::Text(template) => {
                let mut room = std::mem::take(&mut values.pad.text);
                room.clear();
                let wanted = template.constant().unwrap_or_else(|| {
                    template.fill_into(values, &mut room);
                    &room
                });
                let same = found.text() == wanted
                    || (found.is(Kind::Number) && same_number(&found.text(), wanted));
                values.pad.text = room;
                same
            }
            Self::Plain(Json::Number(number)) => match found {
                Found::Json(raw) if raw.kind() != Kind::Number => false,
                found => same_number(&found.text(), &number.to_string()),
            },
            Self::Plain(plain) => match found {
                Found::Text(text) => !plain.is_null() && text == word(plain),
                Found::Json(raw) => raw.bytes() == word(plain).as_bytes(),
                Found::Nothing => false,
            },
            Self::Structure(template) => {
                let wanted = template.fill(values);
                let read = |text: &str| serde_json::from_str::<Json>(text).ok();
                match (read(&wanted), read(&found_json(found))) {
                    (Some(wanted), Some(found)) => same(&wanted, &found),
                    _ => false,
                }
            }
        }
    }

    fn words(&self, values: &mut Values<'_>) -> String {
        match self {
            Self::Text(template) | Self::Structure(template) => shown(template, values),
            Self::Plain(plain) => plain.to_string(),
        }
    }
}

/// A truth or nothing, as JSON writes it.
fn word(plain: &Json) -> &'static str {
    match plain.as_bool() {
        Some(true) => "true",
        Some(false) => "false",
        None => "null",
    }
}

fn found_json(found: Found<'_>) -> Cow<'_, str> {
    match found {
        Found::Json(raw) => String::from_utf8_lossy(raw.bytes()),
        found => found.text(),
    }
}

/// Whether two numbers are the same, whatever way they are written in; whole ones exactly.
fn same_number(a: &str, b: &str) -> bool {
    if a == b {
        return a.parse::<f64>().is_ok();
    }
    if let (Ok(a), Ok(b)) = (a.parse::<i128>(), b.parse::<i128>()) {
        return a == b;
    }
    matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a.total_cmp(&b).is_eq())
}

fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => same_number(&a.to_string(), &b.to_string()),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let there = |(key, a): (&String, &Json)| b.get(key).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(there)
        }
        (a, b) => a == b,
    }
}

/// One thing that is wanted of a value.
#[derive(Clone, Debug)]
pub enum Test {
    /// It is this.
    Equals(Literal),
    /// It is a text that holds this, or a list with such an item.
    Contains(Template),
    /// It is not that.
    NotContains(Template),
    /// The pattern is found in it.
    Matches(Regex),
    /// It is one of these.
    OneOf(Vec<Literal>),
    /// Whether it is there.
    Exists(bool),
    /// Its kind in JSON.
    Is(Kind),
    /// A number that is not lower.
    AtLeast(f64),
    /// A number that is not higher.
    AtMost(f64),
    /// How long it is, the least and the most.
    Length(u64, u64),
}

impl Test {
    fn holds(&self, found: Found<'_>, values: &mut Values<'_>) -> bool {
        match (self, found) {
            (Self::Exists(wanted), found) => *wanted != matches!(found, Found::Nothing),
            (Self::NotContains(part), found) => !contains(found, part, values),
            (_, Found::Nothing) => false,
            (Self::Equals(literal), found) => literal.equals(found, values),
            (Self::OneOf(literals), found) => {
                literals.iter().any(|literal| literal.equals(found, values))
            }
            (Self::Contains(part), found) => contains(found, part, values),
            (Self::Matches(pattern), found) => pattern.is_match(found.text().as_bytes()),
            (Self::Is(kind), found) => found.is(*kind),
            (Self::AtLeast(least), found) => found.number().is_some_and(|number| number >= *least),
            (Self::AtMost(most), found) => found.number().is_some_and(|number| number <= *most),
            (Self::Length(least, most), found) => {
                found.len().is_some_and(|len| (*least..=*most).contains(&(len as u64)))
            }
        }
    }

    /// What was wanted, in words.
    fn words(&self, values: &mut Values<'_>) -> String {
        match self {
            Self::Equals(literal) => literal.words(values),
            Self::Contains(part) => format!("a value that holds `{}`", shown(part, values)),
            Self::NotContains(part) => format!("one without `{}`", shown(part, values)),
            Self::Matches(pattern) => format!("a match of `{pattern}`"),
            Self::OneOf(literals) => {
                let all: Vec<String> =
                    literals.iter().map(|literal| literal.words(values)).collect();
                format!("one of {}", all.join(", "))
            }
            Self::Exists(true) => "anything".to_owned(),
            Self::Exists(false) => "nothing".to_owned(),
            Self::Is(kind) => format!("one of type {}", kind.word()),
            Self::AtLeast(least) => format!("at least {least}"),
            Self::AtMost(most) => format!("at most {most}"),
            Self::Length(least, most) if least == most => format!("a length of {least}"),
            Self::Length(least, u64::MAX) => format!("a length of at least {least}"),
            Self::Length(least, most) => format!("a length from {least} to {most}"),
        }
    }
}

fn contains(found: Found<'_>, part: &Template, values: &mut Values<'_>) -> bool {
    let part = part.fill(values);
    match found {
        Found::Json(raw) if raw.kind() == Kind::List => {
            let mut there = false;
            let each = Path::parse("[*]").map(|each| {
                each.each(raw.bytes(), &mut |item| {
                    there = item.text() == part;
                    there
                })
            });
            there && each.is_ok()
        }
        Found::Nothing => false,
        found => found.text().contains(part.as_ref()),
    }
}

fn shown(template: &Template, values: &mut Values<'_>) -> String {
    let text = template.fill(values);
    values.secrets.excerpt(text.as_bytes(), SHOWN)
}

/// All that is wanted of a value.
#[derive(Clone, Debug, Default)]
pub struct Matcher(pub Vec<Test>);

impl Matcher {
    /// Whether `found` is as wanted; what was wanted otherwise, in words.
    pub fn test(&self, found: Found<'_>, values: &mut Values<'_>) -> Result<(), String> {
        match self.0.iter().find(|test| !test.holds(found, values)) {
            Some(test) => Err(test.words(values)),
            None => Ok(()),
        }
    }
}

/// Variables, and what is wanted of each.
#[derive(Clone, Debug, Default)]
pub struct Condition(pub Vec<(Template, Matcher)>);

impl Condition {
    /// Whether all variables are as wanted.
    #[must_use]
    pub fn holds(&self, values: &mut Values<'_>) -> bool {
        self.0.iter().all(|(variable, matcher)| {
            let text = variable.fill(values);
            matcher.0.iter().all(|test| test.holds(Found::Text(&text), values))
        })
    }
}
