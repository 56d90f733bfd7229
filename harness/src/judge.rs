//! From an answer to a verdict: whether it is what was expected, and what is taken from it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use rehearsal_reports::outcome::Cause;
use sha2::{Digest, Sha256};

use crate::answer::{Answer, Keep};
use crate::cookies::Cookies;
use crate::duration;
use crate::json::{NotJson, Path};
use crate::template::{Template, Values};

mod capture;
mod css;
mod matcher;

pub use capture::{Capture, Origin, Pick};
pub use css::Css;
pub use matcher::{Condition, Found, Literal, Matcher, Test};

/// How much of an answer that was not ok is kept to explain it, in characters.
const EXCERPT: usize = 300;

/// The most of a body that is kept for looking into.
const KEPT: usize = 1 << 20;

/// How much of a value is shown in a message, in characters.
const SHOWN: usize = 120;

/// What an answer must be, and what is taken from it.
#[derive(Clone, Debug, Default)]
pub struct Want {
    /// Good statuses as ranges, both ends included; when empty, all below 400.
    pub statuses: Vec<(u16, u16)>,
    /// Values of the JSON body.
    pub json: Vec<(Path, Matcher)>,
    /// Values of headers.
    pub headers: Vec<(String, Matcher)>,
    /// The body as a text.
    pub body: Option<Matcher>,
    /// The SHA-256 of the body in hex.
    pub sha256: Option<Template>,
    /// Bytes of the body, the least and the most.
    pub size: Option<(u64, u64)>,
    /// The longest service time.
    pub time: Option<Duration>,
    /// What is taken from the answer.
    pub captures: Vec<Capture>,
}

/// An answer, and what was seen of it besides.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The answer.
    pub answer: &'a Answer,
    /// Bytes of its body as received.
    pub bytes: u64,
    /// The time from sending the request to the end of the answer.
    pub service: Duration,
}

/// Why an answer is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What was seen.
    pub cause: Cause,
    /// In words.
    pub message: String,
}

impl Want {
    /// What of the body must be kept.
    #[must_use]
    pub fn keep(&self) -> Keep {
        let captured = self.captures.iter().any(|capture| capture.origin.reads_body());
        let read =
            captured || !self.json.is_empty() || self.body.is_some() || self.sha256.is_some();
        if read { Keep::Body } else { Keep::Nothing }
    }

    /// Whether `status` is a good one.
    #[must_use]
    pub fn good_status(&self, status: u16) -> bool {
        let within = |(from, to): &(u16, u16)| (*from..=*to).contains(&status);
        if self.statuses.is_empty() { status < 400 } else { self.statuses.iter().any(within) }
    }
}

/// Why the status of `answer` is not good: its own words, or else what was wanted.
#[must_use]
pub fn explained(want: &Want, answer: &Answer, cause: Cause, values: &Values<'_>) -> Wrong {
    let mut message = values.secrets.excerpt(&answer.body, EXCERPT);
    if message.is_empty() {
        let one = |(from, to): &(u16, u16)| {
            if from == to { from.to_string() } else { format!("{from} to {to}") }
        };
        let all: Vec<String> = want.statuses.iter().map(one).collect();
        let wanted = if all.is_empty() { "below 400".to_owned() } else { all.join(", ") };
        message = format!("the status is {}, wanted {wanted}", answer.status);
    }
    Wrong { cause, message }
}

/// Whether an answer of good status is what was expected; takes variables from it.
pub fn judge(
    want: &Want,
    seen: Seen<'_>,
    cookies: &Cookies,
    values: &mut Values<'_>,
) -> Result<(), Wrong> {
    let answer = seen.answer;
    if want.keep() == Keep::Body && answer.body.len() >= KEPT && seen.bytes > KEPT as u64 {
        let message = "the body is longer than the MiB that is kept to look into".to_owned();
        return Err(Wrong { cause: Cause::CheckFailed, message });
    }
    for (path, matcher) in &want.json {
        let raw = path.find(&answer.body).map_err(|error| not_json(error, answer, values))?;
        let found = raw.map_or(Found::Nothing, Found::Json);
        told(matcher.test(found, values), found, &format_args!("`{path}`"), values)?;
    }
    for (name, matcher) in &want.headers {
        let value = answer.header(name).map(String::from_utf8_lossy);
        let found = value.as_deref().map_or(Found::Nothing, Found::Text);
        told(matcher.test(found, values), found, &format_args!("header `{name}`"), values)?;
    }
    if let Some(matcher) = &want.body {
        let body = String::from_utf8_lossy(&answer.body);
        let found = Found::Text(&body);
        told(matcher.test(found, values), found, &"the body", values)?;
    }
    measured(want, seen, values)?;
    for capture in &want.captures {
        capture.take(answer, cookies, values)?;
    }
    Ok(())
}

/// The verdict of a matcher, in words.
fn told(
    verdict: Result<(), String>,
    found: Found<'_>,
    what: &dyn std::fmt::Display,
    values: &Values<'_>,
) -> Result<(), Wrong> {
    verdict.map_err(|wanted| {
        let found = match found {
            Found::Nothing => Cow::Borrowed("nothing"),
            found => Cow::Owned(values.secrets.excerpt(found.text().as_bytes(), SHOWN)),
        };
        wrong(format!("{what} is {found}, wanted {wanted}"))
    })
}

/// What is said of the body as a whole, and of the time it took.
fn measured(want: &Want, seen: Seen<'_>, values: &mut Values<'_>) -> Result<(), Wrong> {
    if let Some((least, most)) = want.size
        && !(least..=most).contains(&seen.bytes)
    {
        let wanted = match (least, most) {
            (least, u64::MAX) => format!("at least {least}"),
            (0, most) => format!("at most {most}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        return Err(wrong(format!("the body has {} bytes, wanted {wanted}", seen.bytes)));
    }
    if let Some(template) = &want.sha256 {
        let body = &seen.answer.body;
        if body.len() >= KEPT && body.len() as u64 != seen.bytes {
            let message = "the body is longer than what is kept of it, and cannot be hashed";
            return Err(wrong(message.to_owned()));
        }
        let digest = Sha256::digest(body);
        let wanted = template.fill(values);
        if !is_hex_of(&wanted, &digest) {
            let found = digest.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            return Err(wrong(format!("the SHA-256 of the body is {found}, wanted {wanted}")));
        }
    }
    match want.time {
        Some(most) if seen.service > most => {
            let took =
                Duration::from_millis(u64::try_from(seen.service.as_millis()).unwrap_or(u64::MAX));
            let (took, most) = (duration::show(took), duration::show(most));
            let message = format!("the answer took {took}, wanted at most {most}");
            Err(Wrong { cause: Cause::CheckFailed, message })
        }
        _ => Ok(()),
    }
}

/// Whether `hex` writes `bytes`, in whatever case.
fn is_hex_of(hex: &str, bytes: &[u8]) -> bool {
    let digits = hex.trim().as_bytes();
    digits.len() == bytes.len() * 2
        && digits.chunks(2).zip(bytes).all(|(pair, byte)| {
            let pair = std::str::from_utf8(pair).ok();
            pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) == Some(*byte)
        })
}

fn not_json(error: NotJson, answer: &Answer, values: &Values<'_>) -> Wrong {
    wrong(format!("{error}: {}", values.secrets.excerpt(&answer.body, EXCERPT)))
}

fn wrong(message: String) -> Wrong {
    Wrong { cause: Cause::WrongContent, message }
}

#[cfg(test)]
mod tests;
