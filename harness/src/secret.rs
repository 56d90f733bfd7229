//! Secrets: values from the environment that templates send and that no record ever holds.
//!
//! A plan knows their names alone. The values are read when a run begins, and everything that the
//! run writes down of an exchange passes through [`Secrets::redact`] first: each value, plain or in
//! an encoding in which a request carries it, becomes `***`.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// What stands in the place of a secret.
const MASK: &str = "***";

/// A part of a secret this long at the end of a text that was cut is masked too.
const TELLING: usize = 4;

/// The values of a run's secrets. Its `Debug` shows none of them.
#[derive(Clone, Default)]
pub struct Secrets {
    values: Vec<String>,
    /// Every form in which a value may show up, longest first.
    forms: Vec<String>,
}

/// A secret that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The environment has no such variable.
    #[error("the environment variable `{0}` is not set")]
    Missing(String),
    /// It is empty.
    #[error("the environment variable `{0}` is empty")]
    Empty(String),
}

impl SecretError {
    /// The variable's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Missing(name) | Self::Empty(name) => name,
        }
    }
}

impl Secrets {
    /// Reads the secrets of these `names`, in their order, where `look_up` finds them: in the
    /// environment.
    pub fn read<'a>(
        names: impl IntoIterator<Item = &'a str>,
        look_up: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<SecretError>> {
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for name in names {
            match look_up(name) {
                Some(value) if value.is_empty() => errors.push(SecretError::Empty(name.to_owned())),
                Some(value) => values.push(value),
                None => errors.push(SecretError::Missing(name.to_owned())),
            }
        }
        if errors.is_empty() { Ok(Self::of(values)) } else { Err(errors) }
    }

    /// These values.
    #[must_use]
    pub fn of(values: Vec<String>) -> Self {
        let mut forms: Vec<String> = values.iter().flat_map(|value| forms_of(value)).collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { values, forms }
    }

    /// The value of the secret at this place.
    #[must_use]
    pub fn value(&self, place: usize) -> &str {
        self.values.get(place).map_or("", String::as_str)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// `text` with every secret masked.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.forms.iter().all(|form| !text.contains(form.as_str())) {
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.masked(text, usize::MAX))
    }

    /// The begin of `bytes` as a text of at most `limit` characters in which every secret is
    /// masked. What is cut is cut after masking, so that no half of a secret stays.
    #[must_use]
    pub fn excerpt(&self, bytes: &[u8], limit: usize) -> String {
        // A character has four bytes at most, and a mask stands for a form at most.
        let longest = self.forms.first().map_or(1, String::len).max(4);
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(limit * longest)]);
        if self.forms.is_empty() {
            text.chars().take(limit).collect()
        } else {
            self.masked(&text, limit)
        }
    }

    fn masked(&self, text: &str, limit: usize) -> String {
        let mut masked = String::new();
        let mut left = limit;
        let mut rest = text;
        while left > 0
            && let Some(next) = rest.chars().next()
        {
            let form = self.forms.iter().find(|form| rest.starts_with(form.as_str()));
            let cut =
                || rest.len() >= TELLING && self.forms.iter().any(|form| form.starts_with(rest));
            if let Some(form) = form {
                masked.push_str(MASK);
                rest = &rest[form.len()..];
            } else if cut() {
                masked.push_str(MASK);
                return masked;
            } else {
                masked.push(next);
                rest = &rest[next.len_utf8()..];
            }
            left -= 1;
        }
        masked
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.values.len())
    }
}

/// The forms in which requests carry `value`: plain, in a URL or a form, in JSON, in base64.
fn forms_of(value: &str) -> Vec<String> {
    let form: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let json = serde_json::Value::from(value).to_string();
    let mut forms = vec![
        value.to_owned(),
        form.replace('+', "%20"),
        form,
        json[1..json.len() - 1].to_owned(),
        value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"),
        hex_lower(
            &percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
                .to_string(),
        ),
    ];
    // In base64 a value looks different behind 0, 1 or 2 bytes of something else, as a password
    // behind its user. The characters at both ends depend on the neighbours and are left out.
    for before in 0..3_usize {
        let mut bytes = vec![0_u8; before];
        bytes.extend_from_slice(value.as_bytes());
        let first = (before * 8).div_ceil(6);
        let last = bytes.len() * 8 / 6;
        for engine in [&STANDARD, &URL_SAFE] {
            let text = engine.encode(&bytes);
            if let Some(inner) = text.get(first..last).filter(|inner| inner.len() >= TELLING) {
                forms.push(inner.to_owned());
            }
        }
    }
    forms
}

/// Percent escapes in lower case, as some servers echo them.
fn hex_lower(text: &str) -> String {
    let mut lower = String::with_capacity(text.len());
    let mut escape = 0_i32;
    for c in text.chars() {
        if c == '%' {
            escape = 3;
        }
        lower.push(if escape > 0 { c.to_ascii_lowercase() } else { c });
        escape = (escape - 1).max(0);
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::of(vec!["s3cr\"t/+ word".to_owned(), "tok-4711".to_owned()])
    }

    #[test]
    fn a_secret_is_masked_in_every_form_in_which_a_request_carries_it() {
        let secrets = secrets();
        let value = "s3cr\"t/+ word";
        let basic = STANDARD.encode(format!("u1:{value}"));
        let form: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let json = serde_json::json!({ "password": value }).to_string();
        for text in [format!("a {value} b"), basic, form, json] {
            let shown = secrets.redact(&text);
            assert!(shown.contains(MASK), "{text} became {shown}");
            assert!(!shown.contains("s3cr"), "{text} became {shown}");
        }
        assert_eq!(secrets.redact("nothing to hide"), "nothing to hide");
        assert_eq!(format!("{secrets:?}"), "Secrets(2)");
    }

    #[test]
    fn an_excerpt_never_ends_in_half_a_secret() {
        let secrets = secrets();
        for limit in 0..20 {
            let shown = secrets.excerpt(b"token tok-4711 and tok-4", limit);
            assert!(!shown.contains("tok-"), "{shown}");
        }
        assert_eq!(secrets.excerpt(b"token tok-4711 and tok-4", 100), "token *** and ***");
        assert_eq!(Secrets::default().excerpt("\u{e4}\u{e4}\u{e4}".as_bytes(), 2), "\u{e4}\u{e4}");
    }

    #[test]
    fn a_secret_that_is_not_there_is_told_by_name() {
        let environment = |name: &str| match name {
            "TOKEN" => Some("x".to_owned()),
            "NONE" => Some(String::new()),
            _ => None,
        };
        let secrets = Secrets::read(["TOKEN"], &environment).expect("there");
        assert_eq!(secrets.value(0), "x");
        let errors = Secrets::read(["NONE", "MISSPELT"], &environment).expect_err("both");
        let missing = SecretError::Missing("MISSPELT".to_owned());
        assert_eq!(errors, [SecretError::Empty("NONE".to_owned()), missing]);
    }
}
