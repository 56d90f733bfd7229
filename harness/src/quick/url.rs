//! URLs as people type them: an origin, a path, and sometimes a user.

use percent_encoding::percent_decode_str;

use super::QuickError;

/// A URL in parts. A fragment is left out: it is never sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// Scheme, host and port.
    pub(super) origin: String,
    /// Path and query; `/` when there is none.
    pub(super) target: String,
    /// User and password.
    pub(super) user: Option<(String, String)>,
}

impl Url {
    pub(super) fn parse(text: &str) -> Result<Self, QuickError> {
        let wrong = |why: &str| {
            let help = "write it as `http://127.0.0.1:8080/path`";
            QuickError::new(format!("`{text}` is no URL that can be loaded: {why}"), help)
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err(wrong("only `http` and `https` are spoken here"));
        }
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(credentials(user)), host),
            None => (None, authority),
        };
        if host.is_empty() || host.starts_with(':') || host.contains(char::is_whitespace) {
            return Err(wrong("it has no host"));
        }
        let tail = tail.split('#').next().unwrap_or("");
        let slash = if tail.starts_with('/') { "" } else { "/" };
        let host = host.to_ascii_lowercase();
        Ok(Self { origin: format!("{scheme}://{host}"), target: format!("{slash}{tail}"), user })
    }

    /// Whether `text` is meant as a URL and not as the name of a file.
    pub(super) fn is_one(text: &str) -> bool {
        let begins = |scheme: &str| {
            text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
        };
        begins("http://") || begins("https://")
    }
}

/// User and password of `user:password`.
pub(super) fn credentials(text: &str) -> (String, String) {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    (decoded(user), decoded(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String) {
        let url = Url::parse(text).expect("a URL");
        (url.origin, url.target)
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn a_url_falls_into_origin_and_target() {
        assert_eq!(parts("http://h"), pair("http://h", "/"));
        assert_eq!(parts("HTTP://H:81?a=1"), pair("http://h:81", "/?a=1"));
        assert_eq!(parts("https://[::1]:8443/a/b?c=d#e"), pair("https://[::1]:8443", "/a/b?c=d"));
        assert_eq!(parts("http://h/a@b"), pair("http://h", "/a@b"));
    }

    #[test]
    fn a_user_in_a_url_is_taken_out_of_it() {
        let url = Url::parse("http://ann:p%40ss@h/x").expect("a URL");
        assert_eq!(url.user, Some(pair("ann", "p@ss")));
        assert_eq!(url.origin, "http://h");
    }

    #[test]
    fn what_is_no_url_is_told() {
        for text in ["h:80/x", "ftp://h/", "http:///x", "http://:80/", "http://a b/"] {
            let error = Url::parse(text).expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        }
        assert!(Url::is_one("HTTPS://x") && !Url::is_one("https.yaml") && !Url::is_one("h"));
    }
}
