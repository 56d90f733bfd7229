//! The cookies of one user on one host.

use crate::answer::Answer;
use crate::wire::Wire;

/// What a browser would send back. Domain, expiry date and `Secure` say nothing on one plain host
/// for the length of a run; path and removal (`Max-Age=0`) do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cookies(Vec<Cookie>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

impl Cookies {
    /// Takes over what an answer sets and removes.
    pub(crate) fn take(&mut self, answer: &Answer) {
        for header in answer.headers("set-cookie") {
            if let Ok(text) = std::str::from_utf8(header) {
                self.set(text);
            }
        }
    }

    fn set(&mut self, text: &str) {
        let mut parts = text.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let (mut path, mut removed) = ("/", false);
        for (key, value) in parts.filter_map(|attribute| attribute.split_once('=')) {
            if key.eq_ignore_ascii_case("path") {
                path = value;
            } else if key.eq_ignore_ascii_case("max-age") {
                removed = value.parse::<i64>().is_ok_and(|seconds| seconds <= 0);
            }
        }
        self.0.retain(|cookie| cookie.name != name || cookie.path != path);
        if !removed {
            let (name, value) = (name.to_owned(), value.to_owned());
            self.0.push(Cookie { name, value, path: path.to_owned() });
        }
    }

    /// The value of the cookie `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value.as_str())
    }

    /// Adds the header that a request for `path` carries.
    pub(crate) fn add_to(&self, wire: &mut Wire, path: &str) {
        let fitting = self.0.iter().filter(|cookie| covers(&cookie.path, path));
        let pairs: Vec<String> =
            fitting.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if !pairs.is_empty() {
            wire.header("cookie", &pairs.join("; "));
        }
    }
}

/// RFC 6265 section 5.1.4: whether a cookie of `own` is sent for `path`.
fn covers(own: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    path.strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || own.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(set: &[&str], path: &str) -> Option<String> {
        let mut cookies = Cookies::default();
        for text in set {
            cookies.set(text);
        }
        let mut wire = Wire::default();
        wire.begin("GET", path);
        cookies.add_to(&mut wire, path);
        wire.finish();
        let mut headers = wire.headers();
        headers.next().map(|(_, value)| value.to_owned())
    }

    #[test]
    fn cookies_are_kept_replaced_and_removed() {
        assert_eq!(sent(&["a=1; Path=/; HttpOnly", "b=2"], "/x"), Some("a=1; b=2".to_owned()));
        assert_eq!(sent(&["a=1", "a=2"], "/"), Some("a=2".to_owned()));
        assert_eq!(sent(&["a=1", "a=; Max-Age=0"], "/"), None);
    }

    #[test]
    fn a_path_covers_what_is_below_it() {
        assert_eq!(sent(&["a=1; Path=/shop"], "/shop/cart?x=1"), Some("a=1".to_owned()));
        assert_eq!(sent(&["a=1; Path=/shop"], "/shopping"), None);
    }
}
