//! The scenario file as written: the sum of what the three crates let a user say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use indexmap::IndexMap;
use rehearsal_chaos::fault::Fault;
use rehearsal_chaos::selector::Selector;
use rehearsal_reports::objective::Objective;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::DataWritten;
use crate::duration;
use crate::journey::{DefaultsWritten, JourneyWritten, Size, statuses};
use crate::load::LoadWritten;
use crate::problem::{Problem, Problems, Source};
use crate::rate::Rate;
use crate::shape::{Format, Shape};
use crate::template;
use crate::transport::TransportWritten;
use crate::yaml::{Node, NotYaml, Place, Seg};

/// One experiment: a system, users and what they do, what is broken, and what must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Rehearsal scenario")]
pub struct Scenario {
    /// What is rehearsed, in a few words.
    pub name: String,
    /// Why, and what to look at.
    pub description: Option<String>,
    /// The system under test.
    pub system: SystemWritten,
    /// Where every random choice comes from; by default a new one each run, printed.
    pub seed: Option<u64>,
    /// Constants that templates may name.
    #[serde(rename = "let", default)]
    pub constants: IndexMap<String, serde_json::Value>,
    /// Rows of CSV files for templates, by name.
    #[serde(default)]
    pub data: IndexMap<String, DataWritten>,
    /// The spans of the run in order: name and length. `warm-up` is left out of objectives that
    /// name no phase.
    #[schemars(with = "IndexMap<String, duration::Text>")]
    pub phases: IndexMap<String, DurationWritten>,
    /// How many users there are; each keeps its cookies and its connection for the whole run. By
    /// default as many as may be on their way at once.
    #[schemars(range(min = 1))]
    pub users: Option<u32>,
    /// How users arrive.
    #[serde(default)]
    pub load: Vec<LoadWritten>,
    /// What holds for every request of every journey that does not say otherwise.
    #[serde(default)]
    pub defaults: DefaultsWritten,
    /// Who lets the users of a closed model begin.
    #[serde(default)]
    pub engine: EngineWritten,
    /// What users do, by name.
    #[serde(default)]
    pub journeys: IndexMap<String, JourneyWritten>,
    /// Time limits of every request.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How requests travel: connections, protocol, names, TLS.
    #[serde(default)]
    pub transport: TransportWritten,
    /// The instrument that measures outages.
    #[serde(default)]
    pub prober: ProberWritten,
    /// What is broken, and when.
    #[serde(default)]
    pub faults: Vec<FaultWritten>,
    /// What must hold; each is read on its own. `[]` asks for numbers without a verdict on them.
    pub objectives: Vec<Objective>,
}

/// Who lets users begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EngineWritten {
    /// Rehearsal's own engine.
    #[default]
    Native,
    /// The load-testing framework goose, for one profile of `constant-vus`, `ramping-vus` or
    /// `per-vu-iterations`; recorded as the others are. Only in a build with the feature `goose`.
    Goose,
}

impl EngineWritten {
    /// Its name in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Goose => "goose",
        }
    }
}

/// The system under test: `embedded`, `compose`, or only a `target`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemWritten {
    /// Start the embedded testbed as processes of our own.
    pub embedded: Option<EmbeddedWritten>,
    /// The compose file whose containers may be broken, relative to the scenario file.
    pub compose: Option<PathBuf>,
    /// The compose project's name; by default compose's own rule.
    pub project: Option<String>,
    /// Environment for the compose file's variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where the load goes: `http://host:port`, `https://host:port` or `unix:/path`. Not with
    /// `embedded`, which knows its own.
    pub target: Option<String>,
    /// What the target must show before any load goes to it.
    pub identity: Option<IdentityWritten>,
    /// The header in which an instance names itself.
    #[serde(rename = "served-by", default = "default_served_by")]
    pub served_by: String,
}

fn default_served_by() -> String {
    "x-served-by".to_owned()
}

/// The embedded testbed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedWritten {
    /// How many WAS instances.
    #[serde(default = "default_was")]
    #[schemars(range(min = 1))]
    pub was: u32,
    /// Whether the front tries another WAS when one does not answer.
    #[serde(default = "default_retries")]
    pub retries: bool,
}

