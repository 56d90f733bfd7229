//! The strip of run quality: a cell for each second, or for some seconds of a long run.
//!
//! A cell is told by its height as well as by its colour: the graver, the taller. Every cell that
//! is not valid says in words when and why, for a pointer and for a screen reader.

use crate::analysis::validity::Invalid;
use crate::format::html::chart::{LEFT, RIGHT, WIDTH};
use crate::number;
use crate::report::Report;
use crate::words::Lang;

/// How many cells there are at most: they are still told apart at the width of a page.
const CELLS_MAX: u32 = 600;

/// How tall the strip is.
pub(super) const HEIGHT: u32 = 24;

/// A cell, in the units of a drawing as wide as the charts, so that they stand below each other.
pub(super) struct Cell {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) width: String,
    pub(super) y: u32,
    pub(super) height: u32,
    /// When and why it is not valid; empty when it is.
    pub(super) title: String,
}

/// What the cells of one kind mean.
pub(super) struct Key {
    pub(super) class: &'static str,
    pub(super) y: u32,
    pub(super) height: u32,
    pub(super) words: String,
}

/// The whole strip.
pub(super) struct Strip {
    pub(super) cells: Vec<Cell>,
    pub(super) keys: Vec<Key>,
}

impl Strip {
    /// The strip of a run.
    pub(super) fn of(report: &Report, lang: Lang) -> Self {
        let invalid = &report.analysis.validity.invalid;
        let length = report.analysis.load_end;
        let seconds = u32::try_from(length.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        let group = seconds.div_ceil(CELLS_MAX).max(1);
        let starts = (0..seconds).step_by(group as usize);
        let cells = starts.map(|first| {
            let end = first.saturating_add(group).min(seconds);
            let worst = invalid.range(first..end).map(|(_, why)| *why).min();
            let scale = f64::from(WIDTH - LEFT - RIGHT) / f64::from(seconds);
            let (y, height) = reach(worst);
            Cell {
                class: class(worst),
                x: number::trimmed(f64::from(LEFT) + f64::from(first) * scale, 2),
                width: number::trimmed(f64::from(end - first) * scale, 2),
                y,
                height,
                title: worst.map_or(String::new(), |why| {
                    format!("{}: {}", span(first, end), lang.invalid(why))
                }),
            }
        });
        let all = std::iter::once(None).chain(Invalid::ALL.into_iter().map(Some));
        let keys = all.filter_map(|state| {
            let count = match state {
                Some(why) => invalid.values().filter(|one| **one == why).count(),
                None => (seconds as usize).saturating_sub(invalid.len()),
            };
            let words = state.map_or(lang.words().valid, |why| lang.invalid(why));
            let words = format!("{words}: {}", number::count(count as u64));
            let (y, height) = reach(state);
            (count > 0).then(|| Key { class: class(state), y, height, words })
        });
        Self { cells: cells.collect(), keys: keys.collect() }
    }
}

/// The seconds from `first` to before `end`, as a clock would show them: `1:30:00 – 1:30:18`.
fn span(first: u32, end: u32) -> String {
    let told = |second: u32| match (second / 3600, second / 60 % 60, second % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    };
    format!("{} – {}", told(first), told(end))
}

fn class(state: Option<Invalid>) -> &'static str {
    match state {
        None => "q-valid",
        Some(Invalid::Late) => "q-late",
        Some(Invalid::Stalled) => "q-stalled",
        Some(Invalid::Own) => "q-own",
        Some(Invalid::Starved) => "q-starved",
        Some(Invalid::Unmeasured) => "q-unmeasured",
    }
}

/// Where a cell begins and how tall it is.
fn reach(state: Option<Invalid>) -> (u32, u32) {
    let height = match state {
        None => 6,
        Some(Invalid::Late) => 11,
        Some(Invalid::Stalled) => 15,
        Some(Invalid::Own) => 18,
        Some(Invalid::Starved) => 21,
        Some(Invalid::Unmeasured) => HEIGHT,
    };
    (HEIGHT - height, height)
}
