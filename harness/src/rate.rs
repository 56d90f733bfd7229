//! Rates as written: `300/s`, `90/m`, or k6's number with a `timeUnit` of its own.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most that a scenario may ask of one machine.
const LARGEST_PER_SECOND: f64 = 10_000_000.0;

/// So many in so long: kept as written, so that due times are exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many.
    pub count: f64,
    /// In how long; `None` when only a number was written, which counts per `timeUnit`.
    pub per: Option<Duration>,
}

/// The text is not a rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotARate(&'static str);

impl Rate {
    /// How many a second, when a bare number counts per `unit`.
    #[must_use]
    pub fn per_second(self, unit: Duration) -> f64 {
        self.count / self.per.unwrap_or(unit).as_secs_f64()
    }

    fn checked(self) -> Result<Self, NotARate> {
        if !self.count.is_finite() || self.count < 0.0 {
            return Err(NotARate("a rate is not negative"));
        }
        if self.per_second(Duration::from_secs(1)) > LARGEST_PER_SECOND {
            return Err(NotARate("more than ten million a second"));
        }
        Ok(self)
    }
}

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let (count, unit) = match text.split_once('/') {
            Some((count, unit)) => (count, Some(unit.trim())),
            None => (text, None),
        };
        let count = count.trim().parse().map_err(|_| NotARate("no number before the `/`"))?;
        let per = match unit {
            None => None,
            Some("ms") => Some(Duration::from_millis(1)),
            Some("s") => Some(Duration::from_secs(1)),
            Some("m" | "min") => Some(Duration::from_mins(1)),
            Some("h") => Some(Duration::from_hours(1)),
            Some(_) => return Err(NotARate("the unit behind the `/` is none of ms, s, m, h")),
        };
        Self { count, per }.checked()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.map(|per| per.as_millis()) {
            None => "",
            Some(1) => "/ms",
            Some(60_000) => "/m",
            Some(3_600_000) => "/h",
            Some(_) => "/s",
        };
        write!(f, "{}{unit}", self.count)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.per {
            Some(_) => serializer.collect_str(self),
            None => serializer.serialize_f64(self.count),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        let rate = match Written::deserialize(deserializer)? {
            Written::Number(count) => Self { count, per: None }.checked(),
            Written::Text(text) => text.parse(),
        };
        rate.map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"], "format": "rate" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_with_their_unit() {
        let per_second = |text: &str| text.parse().map(|rate: Rate| rate.per_second(SECOND));
        assert_eq!(per_second("300/s"), Ok(300.0));
        assert_eq!(per_second("90/m"), Ok(1.5));
        assert_eq!(per_second("12"), Ok(12.0));
        for wrong in ["300/fortnight", "-1/s", "many/s", "1e9/ms", "NaN/s"] {
            assert!(per_second(wrong).is_err(), "{wrong}");
        }
    }

    const SECOND: Duration = Duration::from_secs(1);
}
