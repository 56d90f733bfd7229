//! Compiles what a step sends.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::compiler::Compiler;
use super::{Request, at, json_text};
use crate::compose::{Body, Call, Header};
use crate::journey::{AuthWritten, PartWritten, StepWritten};
use crate::problem::or_list;
use crate::template::{Escape, Template};
use crate::yaml::Seg;

/// Headers that say how the bytes are cut; they follow from the body and the connection.
const OURS: [&str; 3] = ["content-length", "transfer-encoding", "expect"];

/// Whether `name` can be the name of a header (RFC 9110 section 5.6.2).
pub(super) fn is_token(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

#[expect(
    clippy::multiple_inherent_impl,
    reason = "a journey is compiled in three files: its steps, its requests, its expectations"
)]
impl<'a> Compiler<'a, '_> {
    pub(super) fn request(&mut self, step: &'a StepWritten, path: &[Seg]) -> Request {
        let (method, target) = step.requests()[0];
        let key = method.to_lowercase();
        let place = at(path, &[key.as_str().into()]);
        let target = self.own_path(target, &place);
        let cut = target.split('?').next().unwrap_or(target);
        let name = match &step.name {
            Some(name) => self.name(name, &at(path, &["name".into()])),
            None => format!("{method} {cut}"),
        };
        let series = self.unique_series(name);
        let mut call = Call {
            method,
            target: self.target(target, step, (&place, path)),
            lines: String::new(),
            headers: Vec::new(),
            names: Vec::new(),
            body: Body::Empty,
        };
        self.headers(step, path, &mut call);
        self.auth(step, path, &mut call);
        call.body = self.body(step, path, &mut call);
        let want = self.want(step, path);
        Request { series, call, want }
    }

    /// A step's name, which is the same for all users; constants may stand in it.
    fn name(&mut self, text: &str, path: &[Seg]) -> String {
        if let Some(name) = self.template(text, path).constant() {
            return name.to_owned();
        }
        self.problem(path, "a name is the same for all users", "constants of the scenario only");
        text.to_owned()
    }

    /// The path of `target`, which may be a whole URL of the system under test.
    fn own_path<'t>(&mut self, target: &'t str, path: &[Seg]) -> &'t str {
        if (target.starts_with('/') && !target.starts_with("//")) || target.starts_with("{{") {
            return target;
        }
        let system = self.shared.read.scenario.system.target.as_deref();
        let own = system.and_then(|own| target.strip_prefix(own.trim_end_matches('/')));
        if let Some(own) = own.filter(|own| own.starts_with('/')) {
            return own;
        }
        if target.contains("://") || target.starts_with("//") {
            let expected = "a path; every request goes to `system.target`";
            self.problem(path, &format!("`{target}` is of another host"), expected);
        } else {
            let message = format!("`{target}` does not begin with `/`");
            self.problem(path, &message, "a path of the target");
        }
        "/"
    }

    /// Path and query, escaped.
    fn target(
        &mut self,
        text: &str,
        step: &StepWritten,
        (place, path): (&[Seg], &[Seg]),
    ) -> Template {
        let mut target = self.template(text, place).escaped(Escape::Path);
        let mut sign = if text.contains('?') { "&" } else { "?" };
        for (key, value) in &step.query {
            let place = at(path, &["query".into(), key.as_str().into()]);
            let mut name = String::new();
            Escape::Url.append(key, &mut name);
            let one = std::slice::from_ref(value);
            let several = value.as_array().map_or(one, Vec::as_slice);
            for (index, value) in several.iter().enumerate() {
                let place = at(&place, &[Seg::Index(index)]);
                target.push_text(&format!("{sign}{name}="));
                target.push(self.template(&json_text(value), &place).escaped(Escape::Url));
                sign = "&";
            }
        }
        target
    }

    /// The headers of the step, and those of the defaults that it does not replace.
    fn headers(&mut self, step: &'a StepWritten, path: &[Seg], call: &mut Call) {
        for (name, text) in &step.headers {
            let place = at(path, &["headers".into(), name.as_str().into()]);
            self.header_name(name, &place);
            if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
                let message = format!("`{name}` follows from the body");
                self.problem(&place, &message, "leave it out");
            }
            if call.names.contains(&name.to_lowercase()) {
                self.problem(&place, &format!("`{name}` stands here twice"), "one of the two");
            }
            let value = self.template(text, &place);
            add(call, name, value, false);
        }
        for (defaults, path) in self.defaults.clone() {
            for (name, text) in &defaults.headers {
                let place = at(&path, &["headers".into(), name.as_str().into()]);
                self.header_name(name, &place);
                if call.names.contains(&name.to_lowercase()) {
                    continue;
                }
                if let Some(value) = self.default_template(text, &place) {
                    add(call, name, value, false);
                }
            }
        }
    }

    fn auth(&mut self, step: &'a StepWritten, path: &[Seg], call: &mut Call) {
        let own = step.auth.as_ref().map(|auth| (auth, at(path, &["auth".into()])));
        let taken = call.names.iter().any(|name| name == "authorization");
        if let Some((auth, place)) = own {
            if taken {
                let message = "`auth` beside a header `authorization`";
                self.problem(&place, message, "one of the two");
            }
            let (value, basic) = self.credentials(auth, &place);
            if let Some(value) = value {
                add(call, "authorization", value, basic);
            }
            return;
        }
        let defaults = self.defaults.clone();
        let default = defaults.iter().find_map(|(defaults, path)| {
            Some((defaults.auth.as_ref()?, at(path, &["auth".into()])))
        });
        if let Some((auth, place)) = default.filter(|_| !taken) {
            let (value, basic) = self.credentials(auth, &place);
            if let Some(value) = value {
                add(call, "authorization", value, basic);
            }
        }
    }

    /// The value of the header, and whether it is yet to be encoded.
    fn credentials(&mut self, auth: &AuthWritten, path: &[Seg]) -> (Option<Template>, bool) {
        match (&auth.basic, &auth.bearer) {
            (Some(basic), None) => {
                let place = |key: &str| at(path, &["basic".into(), key.into()]);
                let user = self.default_template(&basic.user, &place("user"));
                let password = self.default_template(&basic.password, &place("password"));
                let both = user.zip(password).map(|(mut user, password)| {
                    user.push_text(":");
                    user.push(password);
                    user
                });
                let constant = both.as_ref().and_then(Template::constant);
                match constant.map(|constant| Template::literal(constant).escaped(Escape::Base64)) {
                    Some(encoded) => {
                        let mut value = Template::literal("Basic ");
                        value.push(encoded);
                        (Some(value), false)
                    }
                    None => (both, true),
                }
            }
            (None, Some(token)) => {
                let token = self.default_template(token, &at(path, &["bearer".into()]));
                let value = token.map(|token| {
                    let mut value = Template::literal("Bearer ");
                    value.push(token);
                    value
                });
                (value, false)
            }
            (None, None) => (None, false),
            (Some(_), Some(_)) => {
                self.problem(path, "a request says once who is asking", "`basic` or `bearer`");
                (None, false)
            }
        }
    }

    fn body(&mut self, step: &StepWritten, path: &[Seg], call: &mut Call) -> Body {
        let bodies = step.bodies();
        if bodies.len() > 1 {
            let expected = format!("one of {}", or_list(bodies));
            self.problem(path, "a request has one body", &expected);
        }
        let (body, kind) = if let Some(json) = &step.json {
            let json = self.json_template(json, &at(path, &["json".into()]));
            (Body::Text(json), "application/json".to_owned())
        } else if let Some(form) = &step.form {
            let mut whole = Template::default();
            for (name, text) in form {
                let place = at(path, &["form".into(), name.as_str().into()]);
                let mut field =
                    if whole.constant() == Some("") { String::new() } else { "&".to_owned() };
                Escape::Form.append(name, &mut field);
                whole.push_text(&format!("{field}="));
                whole.push(self.template(text, &place).escaped(Escape::Form));
            }
            (Body::Text(whole), "application/x-www-form-urlencoded".to_owned())
        } else if let Some(parts) = &step.multipart {
            let (body, boundary) = self.multipart(parts, &at(path, &["multipart".into()]));
            (body, format!("multipart/form-data; boundary={boundary}"))
        } else if let Some(file) = &step.file {
            let content = self.file(file, &at(path, &["file".into()]));
            (Body::File(content), "application/octet-stream".to_owned())
        } else if let Some(text) = &step.text {
            let text = self.template(text, &at(path, &["body".into()]));
            (Body::Text(text), "text/plain; charset=utf-8".to_owned())
        } else {
            return Body::Empty;
        };
        if !call.names.iter().any(|name| name == "content-type") {
            add(call, "content-type", Template::literal(&kind), false);
        }
        body
    }

    /// RFC 7578: the body, and what stands between its parts.
    fn multipart(&mut self, parts: &[PartWritten], path: &[Seg]) -> (Body, String) {
        let mut files = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let place = at(path, &[Seg::Index(index)]);
            if part.value.is_some() == part.file.is_some() {
                self.problem(&place, "a part has one content", "`value` or `file`");
            }
            let file =
                part.file.as_ref().map(|file| self.file(file, &at(&place, &["file".into()])));
            files.push(file);
        }
        let boundary = boundary(&files);
        let mut bodies = Vec::new();
        let mut text = Template::default();
        for (index, (part, file)) in parts.iter().zip(files).enumerate() {
            text.push_text(&part_head(part, &boundary));
            if let Some(content) = file {
                bodies.push(Body::Text(std::mem::take(&mut text)));
                bodies.push(Body::File(content));
            } else if let Some(value) = &part.value {
                text.push(self.template(value, &at(path, &[Seg::Index(index), "value".into()])));
            }
            text.push_text("\r\n");
        }
        text.push_text(&format!("--{boundary}--\r\n"));
        bodies.push(Body::Text(text));
        (Body::Parts(bodies), boundary)
    }

    /// The content of a file, which is read once however often it is sent.
    fn file(&mut self, file: &Path, path: &[Seg]) -> Arc<[u8]> {
        let whole = self.shared.read.directory().join(file);
        if let Some(content) = self.shared.files.get(&whole) {
            return Arc::clone(content);
        }
        match fs::read(&whole) {
            Ok(content) => {
                let content: Arc<[u8]> = content.into();
                self.shared.files.insert(whole, Arc::clone(&content));
                content
            }
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", whole.display());
                self.problem(path, &message, "a file, relative to the scenario file");
                Arc::from([])
            }
        }
    }

    /// Appends `json` as text, with templates in its texts.
    pub(super) fn append_json(&mut self, json: &Json, path: &[Seg], whole: &mut Template) {
        match json {
            Json::String(text) => {
                let text = self.template(text, path);
                if text.is_raw() {
                    return whole.push(text);
                }
                whole.push_text("\"");
                whole.push(text.escaped(Escape::Json));
                whole.push_text("\"");
            }
            Json::Array(list) => {
                whole.push_text("[");
                for (index, item) in list.iter().enumerate() {
                    whole.push_text(if index > 0 { "," } else { "" });
                    self.append_json(item, &at(path, &[Seg::Index(index)]), whole);
                }
                whole.push_text("]");
            }
            Json::Object(map) => {
                whole.push_text("{");
                for (index, (key, item)) in map.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    whole.push_text(&format!("{comma}{}:", Json::from(key.as_str())));
                    self.append_json(item, &at(path, &[key.as_str().into()]), whole);
                }
                whole.push_text("}");
            }
            plain => whole.push_text(&plain.to_string()),
        }
    }
}

