//! Which part of a run a number is about.

use std::ops::Range;
use std::time::Duration;

use crate::run::Run;

/// Some phases of a run, as far as the run came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The phases, by place, in order.
    pub phases: Vec<usize>,
    /// Their spans, cut at the end of the load; phases that were not reached are missing.
    pub spans: Vec<Range<Duration>>,
}

impl Scope {
    /// The scope of `phases` in a run whose load ended at `load_end`.
    #[must_use]
    pub fn new(run: &Run, phases: &[usize], load_end: Duration) -> Self {
        let reached = phases.iter().filter_map(|&place| run.phases.get(place));
        let cut = reached.map(|phase| phase.begin..phase.end.min(load_end));
        let spans = cut.filter(|span| span.start < span.end).collect();
        Self { phases: phases.to_vec(), spans }
    }

    /// How long it is.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.spans.iter().map(|span| span.end.saturating_sub(span.start)).sum()
    }

    /// How much of the span from `begin` to `end` lies in it.
    #[must_use]
    pub fn overlap(&self, begin: Duration, end: Duration) -> Duration {
        let part = |span: &Range<Duration>| end.min(span.end).saturating_sub(begin.max(span.start));
        self.spans.iter().map(part).sum()
    }

    /// Whether `moment` lies in it.
    #[must_use]
    pub fn contains(&self, moment: Duration) -> bool {
        self.spans.iter().any(|span| span.contains(&moment))
    }

    /// The whole seconds that begin in it.
    pub fn seconds(&self) -> impl Iterator<Item = u32> + '_ {
        let whole = |moment: Duration| moment.as_millis().div_ceil(1000);
        let seconds = move |span: &Range<Duration>| whole(span.start)..whole(span.end);
        self.spans.iter().flat_map(seconds).filter_map(|second| u32::try_from(second).ok())
    }
}
