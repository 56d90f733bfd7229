//! The timeline: three panels over one axis of time, drawn as SVG.
//!
//! The drawing library knows fixed colours only. It is given colours that nothing else has, and
//! afterwards each is replaced by a variable of the style sheet, so that the same drawing serves
//! light and dark screens and paper. No series is told by its colour alone: each differs in weight
//! or form as well, and is named beside its panel.

mod data;
mod quality;

use std::fmt::Display;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::format::FormatError;
use crate::format::html::chart::data::{Axis, Lines, Points, Spans, decades, highest, thinned};
use crate::number;
use crate::report::Report;
use crate::words::Words;

pub(super) use crate::format::html::chart::quality::quality;

pub(super) const WIDTH: u32 = 1200;
const HEIGHT: u32 = 392;

/// Room left of the panels for the numbers of the axes.
pub(super) const LEFT: u32 = 52;

/// Room right of the panels for the names of the series.
pub(super) const RIGHT: u32 = 128;

/// Room above the panels for the names of phases and faults.
const TOP: u32 = 36;

const INK: RGBColor = RGBColor(1, 2, 3);
const GRID: RGBColor = RGBColor(1, 2, 4);
const OFFERED: RGBColor = RGBColor(1, 2, 5);
const OK: RGBColor = RGBColor(1, 2, 6);
const FAILED: RGBColor = RGBColor(1, 2, 7);
const UNKNOWN: RGBColor = RGBColor(1, 2, 8);
const P50: RGBColor = RGBColor(1, 2, 9);
const P99: RGBColor = RGBColor(1, 2, 10);
const BAND: RGBColor = RGBColor(1, 2, 11);
const HATCH: RGBColor = RGBColor(1, 2, 12);

/// What each colour becomes.
const PAINTS: [(RGBColor, &str); 10] = [
    (INK, "var(--ink)"),
    (GRID, "var(--grid)"),
    (OFFERED, "var(--offered)"),
    (OK, "var(--ok)"),
    (FAILED, "var(--failed)"),
    (UNKNOWN, "var(--unknown)"),
    (P50, "var(--p50)"),
    (P99, "var(--p99)"),
    (BAND, "var(--band)"),
    (HATCH, "url(#hatch)"),
];

/// The hatching of outages, for the whole page.
const DEFINITIONS: &str = "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" \
patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line x1=\"0\" y1=\"0\" x2=\"0\" \
y2=\"6\" stroke=\"var(--failed)\" stroke-width=\"2\" stroke-opacity=\".6\"/></pattern></defs>";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws the timeline of a run.
pub(super) fn timeline(report: &Report, words: &Words) -> Result<String, FormatError> {
    let mut svg = String::new();
    draw(report, words, &mut svg).map_err(|error| FormatError::Chart(error.to_string()))?;
    let svg = painted(&svg, (WIDTH, HEIGHT), words.timeline);
    Ok(svg.replacen(">\n", &format!(">\n{DEFINITIONS}\n"), 1))
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
    let (above, panels) = root.split_vertically(TOP);
    draw_lanes(&above, &spans, axis)?;
    let (rate, rest) = panels.split_vertically(130);
    let (errors, latency) = rest.split_vertically(82);

    let top = highest(&[&lines.offered, &lines.ok]);
    let mut panel =
        Panel { area: &rate, spans: &spans, axis, title: words.rate_axis, times: false };
    panel.draw(
        (0.0, top),
        0.0..top,
        |y| number::trimmed(*y, 1),
        &[
            Drawn::Line(&lines.offered, OFFERED, 1, words.offered),
            Drawn::Line(&lines.ok, OK, 2, words.done_ok),
        ],
    )?;
    panel = Panel { area: &errors, title: words.error_axis, ..panel };
    let top = highest(&[&lines.not_ok]);
    panel.draw(
        (0.0, top),
        0.0..top,
        |y| number::trimmed(*y, 1),
        &[
            Drawn::Bars(&lines.not_ok, UNKNOWN, words.unknown),
            Drawn::Bars(&lines.failed, FAILED, words.failed),
        ],
    )?;
    panel = Panel { area: &latency, title: words.latency_axis, times: true, ..panel };
    let decades = decades(&[&lines.p50, &lines.p99]);
    panel.draw(
        (decades.start, decades.end),
        decades.log_scale(),
        |y| number::trimmed(*y, 3),
        &[Drawn::Line(&lines.p50, P50, 1, "p50"), Drawn::Line(&lines.p99, P99, 2, "p99")],
    )?;
    root.present()?;
    Ok(())
}

/// The names of phases and faults above the panels.
fn draw_lanes(
    area: &Area<'_>,
    spans: &Spans,
    axis: Axis,
) -> Result<(), Box<dyn std::error::Error>> {
    let style = TextStyle::from(("sans-serif", 12)).color(&INK);
    for (begin, name) in &spans.phases {
        let column = column_of(*begin, axis);
        area.draw(&Text::new(name.clone(), (column + 3, 3), style.clone()))?;
        area.draw(&PathElement::new(vec![(column, 0), (column, 36)], GRID))?;
    }
    for (place, (span, name)) in spans.faults.iter().enumerate() {
        let (begin, end) = (column_of(span.start, axis), column_of(span.end, axis));
        area.draw(&Rectangle::new([(begin, 20), (end.max(begin + 2), 36)], BAND.filled()))?;
        let next = spans.faults.get(place + 1).map_or(axis.end, |(next, _)| next.start);
        let room = usize::try_from((column_of(next, axis) - begin) / 7).unwrap_or(0);
        let name: String = name.chars().take(room).collect();
        area.draw(&Text::new(name, (begin + 3, 22), style.clone()))?;
    }
    Ok(())
}

