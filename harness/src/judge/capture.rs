//! What is taken from an answer.

use std::borrow::Cow;

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use regex::bytes::Regex;
use rehearsal_reports::outcome::Cause;

use super::css::Css;
use super::{Wrong, not_json};
use crate::answer::Answer;
use crate::cookies::Cookies;
use crate::json::Path;
use crate::template::{Template, Values};

/// A variable and where its value comes from.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The variable's slot.
    pub slot: usize,
    /// Where its value comes from.
    pub origin: Origin,
    /// Which of several.
    pub pick: Pick,
    /// What it is when there is none.
    pub default: Option<Template>,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// The JSON body.
    Json(Path),
    /// A header.
    Header(String),
    /// A cookie of the user.
    Cookie(String),
    /// A group of a pattern in the body.
    Regex(Regex, usize),
    /// An element of the HTML body.
    Css(Css),
    /// The status.
    Status,
}

impl Origin {
    /// Whether the body is looked into.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Regex(..) | Self::Css(_))
    }

    fn words(&self) -> Cow<'_, str> {
        match self {
            Self::Json(path) => path.to_string().into(),
            Self::Header(name) | Self::Cookie(name) => name.into(),
            Self::Regex(pattern, _) => pattern.as_str().into(),
            Self::Css(css) => css.selector().into(),
            Self::Status => "status".into(),
        }
    }
}

/// Which of several matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The one at this place, from 0.
    At(usize),
    /// Any.
    Random,
}

/// Looks at matches as they come and keeps the one that is wanted.
pub(super) struct Picker<'a, 'r> {
    pick: Pick,
    random: &'r mut Pcg64Mcg,
    seen: usize,
    chosen: Option<Cow<'a, str>>,
}

impl<'a> Picker<'a, '_> {
    /// Offers one more; whether that is enough.
    pub(super) fn offer(&mut self, value: Cow<'a, str>) -> bool {
        self.seen += 1;
        match self.pick {
            Pick::At(place) => {
                let here = self.seen == place + 1;
                if here {
                    self.chosen = Some(value);
                }
                here
            }
            Pick::Random => {
                // Each of n has the chance 1/n when the n-th takes the place with that chance.
                if self.random.random_range(0..self.seen) == 0 {
                    self.chosen = Some(value);
                }
                false
            }
        }
    }
}

impl Capture {
    pub(super) fn take(
        &self,
        answer: &Answer,
        cookies: &Cookies,
        values: &mut Values<'_>,
    ) -> Result<(), Wrong> {
        let mut digits = itoa::Buffer::new();
        let random = &mut *values.random;
        let mut picker = Picker { pick: self.pick, random, seen: 0, chosen: None };
        let looked = match &self.origin {
            Origin::Json(path) => path.each(&answer.body, &mut |raw| picker.offer(raw.text())),
            Origin::Header(name) => {
                answer.headers(name).any(|value| picker.offer(String::from_utf8_lossy(value)));
                Ok(())
            }
            Origin::Cookie(name) => {
                cookies.get(name).into_iter().any(|value| picker.offer(value.into()));
                Ok(())
            }
            Origin::Regex(pattern, group) => {
                let mut found = pattern.captures_iter(&answer.body);
                found.any(|captures| {
                    let part = captures.get(*group);
                    part.is_some_and(|part| picker.offer(String::from_utf8_lossy(part.as_bytes())))
                });
                Ok(())
            }
            Origin::Css(css) => {
                css.each(&String::from_utf8_lossy(&answer.body), &mut |text| {
                    picker.offer(Cow::Owned(text))
                });
                Ok(())
            }
            Origin::Status => {
                picker.offer(digits.format(answer.status).into());
                Ok(())
            }
        };
        let chosen = picker.chosen;
        let Some(found) = chosen else {
            return self.without(looked.map_err(|error| not_json(error, answer, values)), values);
        };
        if let Some(slot) = values.slots.get_mut(self.slot) {
            slot.clear();
            slot.push_str(&found);
        }
        Ok(())
    }

    /// Nothing was found.
    fn without(&self, looked: Result<(), Wrong>, values: &mut Values<'_>) -> Result<(), Wrong> {
        let Some(default) = &self.default else {
            looked?;
            let message = format!("no `{}` in the answer", self.origin.words());
            return Err(Wrong { cause: Cause::CheckFailed, message });
        };
        let mut text = std::mem::take(&mut values.pad.text);
        text.clear();
        default.fill_into(values, &mut text);
        if let Some(slot) = values.slots.get_mut(self.slot) {
            slot.clone_from(&text);
        }
        values.pad.text = text;
        Ok(())
    }
}
