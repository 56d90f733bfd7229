//! From a step of a journey to the bytes of its request.
//!
//! What does not depend on a variable is written once, when the plan is made: a request without
//! variables is copied and not composed. Nothing is allocated here.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cookies::Cookies;
use crate::template::{Template, Values};
use crate::wire::Wire;

/// A request of a journey.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: &'static str,
    /// Its path and query, escaped.
    pub target: Template,
    /// Header lines without variables, each with its CR LF.
    pub lines: String,
    /// Headers with variables.
    pub headers: Vec<Header>,
    /// The names of all its headers in lower case: what every request else carries gives way.
    pub names: Vec<String>,
    /// Its body.
    pub body: Body,
}

/// A header with variables in its value.
#[derive(Clone, Debug)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Template,
    /// Whether the value is `user:password`, to be sent as RFC 7617 says.
    pub basic: bool,
}

/// A request's body.
#[derive(Clone, Debug)]
pub enum Body {
    /// None.
    Empty,
    /// A text, whatever it is written in.
    Text(Template),
    /// The content of a file.
    File(Arc<[u8]>),
    /// Texts and files, one after the other.
    Parts(Vec<Body>),
}

/// What every request to a target carries.
#[derive(Clone, Debug, Default)]
pub struct Preamble {
    authority: String,
    /// Whether the connection is encrypted.
    secure: bool,
    /// Names in lower case, and lines.
    headers: Vec<(String, String)>,
    lines: String,
}

/// A variable made a path that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a path of the target")]
pub struct NotAPath(pub String);

impl Preamble {
    /// The `Host` header of `authority` and these further headers, whose names are in lower case.
    #[must_use]
    pub fn new(authority: &str, secure: bool, further: &[(&'static str, String)]) -> Self {
        let line = |name: &str, value: &str| (name.to_owned(), format!("{name}: {value}\r\n"));
        let mut headers = vec![line("host", authority)];
        headers.extend(further.iter().map(|(name, value)| line(name, value)));
        let lines = headers.iter().map(|(_, line)| line.as_str()).collect();
        Self { authority: authority.to_owned(), secure, headers, lines }
    }

    fn write(&self, call: &Call, wire: &mut Wire) {
        let own = |name: &str| call.names.iter().any(|own| own == name);
        if !self.headers.iter().any(|(name, _)| own(name)) {
            return wire.lines(&self.lines);
        }
        for (_, line) in self.headers.iter().filter(|(name, _)| !own(name)) {
            wire.lines(line);
        }
    }

    /// The path of `text`, which may be a whole URL of this target. A fragment is never sent.
    fn path<'a>(&self, text: &'a str) -> Option<&'a str> {
        let text = text.split('#').next().unwrap_or(text);
        if text.starts_with('/') && !text.starts_with("//") {
            return Some(text);
        }
        let scheme = if self.secure { "https://" } else { "http://" };
        let path = text.strip_prefix(scheme)?.strip_prefix(self.authority.as_str())?;
        match path.as_bytes().first() {
            None => Some("/"),
            Some(b'/') => Some(path),
            Some(_) => None,
        }
    }
}

/// Writes the request of `call` into `wire`.
pub fn compose(
    call: &Call,
    preamble: &Preamble,
    values: &mut Values<'_>,
    cookies: &Cookies,
    wire: &mut Wire,
) -> Result<(), NotAPath> {
    let mut text = std::mem::take(&mut values.pad.text);
    text.clear();
    call.target.fill_into(values, &mut text);
    let begun = preamble.path(&text).map(|path| wire.begin(call.method, path));
    if begun.is_none() {
        return Err(NotAPath(text));
    }
    preamble.write(call, wire);
    wire.lines(&call.lines);
    for header in &call.headers {
        text.clear();
        header.value.fill_into(values, &mut text);
        if header.basic {
            let other = &mut values.pad.other;
            other.clear();
            other.push_str("Basic ");
            STANDARD.encode_string(&text, other);
            wire.header(&header.name, other);
        } else {
            wire.header(&header.name, &text);
        }
    }
    if !call.names.iter().any(|name| name == "cookie") {
        // The room is free again: the target stands in the wire.
        let cookie = cookies.header(wire.target(), preamble.secure, &mut text);
        if !cookie.is_empty() {
            wire.header("cookie", cookie);
        }
    }
    end(&call.body, values, &mut text, wire);
    values.pad.text = text;
    Ok(())
}

