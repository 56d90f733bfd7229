//! Lists of targets in vegeta's two formats, told apart by their first character.
//!
//! `http` is blocks of `METHOD URL`, headers and `@file`; `json` is one object a line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::url::Url;
use super::{Asked, Body, QuickError, Request, header, known_method};

/// The most requests that are made in turn: each is a journey with histograms of its own.
const MOST: usize = 200;

/// A target in the `json` format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonTarget {
    method: String,
    url: String,
    /// In base64.
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    header: BTreeMap<String, Vec<String>>,
}

pub(super) fn read(name: &str, text: &str) -> Result<Asked, QuickError> {
    let mut list = List { name, asked: Asked::default() };
    let lines = text.lines().map(str::trim).zip(1..);
    let lines = lines.filter(|(line, _)| !line.starts_with('#'));
    if text.trim_start().starts_with('{') {
        lines.filter(|(line, _)| !line.is_empty()).try_for_each(|at| list.json(at))?;
    } else {
        list.http(lines)?;
    }
    if list.asked.requests.is_empty() {
        let help = "write lines such as `GET http://127.0.0.1:8080/`";
        return Err(QuickError::new(format!("`{name}` holds no target"), help));
    }
    Ok(list.asked)
}

/// The targets so far; every line of a file adds to them or is wrong.
struct List<'a> {
    name: &'a str,
    asked: Asked,
}

