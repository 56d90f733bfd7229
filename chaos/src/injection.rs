//! Injections: a fault in an instance, from its proof to its healing.
//!
//! Intent, act, proof, in that order. What is not proven did not count and is undone on the spot;
//! no half of a fault stays behind unsaid.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use tokio::sync::mpsc;

use crate::{
    fault::{Fault, Proof},
    heal::{Healed, Mark, restore},
    instance::{Instance, State, Status},
    platform::{Change, Platform, PlatformError},
    undo_log::{Intent, UndoLog, UndoLogError},
};

/// How often to look for the proof besides being told of events.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What to inject into which instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The fault's place in the plan.
    pub number: usize,
    /// The fault.
    pub fault: Fault,
    /// The instance.
    pub instance: Instance,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fault.on(&self.instance.name))
    }
}

/// A fault that is in effect, and must be healed.
#[derive(Debug)]
#[must_use = "a fault that is not healed stays"]
pub struct Injection {
    intent: Intent,
    /// What proves it: an event, a state.
    pub evidence: String,
    /// From when on, by the platform's clock.
    pub effective: SystemTime,
}

/// Why a fault is not in effect. What may have been done of it is undone, as told in `healed`.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// The instance is in no state to be broken; nothing was done.
    #[error("cannot {order}: it is {status}, and only a running instance can be broken")]
    NotRunning {
        /// The act in words.
        order: String,
        /// How it is.
        status: Status,
    },
    /// The platform could not be asked beforehand; nothing was done.
    #[error("cannot {order}: {source}")]
    Unprepared {
        /// The act in words.
        order: String,
        /// What the platform said.
        source: PlatformError,
    },
    /// The intent could not be written, so that nothing was done; or the proof could not, so that
    /// all was undone.
    #[error("cannot {order}: {source}")]
    Log {
        /// The act in words.
        order: String,
        /// The reason.
        source: UndoLogError,
        /// What was undone; `None` when nothing had been done.
        healed: Option<Healed>,
    },
    /// The platform refused or failed.
    #[error("{order} failed: {source}")]
    Failed {
        /// The act in words.
        order: String,
        /// What the platform said.
        source: PlatformError,
        /// What was undone.
        healed: Healed,
    },
    /// The platform reported success and nothing proves it.
    #[error("{order} is not proven after {}: {seen}", humantime::format_duration(*waited))]
    NotProven {
        /// The act in words.
        order: String,
        /// How long it was waited for.
        waited: Duration,
        /// What was seen instead.
        seen: String,
        /// What was undone.
        healed: Healed,
    },
}

impl InjectError {
    /// What came of undoing it; `None` when nothing had been done.
    #[must_use]
    pub fn healed(&self) -> Option<&Healed> {
        match self {
            Self::NotRunning { .. } | Self::Unprepared { .. } => None,
            Self::Log { healed, .. } => healed.as_ref(),
            Self::Failed { healed, .. } | Self::NotProven { healed, .. } => Some(healed),
        }
    }
}

/// Does what `order` says and proves it. `mark` is called at the moments of the act.
pub async fn inject<P: Platform>(
    platform: &P,
    log: &UndoLog,
    order: &Order,
    mark: &mut (dyn FnMut(Mark) + Send),
) -> Result<Injection, InjectError> {
    let Order { number, fault, instance } = order;
    let words = || order.to_string();
    let unprepared = |source| InjectError::Unprepared { order: words(), source };
    let before = platform.inspect(&instance.id).await.map_err(unprepared)?;
    if before.status != Status::Running {
        return Err(InjectError::NotRunning { order: words(), status: before.status });
    }
    let mut changes = platform.changes().await.map_err(unprepared)?;
    let noted = log.intent(*number, fault, instance, &before).await;
    let intent =
        noted.map_err(|source| InjectError::Log { order: words(), source, healed: None })?;

    mark(Mark::ActBegins);
    if let Err(source) = fault.act(platform, &instance.id).await {
        let healed = restore(platform, log, &intent, mark).await;
        return Err(InjectError::Failed { order: words(), source, healed });
    }
    let mut watch = Watch { fault, before: &before, told: Vec::new(), seen: String::new() };
    let waited = fault.proof_limit();
    let proving = watch.proof(platform, &instance.id, &mut changes);
    let Ok(Proof { evidence, effective }) = tokio::time::timeout(waited, proving).await else {
        let healed = restore(platform, log, &intent, mark).await;
        return Err(InjectError::NotProven { order: words(), waited, seen: watch.seen, healed });
    };
    if let Err(source) = log.applied(intent.entry, &evidence).await {
        let healed = Some(restore(platform, log, &intent, mark).await);
        return Err(InjectError::Log { order: words(), source, healed });
    }
    Ok(Injection { intent, evidence, effective })
}

impl Injection {
    /// Undoes the fault and compares the instance with how it was. `mark` is called at the moments
    /// of the undo; when the instance is healthy again, [`await_healthy`](crate::heal::await_healthy)
    /// tells.
    pub async fn heal<P: Platform>(
        self,
        platform: &P,
        log: &UndoLog,
        mark: &mut (dyn FnMut(Mark) + Send),
    ) -> Healed {
        restore(platform, log, &self.intent, mark).await
    }
}

/// What is seen of an instance while a proof is awaited.
struct Watch<'a> {
    fault: &'a Fault,
    before: &'a State,
    told: Vec<Change>,
    seen: String,
}

impl Watch<'_> {
    /// Waits for the proof.
    async fn proof<P: Platform>(
        &mut self,
        platform: &P,
        id: &str,
        changes: &mut mpsc::Receiver<Change>,
    ) -> Proof {
        loop {
            match platform.inspect(id).await {
                Ok(now) => {
                    while let Ok(change) = changes.try_recv() {
                        if change.id == id {
                            self.told.push(change);
                        }
                    }
                    if let Some(proof) = self.fault.proven(self.before, &now, &self.told) {
                        return proof;
                    }
                    let actions: Vec<&str> =
                        self.told.iter().map(|change| change.action.as_str()).collect();
                    self.seen = format!("it is {now}, events: [{}]", actions.join(", "));
                }
                Err(error) => self.seen = error.to_string(),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
