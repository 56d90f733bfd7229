//! Selectors: from words such as `{ service: was, pick: one }` to instances.
//!
//! The choice follows from the seed and the names of the instances alone, so that a run can be
//! repeated; the order in which a platform lists them does not matter.

use std::{fmt, num::NonZeroU32};

use rand::{SeedableRng, seq::SliceRandom};
use rand_pcg::Pcg64;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::instance::Instance;

/// Which instances a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// The service, by its name in the compose file.
    pub service: String,
    /// How many of its instances, drawn by the run's seed; `one` when neither this nor `index` is
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<Pick>,
    /// The one instance with this number, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

/// How many instances of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// One of them.
    One,
    /// All of them.
    All,
    /// So many of them.
    Number(NonZeroU32),
}

/// Why a selector selects nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No instance is of that service.
    #[error("unknown service `{service}`; {}", known_services(known, nearest.as_deref()))]
    UnknownService {
        /// As written.
        service: String,
        /// All services, in order.
        known: Vec<String>,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// The service has instances, and none of that number.
    #[error("`{service}` has no instance {index}; it has {}", known.join(", "))]
    UnknownIndex {
        /// The service.
        service: String,
        /// As written.
        index: u32,
        /// The names of its instances.
        known: Vec<String>,
    },
    /// The service has fewer instances than wanted.
    #[error("`{service}` has {present} of the {wanted} instances to pick")]
    TooFew {
        /// The service.
        service: String,
        /// How many were wanted.
        wanted: u32,
        /// How many there are.
        present: usize,
    },
    /// Two ways to select that exclude each other.
    #[error("`pick` and `index` exclude each other; `index` names one instance of `{service}`")]
    PickAndIndex {
        /// The service.
        service: String,
    },
}

impl Selector {
    /// The selected among `instances`, by number. Never none.
    pub fn select(&self, instances: &[Instance], seed: u64) -> Result<Vec<Instance>, SelectError> {
        let service = || self.service.clone();
        let mut ours: Vec<Instance> =
            instances.iter().filter(|one| one.service == self.service).cloned().collect();
        if ours.is_empty() {
            return Err(unknown_service(&self.service, instances));
        }
        ours.sort_by_key(|instance| instance.index);

        let wanted = match (self.pick, self.index) {
            (Some(_), Some(_)) => return Err(SelectError::PickAndIndex { service: service() }),
            (None, Some(index)) => {
                let known = ours.iter().map(|instance| instance.name.clone()).collect();
                ours.retain(|instance| instance.index == index);
                let unknown = SelectError::UnknownIndex { service: service(), index, known };
                return if ours.is_empty() { Err(unknown) } else { Ok(ours) };
            }
            (Some(Pick::All), None) => return Ok(ours),
            (Some(Pick::One) | None, None) => 1,
            (Some(Pick::Number(number)), None) => number.get(),
        };
        let present = ours.len();
        if present < wanted as usize {
            return Err(SelectError::TooFew { service: service(), wanted, present });
        }
        ours.shuffle(&mut Pcg64::seed_from_u64(seed));
        ours.truncate(wanted as usize);
        ours.sort_by_key(|instance| instance.index);
        Ok(ours)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = &self.service;
        match (self.index, self.pick) {
            (Some(index), _) => write!(f, "{}", Instance::name_of(service, index)),
            (None, Some(Pick::All)) => write!(f, "all of {service}"),
            (None, Some(Pick::Number(number))) => write!(f, "{number} of {service}"),
            (None, Some(Pick::One) | None) => write!(f, "one of {service}"),
        }
    }
}

fn unknown_service(service: &str, instances: &[Instance]) -> SelectError {
    let mut known: Vec<String> = instances.iter().map(|one| one.service.clone()).collect();
    known.sort();
    known.dedup();
    let slips = |name: &String| strsim::damerau_levenshtein(name, service);
    // One slip of the pen in a short name, more in a long one.
    let near = |name: &&String| slips(name) <= 1.max(service.chars().count() / 3);
    let nearest = known.iter().filter(near).min_by_key(|name| slips(name)).cloned();
    SelectError::UnknownService { service: service.to_owned(), known, nearest }
}

