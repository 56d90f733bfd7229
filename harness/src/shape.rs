//! Checks the shape of a scenario against its JSON Schema and tells everything that is wrong.
//!
//! A serde reader stops at its first error, and a general schema validator cannot say which branch
//! of a union was meant. This one walks the tree with its places beside the schema that the types
//! derive, so the types stay the only description of the file. It knows the part of JSON Schema
//! that `schemars` writes for our types: `$ref`, `type`, `properties`, `required`,
//! `additionalProperties`, `items`, `enum`, `const`, `oneOf`/`anyOf` and `format`. A union of
//! objects is told apart by the key that is a constant in every branch (`do: kill`).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::problem::{Problem, did_you_mean, or_list};
use crate::yaml::{Entry, Node, Value};

/// Checks a text of one format and says what is wrong with it.
pub type Check = fn(&str) -> Result<(), String>;

/// A format: how its texts are checked, and how they are described to a person.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Finds what is wrong.
    pub check: Check,
    /// What was expected: `a duration such as 10s`.
    pub expected: &'static str,
}

/// A schema and the formats that it names.
#[derive(Clone, Debug)]
pub struct Shape<'a> {
    /// The root schema.
    pub root: &'a Json,
    /// Formats by name.
    pub formats: &'a BTreeMap<&'static str, Format>,
}

/// What an object may hold: from the schema itself and from the chosen branch of its union.
struct Keys<'a> {
    known: BTreeMap<&'a str, &'a Json>,
    required: Vec<&'a str>,
    others: Option<&'a Json>,
}

