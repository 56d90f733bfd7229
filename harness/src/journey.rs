//! Journeys as written: what one user does, step by step.

use std::borrow::Cow;
use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::template::Text;

mod capture;
mod expect;
mod think;

pub use capture::{CaptureWritten, CssWritten, GroupWritten, PatternWritten};
pub use expect::{
    Bounds, ByteBounds, ExpectWritten, Limits, MatcherWritten, Size, StatusWritten, Statuses,
    TimeBounds, Wanted, statuses,
};
pub use think::{DrawnWritten, Length, LognormalWritten, ThinkWritten};

/// A journey: its steps, or a map of steps and what holds for all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum JourneyWritten {
    /// The steps alone.
    Steps(Vec<StepWritten>),
    /// The steps, and what holds for all their requests.
    Whole(Box<WholeWritten>),
}

/// A journey with settings of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WholeWritten {
    /// What holds for every request that does not say otherwise.
    #[serde(default)]
    pub defaults: DefaultsWritten,
    /// The steps.
    pub steps: Vec<StepWritten>,
}

impl JourneyWritten {
    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[StepWritten] {
        match self {
            Self::Steps(steps) => steps,
            Self::Whole(whole) => &whole.steps,
        }
    }

    /// What holds for every request, where the journey says so.
    #[must_use]
    pub fn defaults(&self) -> Option<&DefaultsWritten> {
        match self {
            Self::Steps(_) => None,
            Self::Whole(whole) => Some(&whole.defaults),
        }
    }
}

/// What holds for every request that does not say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultsWritten {
    /// Headers; a step's own of the same name replaces one.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Text>")]
    pub headers: IndexMap<String, String>,
    /// Who is asking.
    pub auth: Option<AuthWritten>,
    /// What makes an answer good; a step's own key replaces one of the same name.
    pub expect: Option<ExpectWritten>,
}

/// One step of a journey. It does one thing: a request (`get`, `post`, `put`, `patch`, `delete` or
/// `head`), `let`, `once`, `loop`, `if`, `choose` or `think`; the other keys belong to that.
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
    /// How often the steps of `do` are done.
    #[serde(rename = "loop")]
    pub rounds: Option<LoopWritten>,
    /// The steps of `loop`.
    #[serde(rename = "do")]
    pub body: Option<Vec<StepWritten>>,
    /// Does the steps of `then` if all these variables are as wanted, else those of `else`.
    #[serde(rename = "if")]
    pub condition: Option<IndexMap<String, Wanted>>,
    /// The steps of an `if` that holds.
    pub then: Option<Vec<StepWritten>>,
    /// The steps of an `if` that does not hold.
    #[serde(rename = "else")]
    pub otherwise: Option<Vec<StepWritten>>,
    /// Does one of these branches, drawn by weight.
    pub choose: Option<Vec<BranchWritten>>,
    /// Waits as a person would.
    pub think: Option<ThinkWritten>,
    /// Parameters of the query; a list repeats its key.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Scalars>")]
    pub query: IndexMap<String, serde_json::Value>,
    /// Headers of the request.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Text>")]
    pub headers: IndexMap<String, String>,
    /// Who is asking; `{}` for nobody, where `defaults` say otherwise.
    pub auth: Option<AuthWritten>,
    /// The body as JSON; texts in it are templates.
    pub json: Option<serde_json::Value>,
    /// The body as a web form.
    #[schemars(with = "Option<IndexMap<String, Text>>")]
    pub form: Option<IndexMap<String, String>>,
    /// The body as a form of several parts, which may be files.
    pub multipart: Option<Vec<PartWritten>>,
    /// The body as the content of this file, relative to the scenario file.
    pub file: Option<PathBuf>,
    /// The body as it is.
    #[serde(rename = "body")]
    #[schemars(with = "Option<Text>")]
    pub text: Option<String>,
    /// What makes the answer good; by default any status below 400.
    pub expect: Option<ExpectWritten>,
    /// Variables taken from the answer for the steps that follow.
    #[serde(default)]
    pub capture: IndexMap<String, CaptureWritten>,
}

