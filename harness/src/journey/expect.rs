//! Expectations as written.

use std::borrow::Cow;
use std::str::FromStr;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::think::Length;
use crate::template::Text;

/// What makes an answer good: all that is written must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectWritten {
    /// The status: `200`, `2xx`, `200-299`, or a list of such.
    pub status: Option<Statuses>,
    /// Values of the JSON body by path: `user`, `$.items[0].id`.
    #[serde(default)]
    pub json: IndexMap<String, Wanted>,
    /// Values of headers by name.
    #[serde(default)]
    pub header: IndexMap<String, Wanted>,
    /// A text that the body must hold, or more about it.
    pub body: Option<Wanted>,
    /// A pattern that must be found in the body.
    pub regex: Option<String>,
    /// The SHA-256 of the body, in hex.
    #[schemars(with = "Option<Text>")]
    pub sha256: Option<String>,
    /// How long the body is.
    pub size: Option<ByteBounds>,
    /// How long the answer takes from when the request is sent.
    pub time: Option<TimeBounds>,
}

/// One status or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Statuses {
    /// One.
    One(StatusWritten),
    /// Any of these.
    Several(Vec<StatusWritten>),
}

impl Statuses {
    /// The statuses as ranges, both ends included.
    #[must_use]
    pub fn list(&self) -> Vec<StatusWritten> {
        match self {
            Self::One(status) => vec![*status],
            Self::Several(several) => several.clone(),
        }
    }
}

/// A range of statuses, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusWritten {
    /// The lowest.
    pub from: u16,
    /// The highest.
    pub to: u16,
}

/// Reads `200`, `2xx` or `200-299`.
pub fn statuses(text: &str) -> Result<StatusWritten, String> {
    let status = |text: &str| {
        let status = text.trim().parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        status.ok_or_else(|| "a status is from 100 to 599".to_owned())
    };
    if let Some(class) = text.strip_suffix("xx") {
        let from = status(&format!("{class}00"))?;
        return Ok(StatusWritten { from, to: from + 99 });
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let range = StatusWritten { from: status(from)?, to: status(to)? };
    if range.from > range.to { Err("the lower one comes first".to_owned()) } else { Ok(range) }
}

impl Serialize for StatusWritten {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.from == self.to {
            return serializer.serialize_u16(self.from);
        }
        serializer.collect_str(&format_args!("{}-{}", self.from, self.to))
    }
}

impl<'de> Deserialize<'de> for StatusWritten {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        statuses(&Scalar::deserialize(deserializer)?.text()).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for StatusWritten {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "format": "status" })
    }
}

/// A number or a text, as YAML has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(serde_json::Number),
    Text(String),
}

impl Scalar {
    fn text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

/// A value that is wanted: itself, or what is wanted of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    /// What must hold of the value.
    Matcher(Box<MatcherWritten>),
    /// This value; a text is a template.
    Value(serde_json::Value),
}

impl JsonSchema for Wanted {
    fn schema_name() -> Cow<'static, str> {
        "Wanted".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let matcher = generator.subschema_for::<MatcherWritten>();
        json_schema!({
            "anyOf": [
                { "type": ["string", "number", "boolean", "null", "array"] },
                matcher,
            ]
        })
    }
}

/// What must hold of a value: all that is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MatcherWritten {
    /// It is this.
    pub equals: Option<serde_json::Value>,
    /// It is a text that holds this, or a list with such an item.
    #[schemars(with = "Option<Text>")]
    pub contains: Option<String>,
    /// It is not that.
    #[schemars(with = "Option<Text>")]
    pub not_contains: Option<String>,
    /// This pattern is found in it.
    pub matches: Option<String>,
    /// It is one of these.
    pub one_of: Option<Vec<serde_json::Value>>,
    /// Whether it is there at all; a `null` is.
    pub exists: Option<bool>,
    /// Its kind in JSON: `string`, `number`, `boolean`, `null`, `array` or `object`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// A number that is not lower.
    pub at_least: Option<f64>,
    /// A number that is not higher.
    pub at_most: Option<f64>,
    /// How many characters, items or entries it has.
    pub length: Option<Bounds>,
}

/// A count: itself, or its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Bounds {
    /// This.
    Exactly(u64),
    /// Within these.
    Within(Limits),
}

/// The limits of a count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Not less.
    pub at_least: Option<u64>,
    /// Not more.
    pub at_most: Option<u64>,
}

impl Bounds {
    /// The lowest and the highest.
    #[must_use]
    pub fn range(self) -> (u64, u64) {
        match self {
            Self::Exactly(count) => (count, count),
            Self::Within(limits) => {
                (limits.at_least.unwrap_or(0), limits.at_most.unwrap_or(u64::MAX))
            }
        }
    }
}

/// The limits of a body's length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ByteBounds {
    /// Not less.
    pub at_least: Option<Size>,
    /// Not more.
    pub at_most: Option<Size>,
    /// This.
    pub exactly: Option<Size>,
}

/// The limit of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TimeBounds {
    /// Not more.
    pub at_most: Length,
}

/// So many bytes: `300`, `12 kB` or `4 KiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(
    /// The bytes.
    pub u64,
);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at(end);
        let count: u64 = count.parse().map_err(|_| "no whole number at its begin".to_owned())?;
        let unit = match unit.trim() {
            "" | "B" => 1,
            "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err("the unit is none of B, kB, MB, GB, KiB, MiB, GiB".to_owned()),
        };
        count.checked_mul(unit).map(Self).ok_or_else(|| "more than there are bytes".to_owned())
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer)?.text().parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "format": "size" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_in_three_ways() {
        let range = |text: &str| statuses(text).map(|range| (range.from, range.to));
        assert_eq!(range("204"), Ok((204, 204)));
        assert_eq!(range("2xx"), Ok((200, 299)));
        assert_eq!(range("200-302"), Ok((200, 302)));
        for wrong in ["7xx", "20", "302-200", "ok", "xx", "-"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        let bytes = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(bytes("300"), Ok(300));
        assert_eq!(bytes("12 kB"), Ok(12_000));
        assert_eq!(bytes("4KiB"), Ok(4096));
        for wrong in ["", "kB", "1.5 MB", "-1", "3 apples", "99999999999 GiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wanted_value_is_a_matcher_only_if_it_is_a_map() {
        let wanted = |json| serde_json::from_value::<Wanted>(json).expect("wanted");
        assert_eq!(wanted(serde_json::json!(3)), Wanted::Value(3.into()));
        assert_eq!(wanted(serde_json::json!([1])), Wanted::Value(serde_json::json!([1])));
        let matcher = MatcherWritten { at_least: Some(1.0), ..MatcherWritten::default() };
        assert_eq!(
            wanted(serde_json::json!({ "at-least": 1 })),
            Wanted::Matcher(Box::new(matcher))
        );
    }
}