fn end(body: &Body, values: &mut Values<'_>, text: &mut String, wire: &mut Wire) {
    match body {
        Body::Empty => wire.finish(),
        Body::File(content) => wire.body(content),
        Body::Text(template) => {
            if let Some(constant) = template.constant() {
                return wire.body(constant.as_bytes());
            }
            text.clear();
            template.fill_into(values, text);
            wire.body(text.as_bytes());
        }
        Body::Parts(parts) => {
            let mut whole = std::mem::take(&mut values.pad.body);
            whole.clear();
            for part in parts {
                match part {
                    Body::File(content) => whole.extend_from_slice(content),
                    Body::Text(template) => {
                        text.clear();
                        template.fill_into(values, text);
                        whole.extend_from_slice(text.as_bytes());
                    }
                    Body::Empty | Body::Parts(_) => {}
                }
            }
            wire.body(&whole);
            values.pad.body = whole;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::*;
    use crate::answer::Answer;
    use crate::cookies::Site;
    use crate::secret::Secrets;
    use crate::template::{Escape, Pad, Scope};

    fn call(target: Template, body: Body) -> Call {
        Call {
            method: "POST",
            target,
            lines: "x-channel: web\r\n".to_owned(),
            headers: Vec::new(),
            names: vec!["x-channel".to_owned()],
            body,
        }
    }

    fn composed(call: &Call, slot: &str, cookies: &Cookies) -> Result<String, NotAPath> {
        let preamble = Preamble::new("shop:80", false, &[("user-agent", "rehearsal".to_owned())]);
        let mut wire = Wire::default();
        let mut values = Values {
            user: 1,
            iteration: 0,
            run: "r",
            slots: &mut [slot.to_owned()],
            secrets: &Secrets::default(),
            counter: &AtomicU64::new(0),
            random: &mut Pcg64Mcg::seed_from_u64(1),
            pad: &mut Pad::default(),
        };
        compose(call, &preamble, &mut values, cookies, &mut wire)?;
        Ok(String::from_utf8_lossy(wire.bytes()).into_owned())
    }

    fn template(text: &str) -> Template {
        let mut scope = Scope::default();
        scope.slot("x");
        Template::compile(text, &mut scope).expect("a template")
    }

    #[test]
    fn a_request_has_its_lines_in_order() {
        let mut call =
            call(template("/a/{{ x }}").escaped(Escape::Path), Body::Text(template("{{ x }}!")));
        call.headers.push(Header {
            name: "x-id".to_owned(),
            value: template("<{{ x }}>"),
            basic: false,
        });
        call.headers.push(Header {
            name: "authorization".to_owned(),
            value: template("u:{{ x }}"),
            basic: true,
        });
        let site = Site { host: "shop".to_owned(), secure: false };
        let mut answer = Answer::default();
        answer.push_header(b"set-cookie", b"s=1");
        let mut cookies = Cookies::default();
        cookies.take(&answer, "/", &site, Duration::ZERO);
        let text = composed(&call, "7\r\nb", &cookies).expect("a path");
        let wanted = "POST /a/7b HTTP/1.1\r\nhost: shop:80\r\nuser-agent: rehearsal\r\n\
            x-channel: web\r\nx-id: <7b>\r\nauthorization: Basic dTo3DQpi\r\ncookie: s=1\r\n\
            content-length: 5\r\n\r\n7\r\nb!";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_header_of_the_step_replaces_that_of_every_request() {
        let mut call = call(Template::literal("/"), Body::Empty);
        call.lines = "host: other\r\n".to_owned();
        call.names = vec!["host".to_owned()];
        let text = composed(&call, "", &Cookies::default()).expect("a path");
        assert_eq!(
            text,
            "POST / HTTP/1.1\r\nuser-agent: rehearsal\r\nhost: other\r\ncontent-length: 0\r\n\r\n"
        );
    }

    #[test]
    fn a_link_of_the_target_is_followed_and_no_other() {
        let call = call(template("{{ x }}").escaped(Escape::Path), Body::Empty);
        let target = |slot: &str| {
            let text = composed(&call, slot, &Cookies::default()).ok()?;
            text.split(' ').nth(1).map(str::to_owned)
        };
        assert_eq!(target("/a?b=c").as_deref(), Some("/a?b=c"));
        assert_eq!(target("http://shop:80/a").as_deref(), Some("/a"));
        assert_eq!(target("/a?b#c").as_deref(), Some("/a?b"));
        assert_eq!(target("http://shop:80").as_deref(), Some("/"));
        for wrong in ["http://shop:8080/a", "http://evil/a", "//evil/a", "a", ""] {
            assert_eq!(target(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn parts_and_files_are_joined_as_they_are() {
        let file: Arc<[u8]> = Arc::from([0_u8, 159, 146]);
        let parts = vec![
            Body::Text(template("<{{ x }}>")),
            Body::File(Arc::clone(&file)),
            Body::Text(template("$")),
        ];
        let text =
            composed(&call(Template::literal("/"), Body::Parts(parts)), "7", &Cookies::default());
        assert!(text.expect("a path").ends_with("content-length: 7\r\n\r\n<7>\0\u{fffd}\u{fffd}$"));
        let text =
            composed(&call(Template::literal("/"), Body::File(file)), "7", &Cookies::default());
        assert!(text.expect("a path").contains("content-length: 3\r\n"));
    }
}
