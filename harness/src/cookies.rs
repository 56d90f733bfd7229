//! The cookies of one user on one host.
//!
//! What a browser would send back, by RFC 6265: path, domain, expiry and `Secure` count. The header
//! is joined when a cookie changes, not when a request is sent.

use std::time::{Duration, UNIX_EPOCH};

use crate::answer::Answer;
use crate::clock::wall_now;

/// Whom a user talks to, as far as cookies care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The host's name or address, without port.
    pub host: String,
    /// Whether the connection is encrypted.
    pub secure: bool,
}

/// The cookies of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cookies {
    kept: Vec<Cookie>,
    /// All of them as a header, if every one of them is sent everywhere.
    joined: Option<String>,
    /// When the first of them ends.
    first_end: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    secure: bool,
    /// When it ends, by the run's clock.
    end: Option<Duration>,
}

impl Cookies {
    /// Takes over what an answer to a request for `target` sets and removes, at the offset `now`.
    pub fn take(&mut self, answer: &Answer, target: &str, site: &Site, now: Duration) {
        let mut changed = false;
        for header in answer.headers("set-cookie") {
            if let Some((cookie, removed)) =
                read(&String::from_utf8_lossy(header), target, site, now)
            {
                self.kept.retain(|own| own.name != cookie.name || own.path != cookie.path);
                if !removed {
                    self.kept.push(cookie);
                }
                changed = true;
            }
        }
        if changed {
            self.join();
        }
    }

    /// Forgets those that have ended by the offset `now`.
    pub fn expire(&mut self, now: Duration) {
        if self.first_end.is_some_and(|end| end <= now) {
            self.kept.retain(|cookie| cookie.end.is_none_or(|end| end > now));
            self.join();
        }
    }

