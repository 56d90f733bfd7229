//! How requests travel: the `transport` section of a scenario, as written and as resolved.
//!
//! What a client does about connections, names and refusals shapes what its users feel in a
//! failover as much as the system does. So each of these is a setting, its default is the plainest
//! behaviour there is, and what differs from it is printed with the results.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::duration;

mod tls;
mod written;

pub use tls::{Tls, TlsVersion, TlsWritten, VersionWritten};
pub use written::{
    BackOff, Codec, Compression, Connections, DnsEvery, DnsWord, DnsWritten, HttpWord, HttpWritten,
    IpWord, IpWritten, TransportWritten,
};

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1.
    #[default]
    One,
    /// HTTP/2 over TLS.
    Two,
    /// HTTP/2 in plain text.
    TwoClear,
}

/// Which addresses are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ip {
    /// All, in the order of the resolver.
    #[default]
    Any,
    /// Those of IP version 4.
    Four,
    /// Those of IP version 6.
    Six,
}

impl Ip {
    /// Whether `address` may be used.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Four => address.is_ipv4(),
            Self::Six => address.is_ipv6(),
        }
    }
}

/// How requests travel, resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transport {
    /// Who keeps a connection.
    pub connections: Connections,
    /// Shared connections at most, on each load thread.
    pub max_connections: Option<u32>,
    /// A connection older than this is not used for another request.
    pub max_age: Option<Duration>,
    /// A connection carries this many requests at most.
    pub max_requests: Option<u32>,
    /// The version of HTTP.
    pub http: Http,
    /// Who reads and writes HTTP/1.1.
    pub codec: Codec,
    /// When the target's name is looked up.
    pub dns: DnsWritten,
    /// Which of its addresses are used.
    pub ip: Ip,
    /// What a user does after a refused connection.
    pub back_off: Option<BackOff>,
    /// Redirects that are followed at most.
    pub redirects: u32,
    /// Compressed answers.
    pub compression: Compression,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// TLS.
    pub tls: Tls,
    /// Own addresses to connect from.
    pub source_addresses: Vec<IpAddr>,
}

/// Something that is wrong with the section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The key, as a path below `transport`.
    pub key: Vec<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What was expected.
    pub expected: String,
}

impl Misfit {
    /// Something wrong at `key`.
    pub(crate) fn new(
        key: &[&'static str],
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { key: key.to_vec(), message: message.into(), expected: expected.into() }
    }
}

impl Transport {
    /// Checks what is written; paths are relative to `directory`. Tells all that is wrong.
    pub fn of(written: &TransportWritten, directory: &Path) -> Result<Self, Vec<Misfit>> {
        let mut misfits = Vec::new();
        let http = match written.http {
            HttpWritten::Number(1) => Http::One,
            HttpWritten::Number(2) => Http::Two,
            HttpWritten::Word(HttpWord::H2c) => Http::TwoClear,
            HttpWritten::Number(other) => {
                let message = format!("HTTP/{other} is not spoken here");
                misfits.push(Misfit::new(&["http"], message, "`1`, `2` or `h2c`"));
                Http::One
            }
        };
        let ip = match written.ip {
            IpWritten::Word(IpWord::Any) => Ip::Any,
            IpWritten::Number(4) => Ip::Four,
            IpWritten::Number(6) => Ip::Six,
            IpWritten::Number(other) => {
                let message = format!("there is no version {other} of IP");
                misfits.push(Misfit::new(&["ip"], message, "`any`, `4` or `6`"));
                Ip::Any
            }
        };
        misfits.extend(contradictions(written, http, ip));
        let tls = Tls::of(&written.tls, directory).unwrap_or_else(|found| {
            misfits.extend(found);
            Tls::default()
        });
        if !misfits.is_empty() {
            return Err(misfits);
        }
        Ok(Self {
            connections: written.connections,
            max_connections: written.max_connections,
            max_age: written.max_age,
            max_requests: written.max_requests,
            http,
            codec: written.codec.unwrap_or_default(),
            dns: written.dns,
            ip,
            back_off: written.back_off,
            redirects: written.redirects,
            compression: written.compression,
            user_agent: written.user_agent.clone(),
            tls,
            source_addresses: written.source_addresses.clone(),
        })
    }

