//! Captures as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::template::Text;

/// Where a variable is taken from: exactly one of `json`, `header`, `cookie`, `regex`, `css` and
/// `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureWritten {
    /// A path into the JSON body: `auth.token`, `$.items[*].id`.
    pub json: Option<String>,
    /// A header's name.
    pub header: Option<String>,
    /// A cookie's name.
    pub cookie: Option<String>,
    /// A pattern in the body.
    pub regex: Option<PatternWritten>,
    /// An element of the HTML body.
    pub css: Option<CssWritten>,
    /// `true`: the status.
    pub status: Option<bool>,
    /// What the variable is when nothing is found; without it, the request has failed then.
    #[schemars(with = "Option<Text>")]
    pub default: Option<String>,
    /// Which of several matches, from 0; the first by default.
    pub index: Option<usize>,
    /// Any of several matches, drawn from the seed.
    pub random: Option<bool>,
}

impl CaptureWritten {
    /// The places that are written; one, when it is right.
    #[must_use]
    pub fn places(&self) -> Vec<&'static str> {
        let places = [
            ("json", self.json.is_some()),
            ("header", self.header.is_some()),
            ("cookie", self.cookie.is_some()),
            ("regex", self.regex.is_some()),
            ("css", self.css.is_some()),
            ("status", self.status.is_some()),
        ];
        places.into_iter().filter_map(|(key, written)| written.then_some(key)).collect()
    }
}

/// A pattern, and which of its groups is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PatternWritten {
    /// The pattern; its first group, or without one all of it.
    Pattern(String),
    /// The pattern, and which of its groups is meant.
    Group(GroupWritten),
}

/// A pattern, and which of its groups is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupWritten {
    /// The pattern.
    pub pattern: String,
    /// The group; 0 is all of it.
    pub group: usize,
}

/// An element of an HTML body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CssWritten {
    /// Which element: `#id`, `.class`, `tag`, `[attribute=value]`, one inside another by a space,
    /// several by a comma.
    pub selector: String,
    /// The attribute that is taken; by default the text of the element.
    pub attr: Option<String>,
}
