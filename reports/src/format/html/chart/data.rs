//! What the panels of the timeline show, in the units of its axes.

use std::ops::Range;
use std::time::Duration;

use crate::number;
use crate::report::Report;
use crate::seconds::Second;

/// A line has at most this many points; more than a screen has columns shows nothing more.
const POINTS_MAX: usize = 1500;

/// What is shorter than this share of the axis is drawn as long, so that it can be seen.
const VISIBLE: f64 = 1.0 / 500.0;

/// Points of a line: a moment and a value.
pub(super) type Points = Vec<(f64, f64)>;

/// The axis of time, in a unit that suits its length.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    /// Where it ends, in its unit.
    pub(super) end: f64,
    /// The unit's sign.
    pub(super) unit: &'static str,
    scale: f64,
}

impl Axis {
    pub(super) fn of(length: Duration) -> Self {
        let seconds = length.as_secs_f64().max(1.0);
        let (scale, unit) = match seconds {
            ..=600.0 => (1.0, "s"),
            ..=14_400.0 => (60.0, "min"),
            _ => (3600.0, "h"),
        };
        Self { end: seconds / scale, unit, scale }
    }

    fn place(&self, moment: Duration) -> f64 {
        (moment.as_secs_f64() / self.scale).min(self.end)
    }

    /// A span that is long enough to be seen.
    fn visible(&self, begin: Duration, end: Duration) -> Range<f64> {
        let begin = self.place(begin);
        begin..self.place(end).max((begin + self.end * VISIBLE).min(self.end))
    }

    /// The middle of a second; `None` when it begins after the end.
    pub(super) fn middle(&self, second: u32) -> Option<f64> {
        let begin = f64::from(second);
        (begin < self.end * self.scale).then(|| ((begin + 0.5) / self.scale).min(self.end))
    }

    /// Half the width of the bar of one second.
    pub(super) fn half_bar(&self) -> f64 {
        (0.5 / self.scale).max(self.end * VISIBLE / 2.0)
    }
}

/// The values of every second.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) offered: Points,
    pub(super) ok: Points,
    pub(super) failed: Points,
    pub(super) not_ok: Points,
    pub(super) p50: Points,
    pub(super) p99: Points,
}

/// What lies behind every panel.
pub(super) struct Spans {
    pub(super) faults: Vec<(Range<f64>, String)>,
    pub(super) invalid: Vec<Range<f64>>,
    pub(super) outages: Vec<Range<f64>>,
    pub(super) phases: Vec<(f64, String)>,
}

impl Spans {
    pub(super) fn of(report: &Report, axis: Axis) -> Self {
        let analysis = &report.analysis;
        let end = analysis.load_end;
        let planned = (1..).zip(&report.run.faults).zip(&analysis.failovers);
        let faults = planned.filter_map(|((place, fault), failover)| {
            let marks = &failover.marks;
            let undo = marks.undo_began.or(marks.over()).unwrap_or(end);
            Some((axis.visible(marks.began?, undo), format!("F{place} {}", fault.name)))
        });
        let invalid = analysis.validity.invalid.keys().map(|second| {
            let begin = Duration::from_secs(u64::from(*second));
            axis.visible(begin, begin + Duration::from_secs(1))
        });
        let front = analysis.probing.first().into_iter().flat_map(|front| &front.outages);
        let outages = front.map(|outage| axis.visible(outage.begin, outage.begin + outage.length));
        let reached = report.run.phases.iter().filter(|phase| phase.begin < end);
        let phases = reached.map(|phase| (axis.place(phase.begin), phase.name.clone()));
        Self {
            faults: faults.collect(),
            invalid: invalid.collect(),
            outages: outages.collect(),
            phases: phases.collect(),
        }
    }
}

impl Lines {
    pub(super) fn of(report: &Report, axis: Axis) -> Self {
        let ms = |span: Duration| (span.as_secs_f64() * 1e3).max(0.001);
        let begin = |row: &Second| Duration::from_secs(u64::from(row.second));
        let mut lines = Self::default();
        let rows = report.tables.seconds.chunk_by(|a, b| a.second == b.second);
        for rows in rows.filter(|rows| begin(&rows[0]) < report.analysis.load_end) {
            let middle = axis.place(begin(&rows[0]) + Duration::from_millis(500));
            let sum =
                |count: fn(&Second) -> u64| (middle, number::float(rows.iter().map(count).sum()));
            lines.offered.push(sum(|row| row.due));
            lines.ok.push(sum(|row| row.journeys.ok));
            lines.failed.push(sum(|row| row.requests.failed));
            lines.not_ok.push(sum(|row| row.requests.not_ok()));
            let p50 = rows.iter().filter_map(|row| row.p50).max();
            let p99 = rows.iter().filter_map(|row| row.p99).max();
            lines.p50.extend(p50.map(|p50| (middle, ms(p50))));
            lines.p99.extend(p99.map(|p99| (middle, ms(p99))));
        }
        lines
    }
}

/// At most `POINTS_MAX` points that keep every low and every high.
pub(super) fn thinned(points: &[(f64, f64)]) -> Points {
    if points.len() <= POINTS_MAX {
        return points.to_vec();
    }
    let bucket = points.len().div_ceil(POINTS_MAX / 2);
    let extremes = points.chunks(bucket).flat_map(|bucket| {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let low = bucket.iter().min_by(by_value).copied();
        let high = bucket.iter().max_by(by_value).copied();
        let mut both: Points = low.into_iter().chain(high).collect();
        both.sort_by(|a, b| a.0.total_cmp(&b.0));
        both
    });
    extremes.collect()
}

/// A little more than the highest point, so that it does not touch the panel's edge.
pub(super) fn highest(lines: &[&Points]) -> f64 {
    let values = lines.iter().flat_map(|line| line.iter()).map(|(_, value)| *value);
    (values.fold(0.0, f64::max) * 1.08).max(1.0)
}

/// Whole decades around all values.
pub(super) fn decades(lines: &[&Points]) -> Range<f64> {
    let values = || lines.iter().flat_map(|line| line.iter()).map(|(_, value)| *value);
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(0.0, f64::max);
    if high <= 0.0 {
        return 1.0..10.0;
    }
    10f64.powf(low.log10().floor())..10f64.powf((high * 1.001).log10().ceil())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_bad_second_of_twelve_hours_stays_visible() {
        let mut points: Points = (0..43_200).map(|second| (f64::from(second), 300.0)).collect();
        points[20_000].1 = 0.0;
        points[30_000].1 = 900.0;
        let thinned = thinned(&points);
        assert!(thinned.len() <= POINTS_MAX);
        assert!(thinned.contains(&(20_000.0, 0.0)));
        assert!(thinned.contains(&(30_000.0, 900.0)));
    }
}
