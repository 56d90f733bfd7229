//! The upstreams, whether they are up, and whose turn it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hyper::http::uri::Authority;

/// One order service.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) authority: Authority,
    up: AtomicBool,
}

impl Upstream {
    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Returns whether that is news.
    pub(super) fn mark(&self, up: bool) -> bool {
        self.up.swap(up, Ordering::Relaxed) != up
    }
}

/// All of them, in the order given.
#[derive(Debug)]
pub(super) struct Upstreams {
    all: Vec<Arc<Upstream>>,
    turn: AtomicUsize,
}

impl Upstreams {
    /// All down until a check has found them: the front starts beside them, not after them.
    pub(super) fn new(authorities: Vec<Authority>) -> Self {
        let upstream = |authority| Arc::new(Upstream { authority, up: AtomicBool::new(false) });
        Self { all: authorities.into_iter().map(upstream).collect(), turn: AtomicUsize::new(0) }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Arc<Upstream>> {
        self.all.iter()
    }

    /// Those that are up now, from the one whose turn it is, each once.
    pub(super) fn turns(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.all.len();
        let (before, from) = self.all.split_at(first);
        from.iter().chain(before).filter(|upstream| upstream.is_up())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_go_round_and_leave_out_who_is_down() {
        let upstreams = Upstreams::new(["a:1", "b:1", "c:1"].map(Authority::from_static).to_vec());
        assert_eq!(turns(&upstreams), "");
        upstreams.all[0].mark(true);
        upstreams.all[2].mark(true);
        assert_eq!(turns(&upstreams), "c:1 a:1");
        assert_eq!(turns(&upstreams), "c:1 a:1");
        assert_eq!(turns(&upstreams), "a:1 c:1");
    }

    fn turns(upstreams: &Upstreams) -> String {
        let names: Vec<&str> = upstreams.turns().map(|one| one.authority.as_str()).collect();
        names.join(" ")
    }
}
