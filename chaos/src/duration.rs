//! Durations as people write them: `10s`, `1m 30s`, `200ms`.
//!
//! For use as `#[serde(with = "duration")]` and `#[schemars(schema_with = "duration::schema")]`.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes `duration` in the form that [`deserialize`] reads.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

/// Reads a number with a unit; several of them add up.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let written = String::deserialize(deserializer)?;
    humantime::parse_duration(&written).map_err(|problem| {
        D::Error::custom(format!("`{written}` is not a duration such as `10s`: {problem}"))
    })
}

/// What a schema says of a duration.
#[must_use]
pub fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "duration" })
}
