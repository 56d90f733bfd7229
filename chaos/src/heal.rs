//! Healing: from whatever state an instance is in, back to the state before the fault.
//!
//! The way back follows from what is found, not from what was done: the fault may have been applied
//! by half, and others may have stopped, started or removed the instance meanwhile. So healing twice
//! is the same as healing once.

use std::time::Duration;

use crate::{
    fault::Undo,
    instance::{Health, Instance, State, Status},
    platform::{Platform, PlatformError},
    undo_log::{Intent, UndoLog, UndoLogError},
};

/// How often the way back is tried. With the waits between them, an engine that is being restarted
/// comes back in time.
const ATTEMPTS: u32 = 6;

/// The wait after the first failed attempt; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// How often to look whether an instance has become healthy: the resolution of that moment.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A moment that the caller may want to note by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The call that does the fault begins.
    ActBegins,
    /// The first call that undoes it begins.
    UndoBegins,
    /// The instance runs again.
    Up,
}

/// What came of a healing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what could not be restored must be said"]
pub struct Healed {
    /// What was done and what failed, in words and in order; empty when there was nothing to do.
    pub steps: Vec<String>,
    /// How it ended.
    pub end: End,
}

/// How a healing ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The state equals the state before.
    Restored,
    /// The instance was removed meanwhile, by somebody else: nobody can restore it.
    Gone,
    /// The state differs from the state before.
    NotRestored {
        /// What differs, or what stood in the way.
        reason: String,
    },
}

/// The instance did not become healthy in time.
#[derive(Debug, thiserror::Error)]
#[error("`{instance}` is not healthy after {}: {last}", humantime::format_duration(*limit))]
pub struct NotHealthy {
    /// Its name.
    pub instance: String,
    /// How long it was waited for.
    pub limit: Duration,
    /// What was seen last.
    pub last: String,
}

/// Brings the instance of `intent` back to its state before. Errors of the platform are tried again
/// and end in [`End::NotRestored`]; an undo log that cannot be written does not keep it from healing.
pub(crate) async fn restore<P: Platform>(
    platform: &P,
    log: &UndoLog,
    intent: &Intent,
    mark: &mut (dyn FnMut(Mark) + Send),
) -> Healed {
    noted(log.undo_begin(intent.entry).await);
    mark(Mark::UndoBegins);
    let mut steps = Vec::new();
    let end = bring_back(platform, intent, &mut steps).await;
    match &end {
        End::Restored => {
            mark(Mark::Up);
            noted(log.undone(intent.entry, "state equals the state before").await);
        }
        End::Gone => noted(log.gone(intent.entry).await),
        End::NotRestored { reason } => {
            tracing::error!("{} is not undone: {reason}", intent.act);
            noted(log.not_restored(intent.entry, reason).await);
        }
    }
    Healed { steps, end }
}

/// Waits until the instance runs and its health check, if it has one, is content.
pub async fn await_healthy<P: Platform>(
    platform: &P,
    instance: &Instance,
    limit: Duration,
) -> Result<(), NotHealthy> {
    let mut last = "nothing is known of it".to_owned();
    let waiting = async {
        loop {
            last = match platform.inspect(&instance.id).await {
                Ok(state) if is_healthy(&state) => return,
                Ok(state) => state.to_string(),
                Err(error) => error.to_string(),
            };
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let waited = tokio::time::timeout(limit, waiting).await;
    waited.map_err(|_| NotHealthy { instance: instance.name.clone(), limit, last })
}

/// Whether the instance runs and is not known to be unwell.
#[must_use]
pub fn is_healthy(state: &State) -> bool {
    state.status == Status::Running && matches!(state.health, None | Some(Health::Healthy))
}

async fn bring_back<P: Platform>(platform: &P, intent: &Intent, steps: &mut Vec<String>) -> End {
    let mut wait = FIRST_WAIT;
    let mut reason = String::new();
    for _ in 0..ATTEMPTS {
        match step(platform, intent, steps).await {
            Ok(Step::Done(end)) => return end,
            Ok(Step::Progress) => {}
            Ok(Step::Wait(what)) => {
                reason = what;
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            Err(error) => {
                tracing::warn!("{error}; trying again");
                reason = error.to_string();
                steps.push(reason.clone());
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
        }
    }
    // The last attempt may have been the one that helped.
    match platform.inspect(&intent.id).await {
        Ok(now) => settled(intent, &now, steps).unwrap_or(End::NotRestored { reason }),
        Err(_) => End::NotRestored { reason },
    }
}

enum Step {
    Done(End),
    Progress,
    Wait(String),
}

/// Looks at the instance and does the one thing that brings it nearer to its state before.
async fn step<P: Platform>(
    platform: &P,
    intent: &Intent,
    steps: &mut Vec<String>,
) -> Result<Step, PlatformError> {
    let Undo::Run = intent.undo;
    let now = platform.inspect(&intent.id).await?;
    let name = &intent.instance;
    if let Some(end) = settled(intent, &now, steps) {
        return Ok(Step::Done(end));
    }
    match now.status {
        Status::Paused => {
            platform.resume(&intent.id).await?;
            steps.push(format!("resumed {name}"));
            Ok(Step::Progress)
        }
        Status::Exited | Status::Created => {
            platform.start(&intent.id).await?;
            steps.push(format!("started {name}"));
            Ok(Step::Progress)
        }
        Status::Restarting | Status::Running | Status::Missing => {
            Ok(Step::Wait(format!("it is {now}")))
        }
    }
}

/// How the healing ends if nothing more is done; `None` when there is something to do.
fn settled(intent: &Intent, now: &State, steps: &mut Vec<String>) -> Option<End> {
    match now.status {
        Status::Missing => {
            steps.push(format!("{} is gone: somebody else has removed it", intent.instance));
            Some(End::Gone)
        }
        Status::Running => {
            if steps.is_empty() && now.is_another_life(&intent.before) {
                steps.push(format!("{} had already been started again", intent.instance));
            }
            let differences = differences(&intent.before, now);
            if differences.is_empty() {
                return Some(End::Restored);
            }
            Some(End::NotRestored { reason: differences.join("; ") })
        }
        Status::Paused | Status::Exited | Status::Restarting | Status::Created => None,
    }
}

/// What differs from the state before, of all that must not. An address may, unless it is
/// configured: it goes to whoever asks first.
fn differences(before: &State, now: &State) -> Vec<String> {
    let mut found = Vec::new();
    if before.health.is_some() != now.health.is_some() {
        found.push(format!("its health check: was {before}, is {now}"));
    }
    if before.limits != now.limits {
        found.push(format!("its limits: were {:?}, are {:?}", before.limits, now.limits));
    }
    for (network, was) in &before.networks {
        let Some(is) = now.networks.get(network) else {
            found.push(format!("it is no longer attached to the network `{network}`"));
            continue;
        };
        if was.aliases != is.aliases {
            found.push(format!("its aliases in `{network}`: {:?}, {:?}", was.aliases, is.aliases));
        }
        if was.fixed && was.address != is.address {
            found.push(format!("its address in `{network}`: {:?}, {:?}", was.address, is.address));
        }
    }
    for network in now.networks.keys().filter(|name| !before.networks.contains_key(*name)) {
        found.push(format!("it is attached to a further network `{network}`"));
    }
    found
}

/// A log that cannot be written is said, and costs only that a later recovery looks once more.
fn noted(written: Result<(), UndoLogError>) {
    if let Err(error) = written {
        tracing::error!("{error}");
    }
}
