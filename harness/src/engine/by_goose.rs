//! `engine: goose`: goose launches the users, lets them begin again and sends them home; what they
//! do, and what is written of it, is ours.
//!
//! ```text
//! goose: user --transaction--> job --channel--> iteration, with the user's own client --> recorder
//! ```
//!
//! Goose's users are tasks that may move between threads and ours may not, so a transaction is a
//! message and an answer. Its metrics, telnet and WebSocket are off, and its handler for Ctrl-C
//! finds ours in its place. One attack at a time is all that a process can hold.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionFunction};
use goose::{GooseAttack, GooseError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use super::desk::Desk;
use super::iteration;
use super::user::User;
use crate::plan::profile::{Closed, Drive, Iterations, Profile};
use crate::target::Line;

/// One iteration that goose wants a user to make.
struct Job {
    /// The user, as goose counts them.
    user: usize,
    client: reqwest::Client,
    /// Told when it is made.
    done: oneshot::Sender<()>,
}

/// Runs the profile `place` of the plan on goose, to its end.
pub(super) async fn attack(desk: Rc<Desk>, place: usize) -> io::Result<()> {
    let profile = &desk.brief.plan.profiles[place];
    let Drive::Closed(closed) = &profile.drive else { return Ok(()) };
    let (sender, mut jobs) = mpsc::unbounded_channel();
    let attack = prepared(&desk, profile, closed, sender).map_err(io::Error::other)?;
    desk.pacer.wait_until(profile.span.start).await;
    let users: Rc<RefCell<BTreeMap<usize, User>>> = Rc::default();
    let serve = async {
        while let Some(job) = jobs.recv().await {
            spawn_local(make(Rc::clone(&desk), place, Rc::clone(&users), job));
        }
        // The attack ends by itself once nobody can send any more.
        std::future::pending::<()>().await;
    };
    let over = async {
        desk.pacer.wait_until(profile.span.end).await;
        goose::trigger_killswitch("the profile is over");
        desk.pacer.wait_until(profile.span.end + profile.graceful_stop).await;
    };
    tokio::select! {
        ended = attack.execute() => drop(ended.map_err(io::Error::other)?),
        () = serve => {}
        () = over => {}
    }
    Ok(())
}

/// Goose, told whom to launch when and what each of them does.
fn prepared(
    desk: &Desk,
    profile: &Profile,
    closed: &Closed,
    jobs: mpsc::UnboundedSender<Job>,
) -> Result<GooseAttack, GooseError> {
    let connect = desk.brief.plan.timeouts.connect;
    let scenario = Scenario::new(&profile.name)
        .register_transaction(Transaction::new(own_client(connect)).set_on_start())
        .register_transaction(Transaction::new(iterate(jobs)));
    let configuration = configuration(desk, closed);
    Ok(GooseAttack::initialize_with_config(configuration)?.register_scenario(scenario))
}

fn configuration(desk: &Desk, closed: &Closed) -> GooseConfiguration {
    let iterations = match closed.iterations {
        Iterations::Each(count) => usize::try_from(count).unwrap_or(usize::MAX),
        Iterations::Endless | Iterations::Shared(_) => 0,
    };
    let mut written = serde_json::to_value(GooseConfiguration::default()).unwrap_or_default();
    let mut write = |key: &str, value: serde_json::Value| written[key] = value;
    write("host", desk.brief.endpoint.to_string().into());
    for off in ["no_telnet", "no_metrics", "no_print_metrics", "no_status_codes"] {
        write(off, true.into());
    }
    write("quiet", 2.into());
    if iterations > 0 {
        write("iterations", iterations.into());
        write("users", closed.levels.most().into());
        write("increase_rate", "1000000".into());
    } else {
        let legs = closed.levels.legs().iter().chain(&[(0, Duration::ZERO)]);
        let steps: Vec<(u32, u128)> =
            legs.map(|(users, length)| (*users, length.as_millis())).collect();
        write("test_plan", serde_json::json!({ "steps": steps, "current": 0 }));
    }
    serde_json::from_value(written).unwrap_or_default()
}

/// Gives each user a client that does what ours do: no redirects, no compression, one connection.
fn own_client(connect: Duration) -> TransactionFunction {
    Arc::new(move |user: &mut GooseUser| {
        Box::pin(async move { Ok(user.set_client_builder(Line::foreign_client(connect)).await?) })
    })
}

/// Asks for one iteration and waits until it is made.
fn iterate(jobs: mpsc::UnboundedSender<Job>) -> TransactionFunction {
    Arc::new(move |user: &mut GooseUser| {
        let jobs = jobs.clone();
        Box::pin(async move {
            let (done, made) = oneshot::channel();
            let job = Job { user: user.weighted_users_index, client: user.client.clone(), done };
            if jobs.send(job).is_ok() {
                // Nobody answers when the run was cut off.
                made.await.ok();
            }
            Ok(())
        })
    })
}

/// Makes the iteration that `job` asks for.
async fn make(desk: Rc<Desk>, place: usize, users: Rc<RefCell<BTreeMap<usize, User>>>, job: Job) {
    let profile = &desk.brief.plan.profiles[place];
    let Drive::Closed(closed) = &profile.drive else { return };
    let due = desk.brief.clock.now();
    if due >= profile.span.end || desk.stopped.get() {
        return;
    }
    let known = users.borrow_mut().remove(&job.user);
    let mut user = known.unwrap_or_else(|| {
        let number = closed.first_user + u32::try_from(job.user).unwrap_or(u32::MAX);
        let mut user = User::new(number, &desk.brief, &desk.client);
        user.line.go_through(job.client);
        user
    });
    let script = profile.journey_of(user.number, user.iterations);
    let series = desk.brief.plan.scripts[script].series;
    desk.recorder().begun(series, due, Duration::ZERO);
    iteration::walk(&mut user, script, due, &desk).await;
    user.line.iteration_over();
    user.iterations += 1;
    desk.pacer.wait_until(due + closed.pacing).await;
    users.borrow_mut().insert(job.user, user);
    // Goose may have given up on it meanwhile.
    job.done.send(()).ok();
}