    /// The headers that every request carries after `Host`.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(agent) = &self.user_agent {
            headers.push(("user-agent", agent.clone()));
        }
        if self.compression == Compression::Gzip {
            headers.push(("accept-encoding", "gzip".to_owned()));
        }
        if self.connections == Connections::PerRequest && self.http == Http::One {
            headers.push(("connection", "close".to_owned()));
        }
        headers
    }

    /// The section in a sentence: who keeps connections, and all that is not the default.
    #[must_use]
    pub fn words(&self) -> String {
        let plain = Self::default();
        let mut words = vec![connections_words(self.connections).to_owned()];
        let mut more = |differs: bool, text: String| {
            if differs {
                words.push(text);
            }
        };
        let shown = |limit: Option<Duration>| limit.map(duration::show).unwrap_or_default();
        let number = |limit: Option<u32>| limit.unwrap_or_default();
        let most = number(self.max_connections);
        more(self.max_connections.is_some(), format!("at most {most} on a load thread"));
        more(self.max_age.is_some(), format!("none older than {}", shown(self.max_age)));
        let most = number(self.max_requests);
        more(self.max_requests.is_some(), format!("at most {most} requests on each"));
        more(self.http == Http::Two, "HTTP/2".to_owned());
        more(self.http == Http::TwoClear, "HTTP/2 in plain text".to_owned());
        more(self.codec == Codec::Hyper, "HTTP/1.1 by hyper".to_owned());
        more(self.dns != plain.dns, dns_words(self.dns));
        more(self.ip == Ip::Four, "IPv4 only".to_owned());
        more(self.ip == Ip::Six, "IPv6 only".to_owned());
        more(self.back_off.is_some(), self.back_off.map(back_off_words).unwrap_or_default());
        more(self.redirects > 0, format!("up to {} redirects followed", self.redirects));
        more(self.compression == Compression::Gzip, "gzip".to_owned());
        let agent = self.user_agent.as_deref().unwrap_or_default();
        more(self.user_agent.is_some(), format!("user agent `{agent}`"));
        for part in self.tls.words() {
            more(true, part);
        }
        let sources: Vec<String> = self.source_addresses.iter().map(IpAddr::to_string).collect();
        more(!sources.is_empty(), format!("from {}", sources.join(", ")));
        words.join("; ")
    }
}

/// Settings that do not go together.
fn contradictions(written: &TransportWritten, http: Http, ip: Ip) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    let mut wrong = |holds: bool, key: &[&'static str], message: &str, expected: &str| {
        if holds {
            misfits.push(Misfit::new(key, message, expected));
        }
    };
    wrong(
        http != Http::One && written.codec == Some(Codec::Raw),
        &["codec"],
        "our own codec speaks HTTP/1.1 only",
        "leave `codec` out with HTTP/2",
    );
    wrong(
        written.max_connections.is_some() && written.connections != Connections::Shared,
        &["max-connections"],
        "only shared connections have a number",
        "goes with `connections: shared`",
    );
    let nothing = |limit: Option<Duration>| limit.is_some_and(|limit| limit.is_zero());
    wrong(nothing(written.max_age), &["max-age"], "an age of nothing", "longer than `0s`");
    wrong(
        written.max_connections == Some(0),
        &["max-connections"],
        "no request could ever be sent",
        "1 or more",
    );
    wrong(
        written.max_requests == Some(0),
        &["max-requests"],
        "no request could ever be sent",
        "1 or more",
    );
    wrong(
        matches!(written.dns, DnsWritten::Every(DnsEvery { every }) if every.is_zero()),
        &["dns", "every"],
        "a time of nothing",
        "such as `30s`, or `dns: per-connection`",
    );
    wrong(
        written.back_off.is_some_and(|it| it.max.is_some_and(|max| max < it.after_refused)),
        &["back-off", "max"],
        "the longest wait is shorter than the first",
        "at least `after-refused`",
    );
    wrong(
        written.source_addresses.iter().any(|address| !ip.allows(*address)),
        &["source-addresses"],
        "an address of the IP version that `ip` leaves out",
        "addresses of the version that is connected to",
    );
    let control = |text: &String| text.chars().any(char::is_control);
    wrong(
        written.user_agent.as_ref().is_some_and(control),
        &["user-agent"],
        "a header cannot hold this",
        "a text of one line",
    );
    misfits
}

