//! Texts with `{{ variables }}`, parsed once and filled in for each request.
//!
//! ```text
//! {{ name }}  {{ people.email }}  {{ random(1, 100) }}  {{ env.TOKEN }}  {{ name | url }}
//! ```
//!
//! A variable is resolved to a slot when the plan is made, so that a misspelt one is an error of
//! the file and filling in costs no look-up by name. Filling in writes into a buffer that is used
//! again, and allocates nothing.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::clock::wall_now;
use crate::secret::Secrets;

mod escape;
mod parse;
mod scope;

pub use escape::Escape;
pub use parse::{TemplateError, check};
pub use scope::{Column, Draw, Scope};

use parse::{Token, tokens};

/// What a template may name besides the scenario's own variables, with what it stands for.
pub const BUILT_IN: [(&str, &str); 9] = [
    ("user", "the number of the virtual user, from 0"),
    ("iteration", "how many journeys the user began before this one"),
    ("run", "the id of the run"),
    ("uuid", "a new random UUID at each place and time"),
    ("counter", "a number that no other place and time of the run gets, from 1"),
    ("random(1, 100)", "a random whole number, both ends included"),
    ("random-text(8)", "so many random letters and digits"),
    ("now", "the time of day in UTC, to the millisecond"),
    ("now-ms", "the same in milliseconds since 1970"),
];

/// What a random text is made of.
const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Where a variable's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Slot(usize),
    Secret(usize),
    User,
    Iteration,
    Run,
    Uuid,
    Counter,
    Random(i64, i64),
    RandomText(usize),
    Now,
    NowMs,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Origin, Vec<Escape>),
}

/// A text with its variables resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// Buffers that are used again from request to request.
#[derive(Debug, Default)]
pub struct Pad {
    /// For a text that is being composed or compared.
    pub text: String,
    /// For a second one beside it.
    pub other: String,
    /// For a body that is more than a text.
    pub body: Vec<u8>,
    /// For a value on its way through an escape.
    value: String,
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
    pub slots: &'a mut [String],
    /// The secrets.
    pub secrets: &'a Secrets,
    /// How often `{{ counter }}` was filled in during the run, by all threads.
    pub counter: &'a AtomicU64,
    /// Where random values come from.
    pub random: &'a mut Pcg64Mcg,
    /// Buffers.
    pub pad: &'a mut Pad,
}

impl Template {
    /// Resolves the variables of `text` in `scope`.
    pub fn compile(text: &str, scope: &mut Scope) -> Result<Self, TemplateError> {
        let mut template = Self::default();
        for token in tokens(text)? {
            match token {
                Token::Text(text) => template.push_text(text),
                Token::Value(value) => match scope.find(&value)? {
                    scope::Found::Constant(mut text) => {
                        for escape in &value.escapes {
                            let plain = std::mem::take(&mut text);
                            escape.append(&plain, &mut text);
                        }
                        template.push_text(&text);
                    }
                    scope::Found::Origin(origin) => {
                        template.pieces.push(Piece::Value(origin, value.escapes));
                    }
                },
            }
        }
        Ok(template)
    }

    /// A text without variables.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let mut template = Self::default();
        template.push_text(text);
        template
    }

    /// The same with `escape` over everything: over texts at once, over values as they come.
    #[must_use]
    pub fn escaped(self, escape: Escape) -> Self {
        let mut escaped = Self::default();
        for piece in self.pieces {
            match piece {
                Piece::Text(text) => {
                    let mut own = String::new();
                    escape.append(&text, &mut own);
                    escaped.push_text(&own);
                }
                Piece::Value(origin, mut escapes) => {
                    escapes.push(escape);
                    escaped.pieces.push(Piece::Value(origin, escapes));
                }
            }
        }
        escaped
    }

    /// Adds a text at the end.
    pub fn push_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// Adds another template at the end.
    pub fn push(&mut self, other: Self) {
        for piece in other.pieces {
            match piece {
                Piece::Text(text) => self.push_text(&text),
                piece @ Piece::Value(..) => self.pieces.push(piece),
            }
        }
    }

    /// The text, where no variable is in it.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether this is one variable, and raw: in JSON it stands without quotes.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        matches!(self.pieces.as_slice(),
            [Piece::Value(_, escapes)] if escapes.last() == Some(&Escape::Raw))
    }

    /// The slots that are read, in order.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(Origin::Slot(slot), _) => Some(*slot),
            _ => None,
        })
    }

    /// Appends the text with every variable filled in to `sink`.
    pub fn fill_into(&self, values: &mut Values<'_>, sink: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sink.push_str(text),
                Piece::Value(origin, escapes) => match escapes.as_slice() {
                    [] => origin.append(values, sink),
                    [first, rest @ ..] => origin.append_escaped((*first, rest), values, sink),
                },
            }
        }
    }

    /// The text with every variable filled in; borrowed where there is none.
    #[must_use]
    pub fn fill<'a>(&'a self, values: &mut Values<'_>) -> Cow<'a, str> {
        if let Some(text) = self.constant() {
            return Cow::Borrowed(text);
        }
        let mut text = String::new();
        self.fill_into(values, &mut text);
        Cow::Owned(text)
    }
}

