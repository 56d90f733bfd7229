//! How numbers are written for people. Every format writes them the same way.

use std::time::Duration;

/// `duration` with the unit that suits its size: `312 µs`, `4.53 ms`, `3.42 s`, `2 min 5 s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    let ms = duration.as_secs_f64() * 1e3;
    match micros {
        0 => "0 s".to_owned(),
        1..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{ms:.2} ms"),
        10_000..100_000 => format!("{ms:.1} ms"),
        100_000..1_000_000 => format!("{ms:.0} ms"),
        1_000_000..60_000_000 => seconds(duration),
        _ => long(duration.as_secs_f64().round()),
    }
}

/// `duration` in seconds with two decimals, whatever its size: `0.31 s`.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

/// A span known to a resolution: `3.42 s ± 0.05 s`.
#[must_use]
pub fn span(length: Duration, resolution: Duration) -> String {
    format!("{} ± {}", seconds(length), seconds(resolution))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rounded count of seconds that came from a Duration"
)]
fn long(seconds: f64) -> String {
    let seconds = seconds as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A share as a percentage with at most three decimals. What is not all is never written as
/// `100 %`, and what is not nothing never as `0 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let text = trimmed(share * 100.0, 3);
    match text.as_str() {
        "100" if share < 1.0 => "> 99.999 %".to_owned(),
        "0" if share > 0.0 => "< 0.001 %".to_owned(),
        _ => format!("{text} %"),
    }
}

/// `value` with at most `decimals` decimals and no zeros at the end.
#[must_use]
pub fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A count with a comma between thousands: `27,000`.
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in mebibytes: `53.8 MiB`.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", float(bytes) / f64::from(1 << 20))
}

/// `part` of `whole`; `None` of nothing.
#[must_use]
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| float(part) / float(whole))
}

/// A count for arithmetic. Exact up to 2^53, which no run reaches.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_all_is_never_written_as_all() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_999_9), "> 99.999 %");
        assert_eq!(percent(0.999), "99.9 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(1e-9), "< 0.001 %");
    }

    #[test]
    fn a_duration_takes_the_unit_that_suits_its_size() {
        let written = [0, 312, 4_530, 45_300, 453_000, 3_420_000, 125_000_000, 7_200_000_000]
            .map(|micros| duration(Duration::from_micros(micros)));
        assert_eq!(
            written,
            ["0 s", "312 µs", "4.53 ms", "45.3 ms", "453 ms", "3.42 s", "2 min 5 s", "2 h"]
        );
    }

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(
            [0, 999, 1_000, 27_000, 1_234_567].map(count).join(" "),
            "0 999 1,000 27,000 1,234,567"
        );
    }
}
