//! An answer, in buffers that are used again for the next one.

/// The most that a cleared body keeps as room for the next one.
const ROOM: usize = 64 << 10;

/// What of an answer's body is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: it is read to its end and counted. Of an answer that is not good, the first KiB
    /// is kept all the same, for it explains itself there.
    Nothing,
    /// The body.
    Body,
}

/// A complete answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body, or the begin of it.
    pub body: Vec<u8>,
    /// Names and values, one after the other.
    text: Vec<u8>,
    /// Where each name and each value ends in `text`.
    ends: Vec<(usize, usize)>,
}

impl Answer {
    /// Forgets everything but its room.
    pub fn clear(&mut self) {
        self.status = 0;
        self.body.clear();
        self.body.shrink_to(ROOM);
        self.text.clear();
        self.text.shrink_to(ROOM);
        self.ends.clear();
    }

    /// The first header of this name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.pairs().find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes())).map(|(_, it)| it)
    }

    /// All headers of this name, whatever its case.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let fitting = self.pairs().filter(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()));
        fitting.map(|(_, value)| value)
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut begin = 0;
        self.ends.iter().map(move |(middle, end)| {
            let pair = (&self.text[begin..*middle], &self.text[*middle..*end]);
            begin = *end;
            pair
        })
    }

    /// Adds a header.
    pub fn push_header(&mut self, name: &[u8], value: &[u8]) {
        self.text.extend_from_slice(name);
        let middle = self.text.len();
        self.text.extend_from_slice(value);
        self.ends.push((middle, self.text.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_whatever_their_case_and_all_of_a_name() {
        let mut answer = Answer::default();
        answer.push_header(b"Set-Cookie", b"a=1");
        answer.push_header(b"X-Served-By", b"was-1");
        answer.push_header(b"set-cookie", b"b=2");
        assert_eq!(answer.header("x-served-by"), Some(b"was-1".as_slice()));
        let cookies: Vec<&[u8]> = answer.headers("Set-Cookie").collect();
        assert_eq!(cookies, [b"a=1".as_slice(), b"b=2"]);
        answer.clear();
        assert_eq!(answer.header("set-cookie"), None);
    }
}
