//! An answer of the system under test, in buffers that are used again.
//!
//! A load thread reads many thousand answers a second into a handful of these; none of them
//! allocates once its buffers have the size that the system's answers need.

use std::ops::Range;

/// What a buffer may keep for the next answer. One big answer must not hold its memory for the
/// rest of the run in each buffer that it passed through.
const CAPACITY_KEPT: usize = 64 << 10;

/// What of an answer's body is wanted. Of a status of 400 or more the first KiB is always kept: it
/// is what explains the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: the body is read to its end and counted.
    Nothing,
    /// The body, up to a MiB.
    Body,
}

/// A complete answer; the default is an empty one.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its status; 0 while there is none.
    pub status: u16,
    /// What was kept of its body.
    pub body: Vec<u8>,
    /// Names and values of the headers, one after the other.
    text: Vec<u8>,
    headers: Vec<Header>,
}

/// Where a header stands in the text.
#[derive(Clone, Debug)]
struct Header {
    name: Range<u32>,
    value: Range<u32>,
}

impl Answer {
    /// Makes it empty; the buffers stay, unless one has grown beyond 64 KiB.
    pub fn clear(&mut self) {
        self.status = 0;
        self.headers.clear();
        for buffer in [&mut self.body, &mut self.text] {
            buffer.clear();
            buffer.shrink_to(CAPACITY_KEPT);
        }
    }

    /// The value of the first header called `name`, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let header = self.headers.iter().find(|header| self.is_called(header, name.as_bytes()))?;
        Some(self.part(&header.value))
    }

    /// The values of all headers called `name`, in any case, in the order of the answer.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let name = name.as_bytes();
        let fitting = self.headers.iter().filter(move |header| self.is_called(header, name));
        fitting.map(|header| self.part(&header.value))
    }

    /// All headers in their order: name and value.
    pub fn all_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|header| (self.part(&header.name), self.part(&header.value)))
    }

    /// Adds a header.
    pub fn push_header(&mut self, name: &[u8], value: &[u8]) {
        let name = self.append(name);
        let value = self.append(value);
        self.headers.push(Header { name, value });
    }

    /// Forgets status and body for the answer that follows a redirect; of the headers only those
    /// called `name` stay.
    pub(crate) fn forget_all_but(&mut self, name: &str) {
        let mut kept = Self::default();
        for value in self.headers(name) {
            kept.push_header(name.as_bytes(), value);
        }
        self.clear();
        for value in kept.headers(name) {
            self.push_header(name.as_bytes(), value);
        }
    }

    fn is_called(&self, header: &Header, name: &[u8]) -> bool {
        header.name.len() == name.len() && self.part(&header.name).eq_ignore_ascii_case(name)
    }

    fn append(&mut self, part: &[u8]) -> Range<u32> {
        let start = place(self.text.len());
        self.text.extend_from_slice(part);
        start..place(self.text.len())
    }

    fn part(&self, range: &Range<u32>) -> &[u8] {
        &self.text[range.start as usize..range.end as usize]
    }
}

/// A place in the text. Heads end at 64 KiB, so that it always fits.
fn place(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_in_any_case_and_in_their_order() {
        let mut answer = Answer::default();
        answer.push_header(b"Set-Cookie", b"a=1");
        answer.push_header(b"Via", b"");
        answer.push_header(b"set-cookie", b"b=2");
        assert_eq!(answer.header("SET-COOKIE"), Some(&b"a=1"[..]));
        assert_eq!(answer.headers("set-cookie").collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        assert_eq!(answer.header("via"), Some(&b""[..]));
        assert_eq!(answer.header("set"), None);
    }

    #[test]
    fn clearing_keeps_small_buffers_and_gives_big_ones_back() {
        let mut answer = Answer { status: 200, ..Answer::default() };
        answer.body.extend_from_slice(&[1; 1000]);
        answer.push_header(b"a", b"b");
        answer.clear();
        assert_eq!((answer.status, answer.body.len(), answer.header("a")), (0, 0, None));
        assert!(answer.body.capacity() >= 1000);
        answer.body.extend_from_slice(&vec![1; 1 << 20]);
        answer.clear();
        assert!(answer.body.capacity() <= CAPACITY_KEPT);
    }
}