/// How often steps are repeated: `times`, or `while` some variables are as wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoopWritten {
    /// So often.
    #[schemars(range(min = 1))]
    pub times: Option<u32>,
    /// As long as all these variables are as wanted; looked at before each round.
    #[serde(rename = "while")]
    pub condition: Option<IndexMap<String, Wanted>>,
    /// Rounds of a `while` at most, 100 by default; a journey that needs more fails.
    #[schemars(range(min = 1))]
    pub max: Option<u32>,
}

/// A branch of `choose`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BranchWritten {
    /// How often it is taken beside the others; 1 by default.
    #[serde(default = "one")]
    pub weight: u32,
    /// Its steps; none for a user that goes on at once.
    #[serde(rename = "do")]
    pub steps: Vec<StepWritten>,
}

fn one() -> u32 {
    1
}

/// Who is asking: `basic` or `bearer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthWritten {
    /// A user and its password (RFC 7617).
    pub basic: Option<BasicWritten>,
    /// A token (RFC 6750).
    #[schemars(with = "Option<Text>")]
    pub bearer: Option<String>,
}

/// A user and its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicWritten {
    /// The user.
    #[schemars(with = "Text")]
    pub user: String,
    /// Its password.
    #[schemars(with = "Text")]
    pub password: String,
}

/// A part of a form: a `value` or a `file`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PartWritten {
    /// The field's name.
    pub name: String,
    /// Its value.
    #[schemars(with = "Option<Text>")]
    pub value: Option<String>,
    /// A file that is its value, relative to the scenario file.
    pub file: Option<PathBuf>,
    /// The kind of content; `application/octet-stream` for a file by default.
    pub content_type: Option<String>,
    /// The file's name as the server is told; by default its own.
    pub filename: Option<String>,
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

    /// What the step does, by the words of the file; one, when it is right.
    #[must_use]
    pub fn deeds(&self) -> Vec<&'static str> {
        let others = [
            ("let", self.variables.is_some()),
            ("once", self.once.is_some()),
            ("loop", self.rounds.is_some()),
            ("if", self.condition.is_some()),
            ("choose", self.choose.is_some()),
            ("think", self.think.is_some()),
        ];
        let others = others.into_iter().filter_map(|(key, written)| written.then_some(key));
        self.requests().into_iter().map(|(method, _)| method).chain(others).collect()
    }

    /// The keys that are written and belong to what `deed` does not do.
    #[must_use]
    pub fn strangers(&self, deed: &str) -> Vec<&'static str> {
        let request = !matches!(deed, "let" | "once" | "loop" | "if" | "choose" | "think");
        let keys = [
            ("do", self.body.is_some(), deed == "loop"),
            ("then", self.then.is_some(), deed == "if"),
            ("else", self.otherwise.is_some(), deed == "if"),
            ("name", self.name.is_some(), request),
            ("query", !self.query.is_empty(), request),
            ("headers", !self.headers.is_empty(), request),
            ("auth", self.auth.is_some(), request),
            ("json", self.json.is_some(), request),
            ("form", self.form.is_some(), request),
            ("multipart", self.multipart.is_some(), request),
            ("file", self.file.is_some(), request),
            ("body", self.text.is_some(), request),
            ("expect", self.expect.is_some(), request),
            ("capture", !self.capture.is_empty(), request),
        ];
        let wrong = keys.into_iter().filter(|(_, written, fits)| *written && !fits);
        wrong.map(|(key, ..)| key).collect()
    }

    /// The bodies that are written; one at most, when it is right.
    #[must_use]
    pub fn bodies(&self) -> Vec<&'static str> {
        let bodies = [
            ("json", self.json.is_some()),
            ("form", self.form.is_some()),
            ("multipart", self.multipart.is_some()),
            ("file", self.file.is_some()),
            ("body", self.text.is_some()),
        ];
        bodies.into_iter().filter_map(|(key, written)| written.then_some(key)).collect()
    }
}

/// One value or a list of values, as parameters of a query are written.
#[derive(Clone, Copy, Debug)]
enum Scalars {}

impl JsonSchema for Scalars {
    fn schema_name() -> Cow<'static, str> {
        "Scalars".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number", "boolean", "array"],
            "items": { "type": ["string", "number", "boolean"] }
        })
    }
}
