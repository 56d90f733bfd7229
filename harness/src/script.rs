//! Journeys with names bound and variables resolved: what a virtual user walks through.
//!
//! A journey is a flat list of steps, in which `if`, `loop`, `choose` and `once` are jumps. A walk
//! is then one loop with a place in that list: it needs no stack, and stays small while it waits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rehearsal_reports::run::Series;

use crate::compose::Call;
use crate::data::Table;
use crate::judge::{Condition, Want};
use crate::problem::Problem;
use crate::scenario::Read;
use crate::template::{Column, Draw, Scope, Template};
use crate::yaml::{Place, Seg};

mod compiler;
mod expect;
mod request;
mod think;

pub use think::Think;

use compiler::Compiler;

/// A journey, ready to be walked.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its name.
    pub name: String,
    /// The series of the journey as a whole, by place.
    pub series: usize,
    /// Its steps.
    pub steps: Vec<Step>,
    /// How many variables it has.
    pub slots: usize,
    /// The variables that are set in `once` blocks, by slot: a user keeps them.
    pub keeps: Vec<usize>,
    /// How many `once` blocks it has.
    pub onces: usize,
    /// How many loops it has.
    pub laps: usize,
    /// What it takes from the data when it begins.
    pub draws: Vec<Draw>,
}

/// One step. Places are those of the script's list.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send a request and look at the answer.
    Request(Box<Request>),
    /// Set variables, by slot.
    Let(Vec<(usize, Template)>),
    /// Wait as a person would.
    Think(Think),
    /// A `once` block begins.
    Once {
        /// Its place among its journey's.
        block: usize,
        /// Where a user goes on that has done it.
        past: usize,
    },
    /// A `once` block is done.
    Done(usize),
    /// Go on behind this if the condition holds.
    If {
        /// The condition.
        condition: Condition,
        /// Where to go on otherwise.
        otherwise: usize,
    },
    /// Go on at one of these places.
    Choose {
        /// Sums of the weights so far, and places.
        doors: Vec<(u64, usize)>,
    },
    /// Go on there.
    Goto(usize),
    /// A loop begins.
    Begin {
        /// Its place among its journey's.
        lap: usize,
    },
    /// A round of a loop is due.
    Round {
        /// Its place among its journey's.
        lap: usize,
        /// Whether there is one more.
        rounds: Rounds,
        /// Where to go on when there is none.
        past: usize,
    },
}

/// How often a loop goes round.
#[derive(Clone, Debug)]
pub enum Rounds {
    /// So often.
    Times(u32),
    /// As long as this holds; a journey that needs more rounds than this has failed.
    While(Condition, u32),
}

/// A request, and what its answer must be.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its series, by place.
    pub series: usize,
    /// What is sent.
    pub call: Call,
    /// What is wanted.
    pub want: Want,
}

/// A secret that templates name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretNamed {
    /// The environment variable.
    pub name: String,
    /// Where it is named first.
    pub place: Place,
}

/// All journeys of a scenario, with what they need.
#[derive(Clone, Debug, Default)]
pub struct Journeys {
    /// The journeys.
    pub scripts: Vec<Script>,
    /// The series that they feed.
    pub series: Vec<Series>,
    /// The data.
    pub tables: Vec<Arc<Table>>,
    /// The secrets, in the order in which templates know them.
    pub secrets: Vec<SecretNamed>,
}

/// What the journeys of one scenario share while they are compiled.
struct Shared<'a> {
    read: &'a Read,
    scope: Scope,
    series: Vec<Series>,
    secrets: Vec<SecretNamed>,
    /// Files that bodies are made of, read once each.
    files: BTreeMap<PathBuf, Arc<[u8]>>,
    problems: Vec<Problem>,
}

/// Binds the names in all journeys of the scenario, and reads the files that they send.
pub fn compile(read: &Read) -> Result<Journeys, Vec<Problem>> {
    let mut problems = Vec::new();
    let tables = tables(read, &mut problems);
    let constants = constants(read, &mut problems);
    let mut shared = Shared {
        read,
        scope: Scope::new(constants, columns(&tables)),
        series: Vec::new(),
        secrets: Vec::new(),
        files: BTreeMap::new(),
        problems,
    };
    let scripts = read.scenario.journeys.iter().map(|(name, journey)| {
        shared.scope.begin_journey();
        Compiler::new(&mut shared, name, journey).script()
    });
    let scripts = scripts.collect();
    let Shared { series, secrets, problems, .. } = shared;
    let tables = tables.into_iter().map(Arc::new).collect();
    if problems.is_empty() {
        Ok(Journeys { scripts, series, tables, secrets })
    } else {
        Err(problems)
    }
}

/// The scenario's own constants: name and text.
fn constants(read: &Read, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    let mut constants = Vec::new();
    for (name, json) in &read.scenario.constants {
        let path = [Seg::from("let"), Seg::from(name.as_str())];
        let text = json_text(json);
        if !is_name(name) {
            let message = format!("`{name}` cannot be the name of a constant");
            problems.push(read.problem(&path, message, NAME));
        }
        if text.contains("{{") {
            let expected = "a value without variables; the `let` of a step takes them";
            problems.push(read.problem(&path, "a constant is not a template", expected));
        }
        constants.push((name.clone(), text));
    }
    constants
}

fn tables(read: &Read, problems: &mut Vec<Problem>) -> Vec<Table> {
    let mut tables = Vec::new();
    for (name, written) in &read.scenario.data {
        let path = |key: &str| [Seg::from("data"), Seg::from(name.as_str()), Seg::from(key)];
        if !is_name(name) {
            let message = format!("`{name}` cannot be the name of data");
            problems.push(read.problem(&path("csv")[..2], message, NAME));
        }
        match Table::read(name, written, &read.directory()) {
            Ok(table) => tables.push(table),
            Err(error) => {
                let (key, expected) = (error.key(), error.expected());
                problems.push(read.problem(&path(key), error.to_string(), expected));
            }
        }
    }
    tables
}

fn columns(tables: &[Table]) -> Vec<Column> {
    let all = tables.iter().enumerate().flat_map(|(place, table)| {
        table.columns.iter().enumerate().map(move |(column, name)| Column {
            name: format!("{}.{name}", table.name),
            table: place,
            column,
        })
    });
    all.collect()
}

/// What a name is made of.
const NAME: &str = "letters, digits, `_` and `-`";

/// Whether templates can name a variable like this.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// A JSON value as the text that a template would hold.
fn json_text(json: &serde_json::Value) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

fn at(path: &[Seg], more: &[Seg]) -> Vec<Seg> {
    path.iter().chain(more).cloned().collect()
}

#[cfg(test)]
mod tests;
