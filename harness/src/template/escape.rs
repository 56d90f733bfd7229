//! What a value needs in the place where it stands.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986 section 2.3: what stands for itself in every part of a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What no path and no query may hold as it is; what divides them (`/`, `?`, `&`, `#`) is left alone.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|');

/// One way to write a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// As it is; alone in a JSON text, without quotes around it.
    Raw,
    /// As one part of a URL: everything but letters, digits and `-._~` is escaped.
    Url,
    /// As the inside of a JSON text.
    Json,
    /// In base64.
    Base64,
    /// As a value of a web form.
    Form,
    /// As a path, which may have several parts and a query: only what cannot stand there is
    /// escaped, and what would end the line is dropped.
    Path,
}

impl Escape {
    /// The escapes that a template may name, as filters.
    pub const FILTERS: [(&'static str, Self); 4] =
        [("url", Self::Url), ("json", Self::Json), ("base64", Self::Base64), ("raw", Self::Raw)];

    /// Appends `value` in this way to `sink`.
    pub fn append(self, value: &str, sink: &mut String) {
        match self {
            Self::Raw => sink.push_str(value),
            Self::Url => sink.extend(utf8_percent_encode(value, RESERVED)),
            Self::Base64 => STANDARD.encode_string(value, sink),
            Self::Form => sink.extend(form_urlencoded::byte_serialize(value.as_bytes())),
            Self::Json => json(value, sink),
            Self::Path => {
                for part in value.split(['\r', '\n', '\0']) {
                    sink.extend(utf8_percent_encode(part, UNSAFE));
                }
            }
        }
    }
}

/// RFC 8259 section 7: quotes, backslashes and control characters are escaped.
fn json(value: &str, sink: &mut String) {
    let mut plain = 0;
    for (at, byte) in value.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        sink.push_str(&value[plain..at]);
        plain = at + 1;
        if short.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(sink, "\\u{byte:04x}");
        } else {
            sink.push_str(short);
        }
    }
    sink.push_str(&value[plain..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(escape: Escape, value: &str) -> String {
        let mut sink = String::new();
        escape.append(value, &mut sink);
        sink
    }

    #[test]
    fn a_path_keeps_its_parts_and_loses_what_ends_a_line() {
        assert_eq!(
            escaped(Escape::Path, "/a b/\u{e9}?x=1&y=2%20\r\nHost: evil"),
            "/a%20b/%C3%A9?x=1&y=2%20Host:%20evil"
        );
    }

    #[test]
    fn json_texts_read_back_as_they_were() {
        let value = "a\"b\\c\n\r\t\u{1}\u{7f}\u{e9}\u{1f600}";
        let text = format!("\"{}\"", escaped(Escape::Json, value));
        assert_eq!(serde_json::from_str::<String>(&text).expect("JSON"), value);
    }

    #[test]
    fn a_form_value_reads_back_as_it_was() {
        let value = "a b&c=d+\u{e9}";
        let text = format!("k={}", escaped(Escape::Form, value));
        let read: Vec<_> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        assert_eq!(read, [("k".to_owned(), value.to_owned())]);
    }
}
