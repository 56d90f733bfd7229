//! Templates as written: texts and the variables between them.

use crate::problem::or_list;

use super::Escape;

/// The longest random text that a template may ask for.
pub(super) const LONGEST: usize = 1 << 16;

/// A text that is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Braces were opened and not closed.
    #[error("`{{{{` is never closed with `}}}}`")]
    Open,
    /// The braces hold no name.
    #[error("`{{{{ {0} }}}}` does not hold the name of a variable")]
    NotAName(String),
    /// No variable has this name.
    #[error("unknown variable `{0}`")]
    Unknown(String),
    /// No filter has this name.
    #[error("unknown filter `{0}`")]
    UnknownFilter(String),
    /// What stands in brackets does not fit.
    #[error("`{name}` takes {takes}")]
    Arguments {
        /// The name before the brackets.
        name: String,
        /// What would fit.
        takes: &'static str,
    },
}

impl TemplateError {
    /// What would have been right, where it does not depend on the place.
    #[must_use]
    pub fn expected(&self) -> Option<String> {
        match self {
            Self::UnknownFilter(_) => {
                Some(format!("one of {}", or_list(Escape::FILTERS.iter().map(|(name, _)| *name))))
            }
            Self::Arguments { takes, .. } => Some((*takes).to_owned()),
            Self::Open => Some("`}}` behind the name".to_owned()),
            Self::NotAName(_) => Some("such as `{{ user }}`".to_owned()),
            Self::Unknown(_) => None,
        }
    }
}

/// A variable as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) name: &'a str,
    /// What stands in brackets behind the name.
    pub(super) arguments: Option<&'a str>,
    pub(super) escapes: Vec<Escape>,
}

/// A part of a text in which variables are still by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Text(&'a str),
    Value(Value<'a>),
}

/// Whether `text` is well formed, whatever the variables are.
pub fn check(text: &str) -> Result<(), TemplateError> {
    tokens(text).map(drop)
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{") {
        let begin = at + open;
        let close = text[begin..].find("}}").ok_or(TemplateError::Open)?;
        tokens.push(Token::Text(&text[at..begin]));
        tokens.push(Token::Value(value(text[begin + 2..begin + close].trim())?));
        at = begin + close + 2;
    }
    tokens.push(Token::Text(&text[at..]));
    Ok(tokens)
}

fn value(inside: &str) -> Result<Value<'_>, TemplateError> {
    let mut parts = inside.split('|').map(str::trim);
    let call = parts.next().unwrap_or_default();
    let (name, arguments) = match call.split_once('(') {
        Some((name, rest)) => {
            let arguments = rest.strip_suffix(')');
            let arguments = arguments.ok_or_else(|| TemplateError::NotAName(inside.to_owned()))?;
            (name.trim(), Some(arguments))
        }
        None => (call, None),
    };
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(fits) {
        return Err(TemplateError::NotAName(inside.to_owned()));
    }
    let escapes = parts.map(|filter| {
        let known = Escape::FILTERS.iter().find(|(name, _)| *name == filter);
        known
            .map(|(_, escape)| *escape)
            .ok_or_else(|| TemplateError::UnknownFilter(filter.to_owned()))
    });
    Ok(Value { name, arguments, escapes: escapes.collect::<Result<_, _>>()? })
}
