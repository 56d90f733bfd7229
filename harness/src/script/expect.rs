//! Compiles expectations, matchers and captures.

use indexmap::IndexMap;
use regex::bytes::Regex;
use serde_json::Value as Json;

use super::compiler::Compiler;
use super::{at, request};
use crate::journey::{
    ByteBounds, CaptureWritten, ExpectWritten, MatcherWritten, PatternWritten, StepWritten, Wanted,
};
use crate::json::{Kind, Path};
use crate::judge::{Capture, Css, Literal, Matcher, Origin, Pick, Test, Want};
use crate::problem::did_you_mean;
use crate::template::Template;
use crate::yaml::Seg;

/// Expectations and where they are written, the nearest first.
struct Layers<'a>(Vec<(&'a ExpectWritten, Vec<Seg>)>);

impl<'a> Layers<'a> {
    /// What the nearest layer that has it says of `key`, and where.
    fn get<T: ?Sized>(
        &self,
        key: &str,
        of: impl Fn(&'a ExpectWritten) -> Option<&'a T>,
    ) -> Option<(&'a T, Vec<Seg>)> {
        self.0.iter().find_map(|(layer, path)| Some((of(layer)?, at(path, &[key.into()]))))
    }
}

impl<'a> Compiler<'a, '_> {
    /// What the answer of a step must be.
    pub(super) fn want(&mut self, step: &'a StepWritten, path: &[Seg]) -> Want {
        let own = step.expect.as_ref().map(|expect| (expect, at(path, &["expect".into()])));
        let defaults = self.defaults.iter().filter_map(|(defaults, path)| {
            Some((defaults.expect.as_ref()?, at(path, &["expect".into()])))
        });
        let layers = Layers(own.into_iter().chain(defaults).collect());
        let mut want = Want::default();
        if let Some((statuses, _)) = layers.get("status", |expect| expect.status.as_ref()) {
            want.statuses = statuses.list().iter().map(|range| (range.from, range.to)).collect();
        }
        let json = layers.get("json", |e| Some(&e.json).filter(|json| !json.is_empty()));
        for (key, wanted, path) in entries(json) {
            let matcher = self.matcher(wanted, &path);
            want.json.extend(self.json_path(key, &path).map(|key| (key, matcher)));
        }
        let header = layers.get("header", |e| Some(&e.header).filter(|header| !header.is_empty()));
        for (name, wanted, path) in entries(header) {
            self.header_name(name, &path);
            want.headers.push((name.to_owned(), self.matcher(wanted, &path)));
        }
        want.body = self.body_matcher(&layers);
        if let Some((text, path)) = layers.get("sha256", |expect| expect.sha256.as_ref()) {
            want.sha256 = Some(self.template(text, &path));
        }
        if let Some((size, path)) = layers.get("size", |expect| expect.size.as_ref()) {
            want.size = Some(self.size(size, &path));
        }
        if let Some((time, _)) = layers.get("time", |expect| expect.time.as_ref()) {
            want.time = Some(time.at_most.0);
        }
        for (name, written) in &step.capture {
            let path = at(path, &["capture".into(), name.as_str().into()]);
            want.captures.extend(self.capture(name, written, &path));
        }
        want
    }

    /// `body` and `regex` together.
    fn body_matcher(&mut self, layers: &Layers<'_>) -> Option<Matcher> {
        let mut tests = Vec::new();
        match layers.get("body", |expect| expect.body.as_ref()) {
            Some((Wanted::Value(Json::String(text)), path)) => {
                tests.push(Test::Contains(self.template(text, &path)));
            }
            Some((wanted, path)) => tests.extend(self.matcher(wanted, &path).0),
            None => {}
        }
        if let Some((text, path)) = layers.get("regex", |expect| expect.regex.as_ref()) {
            tests.extend(self.pattern(text, &path).map(Test::Matches));
        }
        (!tests.is_empty()).then_some(Matcher(tests))
    }

