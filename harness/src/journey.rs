//! Journeys as written: what one user does, step by step.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::template::Text;

/// One step of a journey: exactly one of `get`, `post`, `put`, `patch`, `delete`, `head`, `let` or
/// `once`, with what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepWritten {
    /// The step's name in reports; by default its method and path, such as `GET /whoami`.
    pub name: Option<String>,
    /// GET this path.
    #[schemars(with = "Option<Text>")]
    pub get: Option<String>,
    /// POST to this path.
    #[schemars(with = "Option<Text>")]
    pub post: Option<String>,
    /// PUT to this path.
    #[schemars(with = "Option<Text>")]
    pub put: Option<String>,
    /// PATCH this path.
    #[schemars(with = "Option<Text>")]
    pub patch: Option<String>,
    /// DELETE this path.
    #[schemars(with = "Option<Text>")]
    pub delete: Option<String>,
    /// HEAD of this path.
    #[schemars(with = "Option<Text>")]
    pub head: Option<String>,
    /// Sets variables for the steps that follow.
    #[serde(rename = "let")]
    #[schemars(with = "Option<IndexMap<String, Text>>")]
    pub variables: Option<IndexMap<String, String>>,
    /// Steps that each user does once, and again only after its session was lost.
    pub once: Option<Vec<StepWritten>>,
    /// Headers of the request.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Text>")]
    pub headers: IndexMap<String, String>,
    /// The body as JSON; texts in it are templates.
    pub json: Option<serde_json::Value>,
    /// The body as a web form.
    #[schemars(with = "Option<IndexMap<String, Text>>")]
    pub form: Option<IndexMap<String, String>>,
    /// The body as it is.
    #[schemars(with = "Option<Text>")]
    pub body: Option<String>,
    /// What makes the answer good; by default any status below 400.
    pub expect: Option<ExpectWritten>,
    /// Variables taken from the answer for the steps that follow.
    #[serde(default)]
    pub capture: IndexMap<String, CaptureWritten>,
}

/// What makes an answer good: all that is written must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectWritten {
    /// The status, or a list of good ones.
    pub status: Option<Statuses>,
    /// Values of the JSON body by path (`user`, `items.0.id`); texts are templates.
    #[serde(default)]
    pub json: IndexMap<String, serde_json::Value>,
    /// Values of headers by name.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Text>")]
    pub header: IndexMap<String, String>,
    /// A text that the body must hold.
    #[schemars(with = "Option<Text>")]
    pub body: Option<String>,
}

/// One status or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Statuses {
    /// One.
    One(u16),
    /// Any of these.
    Several(Vec<u16>),
}

/// Where a variable is taken from: exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureWritten {
    /// A path into the JSON body.
    pub json: Option<String>,
    /// A header's name.
    pub header: Option<String>,
    /// A cookie's name.
    pub cookie: Option<String>,
}

impl StepWritten {
    /// The methods that are written, with their paths.
    #[must_use]
    pub fn requests(&self) -> Vec<(&'static str, &str)> {
        let methods = [
            ("GET", &self.get),
            ("POST", &self.post),
            ("PUT", &self.put),
            ("PATCH", &self.patch),
            ("DELETE", &self.delete),
            ("HEAD", &self.head),
        ];
        let written = methods.into_iter();
        written.filter_map(|(method, path)| Some((method, path.as_deref()?))).collect()
    }
}

impl Statuses {
    /// The statuses as a list.
    #[must_use]
    pub fn list(&self) -> Vec<u16> {
        match self {
            Self::One(status) => vec![*status],
            Self::Several(several) => several.clone(),
        }
    }
}
