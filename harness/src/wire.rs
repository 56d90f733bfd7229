//! A request as the bytes of HTTP/1.1, in a buffer that is used again for the next one.

use std::ops::Range;

/// The most that a begun request keeps as room from the one before.
const ROOM: usize = 64 << 10;

/// A request, ready to be written.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    bytes: Vec<u8>,
    method: usize,
    target: Range<usize>,
    head: usize,
}

impl Wire {
    /// Begins a request; what was here before is gone. `target` is a path with its query, free of
    /// white space.
    pub fn begin(&mut self, method: &str, target: &str) {
        self.bytes.clear();
        self.bytes.shrink_to(ROOM);
        self.bytes.extend_from_slice(method.as_bytes());
        self.method = method.len();
        self.bytes.push(b' ');
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(target.as_bytes());
        self.target = begin..self.bytes.len();
        self.bytes.extend_from_slice(b" HTTP/1.1\r\n");
        self.head = 0;
    }

    /// Adds a header; what would end its line early (CR, LF, NUL) is left out of the value.
    pub fn header(&mut self, name: &str, value: &str) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        let ends_line = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
        if value.as_bytes().iter().any(ends_line) {
            self.bytes.extend(value.bytes().filter(|byte| !ends_line(byte)));
        } else {
            self.bytes.extend_from_slice(value.as_bytes());
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Adds whole lines of the head as they are, each with its CR LF.
    pub fn lines(&mut self, lines: &str) {
        self.bytes.extend_from_slice(lines.as_bytes());
    }

    /// Ends the head and adds `body`.
    pub fn body(&mut self, body: &[u8]) {
        if !body.is_empty() || self.wants_length() {
            let mut length = itoa::Buffer::new();
            self.header("content-length", length.format(body.len()));
        }
        self.bytes.extend_from_slice(b"\r\n");
        self.head = self.bytes.len();
        self.bytes.extend_from_slice(body);
    }

    /// Ends a request that has no body.
    pub fn finish(&mut self) {
        self.body(b"");
    }

    /// Methods of which a server expects a body.
    fn wants_length(&self) -> bool {
        matches!(self.method(), "POST" | "PUT" | "PATCH")
    }

    /// The whole request.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its head, with the empty line that ends it.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.bytes[..self.head]
    }

    /// Its body.
    #[must_use]
    pub fn body_bytes(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.method]).unwrap_or_default()
    }

    /// Its path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.target.clone()]).unwrap_or_default()
    }

    /// Whether its answer has no body, whatever the headers say.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.method() == "HEAD"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_its_bytes() {
        let mut wire = Wire::default();
        wire.begin("POST", "/x?a=1");
        wire.header("host", "shop:80");
        wire.header("x-evil", "a\r\nb: c");
        wire.body(b"hi");
        let text =
            "POST /x?a=1 HTTP/1.1\r\nhost: shop:80\r\nx-evil: ab: c\r\ncontent-length: 2\r\n\r\nhi";
        assert_eq!(wire.bytes(), text.as_bytes());
        assert_eq!((wire.method(), wire.target()), ("POST", "/x?a=1"));
        assert_eq!(wire.body_bytes(), b"hi");
        wire.begin("GET", "/");
        wire.finish();
        assert_eq!(wire.bytes(), b"GET / HTTP/1.1\r\n\r\n");
    }
}
