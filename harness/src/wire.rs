//! A request as the bytes of HTTP/1.1, in a buffer that is used again.
//!
//! Whatever a template puts into a target or a header, the bytes stay one request: what would end
//! a line is left out of a header and encoded in a target.

use std::io::Write;

/// What the buffer may keep for the next request.
const CAPACITY_KEPT: usize = 64 << 10;

/// A request, ready to be written; the default is an empty one, to `begin` with.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    bytes: Vec<u8>,
    /// Where the method ends.
    method: usize,
    /// Where the target ends; it begins one byte after the method.
    target: usize,
    /// Where the head ends and the body begins; 0 while the head is open.
    head: usize,
}

impl Wire {
    /// Begins a new request for `target`, a path with its query.
    pub fn begin(&mut self, method: &str, target: &str) {
        self.bytes.clear();
        self.bytes.shrink_to(CAPACITY_KEPT);
        self.bytes.extend_from_slice(method.as_bytes());
        self.method = self.bytes.len();
        self.bytes.push(b' ');
        push_target(&mut self.bytes, target);
        self.target = self.bytes.len();
        self.bytes.extend_from_slice(b" HTTP/1.1\r\n");
        self.head = 0;
    }

    /// Adds a header; line ends and zero bytes of the value are left out.
    pub fn header(&mut self, name: &str, value: &str) {
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        let ends = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
        if value.bytes().any(|byte| ends(&byte)) {
            self.bytes.extend(value.bytes().filter(|byte| !ends(byte)));
        } else {
            self.bytes.extend_from_slice(value.as_bytes());
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Adds whole lines of the head as they are, each with its CR LF.
    pub fn lines(&mut self, lines: &str) {
        self.bytes.extend_from_slice(lines.as_bytes());
    }

    /// Ends the head and appends `body`, whose length the head tells.
    pub fn body(&mut self, body: &[u8]) {
        if body.is_empty() {
            return self.finish();
        }
        // Writing to a buffer in memory cannot fail.
        drop(write!(self.bytes, "content-length: {}\r\n\r\n", body.len()));
        self.head = self.bytes.len();
        self.bytes.extend_from_slice(body);
    }

    /// Ends the head of a request that has no body. A method that wants one is told that it is
    /// empty: servers wait for it otherwise, or refuse.
    pub fn finish(&mut self) {
        if matches!(self.method(), "POST" | "PUT" | "PATCH") {
            self.bytes.extend_from_slice(b"content-length: 0\r\n");
        }
        self.bytes.extend_from_slice(b"\r\n");
        self.head = self.bytes.len();
    }

    /// The whole request.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The head, with the empty line that ends it.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.bytes[..self.head]
    }

    /// The body.
    #[must_use]
    pub fn body_bytes(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.method]).unwrap_or("")
    }

    /// The target: the path with its query.
    #[must_use]
    pub fn target(&self) -> &str {
        let start = (self.method + 1).min(self.target);
        std::str::from_utf8(&self.bytes[start..self.target]).unwrap_or("")
    }

    /// Whether the answer has no body whatever its head says.
    #[must_use]
    pub fn is_head(&self) -> bool {
        &self.bytes[..self.method] == b"HEAD"
    }

    /// The headers in their order: name and value.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let head = std::str::from_utf8(self.head()).unwrap_or("");
        head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "))
    }
}

/// Appends `target` without its fragment, with what a request line cannot hold percent-encoded.
fn push_target(bytes: &mut Vec<u8>, target: &str) {
    let target = target.split('#').next().unwrap_or("");
    let target = if target.is_empty() { "/" } else { target };
    let fits = |byte: &u8| byte.is_ascii_graphic();
    if target.bytes().all(|byte| fits(&byte)) {
        return bytes.extend_from_slice(target.as_bytes());
    }
    for byte in target.bytes() {
        if fits(&byte) {
            bytes.push(byte);
        } else {
            drop(write!(bytes, "%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(wire: &Wire) -> &str {
        std::str::from_utf8(wire.bytes()).expect("ascii")
    }

    #[test]
    fn a_request_reads_as_http() {
        let mut wire = Wire::default();
        wire.begin("GET", "/a?b=c");
        wire.header("host", "shop");
        wire.finish();
        assert_eq!(text(&wire), "GET /a?b=c HTTP/1.1\r\nhost: shop\r\n\r\n");
        assert_eq!((wire.method(), wire.target()), ("GET", "/a?b=c"));
        assert_eq!((wire.head(), wire.body_bytes()), (wire.bytes(), &b""[..]));
    }

    #[test]
    fn a_body_is_measured_and_an_empty_one_told() {
        let mut wire = Wire::default();
        wire.begin("POST", "/");
        wire.body(b"abc");
        assert_eq!(text(&wire), "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc");
        assert_eq!(wire.body_bytes(), b"abc");
        for method in ["POST", "PUT", "PATCH"] {
            wire.begin(method, "/");
            wire.body(b"");
            assert!(text(&wire).ends_with("content-length: 0\r\n\r\n"), "{method}");
        }
        wire.begin("DELETE", "/");
        wire.finish();
        assert_eq!(text(&wire), "DELETE / HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn nothing_splits_a_request_in_two() {
        let mut wire = Wire::default();
        wire.begin("GET", "/a b\r\nx: y\u{e9}#part");
        wire.header("x", "1\r\nadmin: yes\0");
        wire.finish();
        let expected = "GET /a%20b%0D%0Ax:%20y%C3%A9 HTTP/1.1\r\nx: 1admin: yes\r\n\r\n";
        assert_eq!(text(&wire), expected);
        assert_eq!(wire.headers().collect::<Vec<_>>(), [("x", "1admin: yes")]);
    }
}
