//! Where requests go, as a URL.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use hyper::Uri;

/// The port of `http` where none is written.
const HTTP_PORT: u16 = 80;

/// The port of `https` where none is written.
const HTTPS_PORT: u16 = 443;

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text over TCP.
    Http,
    /// TLS over TCP.
    Https,
    /// Plain text over a Unix socket.
    Unix,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// The host's name or address, without brackets; `localhost` behind a Unix socket.
    pub host: String,
    /// The port; 0 for a Unix socket.
    pub port: u16,
    /// The path of the Unix socket, where it is one.
    pub path: PathBuf,
}

impl Endpoint {
    /// A plain-text endpoint over TCP.
    #[must_use]
    pub fn http(host: impl Into<String>, port: u16) -> Self {
        Self { scheme: Scheme::Http, host: host.into(), port, path: PathBuf::new() }
    }

    /// Host and port as in a `Host` header: the port that goes without saying is left out, as
    /// browsers do and as some virtual hosts want it.
    #[must_use]
    pub fn authority(&self) -> String {
        let six = self.scheme != Scheme::Unix && self.host.contains(':');
        let host = if six { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.scheme, self.port) {
            (Scheme::Unix, _) | (Scheme::Http, HTTP_PORT) | (Scheme::Https, HTTPS_PORT) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Http => write!(f, "http://{}", self.authority()),
            Scheme::Https => write!(f, "https://{}", self.authority()),
            Scheme::Unix => write!(f, "unix:{}", self.path.display()),
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if !path.starts_with('/') {
                return Err(format!("`{path}` is not an absolute path of a Unix socket"));
            }
            let host = "localhost".to_owned();
            return Ok(Self { scheme: Scheme::Unix, host, port: 0, path: PathBuf::from(path) });
        }
        let uri: Uri = text.parse().map_err(|error| format!("`{text}` is not a URL: {error}"))?;
        let (scheme, port) = match uri.scheme_str() {
            Some("http") => (Scheme::Http, HTTP_PORT),
            Some("https") => (Scheme::Https, HTTPS_PORT),
            Some(other) => {
                return Err(format!("`{other}` is not spoken here, only `http` and `https`"));
            }
            None => return Err(format!("`{text}` has no scheme")),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("a target has no path; paths stand in the journeys".to_owned());
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("a target has no user; write an `authorization` header".to_owned());
        }
        let host = uri.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(port);
        Ok(Self { scheme, host: host.to_owned(), port, path: PathBuf::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_wrong_ones_refused() {
        let endpoint = |text: &str| text.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
        for (text, shown) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://shop/", "http://shop"),
            ("http://shop:443", "http://shop:443"),
            ("http://[::1]:81", "http://[::1]:81"),
            ("https://shop:443", "https://shop"),
            ("https://shop:80", "https://shop:80"),
            ("https://[::1]", "https://[::1]"),
            ("unix:/run/shop.sock", "unix:/run/shop.sock"),
        ] {
            assert_eq!(endpoint(text), Ok(shown.to_owned()));
        }
        let wrong =
            ["127.0.0.1:80", "http://x/path", "ftp://x", "not a url", "unix:a", "http://u:p@x/"];
        for wrong in wrong {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_host_header_names_host_and_port() {
        let authority = |text: &str| text.parse::<Endpoint>().map(|it| it.authority());
        assert_eq!(authority("http://[::1]:81"), Ok("[::1]:81".to_owned()));
        assert_eq!(authority("unix:/run/shop.sock"), Ok("localhost".to_owned()));
    }
}
