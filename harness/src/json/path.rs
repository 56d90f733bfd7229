//! Paths into JSON: `$.items[0].id`, `$['a key'][-1]`, `items[*].id`, or plainly `items.0.id`.

use std::fmt;

use super::scan::Scanner;
use super::{NotJson, Raw};

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into an object.
    Key(String),
    /// Into a list; negative places count from its end.
    Index(i64),
    /// `.7`: into a list, or into an object that has such a key.
    Either(String, i64),
    /// Into each item of a list.
    Each,
}

/// A path into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    text: String,
    steps: Vec<Step>,
}

/// The text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing is written.
    #[error("an empty path")]
    Empty,
    /// A name is missing between two dots or at the end.
    #[error("a name is missing after `{0}`")]
    NoName(String),
    /// A bracket has no end.
    #[error("`[` is never closed in `{0}`")]
    Open(String),
    /// A bracket holds neither a number, nor a quoted key, nor a star.
    #[error("`[{0}]` holds neither a number, nor a key in quotes, nor `*`")]
    Bracket(String),
    /// `JSONPath` has it, and it is not read here.
    #[error("`{0}` is not read here")]
    Unknown(&'static str),
}

impl Path {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut steps = Vec::new();
        // A path may begin with a bare name, or with `$` alone.
        let mut bare = rest.len() == text.len() && !rest.starts_with('[');
        while !rest.is_empty() {
            if rest.starts_with("..") {
                return Err(PathError::Unknown(".."));
            }
            if let Some(inside) = rest.strip_prefix('[') {
                let (step, behind) = bracket(inside, text)?;
                steps.push(step);
                rest = behind;
            } else if bare || rest.starts_with('.') {
                let named = rest.strip_prefix('.').filter(|_| !bare).unwrap_or(rest);
                let end = named.find(['.', '[']).unwrap_or(named.len());
                let (name, behind) = named.split_at(end);
                if name.is_empty() {
                    return Err(PathError::NoName(text[..text.len() - named.len()].to_owned()));
                }
                steps.push(match (name, name.parse()) {
                    ("*", _) => Step::Each,
                    (_, Ok(index)) if index >= 0 => Step::Either(name.to_owned(), index),
                    _ => Step::Key(name.to_owned()),
                });
                rest = behind;
            } else {
                return Err(PathError::NoName(text[..text.len() - rest.len()].to_owned()));
            }
            bare = false;
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// The first value at this path in `text`; `None` when nothing is there.
    pub fn find<'a>(&self, text: &'a [u8]) -> Result<Option<Raw<'a>>, NotJson> {
        let mut found = None;
        self.each(text, &mut |raw| {
            found = Some(raw);
            true
        })?;
        Ok(found)
    }

    /// Shows the values at this path to `see`, in order, until it returns true. There are several
    /// only behind `[*]`.
    pub fn each<'a>(
        &self,
        text: &'a [u8],
        see: &mut dyn FnMut(Raw<'a>) -> bool,
    ) -> Result<(), NotJson> {
        Scanner::new(text).walk(&self.steps, see).map(drop)
    }
}

/// The step in a bracket, of which `inside` is all behind the opening; and what follows it.
fn bracket<'a>(inside: &'a str, whole: &str) -> Result<(Step, &'a str), PathError> {
    let open = || PathError::Open(whole.to_owned());
    if let Some(quote) = inside.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let mut key = String::new();
        let mut chars = inside.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                key.push(chars.next().ok_or_else(open)?.1);
            } else if c == quote {
                let behind = inside[at + 1..].strip_prefix(']').ok_or_else(open)?;
                return Ok((Step::Key(key), behind));
            } else {
                key.push(c);
            }
        }
        return Err(open());
    }
    let (index, behind) = inside.split_once(']').ok_or_else(open)?;
    let step = match index.trim() {
        "*" => Step::Each,
        index => Step::Index(index.parse().map_err(|_| PathError::Bracket(index.to_owned()))?),
    };
    Ok((step, behind))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_path_is_told() {
        for (text, wanted) in [
            ("", "an empty path"),
            ("$.", "a name is missing after `$.`"),
            ("a..b", "`..` is not read here"),
            ("$a", "a name is missing after `$`"),
            ("a[0", "`[` is never closed in `a[0`"),
            ("a['b", "`[` is never closed in `a['b`"),
            ("a[b]", "`[b]` holds neither a number, nor a key in quotes, nor `*`"),
            ("a[?(@.x)]", "`[?(@.x)]` holds neither a number, nor a key in quotes, nor `*`"),
        ] {
            assert_eq!(Path::parse(text).expect_err(text).to_string(), wanted);
        }
    }

    #[test]
    fn steps_are_read_in_both_ways_of_writing() {
        let steps = |text| Path::parse(text).expect("a path").steps;
        assert_eq!(steps("$"), []);
        assert_eq!(
            steps("$.a[0]['b c'][*]"),
            [Step::Key("a".to_owned()), Step::Index(0), Step::Key("b c".to_owned()), Step::Each]
        );
        assert_eq!(
            steps("a.0.*"),
            [Step::Key("a".to_owned()), Step::Either("0".to_owned(), 0), Step::Each]
        );
    }
}
