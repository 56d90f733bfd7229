//! Reading objectives.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use crate::objective::{
    Comparison, Metric, Name, Objective, ObjectiveError, Problem, Quantity, Rank,
};

/// The metrics without a rank, with their words.
const WORDS: [(Metric, &str); 14] = [
    (Metric::Availability, "availability"),
    (Metric::TimeAvailability, "time availability"),
    (Metric::Outage, "outage"),
    (Metric::Downtime, "downtime"),
    (Metric::Errors, "errors"),
    (Metric::FailedRequests, "failed requests"),
    (Metric::Dropped, "dropped"),
    (Metric::Rate, "rate"),
    (Metric::RequestRate, "request rate"),
    (Metric::Detection, "detection"),
    (Metric::Failover, "failover"),
    (Metric::Recovery, "recovery"),
    (Metric::Readmission, "re-admission"),
    (Metric::FailBack, "fail-back"),
];

/// How alike two words must be (Damerau-Levenshtein, normalised) to be taken for a slip.
const ALIKE: f64 = 0.5;

/// The word for `metric`.
pub(super) fn word(metric: &Metric) -> &'static str {
    WORDS.iter().find(|(one, _)| one == metric).map_or("", |(_, word)| word)
}

/// The word among `known` that `found` was probably meant to be.
pub fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |word: &&str| strsim::normalized_damerau_levenshtein(found, word);
    let best = known.max_by(|a, b| alike(a).total_cmp(&alike(b)));
    best.filter(|word| alike(word) >= ALIKE)
}

/// A piece of an objective's text, with its place.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    start: usize,
}

impl Piece<'_> {
    fn slice(self, range: Range<usize>) -> Self {
        let piece = Self { text: &self.text[range.clone()], start: self.start + range.start };
        piece.trimmed()
    }

    fn trimmed(self) -> Self {
        let text = self.text.trim_start();
        let start = self.start + self.text.len() - text.len();
        Self { text: text.trim_end(), start }
    }

    fn split_at(self, at: usize, width: usize) -> (Self, Self) {
        (self.slice(0..at), self.slice(at + width..self.text.len()))
    }

    fn error(self, problem: Problem) -> ObjectiveError {
        ObjectiveError { span: self.start..self.start + self.text.len(), problem }
    }

    fn name(self, expected: &'static str) -> Result<Name, ObjectiveError> {
        if self.text.is_empty() {
            return Err(self.error(Problem::NoName { expected }));
        }
        let span = self.start..self.start + self.text.len();
        Ok(Name { text: self.text.to_owned(), span })
    }

    fn owned(self) -> String {
        self.text.to_owned()
    }
}

impl FromStr for Objective {
    type Err = ObjectiveError;

    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let whole = Piece { text, start: 0 };
        let sign =
            |at: usize| Comparison::ALL.into_iter().find(|(_, sign)| text[at..].starts_with(sign));
        let found = text.find(['<', '>', '=']).and_then(|at| Some((at, sign(at)?)));
        let Some((at, (comparison, sign))) = found else {
            return Err(whole.trimmed().error(Problem::NoComparison));
        };
        let (left, right) = whole.split_at(at, sign.len());
        let metric = metric(left)?;
        let (limit, phases) = match find_word(right.text, "in") {
            Some(at) => {
                let (limit, names) = right.split_at(at, "in".len());
                (limit, split_names(names)?)
            }
            None => (right, Vec::new()),
        };
        let limit = quantity(limit, &metric)?;
        Ok(Self { metric, comparison, limit, phases })
    }
}

fn metric(left: Piece<'_>) -> Result<Metric, ObjectiveError> {
    let (word, of) = match find_word(left.text, "of") {
        Some(at) => {
            let (word, of) = left.split_at(at, "of".len());
            (word, Some(of.name("journey or step")?))
        }
        None => (left, None),
    };
    if let Some(rank) = Rank::ALL.into_iter().find(|rank| rank.word() == word.text) {
        return Ok(Metric::Latency(rank, of));
    }
    let spaced = left.text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((metric, _)) = WORDS.iter().find(|(_, known)| *known == spaced) {
        return Ok(metric.clone());
    }
    let known =
        || Rank::ALL.iter().map(|rank| rank.word()).chain(WORDS.iter().map(|(_, word)| *word));
    let nearest = nearest(word.text, known()).map(str::to_owned);
    let known = known().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    Err(word.error(Problem::UnknownMetric { found: word.owned(), nearest, known }))
}

/// Where `word` stands in `text` as a word of its own.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let apart = |c: Option<char>| c.is_none_or(char::is_whitespace);
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        apart(text[..*at].chars().next_back()) && apart(text[at + word.len()..].chars().next())
    })
}

fn split_names(names: Piece<'_>) -> Result<Vec<Name>, ObjectiveError> {
    let mut start = 0;
    let mut phases = Vec::new();
    for part in names.text.split(',') {
        phases.push(names.slice(start..start + part.len()).name("phase")?);
        start += part.len() + 1;
    }
    Ok(phases)
}

