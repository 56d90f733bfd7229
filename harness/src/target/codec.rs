//! Answers of HTTP/1.1 out of bytes: the head at once, the body as it comes.
//!
//! What the head says of the body follows RFC 9112 section 6.3, and where an answer contradicts
//! itself the stricter reading: two lengths that differ are malformed, and a connection whose end
//! of answer is in doubt is not used again.

use std::mem::MaybeUninit;

use httparse::{Error, Header, ParserConfig, Response, Status};

use super::chunked::Chunked;
use crate::answer::{Answer, Keep};

/// A head may be this long.
pub(super) const HEAD_LIMIT: usize = 64 << 10;

/// Headers that are looked for at first; nearly all answers have fewer.
const HEADERS_USUAL: usize = 64;

/// Headers that an answer may have.
pub(super) const HEADERS_LIMIT: usize = 256;

/// The most of a body that is kept for looking into; what follows is read and only counted.
const BODY_KEPT: usize = 1 << 20;

/// What is kept of a failure's body when nobody wants to look into it.
const EXPLANATION_KEPT: usize = 1 << 10;

/// How many bytes of the body of an answer with `status` are kept.
pub(super) fn kept(keep: Keep, status: u16) -> usize {
    match keep {
        Keep::Body => BODY_KEPT,
        Keep::Nothing if status >= 400 => EXPLANATION_KEPT,
        Keep::Nothing => 0,
    }
}

/// Appends to `body` what may be kept of `data`.
pub(super) fn keep_part(body: &mut Vec<u8>, limit: usize, data: &[u8]) {
    if body.len() < limit {
        body.extend_from_slice(&data[..data.len().min(limit - body.len())]);
    }
}

/// What stands at the begin of some bytes.
#[derive(Debug)]
pub(super) enum Found {
    /// A part of a head.
    Part,
    /// The head of an answer before the answer (1xx), of so many bytes.
    Interim(usize),
    /// The head.
    Head(Head),
}

/// What a head says of what follows it.
#[derive(Debug)]
pub(super) struct Head {
    /// Its own bytes.
    pub(super) bytes: usize,
    /// The body.
    pub(super) body: Body,
    /// Whether the connection may be used again.
    pub(super) keep_alive: bool,
}

/// A body in the middle of being read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// So many bytes are yet to come.
    Exact(u64),
    /// In chunks.
    Chunked(Chunked),
    /// Whatever comes until the connection is closed.
    ToClose,
}

impl Body {
    /// Whether it is complete; one that ends with the connection never says so.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Exact(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_over(),
            Self::ToClose => false,
        }
    }

    /// Reads on in `bytes` and hands the body's own bytes to `sink`; returns how many were read,
    /// which are all of them unless the body ended.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<usize, &'static str> {
        match self {
            Self::Exact(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                sink(&bytes[..taken]);
                *left -= taken as u64;
                Ok(taken)
            }
            Self::Chunked(chunked) => chunked.read(bytes, sink),
            Self::ToClose => {
                sink(bytes);
                Ok(bytes.len())
            }
        }
    }
}

/// Looks for a head at the begin of `bytes`; takes status and headers of the final one into
/// `answer`. The answer to a `HEAD` has no body, whatever its head says.
pub(super) fn head(
    bytes: &[u8],
    to_head: bool,
    answer: &mut Answer,
) -> Result<Found, &'static str> {
    match parsed::<HEADERS_USUAL>(bytes, to_head, answer) {
        Err(Wrong::TooMany) => {
            parsed::<HEADERS_LIMIT>(bytes, to_head, answer).map_err(Wrong::message)
        }
        found => found.map_err(Wrong::message),
    }
}

/// Why bytes are no head.
enum Wrong {
    TooMany,
    Http(Error),
    Rule(&'static str),
}

impl Wrong {
    fn message(self) -> &'static str {
        match self {
            Self::TooMany => "more than 256 headers",
            Self::Http(Error::HeaderName) => "a header's name is malformed",
            Self::Http(Error::HeaderValue) => "a header's value is malformed",
            Self::Http(Error::NewLine) => "a line of the head ends without CR LF",
            Self::Http(Error::Status) => "the status is malformed",
            Self::Http(Error::Version) => "not HTTP/1.1",
            Self::Http(_) => "the head is malformed",
            Self::Rule(rule) => rule,
        }
    }
}

fn parsed<const MOST: usize>(
    bytes: &[u8],
    to_head: bool,
    answer: &mut Answer,
) -> Result<Found, Wrong> {
    let mut room = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST];
    let mut response = Response::new(&mut []);
    let status =
        ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut room);
    let end = match status {
        Ok(Status::Complete(end)) => end,
        Ok(Status::Partial) if bytes.len() >= HEAD_LIMIT => {
            return Err(Wrong::Rule("a head of more than 64 KiB"));
        }
        Ok(Status::Partial) => return Ok(Found::Part),
        Err(Error::TooManyHeaders) => return Err(Wrong::TooMany),
        Err(error) => return Err(Wrong::Http(error)),
    };
    if end > HEAD_LIMIT {
        return Err(Wrong::Rule("a head of more than 64 KiB"));
    }
    let status = response.code.unwrap_or(0);
    match status {
        0..100 => return Err(Wrong::Rule("the status is malformed")),
        101 => return Err(Wrong::Rule("a switch to a protocol that nobody asked for")),
        102..200 | 100 => return Ok(Found::Interim(end)),
        _ => {}
    }
    let mut framing = Framing::default();
    for header in response.headers.iter() {
        framing.take(header);
        answer.push_header(header.name.as_bytes(), header.value);
    }
    answer.status = status;
    let bodiless = to_head || status == 204 || status == 304;
    let old = response.version == Some(0);
    framing.head(end, bodiless, old).map(Found::Head).map_err(Wrong::Rule)
}