    fn size(&mut self, written: &ByteBounds, path: &[Seg]) -> (u64, u64) {
        let limits = (written.at_least, written.at_most);
        let range = match (written.exactly, limits) {
            (Some(exactly), (None, None)) => Some((exactly.0, exactly.0)),
            (None, (None, None)) | (Some(_), _) => None,
            (None, (least, most)) => {
                Some((least.map_or(0, |it| it.0), most.map_or(u64::MAX, |it| it.0)))
            }
        };
        let range = range.filter(|(least, most)| least <= most);
        range.unwrap_or_else(|| {
            let expected = "`exactly`, or `at-least` and `at-most`, the lower first";
            self.problem(path, "not a size", expected);
            (0, u64::MAX)
        })
    }

    /// What is wanted of a value.
    pub(super) fn matcher(&mut self, wanted: &Wanted, path: &[Seg]) -> Matcher {
        let written = match wanted {
            Wanted::Value(value) => {
                return Matcher(vec![Test::Equals(self.literal(value, path))]);
            }
            Wanted::Matcher(written) => written,
        };
        let mut tests = self.tests(written, path);
        if let Some(list) = &written.one_of {
            let path = at(path, &["one-of".into()]);
            let all = list.iter().enumerate();
            let all = all.map(|(i, value)| self.literal(value, &at(&path, &[Seg::Index(i)])));
            tests.push(Test::OneOf(all.collect()));
        }
        if let Some(kind) = &written.kind {
            match Kind::named(kind) {
                Ok(kind) => tests.push(Test::Is(kind)),
                Err(expected) => {
                    let path = at(path, &["type".into()]);
                    let message = format!("`{kind}` is not a type of JSON");
                    let mut problem = self.shared.read.problem(&path, message, expected);
                    let words = ["string", "number", "boolean", "null", "array", "object"];
                    problem.help = did_you_mean(kind, words);
                    self.shared.problems.push(problem);
                }
            }
        }
        if tests.is_empty() {
            let expected = "a value, or such as `{ at-least: 1 }`";
            self.problem(path, "nothing is wanted of this value", expected);
        }
        Matcher(tests)
    }

    fn tests(&mut self, written: &MatcherWritten, path: &[Seg]) -> Vec<Test> {
        let mut tests = Vec::new();
        let place = |key: &str| at(path, &[key.into()]);
        if let Some(value) = &written.equals {
            tests.push(Test::Equals(self.literal(value, &place("equals"))));
        }
        if let Some(text) = &written.contains {
            tests.push(Test::Contains(self.template(text, &place("contains"))));
        }
        if let Some(text) = &written.not_contains {
            tests.push(Test::NotContains(self.template(text, &place("not-contains"))));
        }
        if let Some(text) = &written.matches {
            tests.extend(self.pattern(text, &place("matches")).map(Test::Matches));
        }
        tests.extend(written.exists.map(Test::Exists));
        tests.extend(written.at_least.map(Test::AtLeast));
        tests.extend(written.at_most.map(Test::AtMost));
        if let Some(length) = written.length {
            let (least, most) = length.range();
            if least > most {
                self.problem(&place("length"), "no length is both", "the lower limit first");
            }
            tests.push(Test::Length(least, most));
        }
        tests
    }

    fn literal(&mut self, value: &Json, path: &[Seg]) -> Literal {
        match value {
            Json::String(text) => Literal::Text(self.template(text, path)),
            Json::Array(_) | Json::Object(_) => Literal::Structure(self.json_template(value, path)),
            plain => Literal::Plain(plain.clone()),
        }
    }

