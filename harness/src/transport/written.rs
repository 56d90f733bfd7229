//! The `transport` section as written.

use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tls::TlsWritten;
use crate::duration;

/// How requests travel, as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct TransportWritten {
    /// Who keeps a connection, and for how long. Default: `per-user`.
    pub connections: Connections,
    /// With `shared`: connections at most, on each load thread. Default: no limit; 1 with HTTP/2,
    /// whose connections carry many requests at once.
    #[schemars(range(min = 1))]
    pub max_connections: Option<u32>,
    /// A connection older than this is not used for another request. Default: no limit.
    #[serde(with = "duration::option")]
    #[schemars(with = "Option<duration::Text>")]
    pub max_age: Option<Duration>,
    /// A connection carries this many requests at most. Default: no limit.
    #[schemars(range(min = 1))]
    pub max_requests: Option<u32>,
    /// The version of HTTP: `1` (default), `2` (over TLS), or `h2c` (HTTP/2 in plain text).
    pub http: HttpWritten,
    /// Who reads and writes HTTP/1.1: `raw` (default), our own codec, or `hyper`. HTTP/2 is
    /// always read and written by hyper.
    pub codec: Option<Codec>,
    /// When the target's name is looked up: `once` (default), at the start; `per-connection`; or
    /// `{ every: 30s }`.
    pub dns: DnsWritten,
    /// Which addresses of the name are used: `any` (default), `4` or `6`.
    pub ip: IpWritten,
    /// What a user does after a refused connection. Default: tries again at once.
    pub back_off: Option<BackOff>,
    /// Redirects that are followed, at most, within one request, as long as they stay on the
    /// target. Default: 0, a redirect is an answer like any other.
    pub redirects: u32,
    /// `gzip` asks for compressed answers and unpacks them for checks. Default: `off`.
    pub compression: Compression,
    /// The `User-Agent` header. Default: none.
    pub user_agent: Option<String>,
    /// TLS, for a target with `https`.
    pub tls: TlsWritten,
    /// Own addresses to connect from, in turn; each has ports of its own. Default: the kernel's
    /// choice.
    pub source_addresses: Vec<IpAddr>,
}

/// Who keeps a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Connections {
    /// Each user has one of its own for the whole run, as a browser has.
    #[default]
    PerUser,
    /// The users of a load thread share a pool, as the requests of a gateway do.
    Shared,
    /// Each iteration of a journey begins with a new one.
    PerIteration,
    /// Each request has a new one.
    PerRequest,
}

/// A version of HTTP, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HttpWritten {
    /// `1` or `2`.
    Number(u8),
    /// A word.
    Word(HttpWord),
}

impl Default for HttpWritten {
    fn default() -> Self {
        Self::Number(1)
    }
}

/// A version of HTTP that is a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HttpWord {
    /// HTTP/2 in plain text, without asking first.
    H2c,
}

/// Who reads and writes HTTP/1.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// Our own codec, which costs least.
    #[default]
    Raw,
    /// The hyper library: dearer, and a second opinion.
    Hyper,
}

/// When a name is looked up, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DnsWritten {
    /// A word.
    Word(DnsWord),
    /// From time to time.
    Every(DnsEvery),
}

impl Default for DnsWritten {
    fn default() -> Self {
        Self::Word(DnsWord::Once)
    }
}

/// When a name is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DnsWord {
    /// At the start.
    Once,
    /// For each connection.
    PerConnection,
}

/// A name that is looked up from time to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsEvery {
    /// How long a look-up is good for.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Text")]
    pub every: Duration,
}

/// Which addresses are used, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum IpWritten {
    /// `4` or `6`.
    Number(u8),
    /// A word.
    Word(IpWord),
}

impl Default for IpWritten {
    fn default() -> Self {
        Self::Word(IpWord::Any)
    }
}

/// Which addresses are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IpWord {
    /// All, in the order of the resolver.
    Any,
}

/// What a user does after a refused connection. Only that user waits, never the arrival of others,
/// and the wait is part of its response time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BackOff {
    /// The wait after the first refusal; it doubles with each that follows.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Text")]
    pub after_refused: Duration,
    /// The longest wait. Default: the wait does not grow.
    #[serde(default, with = "duration::option")]
    #[schemars(with = "Option<duration::Text>")]
    pub max: Option<Duration>,
}

impl BackOff {
    /// The wait after so many refusals in a row, the first of which is 1.
    #[must_use]
    pub fn wait(self, refusals: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(refusals.saturating_sub(1));
        let most = self.max.unwrap_or(self.after_refused);
        self.after_refused.saturating_mul(doubled).min(most)
    }
}

/// Compressed answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Not asked for.
    #[default]
    Off,
    /// Asked for, and unpacked for checks.
    Gzip,
}