fn known_services(known: &[String], nearest: Option<&str>) -> String {
    let list = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`? known services: {list}"),
        None if known.is_empty() => "there are no instances at all".to_owned(),
        None => format!("known services: {list}"),
    }
}

impl Serialize for Pick {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One => serializer.serialize_str("one"),
            Self::All => serializer.serialize_str("all"),
            Self::Number(number) => serializer.serialize_u32(number.get()),
        }
    }
}

impl<'de> Deserialize<'de> for Pick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PickVisitor)
    }
}

struct PickVisitor;

impl de::Visitor<'_> for PickVisitor {
    type Value = Pick;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`one`, `all` or a number of instances from 1")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Pick, E> {
        match word {
            "one" => Ok(Pick::One),
            "all" => Ok(Pick::All),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Pick, E> {
        let positive = u32::try_from(number).ok().and_then(NonZeroU32::new);
        positive
            .map(Pick::Number)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Pick, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
        }
    }
}

impl JsonSchema for Pick {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pick".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many instances of the service.",
            "oneOf": [{ "enum": ["one", "all"] }, { "type": "integer", "minimum": 1 }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Platform, fake::Fake};

    #[tokio::test]
    async fn the_same_seed_chooses_the_same_whatever_the_order() {
        let mut instances = Fake::new(&[("was", 9), ("web", 2)]).instances().await.unwrap();
        let selector = Selector { service: "was".into(), pick: Some(three()), index: None };
        let choices = |instances: &[Instance]| -> Vec<String> {
            (0..20).map(|seed| names(&selector.select(instances, seed).unwrap())).collect()
        };
        let first = choices(&instances);
        instances.reverse();
        assert_eq!(choices(&instances), first);
        assert!(first.iter().any(|choice| *choice != first[0]), "the seed matters");
    }

    #[tokio::test]
    async fn words_select_what_they_say() {
        assert_eq!(selected(r#"{ "service": "was", "pick": "all" }"#).await, "was-1 was-2 was-3");
        assert_eq!(selected(r#"{ "service": "was", "pick": 3 }"#).await, "was-1 was-2 was-3");
        assert_eq!(selected(r#"{ "service": "was", "index": 2 }"#).await, "was-2");
        assert_eq!(selected(r#"{ "service": "db" }"#).await, "db-1");
    }

    #[tokio::test]
    async fn what_selects_nothing_says_what_there_is() {
        assert_eq!(
            selected(r#"{ "service": "wsa" }"#).await,
            "unknown service `wsa`; did you mean `was`? known services: `db`, `was`"
        );
        assert_eq!(
            selected(r#"{ "service": "mainframe" }"#).await,
            "unknown service `mainframe`; known services: `db`, `was`"
        );
        assert_eq!(
            selected(r#"{ "service": "db", "index": 2 }"#).await,
            "`db` has no instance 2; it has db-1"
        );
        assert_eq!(
            selected(r#"{ "service": "was", "pick": 4 }"#).await,
            "`was` has 3 of the 4 instances to pick"
        );
        assert_eq!(
            selected(r#"{ "service": "was", "pick": "all", "index": 1 }"#).await,
            "`pick` and `index` exclude each other; `index` names one instance of `was`"
        );
    }

    #[test]
    fn a_pick_is_one_all_or_a_number() {
        for wrong in ["0", "-1", "\"some\"", "1.5"] {
            let error = serde_json::from_str::<Pick>(wrong).unwrap_err().to_string();
            assert!(error.contains("expected `one`, `all` or a number"), "{error}");
        }
        for right in ["\"one\"", "\"all\"", "2"] {
            let pick: Pick = serde_json::from_str(right).unwrap();
            assert_eq!(serde_json::to_string(&pick).unwrap(), right);
        }
    }

    /// The names that a selector selects, or the words of its error.
    async fn selected(written: &str) -> String {
        let instances = Fake::new(&[("was", 3), ("db", 1)]).instances().await.unwrap();
        let selector: Selector = serde_json::from_str(written).unwrap();
        match selector.select(&instances, 7) {
            Ok(selected) => names(&selected),
            Err(error) => error.to_string(),
        }
    }

    fn names(instances: &[Instance]) -> String {
        instances.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn three() -> Pick {
        Pick::Number(NonZeroU32::new(3).unwrap())
    }
}