    fn pattern(&mut self, text: &str, path: &[Seg]) -> Option<Regex> {
        if text.contains("{{") {
            let expected = "a pattern without variables; `contains` and `equals` take them";
            self.problem(path, "a pattern is not a template", expected);
            return None;
        }
        match Regex::new(text) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                // The reason stands in the last line, below a picture of the pattern.
                let words = error.to_string();
                let reason = words.lines().last().unwrap_or_default();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                let message = format!("not a regular expression: {reason}");
                self.problem(path, &message, "a regular expression as of the `regex` crate");
                None
            }
        }
    }

    fn json_path(&mut self, text: &str, path: &[Seg]) -> Option<Path> {
        match Path::parse(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                let message = format!("not a path into JSON: {error}");
                self.problem(path, &message, "such as `user.name` or `$.items[0].id`");
                None
            }
        }
    }

    pub(super) fn header_name(&mut self, name: &str, path: &[Seg]) {
        if !request::is_token(name) {
            let message = format!("`{name}` cannot be the name of a header");
            self.problem(path, &message, "letters, digits and dashes");
        }
    }

    fn capture(&mut self, name: &str, written: &CaptureWritten, path: &[Seg]) -> Option<Capture> {
        if written.places().len() != 1 || written.status == Some(false) {
            let expected = "one of `json`, `header`, `cookie`, `regex`, `css`, `status: true`";
            self.problem(path, "a variable is taken from one place", expected);
            return None;
        }
        let pick = match (written.index, written.random) {
            (Some(_), Some(true)) => {
                self.problem(path, "one match or any match", "`index` or `random`");
                return None;
            }
            (_, Some(true)) => Pick::Random,
            (index, _) => Pick::At(index.unwrap_or(0)),
        };
        let default = written.default.as_ref();
        let default = default.map(|text| self.template(text, &at(path, &["default".into()])));
        let origin = self.origin(written, path);
        let slot = self.variable(name, path);
        Some(Capture { slot, origin: origin?, pick, default })
    }

    fn origin(&mut self, written: &CaptureWritten, path: &[Seg]) -> Option<Origin> {
        if let Some(json) = &written.json {
            return self.json_path(json, &at(path, &["json".into()])).map(Origin::Json);
        }
        if let Some(name) = &written.header {
            self.header_name(name, &at(path, &["header".into()]));
            return Some(Origin::Header(name.clone()));
        }
        if let Some(name) = &written.cookie {
            return Some(Origin::Cookie(name.clone()));
        }
        if let Some(written) = &written.regex {
            return self.group(written, &at(path, &["regex".into()]));
        }
        if let Some(css) = &written.css {
            let found = Css::new(&css.selector, css.attr.as_deref());
            if found.is_none() {
                let path = at(path, &["css".into(), "selector".into()]);
                let message = format!("`{}` is not a selector that is read here", css.selector);
                self.problem(&path, &message, "such as `#id`, `.class`, `form input[name=token]`");
            }
            return found.map(Origin::Css);
        }
        Some(Origin::Status)
    }

    fn group(&mut self, written: &PatternWritten, path: &[Seg]) -> Option<Origin> {
        let (text, group) = match written {
            PatternWritten::Pattern(text) => (text, None),
            PatternWritten::Group(group) => (&group.pattern, Some(group.group)),
        };
        let place = if group.is_some() { at(path, &["pattern".into()]) } else { path.to_vec() };
        let pattern = self.pattern(text, &place)?;
        let groups = pattern.captures_len() - 1;
        let group = group.unwrap_or(groups.min(1));
        if group > groups {
            let message = format!("the pattern has no group {group}");
            let expected = format!("0 for all of it, or a group up to {groups}");
            self.problem(&at(path, &["group".into()]), &message, &expected);
            return None;
        }
        Some(Origin::Regex(pattern, group))
    }

    /// A JSON value as a template of its text.
    pub(super) fn json_template(&mut self, json: &Json, path: &[Seg]) -> Template {
        let mut whole = Template::default();
        self.append_json(json, path, &mut whole);
        whole
    }
}

type Entry<'a> = (&'a str, &'a Wanted, Vec<Seg>);

fn entries(layer: Option<(&IndexMap<String, Wanted>, Vec<Seg>)>) -> Vec<Entry<'_>> {
    let entries = layer.into_iter().flat_map(|(map, path)| {
        map.iter()
            .map(move |(key, wanted)| (key.as_str(), wanted, at(&path, &[key.as_str().into()])))
    });
    entries.collect()
}
