//! Takes what looks like a secret out of requests, so that no record ever holds it.
//!
//! A secret is known by the name that it goes by: an `Authorization` or `Cookie` header, a password,
//! a field or a parameter called `token`. In its place stands `{{ env.REHEARSAL_SECRET_1 }}`, and the
//! value goes into the environment, where every scenario looks for its secrets. A body is searched
//! only where it is a web form; any other is recorded as it is.

use super::url::credentials;
use super::{Asked, Body, Content, Request};

/// What the variables are called, before their numbers.
const PREFIX: &str = "REHEARSAL_SECRET_";

/// Parts of names that say that the value is nobody else's business.
const TELLING: [&str; 12] = [
    "authorization",
    "cookie",
    "token",
    "secret",
    "passw",
    "pwd",
    "api-key",
    "api_key",
    "apikey",
    "access-key",
    "session",
    "signature",
];

/// The secrets that were taken out, by the names of their variables.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    list: Vec<(String, String)>,
    /// The highest number that is taken.
    last: usize,
}

/// Names without values: a log must not be where they come out again.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list.iter().map(|(name, _)| name)).finish()
    }
}

impl Secrets {
    /// Variables with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes the secrets out of `asked`.
    pub fn hide(&mut self, asked: &mut Asked) {
        for request in &mut asked.requests {
            self.request(request);
        }
    }

    /// `line`, a header, without its secret.
    pub fn header(&mut self, line: &str) -> String {
        match line.split_once(':') {
            Some((name, value)) => format!("{name}: {}", self.header_value(name, value.trim())),
            None => line.to_owned(),
        }
    }

    /// `user:password` without its password.
    pub fn user(&mut self, text: &str) -> String {
        match text.split_once(':') {
            Some((user, password)) => format!("{user}:{}", self.value(password)),
            None => text.to_owned(),
        }
    }

    /// `url` without a password and without parameters that look like secrets.
    pub fn url(&mut self, url: &str) -> String {
        let (begin, query) = url.split_once('?').unwrap_or((url, ""));
        let mut begin = begin.to_owned();
        if let Some((scheme, rest)) = begin.clone().split_once("://") {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if let Some((user, host)) = authority.rsplit_once('@') {
                // As a request has it: the password of a URL is decoded before it is sent.
                let (user, password) = credentials(user);
                let user = form_urlencoded::byte_serialize(user.as_bytes()).collect::<String>();
                begin = format!("{scheme}://{user}:{}@{host}{path}", self.value(&password));
            }
        }
        if query.is_empty() { begin } else { format!("{begin}?{}", self.pairs(query)) }
    }

    /// `body` without what looks like a secret, where it is a web form.
    pub fn body(&mut self, body: &str) -> String {
        if is_form(body) { self.pairs(body) } else { body.to_owned() }
    }

    fn request(&mut self, request: &mut Request) {
        if let Some((path, query)) = request.target.clone().split_once('?') {
            request.target = format!("{path}?{}", self.pairs(query));
        }
        for (name, value) in &mut request.headers {
            *value = self.header_value(name, value);
        }
        if let Some((_, password)) = &mut request.user {
            *password = self.value(password);
        }
        match &mut request.body {
            Body::Text(text) => *text = self.body(text),
            Body::Parts(parts) => {
                for part in parts.iter_mut().filter(|part| tells(&part.name)) {
                    if let Content::Text(text) = &mut part.content {
                        *text = self.value(text);
                    }
                }
            }
            Body::Empty | Body::File(_) => {}
        }
    }

    /// The scheme of an `Authorization` stays: it is no secret, and useful to know.
    fn header_value(&mut self, name: &str, value: &str) -> String {
        if !tells(name) {
            return value.to_owned();
        }
        match value.split_once(' ') {
            Some((scheme, rest))
                if name.to_ascii_lowercase().ends_with("authorization")
                    && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') =>
            {
                format!("{scheme} {}", self.value(rest))
            }
            _ => self.value(value),
        }
    }