impl Origin {
    fn append(&self, values: &mut Values<'_>, sink: &mut String) {
        let mut digits = itoa::Buffer::new();
        match self {
            Self::Slot(slot) => sink.push_str(values.slots.get(*slot).map_or("", String::as_str)),
            Self::Secret(place) => sink.push_str(values.secrets.value(*place)),
            Self::User => sink.push_str(digits.format(values.user)),
            Self::Iteration => sink.push_str(digits.format(values.iteration)),
            Self::Run => sink.push_str(values.run),
            Self::Uuid => {
                let uuid = uuid::Builder::from_random_bytes(values.random.random()).into_uuid();
                let mut text = uuid::Uuid::encode_buffer();
                sink.push_str(uuid.hyphenated().encode_lower(&mut text));
            }
            Self::Counter => {
                let before = values.counter.fetch_add(1, Ordering::Relaxed);
                sink.push_str(digits.format(before + 1));
            }
            Self::Random(from, to) => {
                sink.push_str(digits.format(values.random.random_range(*from..=*to)));
            }
            Self::RandomText(length) => {
                let letter = |_| char::from(LETTERS[values.random.random_range(0..LETTERS.len())]);
                sink.extend((0..*length).map(letter));
            }
            Self::Now => {
                let now = Timestamp::try_from(wall_now()).unwrap_or(Timestamp::UNIX_EPOCH);
                // Writing to a string cannot fail.
                let _ = write!(sink, "{now:.3}");
            }
            Self::NowMs => {
                let now = Timestamp::try_from(wall_now()).unwrap_or(Timestamp::UNIX_EPOCH);
                sink.push_str(digits.format(now.as_millisecond()));
            }
        }
    }

