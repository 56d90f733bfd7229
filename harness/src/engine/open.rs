//! Open models: journeys begin when they are due, whatever the system does.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{spawn_local, yield_now};

use super::desk::Desk;
use super::iteration;
use super::user::User;
use crate::pacer::Timer;
use crate::plan::profile::{Drive, Open, Profile};

/// Time between two looks at journeys that outlast their profile.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Journeys that are begun without a look at answers when the thread is behind its schedule.
const IN_A_ROW: u32 = 32;

/// Begins every journey of this thread when it is due; returns at the end of the run.
pub(super) async fn arrive(desk: Rc<Desk>) -> io::Result<()> {
    let plan = &desk.brief.plan;
    let share = (desk.share.place, desk.share.of);
    let open = |(place, profile): (usize, &Profile)| match &profile.drive {
        Drive::Open(open) => Some((place, open.arrivals(profile.seed, share).peekable())),
        Drive::Closed(_) => None,
    };
    let mut profiles: Vec<_> = plan.profiles.iter().enumerate().filter_map(open).collect();
    let timer = Timer::new(desk.brief.clock)?;
    let mut in_a_row = 0;
    loop {
        let next = profiles.iter_mut().enumerate();
        let next = next.filter_map(|(at, (_, arrivals))| Some((arrivals.peek()?.0, at))).min();
        let Some((due, at)) = next else { break };
        let (place, arrivals) = &mut profiles[at];
        let Some((_, number)) = arrivals.next() else { break };
        in_a_row = if timer.wait_until(due).await? { 0 } else { in_a_row + 1 };
        if in_a_row >= IN_A_ROW {
            in_a_row = 0;
            yield_now().await;
        }
        if desk.stopped.get() {
            return Ok(());
        }
        begin(&desk, *place, due, number);
    }
    timer.wait_until(plan.length()).await?;
    Ok(())
}

/// Waits for the journeys of the profile `place`, and ends those that outlast its graceful stop.
pub(super) async fn see_off(desk: Rc<Desk>, place: usize) -> io::Result<()> {
    let profile = &desk.brief.plan.profiles[place];
    let latest = profile.span.end + profile.graceful_stop;
    desk.pacer.wait_until(profile.span.end).await;
    while desk.walking[place].get() > 0 && !desk.brief.clock.ahead(latest).is_zero() {
        let soon = desk.brief.clock.now() + LOOK_EVERY;
        desk.pacer.wait_until(soon.min(latest)).await;
    }
    desk.cut[place].notify_waiters();
    Ok(())
}

/// Begins the journey of arrival `number` of the profile `place`, if a user is idle.
fn begin(desk: &Rc<Desk>, place: usize, due: Duration, number: u64) {
    let plan = &desk.brief.plan;
    let profile = &plan.profiles[place];
    let script = profile.journey(number);
    let series = plan.scripts[script].series;
    let Some(user) = draw(desk, profile, place) else {
        desk.recorder().dropped(series, due);
        return;
    };
    let walking = &desk.walking[place];
    walking.set(walking.get() + 1);
    spawn_local(walk(Rc::clone(desk), user, (place, script), due));
}

/// An idle user, as long as the profile may have one more on the way.
fn draw(desk: &Desk, profile: &Profile, place: usize) -> Option<User> {
    let Drive::Open(Open { max_vus, .. }) = profile.drive else { return None };
    let room = desk.walking[place].get() < desk.share.part_of(max_vus);
    let make = |number| User::new(number, &desk.brief, &desk.client);
    if room { desk.pool.borrow_mut().draw(make) } else { None }
}

/// Walks through a journey, until it is done or its profile's time is over.
async fn walk(desk: Rc<Desk>, mut user: User, (place, script): (usize, usize), due: Duration) {
    let series = desk.brief.plan.scripts[script].series;
    // Read here and not when the task was made: it may have had to wait for its turn.
    let late = desk.brief.clock.now().saturating_sub(due);
    desk.recorder().begun(series, due, late);
    let cut = &desk.cut[place];
    tokio::select! {
        biased;
        () = iteration::walk(&mut user, script, due, &desk) => {}
        () = cut.notified() => {}
    }
    user.line.iteration_over();
    user.iterations += 1;
    desk.pool.borrow_mut().put_back(user);
    let walking = &desk.walking[place];
    walking.set(walking.get() - 1);
}
