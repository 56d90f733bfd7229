//! The variables that are known at one place of a journey.

use super::Origin;
use super::parse::{LONGEST, TemplateError, Value};

/// How a secret's name begins.
const SECRET: &str = "env.";

/// A column of the scenario's data, as templates name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its full name: `people.email`.
    pub name: String,
    /// Its table, by place.
    pub table: usize,
    /// Its place in the table.
    pub column: usize,
}

/// What a journey takes from one table at its begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The table, by place.
    pub table: usize,
    /// The cells of the drawn row: column and slot.
    pub cells: Vec<(usize, usize)>,
}

/// The variables that are known at one place of a journey.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The scenario's own constants.
    constants: Vec<(String, String)>,
    columns: Vec<Column>,
    /// The journey's variables; a slot is the place in this list.
    slots: Vec<String>,
    draws: Vec<Draw>,
    /// Names of secrets, over all journeys.
    secrets: Vec<String>,
}

/// What a name stands for.
pub(super) enum Found {
    Constant(String),
    Origin(Origin),
}

impl Scope {
    /// A scope with the scenario's constants and the columns of its data.
    #[must_use]
    pub fn new(constants: Vec<(String, String)>, columns: Vec<Column>) -> Self {
        Self { constants, columns, ..Self::default() }
    }

    /// Forgets the variables of the journey before; secrets are of the whole scenario.
    pub fn begin_journey(&mut self) {
        self.slots.clear();
        self.draws.clear();
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

    /// What the journey takes from the data so far.
    #[must_use]
    pub fn draws(&self) -> &[Draw] {
        &self.draws
    }

    /// The names of the secrets so far, in the order of their first use.
    #[must_use]
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// All names that a template may use here.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let own = self.slots.iter().map(String::as_str).filter(|name| !name.contains('.'));
        let columns = self.columns.iter().map(|column| column.name.as_str());
        let constants = self.constants.iter().map(|(name, _)| name.as_str());
        let built_in = super::BUILT_IN.iter().map(|(name, _)| *name);
        own.chain(columns).chain(constants).chain(built_in).chain(["env.NAME"])
    }

    pub(super) fn find(&mut self, value: &Value<'_>) -> Result<Found, TemplateError> {
        if let Some(origin) = self.variable(value.name) {
            return if value.arguments.is_some() {
                Err(needless(value.name))
            } else {
                Ok(Found::Origin(origin))
            };
        }
        if let Some((_, text)) = self.constants.iter().find(|(name, _)| name == value.name) {
            let text = text.clone();
            return if value.arguments.is_some() {
                Err(needless(value.name))
            } else {
                Ok(Found::Constant(text))
            };
        }
        built_in(value).map(Found::Origin)
    }

    fn variable(&mut self, name: &str) -> Option<Origin> {
        if let Some(slot) = self.slots.iter().position(|slot| slot == name) {
            return Some(Origin::Slot(slot));
        }
        if let Some(column) = self.columns.iter().find(|column| column.name == name) {
            let (table, column) = (column.table, column.column);
            let slot = self.slot(name);
            let draw = self.draws.iter_mut().find(|draw| draw.table == table);
            match draw {
                Some(draw) => draw.cells.push((column, slot)),
                None => self.draws.push(Draw { table, cells: vec![(column, slot)] }),
            }
            return Some(Origin::Slot(slot));
        }
        let secret = name.strip_prefix(SECRET).filter(|name| !name.is_empty())?;
        let known = self.secrets.iter().position(|known| known == secret);
        Some(Origin::Secret(known.unwrap_or_else(|| {
            self.secrets.push(secret.to_owned());
            self.secrets.len() - 1
        })))
    }
}

fn needless(name: &str) -> TemplateError {
    TemplateError::Arguments { name: name.to_owned(), takes: "nothing in brackets" }
}

fn built_in(value: &Value<'_>) -> Result<Origin, TemplateError> {
    let wrong = |takes| TemplateError::Arguments { name: value.name.to_owned(), takes };
    let origin = match value.name {
        "random" => {
            let both = value.arguments.and_then(|both| both.split_once(','));
            let both = both.and_then(|(from, to)| Some((whole(from)?, whole(to)?)));
            let (from, to) = both
                .filter(|(from, to)| from <= to)
                .ok_or_else(|| wrong("two whole numbers, the lower first: `random(1, 100)`"))?;
            return Ok(Origin::Random(from, to));
        }
        "random-text" => {
            let length = value.arguments.and_then(|length| length.trim().parse().ok());
            let length = length.filter(|length| (1..=LONGEST).contains(length));
            return length
                .map(Origin::RandomText)
                .ok_or_else(|| wrong("a length from 1 to 65536: `random-text(8)`"));
        }
        "user" => Origin::User,
        "iteration" => Origin::Iteration,
        "run" => Origin::Run,
        "uuid" => Origin::Uuid,
        "counter" => Origin::Counter,
        "now" => Origin::Now,
        "now-ms" => Origin::NowMs,
        _ => return Err(TemplateError::Unknown(value.name.to_owned())),
    };
    if value.arguments.is_some() { Err(needless(value.name)) } else { Ok(origin) }
}

fn whole(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}
