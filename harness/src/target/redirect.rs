//! Redirects that stay on the target: where they lead, and the request that follows one.

use hyper::Uri;

use super::endpoint::{Endpoint, Scheme};
use crate::answer::Answer;
use crate::cookies::seconds_until;
use crate::wire::Wire;

/// Whether `status` sends the client elsewhere.
pub(super) fn redirects(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The path on `endpoint` to which `location` leads from `from`; `None` when it leads to another
/// host, port or scheme.
pub(super) fn path(endpoint: &Endpoint, from: &str, location: &str) -> Option<String> {
    let base = from.split('?').next().unwrap_or(from);
    if location.starts_with('?') {
        return Some(format!("{base}{location}"));
    }
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(location.to_owned());
    }
    let scheme = if endpoint.scheme == Scheme::Https { "https" } else { "http" };
    let absolute = match location.strip_prefix("//") {
        Some(rest) => format!("{scheme}://{rest}"),
        None => location.to_owned(),
    };
    if absolute.contains("://") {
        let uri: Uri = absolute.split('#').next()?.parse().ok()?;
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = if endpoint.scheme == Scheme::Unix { usual } else { endpoint.port };
        let same = uri.scheme_str() == Some(scheme)
            && host.eq_ignore_ascii_case(&endpoint.host)
            && uri.port_u16().unwrap_or(usual) == port;
        return same.then(|| uri.path_and_query().map_or("/", |path| path.as_str()).to_owned());
    }
    let (folder, _) = base.rsplit_once('/')?;
    Some(without_dots(&format!("{folder}/{location}")))
}

/// The path without `.` and `..` (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, it)| (path, Some(it)));
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let path = format!("/{}", parts.join("/"));
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}

/// The request that follows the answer `status` to `wire`: with the cookies that the answers so
/// far set, as a browser would.
pub(super) fn next(wire: &Wire, path: &str, status: u16, answer: &Answer) -> Wire {
    let method = match (status, wire.method()) {
        (_, "HEAD") => "HEAD",
        (301 | 302, "POST") | (303, _) => "GET",
        (_, method) => method,
    };
    let with_body = method == wire.method();
    let mut next = Wire::default();
    next.begin(method, path);
    for (name, value) in wire.headers() {
        let about_body = name.len() > 8 && name[..8].eq_ignore_ascii_case("content-");
        let dropped = name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("cookie")
            || (about_body && !with_body);
        if !dropped {
            next.header(name, value);
        }
    }
    let cookies = cookies(wire, answer);
    if !cookies.is_empty() {
        next.header("cookie", &cookies);
    }
    next.body(if with_body { wire.body_bytes() } else { b"" });
    next
}

/// The cookies that `wire` carried, as the answer changed them.
fn cookies(wire: &Wire, answer: &Answer) -> String {
    let sent = wire.headers().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let sent = sent.flat_map(|(_, value)| value.split("; "));
    let mut pairs: Vec<(&str, &str)> = sent.filter_map(|pair| pair.split_once('=')).collect();
    for set in answer.headers("set-cookie") {
        let Ok(set) = std::str::from_utf8(set) else { continue };
        let mut parts = set.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            continue;
        };
        pairs.retain(|(known, _)| *known != name);
        let removed = |part: &str| {
            let Some((key, value)) = part.split_once('=') else { return false };
            let left = match key.to_ascii_lowercase().as_str() {
                "max-age" => value.parse().ok(),
                "expires" => seconds_until(value),
                _ => None,
            };
            left.is_some_and(|seconds: i64| seconds <= 0)
        };
        if !parts.any(removed) {
            pairs.push((name, value));
        }
    }
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_on_the_target_is_followed() {
        let endpoint = Endpoint::http("shop", 80);
        let cases = [
            ("/b?x=1", Some("/b?x=1")),
            ("b", Some("/a/b")),
            ("../b?y=2", Some("/b?y=2")),
            ("?z", Some("/a/c?z")),
            ("http://shop/b", Some("/b")),
            ("http://SHOP:80", Some("/")),
            ("//shop/b#part", Some("/b")),
            ("https://shop/b", None),
            ("http://shop:81/b", None),
            ("http://other/b", None),
            ("//other/b", None),
        ];
        for (location, expected) in cases {
            let found = path(&endpoint, "/a/c?q", location);
            assert_eq!(found.as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn a_redirected_form_is_got_and_cookies_go_along() {
        let mut wire = Wire::default();
        wire.begin("POST", "/login");
        wire.header("host", "shop");
        wire.header("content-type", "text/plain");
        wire.header("cookie", "a=1; b=2");
        wire.body(b"x");
        let mut answer = Answer::default();
        answer.push_header(b"Set-Cookie", b"b=3; Path=/");
        answer.push_header(b"Set-Cookie", b"a=; Max-Age=0");
        answer.push_header(b"Set-Cookie", b"c=gone; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        let get = next(&wire, "/home", 302, &answer);
        let text = "GET /home HTTP/1.1\r\nhost: shop\r\ncookie: b=3\r\n\r\n";
        assert_eq!(std::str::from_utf8(get.bytes()), Ok(text));
        let again = next(&wire, "/home", 307, &answer);
        assert_eq!((again.method(), again.body_bytes()), ("POST", &b"x"[..]));
    }
}
