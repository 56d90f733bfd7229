//! The nemesis: breaks instances when the timeline says so, and always heals them.
//!
//! Each fault is a task of its own. It waits for its moment, injects, waits for the end, heals,
//! and tells every mark to the journal. When the run is stopped early, all heal at once.

use std::sync::Arc;
use std::time::Duration;

use rehearsal_chaos::heal::{End, Healed, Mark, await_healthy};
use rehearsal_chaos::injection::{Injection, Order, inject};
use rehearsal_chaos::instance::Instance;
use rehearsal_chaos::platform::Platform;
use rehearsal_chaos::undo_log::UndoLog;
use rehearsal_reports::event::What;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::engine::InFlight;
use crate::scribe::Post;
use crate::stop::Stop;
use crate::timeline::Blow;

/// How long a healed instance may take until it calls itself healthy.
const HEALTHY_LIMIT: Duration = Duration::from_mins(1);

/// What the nemesis works with.
#[derive(Debug)]
pub struct Nemesis<P> {
    /// Where the instances run.
    pub platform: Arc<P>,
    /// The undo log.
    pub log: UndoLog,
    /// The run's clock.
    pub clock: Clock,
    /// Where marks are told.
    pub post: Post,
    /// When to heal early.
    pub stop: Stop,
    /// Requests on their way.
    pub in_flight: InFlight,
}

impl<P> Clone for Nemesis<P> {
    fn clone(&self) -> Self {
        Self {
            platform: Arc::clone(&self.platform),
            log: self.log.clone(),
            clock: self.clock,
            post: self.post.clone(),
            stop: self.stop.clone(),
            in_flight: self.in_flight.clone(),
        }
    }
}

impl<P: Platform> Nemesis<P> {
    /// Deals all `blows` at their time; returns when all are healed and well again.
    pub async fn work(&self, blows: Vec<Blow>) {
        let mut tasks = JoinSet::new();
        for blow in blows {
            for instance in &blow.instances {
                let (nemesis, blow, instance) = (self.clone(), blow.clone(), instance.clone());
                tasks.spawn(async move { nemesis.deal(&blow, instance).await });
            }
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                // What such a task leaves broken is in the undo log, and is healed at the end.
                tracing::error!("a fault's task failed: {error}");
            }
        }
    }

    async fn deal(mut self, blow: &Blow, instance: Instance) {
        let fault = blow.number;
        if self.wait_until(blow.begin).await {
            return;
        }
        let order = Order { number: fault, fault: blow.fault.clone(), instance };
        let Some(injection) = self.inject(&order).await else { return };
        if let Some(end) = blow.end {
            self.wait_until(end).await;
        }
        self.heal(&order, injection).await;
    }

    /// Waits until `due`; true when the run was stopped before.
    async fn wait_until(&mut self, due: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(self.clock.ahead(due)) => self.stop.reason().is_some(),
            () = self.stop.asked() => true,
        }
    }

    async fn inject(&self, order: &Order) -> Option<Injection> {
        let (fault, instance) = (order.number, &order.instance.name);
        let outcome = inject(&*self.platform, &self.log, order, &mut self.marker(order)).await;
        match outcome {
            Ok(injection) => {
                let at = self.clock.offset_of(injection.effective);
                let evidence = injection.evidence.clone();
                self.post.event(at, What::Injected { fault, instance: instance.clone(), evidence });
                Some(injection)
            }
            Err(error) => {
                let reason = error.to_string();
                self.tell(What::NotInjected { fault, instance: instance.clone(), reason });
                if let Some(healed) = error.healed() {
                    self.tell_healed(order, healed);
                }
                None
            }
        }
    }

    async fn heal(&self, order: &Order, injection: Injection) {
        let mut marker = self.marker(order);
        let healed = injection.heal(&*self.platform, &self.log, &mut marker).await;
        self.tell_healed(order, &healed);
        if healed.end != End::Restored {
            return;
        }
        let (fault, instance) = (order.number, order.instance.name.clone());
        match await_healthy(&*self.platform, &order.instance, HEALTHY_LIMIT).await {
            Ok(()) => self.tell(What::InstanceHealthy { fault, instance }),
            Err(error) => {
                let reason = format!("{error}; look at its log");
                self.tell(What::NotRestored { fault, instance, reason });
            }
        }
    }

    fn marker(&self, order: &Order) -> impl FnMut(Mark) + Send {
        let (fault, instance) = (order.number, order.instance.name.clone());
        let (post, clock, in_flight) = (self.post.clone(), self.clock, self.in_flight.clone());
        move |mark| {
            let instance = instance.clone();
            let what = match mark {
                Mark::ActBegins => {
                    What::InjectBegan { fault, instance, in_flight: in_flight.count() }
                }
                Mark::UndoBegins => What::UndoBegan { fault, instance },
                Mark::Up => What::InstanceUp { fault, instance },
            };
            post.event(clock.now(), what);
        }
    }

    fn tell_healed(&self, order: &Order, healed: &Healed) {
        let (fault, instance) = (order.number, order.instance.name.clone());
        self.tell(match &healed.end {
            End::Restored => What::Restored { fault, instance },
            End::Gone => {
                let reason = "somebody else has removed it meanwhile; bring the project up again";
                What::NotRestored { fault, instance, reason: reason.to_owned() }
            }
            End::NotRestored { reason } => {
                let reason = format!("{reason}; `rehearsal recover` tries again");
                What::NotRestored { fault, instance, reason }
            }
        });
    }

    fn tell(&self, what: What) {
        self.post.event(self.clock.now(), what);
    }
}