    fn append_escaped(
        &self,
        (first, rest): (Escape, &[Escape]),
        values: &mut Values<'_>,
        sink: &mut String,
    ) {
        let mut value = std::mem::take(&mut values.pad.value);
        value.clear();
        self.append(values, &mut value);
        let mut escape = first;
        for next in rest {
            let plain = std::mem::take(&mut value);
            escape.append(&plain, &mut value);
            escape = *next;
        }
        escape.append(&value, sink);
        values.pad.value = value;
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

    fn filled_all(texts: &[&str], scope: &mut Scope, slots: &mut [String]) -> Vec<String> {
        let secrets = Secrets::of(vec!["hush".to_owned()]);
        let mut random = Pcg64Mcg::seed_from_u64(1);
        let mut values = Values {
            user: 7,
            iteration: 2,
            run: "r",
            slots,
            secrets: &secrets,
            counter: &AtomicU64::new(0),
            random: &mut random,
            pad: &mut Pad::default(),
        };
        let mut fill = |text: &&str| {
            let template = Template::compile(text, scope).expect("a template");
            template.fill(&mut values).into_owned()
        };
        texts.iter().map(&mut fill).collect()
    }

    fn filled(text: &str, scope: &mut Scope, slots: &mut [String]) -> String {
        filled_all(&[text], scope, slots).remove(0)
    }

    fn scope() -> Scope {
        let column = |name: &str, column| Column { name: name.to_owned(), table: 0, column };
        let columns = vec![column("people.name", 0), column("people.city", 1)];
        let mut scope = Scope::new(vec![("shop".to_owned(), "north pole".to_owned())], columns);
        scope.slot("order");
        scope
    }

    #[test]
    fn variables_are_filled_in() {
        let text = "{{shop}}/u{{ user }}/{{ iteration }}/{{ order }}/{{ run }}/{{ env.TOKEN }}";
        let mut slots = ["o-1".to_owned()];
        assert_eq!(filled(text, &mut scope(), &mut slots), "north pole/u7/2/o-1/r/hush");
        let uuids = filled("{{ uuid }}{{ uuid }}", &mut scope(), &mut slots);
        assert_ne!(uuids[..36], uuids[36..]);
    }

    #[test]
    fn generators_make_what_they_say() {
        let texts = ["{{ counter }}-{{ counter }}", "{{ random(-3, 3) }}", "{{ random-text(12) }}"];
        let all = filled_all(&texts, &mut scope(), &mut []);
        assert_eq!(all[0], "1-2");
        assert!((-3..=3).contains(&all[1].parse::<i64>().expect("a number")), "{all:?}");
        assert!(all[2].len() == 12 && all[2].chars().all(char::is_alphanumeric), "{all:?}");
        let times = filled_all(&["{{ now }}", "{{ now-ms }}"], &mut scope(), &mut []);
        let now: Timestamp = times[0].parse().expect("a time");
        let ms: i64 = times[1].parse().expect("milliseconds");
        assert!((now.as_millisecond() - ms).abs() < 60_000, "{times:?}");
    }

    #[test]
    fn one_seed_makes_one_sequence() {
        let text = "{{ random(1, 1000000) }} {{ random-text(9) }} {{ uuid }}";
        let twice = [(); 2].map(|()| filled(text, &mut scope(), &mut []));
        assert_eq!(twice[0], twice[1]);
    }

    #[test]
    fn escapes_are_for_where_a_value_stands() {
        let mut slots = ["a b/\"\u{e9}\"".to_owned()];
        let texts = [
            "{{ order | url }}",
            "{{ order | json }}",
            "{{ order | base64 }}",
            "{{ order | base64 | url }}",
            "{{ shop | url }}",
        ];
        let all = filled_all(&texts, &mut scope(), &mut slots);
        let wanted = [
            "a%20b%2F%22%C3%A9%22",
            "a b/\\\"\u{e9}\\\"",
            "YSBiLyLDqSI=",
            "YSBiLyLDqSI%3D",
            "north%20pole",
        ];
        assert_eq!(all, wanted);
    }

    #[test]
    fn a_column_gets_a_slot_where_it_is_first_used() {
        let mut scope = scope();
        let mut slots = ["o".to_owned(), "Ann".to_owned()];
        assert_eq!(filled("{{ people.name }}{{ people.name }}", &mut scope, &mut slots), "AnnAnn");
        assert_eq!(scope.draws(), [Draw { table: 0, cells: vec![(0, 1)] }]);
    }

    #[test]
    fn what_is_no_template_is_told() {
        let compile =
            |text| Template::compile(text, &mut scope()).expect_err("an error").to_string();
        for (text, wanted) in [
            ("a {{ b", "`{{` is never closed with `}}`"),
            ("{{ a b }}", "`{{ a b }}` does not hold the name of a variable"),
            ("{{ usr }}", "unknown variable `usr`"),
            ("{{ people.nme }}", "unknown variable `people.nme`"),
            ("{{ shop | urll }}", "unknown filter `urll`"),
            (
                "{{ random(1) }}",
                "`random` takes two whole numbers, the lower first: `random(1, 100)`",
            ),
            (
                "{{ random(2, 1) }}",
                "`random` takes two whole numbers, the lower first: `random(1, 100)`",
            ),
            (
                "{{ random-text(many) }}",
                "`random-text` takes a length from 1 to 65536: `random-text(8)`",
            ),
            ("{{ shop(1) }}", "`shop` takes nothing in brackets"),
        ] {
            assert_eq!(compile(text), wanted);
        }
    }
}
