//! Active checks: is the upstream ready?

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::Request;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::proxy::Client;
use super::upstream::Upstream;
use crate::log::Log;

/// How an upstream is checked.
pub(super) struct Checks {
    pub(super) every: Duration,
    pub(super) fall: u32,
    pub(super) log: Log,
    /// One of its own: users' connections tell nothing about whether new ones are accepted.
    pub(super) client: Client,
}

impl Checks {
    /// Checks `upstream` as long as the process lives.
    pub(super) async fn watch(self, upstream: Arc<Upstream>) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed = 0;
        loop {
            ticks.tick().await;
            let ready = self.is_ready(&upstream).await;
            failed = if ready { 0 } else { failed + 1 };
            if (ready || failed >= self.fall) && upstream.mark(ready) {
                let word = if ready { "up" } else { "down" };
                self.log.line(&format!("upstream={} {word}", upstream.authority));
            }
        }
    }

    async fn is_ready(&self, upstream: &Upstream) -> bool {
        let request = Request::get(format!("http://{}/ready", upstream.authority))
            .header("connection", "close")
            .body(Body::empty())
            .expect("an authority and a fixed path make a URL");
        let answer = timeout(self.every, self.client.request(request)).await;
        matches!(answer, Ok(Ok(answer)) if answer.status().is_success())
    }
}
