//! Texts with `{{ variables }}`, parsed once and filled in for each request.
//!
//! A variable is resolved to a slot when the plan is made, so that a misspelt one is an error of
//! the file and filling in costs no look-up by name.

use std::borrow::Cow;
use std::ops::Range;

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// What a template may name besides the scenario's own variables, with what it stands for.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("user", "the number of the virtual user, from 0"),
    ("iteration", "how many journeys the user began before this one"),
    ("run", "the id of the run"),
    ("uuid", "a new random UUID at each place and time"),
];

/// A text in which variables are still by name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'a> {
    Text(&'a str),
    Name(&'a str, Range<usize>),
}

/// A text that is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Braces were opened and not closed.
    #[error("`{{{{` is never closed with `}}}}`")]
    Open,
    /// The braces hold no name.
    #[error("`{{{{ {0} }}}}` does not hold the name of a variable")]
    NotAName(String),
    /// No variable has this name.
    #[error("unknown variable `{0}`")]
    Unknown(String),
}

/// Whether `text` is well formed, whatever the variables are.
pub fn check(text: &str) -> Result<(), TemplateError> {
    tokens(text).map(drop)
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{") {
        let begin = at + open;
        let close = text[begin..].find("}}").ok_or(TemplateError::Open)?;
        let name = text[begin + 2..begin + close].trim();
        let fits = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(fits) {
            return Err(TemplateError::NotAName(name.to_owned()));
        }
        tokens.push(Token::Text(&text[at..begin]));
        tokens.push(Token::Name(name, begin..begin + close + 2));
        at = begin + close + 2;
    }
    tokens.push(Token::Text(&text[at..]));
    Ok(tokens)
}

/// The variables that are known at one place of a journey.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The scenario's own constants.
    constants: Vec<(String, String)>,
    /// The journey's variables; a slot is the place in this list.
    slots: Vec<String>,
}

impl Scope {
    /// A scope with the scenario's constants.
    #[must_use]
    pub fn new(constants: Vec<(String, String)>) -> Self {
        Self { constants, slots: Vec::new() }
    }

    /// The slot of the variable `name`, which is new unless it was set before.
    pub fn slot(&mut self, name: &str) -> usize {
        let known = self.slots.iter().position(|slot| slot == name);
        known.unwrap_or_else(|| {
            self.slots.push(name.to_owned());
            self.slots.len() - 1
        })
    }

    /// How many slots there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no slots.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All names that a template may use here.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let own = self.slots.iter().map(String::as_str);
        let constants = self.constants.iter().map(|(name, _)| name.as_str());
        own.chain(constants).chain(BUILT_IN.iter().map(|(name, _)| *name))
    }

    fn piece(&self, name: &str) -> Option<Piece> {
        if let Some(slot) = self.slots.iter().position(|slot| slot == name) {
            return Some(Piece::Slot(slot));
        }
        if let Some((_, text)) = self.constants.iter().find(|(constant, _)| constant == name) {
            return Some(Piece::Text(text.clone()));
        }
        match name {
            "user" => Some(Piece::User),
            "iteration" => Some(Piece::Iteration),
            "run" => Some(Piece::Run),
            "uuid" => Some(Piece::Uuid),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Slot(usize),
    User,
    Iteration,
    Run,
    Uuid,
}

/// A text with its variables resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// What the variables stand for in one journey of one user.
#[derive(Debug)]
pub struct Values<'a> {
    /// The user's number.
    pub user: u64,
    /// How many journeys it began before.
    pub iteration: u64,
    /// The run's id.
    pub run: &'a str,
    /// The values of the slots.
    pub slots: &'a [String],
    /// Where UUIDs come from.
    pub random: &'a mut Pcg64Mcg,
}

impl Template {
    /// Resolves the variables of `text` in `scope`.
    pub fn compile(text: &str, scope: &Scope) -> Result<Self, TemplateError> {
        let mut pieces: Vec<Piece> = Vec::new();
        for token in tokens(text)? {
            let piece = match token {
                Token::Text(text) => Piece::Text(text.to_owned()),
                Token::Name(name, _) => {
                    scope.piece(name).ok_or_else(|| TemplateError::Unknown(name.to_owned()))?
                }
            };
            match (pieces.last_mut(), piece) {
                (_, Piece::Text(text)) if text.is_empty() => {}
                (Some(Piece::Text(last)), Piece::Text(text)) => last.push_str(&text),
                (_, piece) => pieces.push(piece),
            }
        }
        Ok(Self { pieces })
    }

    /// The text with every variable filled in.
    #[must_use]
    pub fn fill<'a>(&'a self, values: &mut Values<'_>) -> Cow<'a, str> {
        match self.pieces.as_slice() {
            [] => Cow::Borrowed(""),
            [Piece::Text(text)] => Cow::Borrowed(text),
            pieces => {
                let mut text = String::new();
                for piece in pieces {
                    piece.append(&mut text, values);
                }
                Cow::Owned(text)
            }
        }
    }
}

impl Piece {
    fn append(&self, text: &mut String, values: &mut Values<'_>) {
        match self {
            Self::Text(own) => text.push_str(own),
            Self::Slot(slot) => text.push_str(values.slots.get(*slot).map_or("", String::as_str)),
            Self::User => text.push_str(&values.user.to_string()),
            Self::Iteration => text.push_str(&values.iteration.to_string()),
            Self::Run => text.push_str(values.run),
            Self::Uuid => {
                let uuid = uuid::Builder::from_random_bytes(values.random.random()).into_uuid();
                text.push_str(&uuid.to_string());
            }
        }
    }
}

/// A template in the JSON Schema.
#[derive(Clone, Copy, Debug)]
pub enum Text {}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "template" })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn filled(text: &str, scope: &Scope, slots: &[String]) -> String {
        let mut random = Pcg64Mcg::seed_from_u64(1);
        let mut values = Values { user: 7, iteration: 2, run: "r", slots, random: &mut random };
        let template = Template::compile(text, scope).expect("a template");
        template.fill(&mut values).into_owned()
    }

    #[test]
    fn variables_are_filled_in() {
        let mut scope = Scope::new(vec![("shop".to_owned(), "north".to_owned())]);
        scope.slot("order");
        let slots = ["o-1".to_owned()];
        let text = "{{shop}}/u{{ user }}/{{ iteration }}/{{ order }}";
        assert_eq!(filled(text, &scope, &slots), "north/u7/2/o-1");
        assert_ne!(filled("{{ uuid }}{{ uuid }}", &scope, &slots)[..36], *"");
    }

    #[test]
    fn what_is_no_template_is_told() {
        let compile = |text| Template::compile(text, &Scope::default()).expect_err("an error");
        assert_eq!(compile("a {{ b"), TemplateError::Open);
        assert_eq!(compile("{{ a b }}"), TemplateError::NotAName("a b".to_owned()));
        assert_eq!(compile("{{ usr }}"), TemplateError::Unknown("usr".to_owned()));
    }
}
