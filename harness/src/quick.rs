//! A run without a file: from a URL, a curl command or a list of targets to the text of a scenario.
//!
//! What comes out is read as any scenario is, so it can be planned, saved and recorded like one.
//! Whatever looks like a secret is taken out first and stands in the text as `{{ env.NAME }}`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod curl;
mod hide;
mod targets;
mod url;
mod words;
mod write;
mod yaml;

pub use hide::Secrets;

/// The methods that a journey knows.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];

/// Reads a file that a command names; handed in, so that nothing here touches the disk.
pub type Files<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// Why a command line is not a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {help}")]
pub struct QuickError {
    /// What is wrong.
    pub what: String,
    /// The way out.
    pub help: String,
}

impl QuickError {
    /// `what` is wrong, and `help` is the way out.
    pub fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }
}

/// What is asked of whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Scheme, host and port of all requests: `http://127.0.0.1:8080`.
    pub origin: String,
    /// The requests, which are made in turn.
    pub requests: Vec<Request>,
    /// How they travel.
    pub transport: Transport,
}

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// One of the methods that a journey knows.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers by name, as written; each name once.
    pub headers: Vec<(String, String)>,
    /// User and password of basic authentication.
    pub user: Option<(String, String)>,
    /// What is sent.
    pub body: Body,
}

/// What a request sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// This text.
    Text(String),
    /// The bytes of this file.
    File(PathBuf),
    /// A form of several parts.
    Parts(Vec<Part>),
}

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// What is in it.
    pub content: Content,
    /// Its media type, where one is said.
    pub media_type: Option<String>,
}

/// What is in a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// This text.
    Text(String),
    /// The bytes of this file, under this name if another is said.
    File(PathBuf, Option<String>),
}

/// How requests travel; what is `None` stays as scenarios have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// `1`, `2` or `h2c`.
    pub http: Option<String>,
    /// Whether any certificate is believed.
    pub insecure: bool,
    /// Who keeps connections: a policy's name.
    pub connections: Option<String>,
    /// How many redirects are followed at most.
    pub redirects: Option<u32>,
    /// Whether answers may come compressed.
    pub compressed: bool,
    /// The time limit to connect.
    pub connect: Option<Duration>,
    /// The time limit of a whole request.
    pub total: Option<Duration>,
}

/// How requests arrive.
#[derive(Clone, Debug, PartialEq)]
pub enum Pace {
    /// So many in so long, whatever the system does; a rate as scenarios write it.
    Rate(String),
    /// So many users, each asking anew when it has its answer.
    Users(u32),
    /// So many requests in all, shared by so many users.
    Iterations {
        /// How many users.
        users: u32,
        /// How many requests.
        count: u64,
    },
}

/// A run, as asked for on the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Quick {
    /// What is asked of whom.
    pub asked: Asked,
    /// How requests arrive.
    pub pace: Pace,
    /// How long.
    pub lasting: Duration,
    /// How long before that objectives do not look.
    pub warm_up: Option<Duration>,
    /// Good statuses, as an expectation writes them; when empty, all below 400.
    pub statuses: Vec<String>,
    /// What must hold.
    pub objectives: Vec<String>,
    /// The path that the prober asks; by default that of the first GET.
    pub probe: Option<String>,
}

impl Asked {
    /// One request to `url`.
    pub fn url(url: &str, method: Option<&str>, body: Body) -> Result<Self, QuickError> {
        let url = url::Url::parse(url)?;
        let default = if body == Body::Empty { "GET" } else { "POST" };
        let request = Request {
            method: known_method(method.unwrap_or(default))?,
            target: url.target,
            user: url.user,
            body,
            ..Request::default()
        };
        Ok(Self { origin: url.origin, requests: vec![request], ..Self::default() })
    }

    /// The request of a curl command, such as a browser copies it.
    pub fn curl(line: &str, files: Files<'_>) -> Result<Self, QuickError> {
        curl::read(line, files)
    }

    /// The same as a curl command, without what [`Secrets`] has taken out.
    #[must_use]
    pub fn to_curl(&self) -> String {
        curl::show(self)
    }

    /// The targets in `text`, in vegeta's `http` or `json` format; `name` is the file's.
    pub fn targets(name: &str, text: &str) -> Result<Self, QuickError> {
        targets::read(name, text)
    }

    /// Adds the header in `line`, `Name: value`, to every request.
    pub fn add_header(&mut self, line: &str) -> Result<(), QuickError> {
        let (name, value) = header(line)?;
        for request in &mut self.requests {
            request.set_header(name, value);
        }
        Ok(())
    }
}

impl Request {
    /// Adds a header. A name that is there already gets both values, as HTTP joins them.
    fn set_header(&mut self, name: &str, value: &str) {
        let known = self.headers.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name));
        match known {
            Some((_, own)) => {
                own.push_str(if name.eq_ignore_ascii_case("cookie") { "; " } else { ", " });
                own.push_str(value);
            }
            None => self.headers.push((name.to_owned(), value.to_owned())),
        }
    }

    fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }
}

impl Quick {
    /// The text of the scenario that this is.
    #[must_use]
    pub fn scenario(&self) -> String {
        write::scenario(self)
    }
}

/// Whether `text` is meant as a URL and not as the name of a file.
#[must_use]
pub fn is_url(text: &str) -> bool {
    url::Url::is_one(text)
}

/// Name and value of a header written as `Name: value`.
fn header(line: &str) -> Result<(&str, &str), QuickError> {
    let split = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    split.filter(|(name, _)| is_token(name)).ok_or_else(|| {
        QuickError::new(format!("`{line}` is no header"), "write it as `Name: value`")
    })
}

/// Whether `name` can be the name of a header (RFC 9110, 5.6.2).
fn is_token(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(fits)
}

fn known_method(method: &str) -> Result<String, QuickError> {
    if METHODS.contains(&method) {
        return Ok(method.to_owned());
    }
    let known = crate::problem::or_list(METHODS);
    Err(QuickError::new(
        format!("`{method}` is no method of a journey"),
        format!("it can be {known}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_asked_as_its_body_and_method_say() {
        let asked = |method, body| {
            let asked = Asked::url("http://h/x", method, body).expect("a URL");
            asked.requests[0].method.clone()
        };
        assert_eq!(asked(None, Body::Empty), "GET");
        assert_eq!(asked(None, Body::Text("a".to_owned())), "POST");
        assert_eq!(asked(Some("PUT"), Body::Text("a".to_owned())), "PUT");
        let error = Asked::url("http://h/x", Some("BREW"), Body::Empty).expect_err("no method");
        assert!(error.to_string().contains("`BREW`"), "{error}");
    }

    #[test]
    fn a_header_goes_to_every_request_and_one_name_stands_once() {
        let text = "GET http://h/a\n\nGET http://h/b\nCookie: a=1\n";
        let mut asked = Asked::targets("t", text).expect("targets");
        asked.add_header("x-shop: north").expect("a header");
        asked.add_header("X-Shop:south").expect("a header");
        asked.add_header("cookie: b=2").expect("a header");
        let shop = ("x-shop".to_owned(), "north, south".to_owned());
        assert!(asked.requests.iter().all(|request| request.headers.contains(&shop)));
        let cookie = ("Cookie".to_owned(), "a=1; b=2".to_owned());
        assert!(asked.requests[1].headers.contains(&cookie), "{asked:?}");
        for wrong in ["no colon", ": no name", "with space: x"] {
            assert!(asked.add_header(wrong).is_err(), "{wrong}");
        }
    }
}
