//! Journeys with names bound and variables resolved: what a virtual user walks through.

use std::collections::BTreeSet;

use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use rehearsal_reports::run::Series;
use serde_json::Value as Json;

use crate::journey::{CaptureWritten, ExpectWritten, Statuses, StepWritten};
use crate::problem::{Problem, did_you_mean};
use crate::scenario::Read;
use crate::template::{Scope, Template, TemplateError, Values};
use crate::yaml::Seg;

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
    /// How many `once` blocks it has.
    pub onces: usize,
}

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send a request and look at the answer.
    Request(Box<Request>),
    /// Set variables, by slot.
    Let(Vec<(usize, Template)>),
    /// Steps for a user that has not done them yet; the place of the block among its journey's.
    Once(usize, Vec<Step>),
}

/// A request and what its answer must be.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its series, by place.
    pub series: usize,
    /// Its method.
    pub method: Method,
    /// Its path, with the query.
    pub path: Template,
    /// Its headers.
    pub headers: Vec<(HeaderName, Template)>,
    /// Its body.
    pub body: Body,
    /// What makes the answer good.
    pub expect: Expect,
    /// What is taken from the answer, by slot.
    pub capture: Vec<(usize, Capture)>,
}

/// A request's body.
#[derive(Clone, Debug)]
pub enum Body {
    /// None.
    Empty,
    /// JSON, with templates in its texts.
    Json(JsonTemplate),
    /// A web form.
    Form(Vec<(String, Template)>),
    /// A text.
    Text(Template),
}

/// JSON with templates in its texts.
#[derive(Clone, Debug)]
pub enum JsonTemplate {
    /// A number, a truth or nothing.
    Plain(Json),
    /// A text.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object.
    Object(Vec<(String, JsonTemplate)>),
}

/// What makes an answer good.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// Good statuses; when empty, all below 400.
    pub statuses: Vec<u16>,
    /// Values of the JSON body, by path.
    pub json: Vec<(String, Template)>,
    /// Values of headers.
    pub headers: Vec<(HeaderName, Template)>,
    /// A text that the body must hold.
    pub body: Option<Template>,
}

/// Where a variable's value is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capture {
    /// The JSON body, by path.
    Json(String),
    /// A header.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
}

impl JsonTemplate {
    /// The JSON with its variables filled in.
    #[must_use]
    pub fn fill(&self, values: &mut Values<'_>) -> Json {
        match self {
            Self::Plain(json) => json.clone(),
            Self::Text(text) => text.fill(values).into_owned().into(),
            Self::List(list) => list.iter().map(|item| item.fill(values)).collect(),
            Self::Object(entries) => {
                entries.iter().map(|(key, item)| (key.clone(), item.fill(values))).collect()
            }
        }
    }
}

impl Request {
    /// Whether the answer's body must be kept to judge it or to take values from it.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        let captures_json = self.capture.iter().any(|(_, from)| matches!(from, Capture::Json(_)));
        captures_json || !self.expect.json.is_empty() || self.expect.body.is_some()
    }
}

/// The value at `path` (`user`, `items.0.id`, `$.user`) of `json`.
#[must_use]
pub fn json_at<'a>(json: &'a Json, path: &str) -> Option<&'a Json> {
    let path = path.strip_prefix("$.").unwrap_or(path);
    path.split('.').try_fold(json, |json, part| match json {
        Json::Array(list) => list.get(part.parse::<usize>().ok()?),
        _ => json.get(part),
    })
}

/// A JSON value as the text that a template would hold.
#[must_use]
pub fn json_text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// All journeys of the scenario, and the series that they feed.
pub fn compile(read: &Read) -> Result<(Vec<Script>, Vec<Series>), Vec<Problem>> {
    let mut series = Vec::new();
    let mut problems = Vec::new();
    let mut scripts = Vec::new();
    for (name, steps) in &read.scenario.journeys {
        let mut compiler = Compiler::new(read, name, &mut series, &mut problems);
        let whole = compiler.add_series(None);
        let path = [Seg::from("journeys"), Seg::from(name.as_str())];
        let steps = compiler.steps(steps, &path);
        let (slots, onces) = (compiler.scope.len(), compiler.onces);
        scripts.push(Script { name: name.clone(), series: whole, steps, slots, onces });
    }
    if problems.is_empty() { Ok((scripts, series)) } else { Err(problems) }
}