fn quantity(limit: Piece<'_>, metric: &Metric) -> Result<Quantity, ObjectiveError> {
    let (read, expected): (fn(&str) -> Option<Quantity>, _) = match metric {
        Metric::Availability | Metric::TimeAvailability | Metric::Errors => {
            (share, "a percentage, such as `99.9%`")
        }
        Metric::FailedRequests | Metric::Dropped => (count, "a whole number, such as `0`"),
        Metric::Rate | Metric::RequestRate => (rate, "a rate, such as `290/s`"),
        _ => (span, "a span of time, such as `300ms` or `1.5s`"),
    };
    if let Some(quantity) = read(limit.text) {
        return Ok(quantity);
    }
    let first = limit.text.split_whitespace().next().unwrap_or("");
    let rest = limit.slice(first.len()..limit.text.len());
    if read(first).is_some() {
        return Err(rest.error(Problem::Trailing { found: rest.owned() }));
    }
    Err(limit.error(Problem::BadLimit { found: limit.owned(), expected }))
}

/// A number that is not negative.
fn number(text: &str) -> Option<f64> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.trim().parse().ok().filter(|_| plain)
}

fn share(text: &str) -> Option<Quantity> {
    let percent = number(text.strip_suffix('%')?.trim_end())?;
    (percent <= 100.0).then_some(Quantity::Share(percent / 100.0))
}

fn count(text: &str) -> Option<Quantity> {
    text.parse().ok().map(Quantity::Count)
}

fn rate(text: &str) -> Option<Quantity> {
    let (number_text, unit) = text.split_once('/')?;
    let number = number(number_text.trim_end())?;
    let per = match unit.trim_start() {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Some(Quantity::PerSecond(number / per))
}

fn span(text: &str) -> Option<Quantity> {
    const UNITS: [(&str, f64); 7] = [
        ("ms", 1e-3),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("min", 60.0),
        ("m", 60.0),
        ("h", 3600.0),
        ("s", 1.0),
    ];
    if text == "0" {
        return Some(Quantity::Span(Duration::ZERO));
    }
    let (digits, scale) =
        UNITS.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))?;
    let seconds = number(digits.trim_end())? * scale;
    Duration::try_from_secs_f64(seconds).ok().map(Quantity::Span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Series;

    #[test]
    fn an_objective_reads_back_from_what_it_displays() {
        for text in [
            "availability >= 99.9%",
            "time availability >= 99.95%",
            "outage <= 1s",
            "downtime < 2.5s",
            "p99 <= 300ms in steady",
            "p99.9 of order <= 1.25s",
            "max of order/POST /orders < 2m in steady, recovery",
            "errors <= 0.1%",
            "failed requests == 0",
            "dropped == 0",
            "rate >= 290/s",
            "request rate > 870.5/s",
            "detection <= 1s",
            "failover <= 2s",
            "recovery <= 10s",
            "re-admission <= 5s",
            "fail-back <= 500us",
        ] {
            let objective: Objective = text.parse().expect(text);
            assert_eq!(objective.to_string(), text);
        }
    }

    #[test]
    fn blanks_and_units_may_be_written_as_one_likes() {
        for (written, meant) in [
            ("  availability>=99.90 %", "availability >= 99.9%"),
            ("failed  requests==0", "failed requests == 0"),
            ("rate >= 600/min in  steady ,fault", "rate >= 10/s in steady, fault"),
            ("outage <= 0", "outage <= 0s"),
            ("p50 <= 90s", "p50 <= 90s"),
        ] {
            assert_eq!(written.parse::<Objective>().expect(written).to_string(), meant);
        }
    }

    #[test]
    fn an_error_points_at_the_words_that_are_wrong() {
        for (text, wrong, said) in [
            ("p97 <= 1s", "p97", "did you mean `p9"),
            ("outtage <= 1s", "outtage", "did you mean `outage`?"),
            ("weather <= 1s", "weather", "known are `p50`"),
            ("outage of order <= 1s", "outage", "is nothing that is measured"),
            ("outage 1s", "outage 1s", "expected a comparison"),
            ("outage = 1s", "outage = 1s", "expected a comparison"),
            ("outage <= fast", "fast", "is not a span of time"),
            ("outage <= 1", "1", "such as `300ms`"),
            ("availability >= 101%", "101%", "is not a percentage"),
            ("dropped == 1.5", "1.5", "is not a whole number"),
            ("rate >= 290", "290", "is not a rate"),
            ("p99 <= 1s during fault", "during fault", "expected `in PHASE`"),
            ("p99 <= 1s in ", "", "expected the name of a phase"),
            ("p99 <= 1s in a,,b", "", "expected the name of a phase"),
            ("p99 of <= 1s", "", "expected the name of a journey or step"),
        ] {
            let error = text.parse::<Objective>().expect_err(text);
            assert_eq!(&text[error.span.clone()], wrong, "{text}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn an_objective_that_matches_nothing_is_an_error() {
        let series = [None, Some("GET /whoami".to_owned())]
            .map(|step| Series { journey: "order".to_owned(), step });
        let phases = ["steady", "fault"];
        let check =
            |text: &str| text.parse::<Objective>().expect(text).check_names(&phases, &series);
        assert_eq!(check("p99 of order/GET /whoami <= 1s in fault"), Ok(()));
        let error = check("p99 of ordr <= 1s").expect_err("no such journey");
        assert_eq!(error.span, 7..11);
        assert!(error.to_string().contains("did you mean `order`?"), "{error}");
        let error = check("p99 <= 1s in fault, stedy").expect_err("no such phase");
        assert_eq!(error.span, 20..25);
        assert!(error.to_string().contains("there is no phase `stedy`: did you mean `steady`?"));
    }
}