fn default_was() -> u32 {
    3
}

fn default_retries() -> bool {
    true
}

/// What a target must show to be believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityWritten {
    /// The path to ask.
    pub path: String,
    /// Headers that the answer must have, with these values.
    #[serde(default)]
    pub header: IndexMap<String, String>,
    /// A text that the answer's body must hold.
    pub body: Option<String>,
}

/// Time limits of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Timeouts {
    /// To connect.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Text")]
    pub connect: Duration,
    /// From sending to the first byte of the answer.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Text")]
    pub first_byte: Duration,
    /// From connecting to the last byte.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Text")]
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(5),
            total: Duration::from_secs(10),
        }
    }
}

/// The prober.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProberWritten {
    /// The path to ask.
    pub path: String,
    /// How often.
    pub rate: Rate,
    /// How long a probe waits. Keep it below 1s, TCP's first retransmit.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Text")]
    pub timeout: Duration,
    /// Services whose instances are probed one by one, by their ports on 127.0.0.1.
    pub instances: Vec<String>,
}

impl Default for ProberWritten {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            rate: Rate { count: 20.0, per: Some(Duration::from_secs(1)) },
            timeout: Duration::from_millis(500),
            instances: Vec::new(),
        }
    }
}

/// A fault and its time: `during` a phase, or `at` an offset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultWritten {
    /// Its name in reports; by default what is done to whom.
    pub name: Option<String>,
    /// What is done.
    #[serde(flatten)]
    pub fault: Fault,
    /// To whom.
    pub on: Selector,
    /// From the begin of this phase to its end.
    pub during: Option<String>,
    /// From this offset, counted from the begin of the run.
    #[serde(default, with = "duration::option")]
    #[schemars(with = "Option<duration::Text>")]
    pub at: Option<Duration>,
    /// For this long; by default to the end of the phase, or with `at` to the end of the run.
    #[serde(rename = "for", default, with = "duration::option")]
    #[schemars(with = "Option<duration::Text>")]
    pub lasting: Option<Duration>,
    /// Whether this stands for planned work; its downtime is kept apart.
    #[serde(default)]
    pub planned: bool,
}

/// A duration as the value of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationWritten(#[serde(with = "duration")] pub Duration);

/// A scenario, its tree and its text.
#[derive(Clone, Debug)]
pub struct Read {
    /// The scenario.
    pub scenario: Scenario,
    /// The tree it was converted from, for the places of later problems.
    pub tree: Node,
    /// The text behind the places.
    pub source: Source,
    /// What is wrong with the file and did not keep it from being read: told together with what
    /// the plan finds.
    pub problems: Vec<Problem>,
}

/// Why a scenario could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be opened.
    #[error(
        "cannot read the scenario `{path}`: {source}; `rehearsal init` writes one to begin with"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file was read and is wrong.
    #[error(transparent)]
    Wrong(#[from] Problems),
}

static FORMATS: LazyLock<BTreeMap<&'static str, Format>> = LazyLock::new(|| {
    let duration: Format = Format {
        check: |text| duration::parse(text).map(drop),
        expected: "a duration such as `10s` or `1m 30s`",
    };
    let rate = Format {
        check: |text| text.parse::<Rate>().map(drop).map_err(|error| error.to_string()),
        expected: "a rate such as `300/s`",
    };
    let template = Format {
        check: |text| template::check(text).map_err(|error| error.to_string()),
        expected: "a text; variables stand in `{{ }}`",
    };
    let objective = Format {
        check: |text| text.parse::<Objective>().map(drop).map_err(|error| error.to_string()),
        expected: "an objective such as `p99 <= 300ms in steady`",
    };
    let status = Format {
        check: |text| statuses(text).map(drop),
        expected: "a status such as `200`, `2xx` or `200-299`",
    };
    let size = Format {
        check: |text| text.parse::<Size>().map(drop),
        expected: "a number of bytes such as `300` or `12 kB`",
    };
    BTreeMap::from([
        ("duration", duration),
        ("rate", rate),
        ("template", template),
        ("objective", objective),
        ("status", status),
        ("size", size),
    ])
});

/// The JSON Schema of scenario files.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Scenario).to_value()
}