fn connections_words(connections: Connections) -> &'static str {
    match connections {
        Connections::PerUser => "a connection per user",
        Connections::Shared => "connections shared by all users",
        Connections::PerIteration => "a new connection per iteration",
        Connections::PerRequest => "a new connection per request",
    }
}

fn dns_words(dns: DnsWritten) -> String {
    match dns {
        DnsWritten::Word(DnsWord::Once) => "name looked up once".to_owned(),
        DnsWritten::Word(DnsWord::PerConnection) => "name looked up per connection".to_owned(),
        DnsWritten::Every(DnsEvery { every }) => {
            format!("name looked up every {}", duration::show(every))
        }
    }
}

fn back_off_words(back_off: BackOff) -> String {
    let first = duration::show(back_off.after_refused);
    match back_off.max {
        Some(max) => {
            format!("after a refusal waits {first}, doubled up to {}", duration::show(max))
        }
        None => format!("after a refusal waits {first}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(written: &TransportWritten) -> Vec<String> {
        let misfits = Transport::of(written, Path::new("/nowhere")).err().unwrap_or_default();
        misfits.iter().map(|misfit| misfit.key.join(".")).collect()
    }

    fn written(json: serde_json::Value) -> TransportWritten {
        serde_json::from_value(json).expect("a transport section")
    }

    #[test]
    fn every_key_is_read() {
        let section = written(serde_json::json!({
            "connections": "shared", "max-connections": 4, "max-age": "30s", "max-requests": 100,
            "http": "h2c", "codec": "hyper", "dns": { "every": "30s" }, "ip": 4,
            "back-off": { "after-refused": "100ms", "max": "1s" }, "redirects": 3,
            "compression": "gzip", "user-agent": "shop/1", "tls": { "insecure": true },
            "source-addresses": ["127.0.0.1", "127.0.0.2"]
        }));
        let transport = Transport::of(&section, Path::new("")).expect("nothing wrong");
        assert_eq!(
            transport.words(),
            "connections shared by all users; at most 4 on a load thread; none older than 30s; \
             at most 100 requests on each; HTTP/2 in plain text; HTTP/1.1 by hyper; \
             name looked up every 30s; IPv4 only; after a refusal waits 100ms, doubled up to 1s; \
             up to 3 redirects followed; gzip; user agent `shop/1`; \
             TLS certificates not verified; from 127.0.0.1, 127.0.0.2"
        );
        assert_eq!(
            transport.headers(),
            [("user-agent", "shop/1".to_owned()), ("accept-encoding", "gzip".to_owned())]
        );
    }

    #[test]
    fn the_default_is_a_connection_per_user_and_says_nothing_more() {
        let transport = Transport::of(&TransportWritten::default(), Path::new(""));
        assert_eq!(transport.as_ref(), Ok(&Transport::default()));
        assert_eq!(Transport::default().words(), "a connection per user");
        assert_eq!(Transport::default().headers(), []);
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_key() {
        let section = written(serde_json::json!({
            "http": 3, "ip": 5, "max-connections": 1, "max-age": "0s",
            "dns": { "every": "0s" }, "back-off": { "after-refused": "2s", "max": "1s" },
            "user-agent": "a\nb",
            "tls": { "ca": "missing.pem", "key": "missing.pem", "min-version": "1.1",
                     "server-name": "not a name" }
        }));
        let expected = [
            "http",
            "ip",
            "max-connections",
            "max-age",
            "dns.every",
            "back-off.max",
            "user-agent",
            "tls.min-version",
            "tls.server-name",
            "tls.ca",
            "tls.key",
        ];
        assert_eq!(keys(&section), expected);
        let section = written(serde_json::json!({ "http": 2, "codec": "raw" }));
        assert_eq!(keys(&section), ["codec"]);
    }

    #[test]
    fn the_wait_after_refusals_doubles_up_to_its_limit() {
        let seconds = Duration::from_secs;
        let back_off = BackOff { after_refused: seconds(1), max: Some(seconds(5)) };
        let waits: Vec<Duration> = [1, 2, 3, 4, 99].map(|count| back_off.wait(count)).to_vec();
        assert_eq!(waits, [1, 2, 4, 5, 5].map(seconds));
        let steady = BackOff { after_refused: seconds(1), max: None };
        assert_eq!(steady.wait(9), seconds(1));
    }
}