    /// `a=1&token=x` without the values of what looks like a secret.
    fn pairs(&mut self, text: &str) -> String {
        let pairs = text.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) if tells(name) => format!("{name}={}", self.value(value)),
            _ => pair.to_owned(),
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// What stands in place of `value`. What has been taken out before keeps its number.
    fn value(&mut self, value: &str) -> String {
        if value.contains("{{") {
            let numbers = value.split(PREFIX).skip(1).filter_map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                rest[..end].parse::<usize>().ok()
            });
            self.last = numbers.fold(self.last, usize::max);
            return value.to_owned();
        }
        if value.is_empty() {
            return String::new();
        }
        let known = self.list.iter().find(|(_, own)| own == value).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| {
            self.last += 1;
            let name = format!("{PREFIX}{}", self.last);
            self.list.push((name.clone(), value.to_owned()));
            name
        });
        format!("{{{{ env.{name} }}}}")
    }
}

fn tells(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|part| name.contains(part))
}

/// Whether `text` is a web form and not, say, JSON.
fn is_form(text: &str) -> bool {
    let fits = |c: char| !c.is_whitespace() && !"{}[]<>\"".contains(c);
    text.contains('=') && text.replace("{{ env.", "").replace(" }}", "").chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_tells_is_hidden_and_keeps_its_scheme() {
        let mut secrets = Secrets::default();
        let cases = [
            ("Authorization: Bearer abc", "Authorization: Bearer {{ env.REHEARSAL_SECRET_1 }}"),
            ("authorization: abc", "authorization: {{ env.REHEARSAL_SECRET_1 }}"),
            ("Cookie:a=1; b=2", "Cookie: {{ env.REHEARSAL_SECRET_2 }}"),
            ("X-Api-Key: k", "X-Api-Key: {{ env.REHEARSAL_SECRET_3 }}"),
            ("Accept: a/b", "Accept: a/b"),
            ("X-Auth-Token: {{ env.TOKEN }}", "X-Auth-Token: {{ env.TOKEN }}"),
        ];
        for (line, hidden) in cases {
            assert_eq!(secrets.header(line), hidden);
        }
        let values: Vec<&str> = secrets.iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["abc", "a=1; b=2", "k"]);
        assert!(!format!("{secrets:?}").contains("abc"), "a log holds no secret");
    }

    #[test]
    fn passwords_of_urls_users_and_forms_are_hidden() {
        let mut secrets = Secrets::default();
        let url = secrets.url("http://ann:p%77@h/x?a=1&access_token=t");
        let hidden = "http://ann:{{ env.REHEARSAL_SECRET_1 }}@h/x?a=1&access_token={{ env.REHEARSAL_SECRET_2 }}";
        assert_eq!(url, hidden);
        assert_eq!(secrets.user("ann:pw"), "ann:{{ env.REHEARSAL_SECRET_1 }}");
        let mut asked = Asked::url("http://h/", None, Body::Text("user=a&password=b".to_owned()))
            .expect("a URL");
        secrets.hide(&mut asked);
        let body = Body::Text("user=a&password={{ env.REHEARSAL_SECRET_3 }}".to_owned());
        assert_eq!(asked.requests[0].body, body);
    }

    #[test]
    fn hiding_again_hides_nothing_and_goes_on_behind_the_last_number() {
        let mut first = Secrets::default();
        let header = first.header("Authorization: Bearer abc");
        let mut again = Secrets::default();
        assert_eq!(again.header(&header), header);
        assert!(again.is_empty());
        assert_eq!(again.header("Cookie: c"), "Cookie: {{ env.REHEARSAL_SECRET_2 }}");
    }

    #[test]
    fn a_body_that_is_no_form_stays() {
        let body = Body::Text("{\"password\": \"a=b\"}".to_owned());
        let mut asked = Asked::url("http://h/", None, body.clone()).expect("a URL");
        let mut secrets = Secrets::default();
        secrets.hide(&mut asked);
        assert_eq!(asked.requests[0].body, body);
    }
}