/// The headers that say where an answer ends.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    /// Why the length is none; it matters where the length would.
    no_length: Option<&'static str>,
    /// Whether there is a transfer coding, and whether its last one is `chunked`.
    coded: Option<bool>,
    close: bool,
    keep_alive: bool,
}

impl Framing {
    fn take(&mut self, header: &Header<'_>) {
        match header.name.len() {
            10 if header.name.eq_ignore_ascii_case("connection") => {
                self.close |= tokens(header.value).any(|it| it.eq_ignore_ascii_case(b"close"));
                self.keep_alive |=
                    tokens(header.value).any(|it| it.eq_ignore_ascii_case(b"keep-alive"));
            }
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                for token in tokens(header.value) {
                    match (number(token), self.length) {
                        (None, _) => self.no_length = Some("a content-length that is no number"),
                        (Some(length), Some(known)) if length != known => {
                            self.no_length = Some("content-lengths that differ");
                        }
                        (length, _) => self.length = length,
                    }
                }
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                let last = tokens(header.value).last().unwrap_or(b"");
                // A value that is not text names no coding that we know.
                let text = header.value.is_ascii();
                self.coded = Some(text && last.eq_ignore_ascii_case(b"chunked"));
            }
            _ => {}
        }
    }

    fn head(self, bytes: usize, bodiless: bool, old: bool) -> Result<Head, &'static str> {
        let mut keep_alive = (!old || self.keep_alive) && !self.close && self.no_length.is_none();
        let body = match (bodiless, self.coded) {
            (true, _) => Body::Exact(0),
            (false, Some(_)) if old => return Err("a transfer coding in HTTP/1.0"),
            (false, Some(true)) => {
                // Two ways to find the end: whoever stands between may have taken the other one.
                keep_alive &= self.length.is_none();
                Body::Chunked(Chunked::new())
            }
            (false, None) if self.length.is_some() || self.no_length.is_some() => {
                Body::Exact(self.no_length.map_or(Ok(self.length.unwrap_or(0)), Err)?)
            }
            (false, Some(false) | None) => {
                keep_alive = false;
                Body::ToClose
            }
        };
        Ok(Head { bytes, body, keep_alive })
    }
}

/// The items of a list in a header.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A number of digits only: no sign, no white space.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, body and keep-alive of a head; `None` for a part of one.
    fn read(text: &str, to_head: bool) -> Result<Option<(u16, String, bool)>, &'static str> {
        let mut answer = Answer::default();
        Ok(match head(text.as_bytes(), to_head, &mut answer)? {
            Found::Part => None,
            Found::Interim(_) => Some((1, String::new(), false)),
            Found::Head(head) => {
                let body = match head.body {
                    Body::Exact(left) => left.to_string(),
                    Body::Chunked(_) => "chunked".to_owned(),
                    Body::ToClose => "to close".to_owned(),
                };
                Some((answer.status, body, head.keep_alive))
            }
        })
    }

    #[test]
    fn a_head_says_where_the_answer_ends() {
        let cases: [(&str, &str, bool); 13] = [
            ("content-length: 5", "5", true),
            ("Content-Length: 5\r\nCONTENT-LENGTH: 5", "5", true),
            ("content-length: 5, 5", "5", true),
            ("transfer-encoding: chunked", "chunked", true),
            ("Transfer-Encoding: gzip, Chunked", "chunked", true),
            ("transfer-encoding: chunked\r\ncontent-length: 9", "chunked", false),
            ("transfer-encoding: gzip", "to close", false),
            ("x: y", "to close", false),
            ("content-length: 0\r\nconnection: close", "0", false),
            ("content-length: 0\r\nconnection: x, Close", "0", false),
            ("content-length: 0\r\nconnection: keep-alive", "0", true),
            ("content-length: 0\r\nconnection: closed", "0", true),
            ("content-length: 18446744073709551615", "18446744073709551615", true),
        ];
        for (headers, body, keep_alive) in cases {
            let text = format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n");
            assert_eq!(read(&text, false), Ok(Some((200, body.to_owned(), keep_alive))), "{text}");
        }
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        let text = "HTTP/1.1 304 x\r\ncontent-length: 5\r\n\r\n";
        assert_eq!(read(text, false), Ok(Some((304, "0".to_owned(), true))));
        let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(read(text, true), Ok(Some((200, "0".to_owned(), true))));
        assert_eq!(
            read("HTTP/1.1 103 x\r\na: b\r\n\r\n", false),
            Ok(Some((1, String::new(), false)))
        );
    }

    #[test]
    fn the_old_version_keeps_nothing_alive_unless_it_says_so() {
        let text = "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n";
        assert_eq!(read(text, false), Ok(Some((200, "1".to_owned(), false))));
        let text = "HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n";
        assert_eq!(read(text, false), Ok(Some((200, "1".to_owned(), true))));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let wrong = [
            "hello\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 101 Up\r\n\r\n",
            "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ];
        for text in wrong {
            assert!(read(text, false).is_err(), "{text:?}");
        }
    }

    #[test]
    fn many_headers_fit_and_too_many_do_not() {
        let of = |count: usize| format!("HTTP/1.1 204 x\r\n{}\r\n", "a: b\r\n".repeat(count));
        for count in [0, 64, 65, 256] {
            assert!(read(&of(count), false).is_ok(), "{count}");
        }
        assert_eq!(read(&of(257), false), Err("more than 256 headers"));
        let long = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(HEAD_LIMIT));
        assert_eq!(read(&long, false), Err("a head of more than 64 KiB"));
        assert_eq!(read("HTTP/1.1 200 OK\r\nx: ", false), Ok(None));
    }
}