impl List<'_> {
    fn wrong(&self, line: usize, error: &QuickError) -> QuickError {
        QuickError::new(format!("{}:{line}: {}", self.name, error.what), error.help.clone())
    }

    /// A block begins at each line that is `METHOD URL`; an empty line ends it.
    fn http<'a>(
        &mut self,
        lines: impl Iterator<Item = (&'a str, usize)>,
    ) -> Result<(), QuickError> {
        let mut open = false;
        for (line, number) in lines {
            if line.is_empty() {
                open = false;
                continue;
            }
            let added = match line.split_once(char::is_whitespace) {
                Some((method, url)) if Url::is_one(url.trim()) && !method.ends_with(':') => {
                    open = true;
                    self.begin(method, url.trim())
                }
                _ if !open => Err(QuickError::new(
                    format!("`{line}` does not begin a target"),
                    "a target begins with `METHOD URL`, such as `GET http://127.0.0.1:8080/`",
                )),
                _ => self.add(line),
            };
            added.map_err(|error| self.wrong(number, &error))?;
        }
        Ok(())
    }

    /// A line below `METHOD URL`.
    fn add(&mut self, line: &str) -> Result<(), QuickError> {
        let Some(request) = self.asked.requests.last_mut() else { return Ok(()) };
        if let Some(path) = line.strip_prefix('@') {
            request.body = Body::File(PathBuf::from(path));
        } else {
            let (name, value) = header(line)?;
            request.set_header(name, value);
        }
        Ok(())
    }

    fn json(&mut self, (line, number): (&str, usize)) -> Result<(), QuickError> {
        let added = serde_json::from_str(line).map_err(|error| {
            QuickError::new(
                format!("not a target: {error}"),
                "a line is `{\"method\": .., \"url\": .., \"header\": {..}, \"body\": base64}`",
            )
        });
        let added = added.and_then(|target| self.json_target(target));
        added.map_err(|error| self.wrong(number, &error))
    }

    fn json_target(&mut self, target: JsonTarget) -> Result<(), QuickError> {
        self.begin(&target.method, &target.url)?;
        let Some(request) = self.asked.requests.last_mut() else { return Ok(()) };
        for (name, values) in &target.header {
            for value in values {
                request.set_header(name, value);
            }
        }
        if let Some(body) = target.body.filter(|body| !body.is_empty()) {
            let bytes = STANDARD.decode(body).map_err(|error| {
                QuickError::new(format!("`body` is not base64: {error}"), "encode the body")
            })?;
            let text = String::from_utf8(bytes).map_err(|_| {
                let help = "use the `http` format, in which `@file` sends a file as it is";
                QuickError::new("`body` is not a text", help)
            })?;
            request.body = Body::Text(text);
        }
        Ok(())
    }

    fn begin(&mut self, method: &str, url: &str) -> Result<(), QuickError> {
        let url = Url::parse(url)?;
        let asked = &mut self.asked;
        if asked.requests.is_empty() {
            asked.origin = url.origin;
        } else if asked.origin != url.origin {
            return Err(QuickError::new(
                format!("`{}` is another origin than `{}`", url.origin, asked.origin),
                "one run loads one target; make a list for each",
            ));
        }
        if asked.requests.len() == MOST {
            let help = "write a scenario whose `data:` holds the rest";
            return Err(QuickError::new(format!("more than {MOST} targets"), help));
        }
        let method = known_method(method)?;
        let target = url.target;
        asked.requests.push(Request { method, target, user: url.user, ..Request::default() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(text: &str) -> Vec<Request> {
        read("list", text).expect(text).requests
    }

    fn error(text: &str) -> String {
        read("list", text).expect_err(text).to_string()
    }

    #[test]
    fn blocks_hold_headers_and_a_body() {
        let text = "\
# what follows is asked in turn
GET http://h:81/a?b=c
X-Account-ID: 8675309

DELETE http://h:81/d
POST http://h:81/things
Content-Type: application/json
# between two headers
X-Empty:
@/path/to/newthing.json
";
        let all = requests(text);
        let short: Vec<(&str, &str)> =
            all.iter().map(|one| (one.method.as_str(), one.target.as_str())).collect();
        assert_eq!(short, [("GET", "/a?b=c"), ("DELETE", "/d"), ("POST", "/things")]);
        assert_eq!(all[0].headers, [("X-Account-ID".to_owned(), "8675309".to_owned())]);
        assert_eq!(all[1].headers, []);
        assert_eq!(all[2].headers.len(), 2);
        assert_eq!(all[2].body, Body::File(PathBuf::from("/path/to/newthing.json")));
    }

    #[test]
    fn lines_of_json_hold_the_same() {
        let text = r#"
{"method": "GET", "url": "http://h/a"}
{"method": "POST", "url": "http://h/b", "body": "eyJhIjogMX0=", "header": {"X": ["1", "2"]}}
"#;
        let all = requests(text);
        assert_eq!(all.len(), 2);
        assert_eq!(all[1].body, Body::Text("{\"a\": 1}".to_owned()));
        assert_eq!(all[1].headers, [("X".to_owned(), "1, 2".to_owned())]);
    }

    #[test]
    fn a_header_whose_value_is_a_url_is_a_header() {
        let all = requests("GET http://h/a\nReferer: http://h/b\n");
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].headers, [("Referer".to_owned(), "http://h/b".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let cases = [
            ("", "holds no target"),
            ("# nothing\n", "holds no target"),
            ("GET http://h/\n\nBREW http://h/\n", "list:3: `BREW` is no method"),
            ("GET http://h/\nPOST http://other/\n", "list:2: `http://other` is another origin"),
            ("GET /a\n", "list:1: `GET /a` does not begin a target"),
            ("X-A: 1\n", "list:1: `X-A: 1` does not begin a target"),
            ("GET http://h/\nno header\n", "list:2: `no header` is no header"),
            ("{\"method\": \"GET\"}\n", "list:1: not a target: missing field `url`"),
            ("{\"method\": \"GET\", \"url\": \"http://h/\", \"x\": 1}", "unknown field `x`"),
            (r#"{"method":"PUT","url":"http://h/","body":"%"}"#, "`body` is not base64"),
            (r#"{"method":"PUT","url":"http://h/","body":"/w=="}"#, "`body` is not a text"),
        ];
        for (text, part) in cases {
            assert!(error(text).contains(part), "`{part}` is missing from: {}", error(text));
        }
        let many = "GET http://h/\n".repeat(MOST + 1);
        assert!(error(&many).contains("list:201: more than 200 targets"), "{}", error(&many));
    }
}