/// Something drawn in a panel, with its name.
enum Drawn<'a> {
    Line(&'a Points, RGBColor, u32, &'a str),
    Bars(&'a Points, RGBColor, &'a str),
}

#[derive(Clone, Copy)]
struct Panel<'a, 'b> {
    area: &'a Area<'b>,
    spans: &'a Spans,
    axis: Axis,
    title: &'a str,
    times: bool,
}

impl Panel<'_, '_> {
    fn draw<Y>(
        &self,
        (floor, ceiling): (f64, f64),
        range: Y,
        told: impl Fn(&f64) -> String,
        all: &[Drawn<'_>],
    ) -> Result<(), Box<dyn std::error::Error>>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let spans = self.spans;
        let mut chart = ChartBuilder::on(self.area)
            .margin_top(8)
            .margin_right(RIGHT)
            .set_label_area_size(LabelAreaPosition::Left, LEFT)
            .set_label_area_size(LabelAreaPosition::Bottom, if self.times { 22 } else { 4 })
            .build_cartesian_2d(0.0..self.axis.end, range)?;
        let full = |span: &Range<f64>| [(span.start, floor), (span.end, ceiling)];
        let bands = spans.faults.iter().map(|(span, _)| Rectangle::new(full(span), BAND.filled()));
        chart.draw_series(bands)?;
        let invalid = spans.invalid.iter().map(|span| Rectangle::new(full(span), GRID.filled()));
        chart.draw_series(invalid)?;
        let style = TextStyle::from(("sans-serif", 11)).color(&INK);
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(style.clone())
            .x_labels(if self.times { 12 } else { 0 })
            .y_labels(4)
            .x_label_formatter(&|x| format!("{} {}", number::trimmed(*x, 1), self.axis.unit))
            .y_label_formatter(&told)
            .draw()?;
        let marks = spans.phases.iter().map(|(begin, _)| {
            PathElement::new(vec![(*begin, floor), (*begin, ceiling)], GRID.stroke_width(1))
        });
        chart.draw_series(marks)?;
        for one in all {
            match one {
                Drawn::Line(points, colour, weight, _) => {
                    let style = colour.stroke_width(*weight);
                    chart.draw_series(LineSeries::new(thinned(points), style))?;
                }
                Drawn::Bars(points, colour, _) => {
                    let half = self.axis.half_bar();
                    let tall = thinned(points).into_iter().filter(|(_, value)| *value > 0.0);
                    chart.draw_series(tall.map(|(middle, value)| {
                        let bar = [(middle - half, 0.0), (middle + half, value)];
                        Rectangle::new(bar, colour.filled())
                    }))?;
                }
            }
        }
        let hatched = spans.outages.iter().map(full);
        chart.draw_series(hatched.map(|span| Rectangle::new(span, HATCH.filled())))?;
        self.name(all)
    }

    /// Names what is drawn, right of the panel.
    fn name(&self, all: &[Drawn<'_>]) -> Result<(), Box<dyn std::error::Error>> {
        let style = TextStyle::from(("sans-serif", 12)).color(&INK);
        let middle = style.pos(Pos::new(HPos::Left, VPos::Center));
        let left = column(WIDTH - RIGHT + 8);
        self.area.draw(&Text::new(self.title.to_owned(), (left, 14), middle.clone()))?;
        for (row, one) in (1..).zip(all) {
            let y = 14 + row * 18;
            let name = match one {
                Drawn::Line(_, colour, weight, name) => {
                    let sample = vec![(left, y), (left + 18, y)];
                    self.area.draw(&PathElement::new(sample, colour.stroke_width(*weight)))?;
                    name
                }
                Drawn::Bars(_, colour, name) => {
                    let sample = [(left + 4, y - 5), (left + 14, y + 5)];
                    self.area.draw(&Rectangle::new(sample, colour.filled()))?;
                    name
                }
            };
            self.area.draw(&Text::new((*name).to_owned(), (left + 24, y), middle.clone()))?;
        }
        Ok(())
    }
}

/// The column of a moment in the whole drawing.
fn column_of(moment: f64, axis: Axis) -> i32 {
    let room = f64::from(WIDTH - LEFT - RIGHT);
    let column = f64::from(LEFT) + moment / axis.end * room;
    #[expect(clippy::cast_possible_truncation, reason = "a column of a drawing")]
    let column = column.round() as i32;
    column
}

fn column(column: u32) -> i32 {
    i32::try_from(column).unwrap_or(i32::MAX)
}

/// The drawing with the style sheet's colours, as part of a page: it needs no name space, scales
/// with its place, and says what it is to those who cannot see it.
fn painted(svg: &str, (width, height): (u32, u32), name: &str) -> String {
    let size = format!("width=\"{width}\" height=\"{height}\" ");
    let role = format!("role=\"img\" aria-label=\"{name}\" ");
    let mut svg = svg.replacen(&size, &role, 1);
    svg = svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
    for (RGBColor(red, green, blue), paint) in PAINTS {
        svg = svg.replace(&format!("\"#{red:02X}{green:02X}{blue:02X}\""), &quoted(paint));
    }
    svg
}

fn quoted(text: impl Display) -> String {
    format!("\"{text}\"")
}