impl<'a> Shape<'a> {
    /// All that is wrong with `node`.
    #[must_use]
    pub fn problems(&self, node: &Node) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check(node, self.root, &mut problems);
        problems
    }

    fn resolve(&self, schema: &'a Json) -> &'a Json {
        let reference = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        match reference.and_then(|path| self.root.pointer(path)) {
            Some(target) => self.resolve(target),
            None => schema,
        }
    }

    fn branches(&self, schema: &'a Json) -> Option<Vec<&'a Json>> {
        let list = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())?;
        Some(list.iter().map(|branch| self.resolve(branch)).collect())
    }

    fn check(&self, node: &Node, schema: &'a Json, problems: &mut Vec<Problem>) {
        let schema = self.resolve(schema);
        if takes_anything(schema) {
            return;
        }
        if let Some(words) = self.words(schema) {
            check_word(node, &words, problems);
        } else if let Some(branches) = self.branches(schema)
            && Self::tag(&branches).is_none()
        {
            self.check_union(node, &branches, problems);
        } else if !accepts(schema, node) {
            problems.push(self.wrong_kind(node, &[schema]));
        } else {
            match &node.value {
                Value::Map(entries) => self.check_map(node, entries, schema, problems),
                Value::List(items) => {
                    for item in items {
                        self.check(item, &schema["items"], problems);
                    }
                }
                _ => self.check_format(node, schema, problems),
            }
        }
    }

    /// The words of a closed set, where the schema is one.
    fn words(&self, schema: &'a Json) -> Option<Vec<&'a str>> {
        if let Some(list) = schema["enum"].as_array() {
            return list.iter().map(Json::as_str).collect();
        }
        if let Some(word) = schema["const"].as_str() {
            return Some(vec![word]);
        }
        let branches = self.branches(schema)?;
        let words: Option<Vec<Vec<&str>>> =
            branches.into_iter().map(|branch| self.words(branch)).collect();
        words.map(|words| words.concat())
    }

    /// The key that is a constant in every branch, with its words.
    fn tag(branches: &[&'a Json]) -> Option<(&'a str, Vec<&'a str>)> {
        let first = branches.first()?["properties"].as_object()?;
        first.keys().find_map(|key| {
            let words: Option<Vec<&str>> =
                branches.iter().map(|branch| branch["properties"][key]["const"].as_str()).collect();
            words.map(|words| (key.as_str(), words))
        })
    }

    /// A value that may be of several kinds is judged by the branches of its own kind.
    fn check_union(&self, node: &Node, branches: &[&'a Json], problems: &mut Vec<Problem>) {
        let fitting = |branch: &&Json| self.kind_fits(node, branch);
        let mut best: Option<Vec<Problem>> = None;
        for branch in branches.iter().copied().filter(fitting) {
            let mut found = Vec::new();
            self.check(node, branch, &mut found);
            if best.as_ref().is_none_or(|best| found.len() < best.len()) {
                best = Some(found);
            }
        }
        problems.extend(best.unwrap_or_else(|| vec![self.wrong_kind(node, branches)]));
    }

    fn kind_fits(&self, node: &Node, schema: &'a Json) -> bool {
        match (self.words(schema), self.branches(schema)) {
            (Some(_), _) => matches!(node.value, Value::Text(_)),
            (None, Some(branches)) => branches.iter().any(|branch| self.kind_fits(node, branch)),
            (None, None) => accepts(schema, node),
        }
    }

    fn keys(schema: &'a Json, branch: Option<&'a Json>) -> Keys<'a> {
        let empty = &EMPTY;
        let parts = [Some(schema), branch];
        let parts = parts.iter().flatten();
        let properties = |part: &&&'a Json| part["properties"].as_object().unwrap_or(empty).iter();
        Keys {
            known: parts
                .clone()
                .flat_map(|part| properties(&part))
                .map(|(key, schema)| (key.as_str(), schema))
                .collect(),
            required: parts
                .filter_map(|part| part["required"].as_array())
                .flatten()
                .filter_map(Json::as_str)
                .collect(),
            others: Some(&schema["additionalProperties"])
                .filter(|others| others.is_object() || **others == Json::Bool(true)),
        }
    }

    fn check_map(
        &self,
        node: &Node,
        entries: &[Entry],
        schema: &'a Json,
        problems: &mut Vec<Problem>,
    ) {
        let branches = self.branches(schema).unwrap_or_default();
        let mut branch = None;
        if let Some((tag, words)) = Self::tag(&branches) {
            let Some(entry) = entries.iter().find(|entry| entry.key == tag) else {
                let expected = format!("`{tag}:` must be {}", or_list(words));
                let message = format!("`{tag}` is missing");
                problems.push(Problem::new(node.place.clone(), message, expected));
                return;
            };
            let chosen = match &entry.node.value {
                Value::Text(text) => words.iter().position(|word| word == text),
                _ => None,
            };
            let Some(chosen) = chosen else {
                check_word(&entry.node, &words, problems);
                return;
            };
            branch = Some(branches[chosen]);
        }
        let keys = Self::keys(schema, branch);
        for missing in keys.required.iter().filter(|key| entries.iter().all(|e| e.key != **key)) {
            let expected = format!("`{missing}:` must stand here");
            let message = format!("`{missing}` is missing");
            problems.push(Problem::new(node.place.clone(), message, expected));
        }
        for entry in entries {
            match keys.known.get(entry.key.as_str()).copied().or(keys.others) {
                Some(schema) => self.check(&entry.node, schema, problems),
                None => problems.push(unknown_key(entry, &keys)),
            }
        }
    }

    fn check_format(&self, node: &Node, schema: &'a Json, problems: &mut Vec<Problem>) {
        if let (Some(least), Value::Number(number)) = (schema["minimum"].as_f64(), &node.value)
            && number.as_f64().is_some_and(|number| number < least)
        {
            let message = format!("`{number}` is too small");
            let expected = format!("{least} or more");
            problems.push(Problem::new(node.place.clone(), message, expected));
        }
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return,
        };
        let format = schema["format"].as_str().and_then(|name| self.formats.get(name));
        if let Some(format) = format
            && let Err(reason) = (format.check)(&text)
        {
            let message = format!("`{text}` does not fit: {reason}");
            problems.push(Problem::new(node.place.clone(), message, format.expected));
        }
    }

    fn wrong_kind(&self, node: &Node, schemas: &[&'a Json]) -> Problem {
        let mut kinds: Vec<String> = schemas.iter().map(|schema| self.describe(schema)).collect();
        kinds.retain(|kind| kind != "nothing");
        kinds.dedup();
        let message = format!("expected {}, found {}", kinds.join(" or "), node.kind());
        Problem::new(node.place.clone(), message, kinds.join(" or "))
    }

    fn describe(&self, schema: &'a Json) -> String {
        if let Some(words) = self.words(schema) {
            return or_list(words);
        }
        let format = schema["format"].as_str().and_then(|name| self.formats.get(name));
        if let Some(format) = format {
            return format.expected.to_owned();
        }
        if let Some(branches) = self.branches(schema).filter(|branches| !branches.is_empty()) {
            let kinds: Vec<String> = branches.iter().map(|branch| self.describe(branch)).collect();
            return kinds.join(" or ");
        }
        let names = types(schema).into_iter().map(|name| match name {
            "object" => "a map of keys",
            "array" => "a list",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            "string" => "a text",
            _ => "nothing",
        });
        let names: Vec<&str> = names.filter(|name| *name != "nothing").collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(" or ") }
    }
}

static EMPTY: std::sync::LazyLock<Map<String, Json>> = std::sync::LazyLock::new(Map::new);

fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether `schema` says nothing of the value, as that of free JSON does.
fn takes_anything(schema: &Json) -> bool {
    let words = ["type", "properties", "oneOf", "anyOf", "enum", "const", "format"];
    words.iter().all(|word| schema.get(word).is_none())
}

/// Whether `schema` takes values of the kind of `node`; without a type it takes all.
fn accepts(schema: &Json, node: &Node) -> bool {
    let types = types(schema);
    let any = |names: &[&str]| types.is_empty() || types.iter().any(|name| names.contains(name));
    match &node.value {
        Value::Null => any(&["null"]),
        Value::Bool(_) => any(&["boolean"]),
        Value::Number(number) if number.is_f64() => any(&["number"]),
        Value::Number(_) => any(&["number", "integer"]),
        Value::Text(_) => any(&["string"]),
        Value::List(_) => any(&["array"]),
        Value::Map(_) => any(&["object"]),
    }
}

fn check_word(node: &Node, words: &[&str], problems: &mut Vec<Problem>) {
    let Value::Text(text) = &node.value else {
        let message = format!("expected {}, found {}", or_list(words.to_vec()), node.kind());
        problems.push(Problem::new(node.place.clone(), message, "a word was expected"));
        return;
    };
    if !words.contains(&text.as_str()) {
        let message = format!("`{text}` is not known here");
        let mut problem = Problem::new(
            node.place.clone(),
            message,
            format!("expected {}", or_list(words.to_vec())),
        );
        problem.help = did_you_mean(text, words.iter().copied());
        problems.push(problem);
    }
}

fn unknown_key(entry: &Entry, keys: &Keys<'_>) -> Problem {
    let known = keys.known.keys().copied();
    let message = format!("unknown key `{}`", entry.key);
    let expected = format!("known keys: {}", or_list(known.clone()));
    let mut problem = Problem::new(entry.place.clone(), message, expected);
    problem.help = did_you_mean(&entry.key, known);
    problem
}