    fn join(&mut self) {
        // RFC 6265 section 5.4: longer paths come first.
        self.kept.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        self.first_end = self.kept.iter().filter_map(|cookie| cookie.end).min();
        let everywhere = self.kept.iter().all(|cookie| cookie.path == "/" && !cookie.secure);
        self.joined = everywhere.then(|| {
            let mut joined = String::new();
            append(self.kept.iter(), &mut joined);
            joined
        });
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The value of the cookie `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.kept.iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value.as_str())
    }

    /// The header that a request for `target` carries, if it is the same for all; else it is
    /// written into `room`. Empty for none.
    #[must_use]
    pub fn header<'a>(&'a self, target: &str, secure: bool, room: &'a mut String) -> &'a str {
        if self.kept.is_empty() {
            return "";
        }
        if let Some(joined) = &self.joined {
            return joined;
        }
        let path = target.split('?').next().unwrap_or(target);
        let fitting = self.kept.iter().filter(|cookie| secure || !cookie.secure);
        room.clear();
        append(fitting.filter(|cookie| covers(&cookie.path, path)), room);
        room
    }
}

fn append<'a>(cookies: impl Iterator<Item = &'a Cookie>, header: &mut String) {
    for cookie in cookies {
        if !header.is_empty() {
            header.push_str("; ");
        }
        header.push_str(&cookie.name);
        header.push('=');
        header.push_str(&cookie.value);
    }
}

/// RFC 6265 section 5.2: a cookie, and whether it is to be removed; `None` for what is to be
/// ignored.
fn read(text: &str, target: &str, site: &Site, now: Duration) -> Option<(Cookie, bool)> {
    let mut parts = text.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    if name.trim().is_empty() {
        return None;
    }
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        path: default_path(target).to_owned(),
        secure: false,
        end: None,
    };
    // What is left of its life in seconds; `Max-Age` has precedence over `Expires`.
    let (mut age, mut expires) = (None, None);
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        match key.trim().to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => value.trim().clone_into(&mut cookie.path),
            "secure" => cookie.secure = true,
            "max-age" => age = value.trim().parse::<i64>().ok().or(age),
            "expires" => expires = seconds_until(value.trim()).or(expires),
            "domain" if !of_domain(&site.host, value.trim()) => return None,
            _ => {}
        }
    }
    let left = age.or(expires);
    cookie.end =
        left.and_then(|left| now.checked_add(Duration::from_secs(u64::try_from(left).ok()?)));
    Some((cookie, left.is_some_and(|left| left <= 0)))
}

/// RFC 6265 section 5.1.4: the directory of the path of the request.
fn default_path(target: &str) -> &str {
    let path = target.split('?').next().unwrap_or(target);
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(end) => &path[..end],
    }
}

/// Whether `host` is `domain` or lies in it.
fn of_domain(host: &str, domain: &str) -> bool {
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    if domain.is_empty() || host.eq_ignore_ascii_case(domain) {
        return true;
    }
    let before = host.len().checked_sub(domain.len()).filter(|before| *before > 0);
    before.is_some_and(|before| {
        host.is_char_boundary(before)
            && host[before..].eq_ignore_ascii_case(domain)
            && host[..before].ends_with('.')
            && host.parse::<std::net::IpAddr>().is_err()
    })
}

/// The seconds from now until a date; negative when it is past.
pub(crate) fn seconds_until(date: &str) -> Option<i64> {
    // Old servers write dashes between day, month and year.
    let date = httpdate::parse_http_date(date)
        .or_else(|_| httpdate::parse_http_date(&date.replace('-', " ")));
    let seconds = |time: std::time::SystemTime| {
        i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
    };
    Some(seconds(date.ok()?)? - seconds(wall_now())?)
}

/// RFC 6265 section 5.1.4: whether a cookie of `own` is sent for `path`.
fn covers(own: &str, path: &str) -> bool {
    path.strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || own.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(set: &[&str], target: &str) -> Cookies {
        let site = Site { host: "shop.example.com".to_owned(), secure: false };
        let mut answer = Answer::default();
        for text in set {
            answer.push_header(b"Set-Cookie", text.as_bytes());
        }
        let mut cookies = Cookies::default();
        cookies.take(&answer, target, &site, Duration::ZERO);
        cookies
    }

    fn sent(set: &[&str], path: &str) -> String {
        taken(set, "/").header(path, false, &mut String::new()).to_owned()
    }

    #[test]
    fn cookies_are_kept_replaced_and_removed() {
        assert_eq!(sent(&["a=1; Path=/; HttpOnly", "b=2"], "/x"), "a=1; b=2");
        assert_eq!(sent(&["a=1", "a=2"], "/"), "a=2");
        assert_eq!(sent(&["a=1", "a=; Max-Age=0"], "/"), "");
        assert_eq!(sent(&["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "/"), "");
        assert_eq!(sent(&["a=1", "a=; expires=Thu, 01-Jan-1970 00:00:00 GMT"], "/"), "");
        assert_eq!(sent(&["a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "/"), "a=1");
        assert_eq!(sent(&["nonsense", "=x", "a=b=c"], "/"), "a=b=c");
    }

    #[test]
    fn a_path_covers_what_is_below_it() {
        assert_eq!(sent(&["a=1; Path=/shop"], "/shop/cart?x=1"), "a=1");
        assert_eq!(sent(&["a=1; Path=/shop"], "/shopping"), "");
        assert_eq!(sent(&["a=1; Path=/", "b=2; Path=/shop"], "/shop"), "b=2; a=1");
        let below = taken(&["a=1"], "/api/login?x=/y/z");
        assert_eq!(below.header("/api/me", false, &mut String::new()), "a=1");
        assert_eq!(below.header("/", false, &mut String::new()), "");
    }

    #[test]
    fn a_secure_cookie_waits_for_an_encrypted_connection() {
        let cookies = taken(&["a=1; Secure", "b=2"], "/");
        assert_eq!(cookies.header("/", false, &mut String::new()), "b=2");
        assert_eq!(cookies.header("/", true, &mut String::new()), "a=1; b=2");
    }

    #[test]
    fn a_cookie_of_another_domain_is_ignored() {
        assert_eq!(
            sent(&["a=1; Domain=.example.com", "b=2; Domain=shop.example.com"], "/"),
            "a=1; b=2"
        );
        assert_eq!(sent(&["a=1; Domain=evil.com", "b=2; Domain=op.example.com"], "/"), "");
    }

    #[test]
    fn a_cookie_ends_with_its_age() {
        let mut cookies = taken(&["a=1; Max-Age=10", "b=2"], "/");
        cookies.expire(Duration::from_secs(9));
        assert_eq!(cookies.get("a"), Some("1"));
        cookies.expire(Duration::from_secs(10));
        assert_eq!(cookies.get("a"), None);
        assert_eq!(cookies.header("/", false, &mut String::new()), "b=2");
    }
}
