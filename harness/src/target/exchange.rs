//! What became of one request: its moments, and why it failed where it did.

use std::fmt;
use std::io;
use std::time::Duration;

use nix::errno::Errno;
use rehearsal_reports::outcome::{Cause, Outcome};
use tokio_rustls::rustls::{self, CertificateError};

use crate::answer::Keep;
use crate::clock::Clock;
use crate::scenario::Timeouts;
use crate::wire::Wire;

/// Why no complete answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the user may conclude.
    pub outcome: Outcome,
    /// What was seen.
    pub cause: Cause,
    /// The same in words that are the same for each fault of its kind, so that they can be counted.
    pub message: String,
}

/// One request, in moments and result. The answer itself is in the buffer that was handed in.
#[derive(Debug)]
pub struct Exchange {
    /// How long connecting took, with name and TLS handshake, for a request that had to connect.
    pub connect: Option<Duration>,
    /// How much of that was the TLS handshake.
    pub tls: Option<Duration>,
    /// When the request was handed to the connection; `None` when there was none.
    pub sent: Option<Duration>,
    /// When the first byte of the answer was there.
    pub first_byte: Option<Duration>,
    /// When it ended.
    pub done: Duration,
    /// Bytes of the answer's body as received, without what chunks and TLS add.
    pub bytes: u64,
    /// Whether a complete answer came, or why not.
    pub result: Result<(), Fault>,
}

impl Exchange {
    /// One that has only begun: until its result is known, nobody knows what became of it.
    pub(super) fn begun() -> Self {
        Self {
            connect: None,
            tls: None,
            sent: None,
            first_byte: None,
            done: Duration::ZERO,
            bytes: 0,
            result: Ok(()),
        }
    }
}

/// What a connection needs to know of the request that it carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'a> {
    pub(super) wire: &'a Wire,
    pub(super) keep: Keep,
    /// When the request began to connect, or to wait for a connection.
    pub(super) begin: Duration,
    pub(super) timeouts: Timeouts,
    pub(super) clock: Clock,
}

impl Job<'_> {
    /// When the answer must be complete.
    pub(super) fn total(&self) -> Duration {
        self.begin + self.timeouts.total
    }

    /// The time that is left until then.
    pub(super) fn left(&self) -> Duration {
        self.total().saturating_sub(self.clock.now())
    }

    /// What passing the limit means for a request that was sent at `sent`, as the limit that came
    /// first says.
    pub(super) fn late(&self, sent: Duration, first_byte: Option<Duration>) -> Fault {
        if first_byte.is_none() && sent + self.timeouts.first_byte < self.total() {
            Fault::unknown(Cause::FirstByteTimeout, "no first byte in time")
        } else {
            Fault::unknown(Cause::TotalTimeout, "no complete answer in time")
        }
    }
}

/// Why a connection did not bring an answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It was closed before a byte of the request was written: nobody has seen the request, and
    /// another connection may carry it.
    Unwritten,
    /// The request failed.
    Fault(Fault),
}

impl Fault {
    /// A request that was certainly not served.
    pub(super) fn failed(cause: Cause, message: impl fmt::Display) -> Self {
        Self { outcome: Outcome::Failed, cause, message: message.to_string() }
    }

    /// A request of which bytes may have left.
    pub(super) fn unknown(cause: Cause, message: impl fmt::Display) -> Self {
        Self { outcome: Outcome::Unknown, cause, message: message.to_string() }
    }

    /// Why a connection could not be made. Nothing was sent, so that all of these are failures.
    pub(super) fn not_connected(error: &io::Error) -> Self {
        if let Some(tls) = tls_error(error) {
            return Self::failed(Cause::Tls, tls_words(tls));
        }
        let cause = match error.kind() {
            io::ErrorKind::ConnectionRefused => Cause::Refused,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Cause::Reset,
            io::ErrorKind::TimedOut => Cause::ConnectTimeout,
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Cause::NoPorts,
            _ => match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EMFILE | Errno::ENFILE) => Cause::NoDescriptors,
                Some(Errno::ENOBUFS) => Cause::NoPorts,
                // A Unix socket whose backlog is full, or that is not there: nobody listens.
                Some(Errno::EAGAIN | Errno::ENOENT) => Cause::Refused,
                _ => Cause::Unreachable,
            },
        };
        Self::failed(cause, error)
    }

    /// What an error of a connection means for a request of which bytes may have left; `begun`
    /// when a part of the answer's body was there.
    pub(super) fn broken(error: &io::Error, begun: bool) -> Self {
        if let Some(tls) = tls_error(error) {
            return Self::unknown(Cause::Tls, tls_words(tls));
        }
        Self::ended(begun)
    }

    /// A connection that was closed or reset before the answer was complete.
    pub(super) fn ended(begun: bool) -> Self {
        if begun {
            Self::unknown(Cause::BodyCut, "the answer ended before its length")
        } else {
            Self::unknown(Cause::Reset, "closed before an answer")
        }
    }
}

/// The error of the TLS library behind `error`. One that closed without saying so is none.
fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>()
}

/// What the TLS library says, without the times and names by which each error would differ.
fn tls_words(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(certificate) = error else { return error.to_string() };
    match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "the certificate is signed by nobody who is trusted".to_owned()
        }
        other => format!("the certificate is not valid: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_kernel_are_told_apart() {
        let cases = [
            (Errno::ECONNREFUSED, Cause::Refused),
            (Errno::ECONNRESET, Cause::Reset),
            (Errno::ETIMEDOUT, Cause::ConnectTimeout),
            (Errno::EADDRNOTAVAIL, Cause::NoPorts),
            (Errno::EADDRINUSE, Cause::NoPorts),
            (Errno::ENOBUFS, Cause::NoPorts),
            (Errno::EMFILE, Cause::NoDescriptors),
            (Errno::ENFILE, Cause::NoDescriptors),
            (Errno::ENETUNREACH, Cause::Unreachable),
            (Errno::EHOSTUNREACH, Cause::Unreachable),
            (Errno::EINVAL, Cause::Unreachable),
        ];
        for (errno, cause) in cases {
            let fault = Fault::not_connected(&io::Error::from_raw_os_error(errno as i32));
            assert_eq!((fault.outcome, fault.cause), (Outcome::Failed, cause), "{errno}");
        }
    }
}
