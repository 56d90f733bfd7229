//! How the generator fared: its lateness and its busiest thread, below the strip of run quality.

use plotters::prelude::*;

use crate::analysis::validity;
use crate::format::FormatError;
use crate::format::html::chart::data::{Axis, Points, Spans, decades};
use crate::format::html::chart::{Drawn, OFFERED, OK, P50, P99, Panel, WIDTH, painted};
use crate::number;
use crate::report::Report;
use crate::words::Words;

const HEIGHT: u32 = 190;

/// A thread has one core: 100 %, and a little room above it.
const FULL: f64 = 105.0;

/// The values of every second.
#[derive(Default)]
struct Lines {
    lateness_p50: Points,
    lateness_p99: Points,
    busy: Points,
    wanted: Points,
}

impl Lines {
    fn of(report: &Report, axis: Axis) -> Self {
        let mut lines = Self::default();
        for (second, generator) in &report.tables.generator {
            let Some(middle) = axis.middle(*second) else { break };
            let ms = |late: std::time::Duration| (late.as_secs_f64() * 1e3).max(0.001);
            if generator.sends > 0 {
                lines.lateness_p50.push((middle, ms(generator.lateness_p50)));
                lines.lateness_p99.push((middle, ms(generator.lateness_p99)));
            }
            let percent = |share: f64| (middle, (share * 100.0).min(FULL));
            lines.busy.extend(validity::busy(generator).map(percent));
            lines.wanted.extend(validity::wanted(generator).map(percent));
        }
        lines
    }
}

/// Draws both.
pub(in crate::format::html) fn quality(
    report: &Report,
    words: &Words,
) -> Result<String, FormatError> {
    let mut svg = String::new();
    draw(report, words, &mut svg).map_err(|error| FormatError::Chart(error.to_string()))?;
    Ok(painted(&svg, (WIDTH, HEIGHT), words.quality))
}

fn draw(
    report: &Report,
    words: &Words,
    svg: &mut String,
) -> Result<(), Box<dyn std::error::Error>> {
    let axis = Axis::of(report.analysis.load_end);
    let spans = Spans::of(report, axis);
    let lines = Lines::of(report, axis);
    let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
    let (above, below) = root.split_vertically(88);
    let range = decades(&[&lines.lateness_p50, &lines.lateness_p99]);
    let mut panel =
        Panel { area: &above, spans: &spans, axis, title: words.lateness_axis, times: false };
    panel.draw(
        (range.start, range.end),
        range.log_scale(),
        |y| number::trimmed(*y, 3),
        &[
            Drawn::Line(&lines.lateness_p50, P50, 1, "p50"),
            Drawn::Line(&lines.lateness_p99, P99, 2, "p99"),
        ],
    )?;
    panel = Panel { area: &below, title: words.threads_axis, times: true, ..panel };
    panel.draw(
        (0.0, FULL),
        0.0..FULL,
        |y| number::trimmed(*y, 0),
        &[
            Drawn::Line(&lines.wanted, OFFERED, 1, words.wants_core),
            Drawn::Line(&lines.busy, OK, 2, words.on_core),
        ],
    )?;
    root.present()?;
    Ok(())
}