struct Compiler<'a> {
    read: &'a Read,
    journey: &'a str,
    scope: Scope,
    onces: usize,
    names: BTreeSet<String>,
    series: &'a mut Vec<Series>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Compiler<'a> {
    fn new(
        read: &'a Read,
        journey: &'a str,
        series: &'a mut Vec<Series>,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        let constants = read.scenario.constants.iter();
        let constants = constants.map(|(name, json)| (name.clone(), json_text(json))).collect();
        let scope = Scope::new(constants);
        Self { read, journey, scope, onces: 0, names: BTreeSet::new(), series, problems }
    }

    fn add_series(&mut self, step: Option<String>) -> usize {
        self.series.push(Series { journey: self.journey.to_owned(), step });
        self.series.len() - 1
    }

    fn steps(&mut self, steps: &[StepWritten], path: &[Seg]) -> Vec<Step> {
        let compiled = steps.iter().enumerate().filter_map(|(index, step)| {
            let path: Vec<Seg> = path.iter().cloned().chain([Seg::Index(index)]).collect();
            self.step(step, &path)
        });
        compiled.collect()
    }

    fn step(&mut self, step: &StepWritten, path: &[Seg]) -> Option<Step> {
        let requests = step.requests();
        let kinds = requests.len()
            + usize::from(step.variables.is_some())
            + usize::from(step.once.is_some());
        if kinds != 1 {
            let message = format!("a step does one thing, and this one does {kinds}");
            let expected = "one of `get`, `post`, `put`, `patch`, `delete`, `head`, `let`, `once`";
            self.problems.push(self.read.problem(path, message, expected));
            return None;
        }
        if let Some(variables) = &step.variables {
            let set = variables.iter().map(|(name, text)| {
                let template =
                    self.template(text, &at(path, &["let".into(), name.as_str().into()]));
                (self.scope.slot(name), template)
            });
            return Some(Step::Let(set.collect()));
        }
        if let Some(steps) = &step.once {
            let block = self.onces;
            self.onces += 1;
            return Some(Step::Once(block, self.steps(steps, &at(path, &["once".into()]))));
        }
        let (method, target) = requests[0];
        Some(Step::Request(Box::new(self.request(step, (method, target), path))))
    }

    fn request(
        &mut self,
        step: &StepWritten,
        (method, target): (&str, &str),
        path: &[Seg],
    ) -> Request {
        let key = method.to_lowercase();
        if !target.starts_with('/') {
            let message = format!("`{target}` does not begin with `/`");
            let place = at(path, &[key.as_str().into()]);
            self.problems.push(self.read.problem(&place, message, "a path of the target"));
        }
        let query_cut = target.split('?').next().unwrap_or(target);
        let name = step.name.clone().unwrap_or_else(|| format!("{method} {query_cut}"));
        let series = self.unique(name);
        let headers = step.headers.iter().filter_map(|(name, text)| {
            let place = at(path, &["headers".into(), name.as_str().into()]);
            Some((self.header_name(name, &place)?, self.template(text, &place)))
        });
        let headers = headers.collect();
        let target = self.template(target, &at(path, &[key.as_str().into()]));
        let body = self.body(step, path);
        let expect = step.expect.as_ref().map(|expect| self.expect(expect, path));
        let capture = step.capture.iter().filter_map(|(name, from)| {
            let place = at(path, &["capture".into(), name.as_str().into()]);
            let capture = self.capture(from, &place)?;
            Some((self.scope.slot(name), capture))
        });
        Request {
            series,
            method: method.parse().expect("one of six methods"),
            path: target,
            headers,
            body,
            capture: capture.collect(),
            expect: expect.unwrap_or_default(),
        }
    }

    /// A series of this name; the second of one name in a journey is told apart by a number.
    fn unique(&mut self, name: String) -> usize {
        let numbered = (2..).map(|number| format!("{name} ({number})"));
        let mut names = [name.clone()].into_iter().chain(numbered);
        let free = names.find(|name| !self.names.contains(name)).unwrap_or(name);
        self.names.insert(free.clone());
        self.add_series(Some(free))
    }

    fn body(&mut self, step: &StepWritten, path: &[Seg]) -> Body {
        let written = [step.json.is_some(), step.form.is_some(), step.body.is_some()];
        if written.iter().filter(|written| **written).count() > 1 {
            let problem =
                self.read.problem(path, "a request has one body", "`json`, `form` or `body`");
            self.problems.push(problem);
        }
        if let Some(json) = &step.json {
            return Body::Json(self.json(json, &at(path, &["json".into()])));
        }
        if let Some(form) = &step.form {
            let fields = form.iter().map(|(name, text)| {
                let place = at(path, &["form".into(), name.as_str().into()]);
                (name.clone(), self.template(text, &place))
            });
            return Body::Form(fields.collect());
        }
        match &step.body {
            Some(text) => Body::Text(self.template(text, &at(path, &["body".into()]))),
            None => Body::Empty,
        }
    }

    fn json(&mut self, json: &Json, path: &[Seg]) -> JsonTemplate {
        match json {
            Json::String(text) => JsonTemplate::Text(self.template(text, path)),
            Json::Array(list) => {
                let items = list.iter().enumerate();
                let items = items.map(|(i, item)| self.json(item, &at(path, &[Seg::Index(i)])));
                JsonTemplate::List(items.collect())
            }
            Json::Object(map) => {
                let entries = map.iter().map(|(key, item)| {
                    (key.clone(), self.json(item, &at(path, &[key.as_str().into()])))
                });
                JsonTemplate::Object(entries.collect())
            }
            plain => JsonTemplate::Plain(plain.clone()),
        }
    }

    fn expect(&mut self, expect: &ExpectWritten, path: &[Seg]) -> Expect {
        let path = at(path, &["expect".into()]);
        let json = expect.json.iter().map(|(key, value)| {
            let place = at(&path, &["json".into(), key.as_str().into()]);
            (key.clone(), self.template(&json_text(value), &place))
        });
        let json = json.collect();
        let headers = expect.header.iter().filter_map(|(name, text)| {
            let place = at(&path, &["header".into(), name.as_str().into()]);
            Some((self.header_name(name, &place)?, self.template(text, &place)))
        });
        Expect {
            statuses: expect.status.as_ref().map(Statuses::list).unwrap_or_default(),
            json,
            headers: headers.collect(),
            body: expect
                .body
                .as_ref()
                .map(|text| self.template(text, &at(&path, &["body".into()]))),
        }
    }

    fn capture(&mut self, from: &CaptureWritten, path: &[Seg]) -> Option<Capture> {
        match (&from.json, &from.header, &from.cookie) {
            (Some(json), None, None) => Some(Capture::Json(json.clone())),
            (None, Some(name), None) => self.header_name(name, path).map(Capture::Header),
            (None, None, Some(name)) => Some(Capture::Cookie(name.clone())),
            _ => {
                let expected = "one of `json`, `header`, `cookie`";
                let message = "a variable is taken from one place";
                self.problems.push(self.read.problem(path, message, expected));
                None
            }
        }
    }

    fn header_name(&mut self, name: &str, path: &[Seg]) -> Option<HeaderName> {
        let parsed = HeaderName::from_bytes(name.as_bytes());
        if parsed.is_err() {
            let message = format!("`{name}` cannot be the name of a header");
            self.problems.push(self.read.problem(path, message, "letters, digits and dashes"));
        }
        parsed.ok()
    }

    fn template(&mut self, text: &str, path: &[Seg]) -> Template {
        Template::compile(text, &self.scope).unwrap_or_else(|error| {
            let known = self.scope.names();
            let expected = crate::problem::or_list(known.clone());
            let mut problem =
                self.read.problem(path, error.to_string(), format!("known here: {expected}"));
            if let TemplateError::Unknown(name) = &error {
                problem.help = did_you_mean(name, known);
            }
            self.problems.push(problem);
            Template::default()
        })
    }
}

fn at(path: &[Seg], more: &[Seg]) -> Vec<Seg> {
    path.iter().chain(more).cloned().collect()
}

/// The value of a header, with what a header cannot hold left out.
#[must_use]
pub fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| {
        let kept: String = text.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect();
        HeaderValue::from_str(&kept).unwrap_or_else(|_| HeaderValue::from_static(""))
    })
}