impl Read {
    /// Reads the scenario at `path`, with the values of `sets` (`KEY=VALUE`) in place of its own.
    pub fn file(path: &Path, sets: &[String]) -> Result<Self, ScenarioError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ScenarioError::Unreadable { path: path.to_owned(), source })?;
        let path = path.display().to_string();
        Ok(Self::text(Source { path, text, sets: sets.to_vec() })?)
    }

    /// Reads the scenario in `source`.
    pub fn text(source: Source) -> Result<Self, Problems> {
        let read = Node::read(&source.text).map_err(|error| not_yaml(&source, error))?;
        let (tree, mut problems) = with_sets(read, &source);
        let root = schema();
        problems.extend(Shape { root: &root, formats: &FORMATS }.problems(&tree));
        // An unknown key can be passed over for now, so that the rest of the file is checked too.
        let places: Vec<Place> = problems.iter().map(|problem| problem.place.clone()).collect();
        let json = tree.without_keys_at(&places).to_json();
        let scenario: Result<Scenario, _> = serde_path_to_error::deserialize(json);
        match scenario {
            Ok(scenario) => Ok(Self { scenario, tree, source, problems }),
            Err(_) if !problems.is_empty() => Err(Problems::new(&source, problems)),
            Err(error) => {
                let place = tree.nearest(&segments(error.path())).place.clone();
                let problem = Problem::new(place, error.into_inner().to_string(), "here");
                Err(Problems::new(&source, vec![problem]))
            }
        }
    }

    /// A problem at the end of `path`.
    #[must_use]
    pub fn problem(
        &self,
        path: &[Seg],
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> Problem {
        Problem::new(self.tree.nearest(path).place.clone(), message, expected)
    }

    /// The directory that paths in the scenario are relative to.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        Path::new(&self.source.path).parent().map_or_else(PathBuf::new, Path::to_owned)
    }
}

fn segments(path: &serde_path_to_error::Path) -> Vec<Seg> {
    use serde_path_to_error::Segment;
    let segs = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(Seg::Index(*index)),
        Segment::Map { key } => Some(Seg::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    segs.collect()
}

fn not_yaml(source: &Source, error: NotYaml) -> Problems {
    let problem = Problem::new(Place::File(error.at), error.message, "here the file is not YAML");
    Problems::new(source, vec![problem])
}

/// The tree with the command line's values in it, and what is wrong with those.
fn with_sets(mut tree: Node, source: &Source) -> (Node, Vec<Problem>) {
    let mut problems = Vec::new();
    for (place, set) in source.sets.iter().enumerate() {
        let place = Place::CommandLine(place);
        let Some((key, value)) = set.split_once('=') else {
            let expected = "KEY=VALUE, such as `phases.steady=5s` or `load.0.rate=100/s`";
            problems.push(Problem::new(place, "no `=` in `--set`", expected));
            continue;
        };
        let path: Vec<Seg> = key
            .split('.')
            .map(|part| part.parse().map_or_else(|_| Seg::from(part), Seg::Index))
            .collect();
        let node = match Node::read(value) {
            Ok(node) => relocated(node, &place),
            Err(error) => {
                problems.push(Problem::new(place, error.message, "the value is not YAML"));
                continue;
            }
        };
        if let Err(seg) = tree.set(&path, node) {
            let step = match seg {
                Seg::Key(key) => key,
                Seg::Index(index) => index.to_string(),
            };
            let message = format!("`{key}` leads nowhere: there is no `{step}`");
            problems.push(Problem::new(
                place,
                message,
                "keys are joined by dots, items counted from 0",
            ));
        }
    }
    (tree, problems)
}

/// `node` with everything in it placed in the command line.
fn relocated(mut node: Node, place: &Place) -> Node {
    use crate::yaml::Value;
    node.place = place.clone();
    node.value = match node.value {
        Value::List(nodes) => {
            Value::List(nodes.into_iter().map(|node| relocated(node, place)).collect())
        }
        Value::Map(entries) => {
            let moved = entries.into_iter().map(|mut entry| {
                entry.place = place.clone();
                entry.node = relocated(entry.node, place);
                entry
            });
            Value::Map(moved.collect())
        }
        value => value,
    };
    node
}
