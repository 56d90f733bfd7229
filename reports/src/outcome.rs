//! What became of a request: an outcome, and the cause where it is not ok.
//!
//! The outcome says what the user may conclude, the cause says what was seen. They are kept apart
//! because one cause can leave either outcome: a reset before the request was written is a failure,
//! a reset after it leaves the outcome unknown (the server may have acted).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the user may conclude from a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A complete answer came and every expectation held.
    Ok,
    /// The request was not served, and that is certain.
    Failed,
    /// Bytes may have left and no complete answer came: the server may or may not have acted.
    Unknown,
}

impl Outcome {
    /// All outcomes, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Failed, Self::Unknown];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What was seen when a request did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The connection was refused.
    Refused,
    /// The host or the network could not be reached, or its name not resolved.
    Unreachable,
    /// The connection was reset or closed before an answer began.
    Reset,
    /// No connection within the connect time limit.
    ConnectTimeout,
    /// No first byte of the answer within its time limit.
    FirstByteTimeout,
    /// The answer was not complete within the total time limit.
    TotalTimeout,
    /// The answer ended before its announced length.
    BodyCut,
    /// The TLS handshake or record layer failed.
    Tls,
    /// The answer is not HTTP.
    Malformed,
    /// A status that was not expected, by its code.
    Status(u16),
    /// The status was right and the content was not.
    WrongContent,
    /// A value that a later step needs was not in the answer.
    CheckFailed,
    /// The user is no longer itself: its session was lost.
    SessionLost,
    /// The generator had no free port to connect from; never the system's fault.
    NoPorts,
    /// The generator had no file descriptor left; never the system's fault.
    NoDescriptors,
}

impl Cause {
    /// The causes that carry no code, with their words.
    const WORDS: [(Self, &'static str); 14] = [
        (Self::Refused, "refused"),
        (Self::Unreachable, "unreachable"),
        (Self::Reset, "reset"),
        (Self::ConnectTimeout, "connect timeout"),
        (Self::FirstByteTimeout, "first-byte timeout"),
        (Self::TotalTimeout, "total timeout"),
        (Self::BodyCut, "body cut"),
        (Self::Tls, "tls"),
        (Self::Malformed, "malformed answer"),
        (Self::WrongContent, "wrong content"),
        (Self::CheckFailed, "check failed"),
        (Self::SessionLost, "session lost"),
        (Self::NoPorts, "generator: no ports"),
        (Self::NoDescriptors, "generator: no descriptors"),
    ];

    /// Whether the generator itself is to blame; such requests say nothing about the system.
    #[must_use]
    pub fn is_own(self) -> bool {
        matches!(self, Self::NoPorts | Self::NoDescriptors)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Status(code) = self {
            return write!(f, "status {code}");
        }
        let word = Self::WORDS.iter().find(|(cause, _)| cause == self).map_or("", |(_, word)| word);
        f.write_str(word)
    }
}

/// The text is not a cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cause of failure")]
pub struct NotACause(String);

impl FromStr for Cause {
    type Err = NotACause;

    fn from_str(text: &str) -> Result<Self, NotACause> {
        if let Some(code) = text.strip_prefix("status ") {
            return code.parse().map(Self::Status).map_err(|_| NotACause(text.to_owned()));
        }
        let found = Self::WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(cause, _)| *cause).ok_or_else(|| NotACause(text.to_owned()))
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_reads_back_from_its_own_words() {
        let causes = Cause::WORDS.iter().map(|(cause, _)| *cause).chain([Cause::Status(503)]);
        for cause in causes {
            assert_eq!(cause.to_string().parse(), Ok(cause));
        }
        assert!("status fine".parse::<Cause>().is_err());
    }
}
