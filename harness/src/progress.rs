//! What the user sees while a run goes on: a live line on a terminal, plain lines elsewhere.
//!
//! All of it goes to stderr; stdout is for the result.

use std::fmt::Write as _;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rehearsal_reports::run::Phase;
use tokio::sync::watch;

use crate::live::Live;

/// Seconds between plain lines while nothing changes.
const PLAIN_EVERY: u32 = 5;

/// Shows how a run goes on.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    live: bool,
}

impl Progress {
    /// On stderr, as it is.
    #[must_use]
    pub fn on_stderr() -> Self {
        let live = stderr().is_terminal();
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bar: ProgressBar::with_draw_target(None, target), live }
    }

    /// Says one thing, in a line of its own.
    #[expect(clippy::print_stderr, reason = "the one place where progress is shown")]
    pub fn say(&self, line: &str) {
        if self.live {
            self.bar.println(line);
        } else {
            eprintln!("{line}");
        }
    }

    /// Shows `live` as it changes, over a run of these phases; returns when nobody writes it.
    pub async fn follow(&self, mut live: watch::Receiver<Live>, phases: &[Phase]) {
        let length = phases.last().map_or(Duration::ZERO, |phase| phase.end);
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len}s {msg}");
        if let Ok(style) = style {
            self.bar.set_style(style.progress_chars("━━ "));
        }
        self.bar.set_length(length.as_secs());
        let mut shown: Option<(usize, Vec<String>)> = None;
        while live.changed().await.is_ok() {
            let now = live.borrow_and_update().clone();
            let at = Duration::from_secs(u64::from(now.second));
            let phase = phases.iter().position(|phase| at < phase.end);
            let phase = phase.unwrap_or(phases.len().saturating_sub(1));
            let name = phases.get(phase).map_or("", |phase| phase.name.as_str());
            let line = words(&now, name);
            self.bar.set_position(u64::from(now.second) + 1);
            self.bar.set_message(line.clone());
            let state = (phase, now.active);
            let changed = shown.as_ref() != Some(&state);
            if !self.live && (changed || (now.second + 1).is_multiple_of(PLAIN_EVERY)) {
                self.say(&format!("{:>5}s  {line}", now.second + 1));
            }
            shown = Some(state);
        }
        self.bar.finish_and_clear();
    }
}

fn words(live: &Live, phase: &str) -> String {
    let mut line = format!("{phase}: {} due/s, {} ok/s", live.due, live.ok);
    let mut add = |text: std::fmt::Arguments<'_>| {
        line.write_fmt(text).expect("a string takes every text");
    };
    if live.begun < live.due {
        add(format_args!(", {} begun/s", live.begun));
    }
    if live.not_ok > 0 {
        add(format_args!(", {} not ok/s", live.not_ok));
    }
    if let Some(p99) = live.p99 {
        add(format_args!(", p99 {:.1} ms", p99.as_secs_f64() * 1000.0));
    }
    add(format_args!(", {} on their way", live.in_flight));
    if live.errors > 0 || live.dropped > 0 {
        add(format_args!("; so far {} not ok of {}", live.errors, live.requests));
    }
    if live.dropped > 0 {
        add(format_args!(", {} dropped", live.dropped));
    }
    if !live.active.is_empty() {
        add(format_args!("; now: {}", live.active.join(", ")));
    }
    line
}
