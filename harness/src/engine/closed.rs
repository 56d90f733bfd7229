//! Closed models: each user begins again as soon as it is done.

use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use super::desk::Desk;
use super::iteration;
use super::user::User;
use crate::plan::profile::{Closed, Drive, Iterations, Profile};

/// Lets the users of this thread's share enter, each as a task of its own.
pub(super) fn enter(desk: &Rc<Desk>, tasks: &mut JoinSet<io::Result<()>>) {
    for (place, profile) in desk.brief.plan.profiles.iter().enumerate() {
        let Drive::Closed(closed) = &profile.drive else { continue };
        for number in (desk.share.place..closed.levels.most() as usize).step_by(desk.share.of) {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let spans = closed.levels.spans(number);
            tasks.spawn_local(live(Rc::clone(desk), place, number, spans));
        }
    }
}

/// What one user does in all its spans.
async fn live(
    desk: Rc<Desk>,
    place: usize,
    number: u32,
    spans: Vec<Range<Duration>>,
) -> io::Result<()> {
    let plan = &desk.brief.plan;
    let profile = &plan.profiles[place];
    let Drive::Closed(closed) = &profile.drive else { return Ok(()) };
    let mut vu = Vu { desk: &desk, place, profile, closed, begun: 0 };
    let mut user = None;
    for span in spans {
        // Somebody who comes back may still be on the way from the last time.
        let begin = span.start.max(desk.brief.clock.now());
        desk.pacer.wait_until(begin).await;
        let user = user.get_or_insert_with(|| {
            User::new(closed.first_user + number, &desk.brief, &desk.client)
        });
        // Whoever leaves before the profile ends has the grace of the ramp, the others that of the
        // profile.
        let leaves = span.end < profile.span.end;
        let grace = if leaves { closed.graceful_ramp_down } else { profile.graceful_stop };
        tokio::select! {
            biased;
            () = vu.repeat(user, begin..span.end) => {}
            () = desk.pacer.wait_until(span.end + grace) => {}
        }
    }
    Ok(())
}

/// One user of a closed profile.
struct Vu<'a> {
    desk: &'a Desk,
    place: usize,
    profile: &'a Profile,
    closed: &'a Closed,
    /// Journeys begun.
    begun: u64,
}

impl Vu<'_> {
    /// One journey after the other, as long as the span and the number of iterations allow.
    async fn repeat(&mut self, user: &mut User, span: Range<Duration>) {
        let clock = self.desk.brief.clock;
        let mut due = span.start;
        loop {
            let now = clock.now();
            if now >= span.end || due >= span.end || self.desk.stopped.get() {
                return;
            }
            let Some(script) = self.next_journey(user) else { return };
            let scripts = &self.desk.brief.plan.scripts;
            self.desk.recorder().begun(scripts[script].series, due, now.saturating_sub(due));
            iteration::walk(user, script, due, self.desk).await;
            user.line.iteration_over();
            user.iterations += 1;
            if user.used_up {
                // It would go on failing without a request, as fast as it can.
                return;
            }
            due = self.next_due(due, clock.now());
            self.desk.pacer.wait_until(due.min(span.end)).await;
        }
    }

    /// The journey to come; `None` when all are made.
    fn next_journey(&mut self, user: &User) -> Option<usize> {
        let own = self.begun;
        self.begun += 1;
        let most = match self.closed.iterations {
            Iterations::Endless => u64::MAX,
            Iterations::Each(most) => most,
            Iterations::Shared(most) => {
                let number = self.desk.share.shared[self.place].fetch_add(1, Ordering::Relaxed);
                return (number < most).then(|| self.profile.journey(number));
            }
        };
        (own < most).then(|| self.profile.journey_of(user.number, own))
    }

    /// A user who is done begins again at once, or when its pace says so.
    fn next_due(&self, due: Duration, now: Duration) -> Duration {
        now.max(due + self.closed.pacing)
    }
}