/// Adds a header: as a line if it is constant.
fn add(call: &mut Call, name: &str, value: Template, basic: bool) {
    call.names.push(name.to_lowercase());
    match value.constant().filter(|_| !basic) {
        Some(constant) => {
            let constant: String =
                constant.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect();
            // Writing to a string cannot fail.
            let _ = write!(call.lines, "{name}: {constant}\r\n");
        }
        None => call.headers.push(Header { name: name.to_owned(), value, basic }),
    }
}

fn part_head(part: &PartWritten, boundary: &str) -> String {
    let own = part.file.as_ref().and_then(|file| file.file_name());
    let own = own.map(|name| name.to_string_lossy().into_owned());
    let filename = part.filename.clone().or(own);
    let filename =
        filename.map_or_else(String::new, |name| format!("; filename=\"{}\"", quoted(&name)));
    let kind = part.content_type.clone();
    let kind = kind.or_else(|| part.file.is_some().then(|| "application/octet-stream".to_owned()));
    let kind = kind.map_or_else(String::new, |kind| format!("content-type: {kind}\r\n"));
    let name = quoted(&part.name);
    format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"{filename}\r\n{kind}\r\n"
    )
}

/// A name between quotes, as browsers write it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// A boundary that stands in none of the files.
fn boundary(files: &[Option<Arc<[u8]>>]) -> String {
    let mut boundary = "rehearsal-7d1f0c9b5e3a".to_owned();
    let taken = |boundary: &str| {
        let there = |file: &Arc<[u8]>| memchr::memmem::find(file, boundary.as_bytes()).is_some();
        files.iter().flatten().any(there)
    };
    while taken(&boundary) {
        boundary.push_str("-0");
    }
    boundary
}
