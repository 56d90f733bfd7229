//! The marks that the run itself set for each fault: call, effect, undo, up, healthy, restored.

use std::time::Duration;

use crate::event::{Event, What};

/// Whether a fault happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Its time never came, or the run ended first.
    #[default]
    NotBegun,
    /// It was called and nothing was said about its effect.
    Silent,
    /// It happened; one piece of evidence per instance, `was-1: exited with 137`.
    Proven(Vec<String>),
    /// It did not happen, or nothing proves that it did.
    Unproven(String),
}

/// What the run noted about one fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The first call began.
    pub began: Option<Duration>,
    /// Requests that were on their way at that moment.
    pub in_flight: Option<u64>,
    /// The first instance was hit.
    pub effective: Option<Duration>,
    /// The first undo began.
    pub undo_began: Option<Duration>,
    /// The last instance runs again.
    pub up: Option<Duration>,
    /// The last instance calls itself healthy.
    pub healthy: Option<Duration>,
    /// The last instance is as it was before.
    pub restored: Option<Duration>,
    /// Whether it happened.
    pub proof: Proof,
    /// Instances that are not as they were before: name, and what differs.
    pub not_restored: Vec<(String, String)>,
}

impl Marks {
    /// The marks of each of `faults` faults.
    #[must_use]
    pub fn of(faults: usize, events: &[Event]) -> Vec<Self> {
        let mut all = vec![Self::default(); faults];
        for event in events {
            if let Some(marks) = fault(&event.what).and_then(|fault| all.get_mut(fault)) {
                marks.add(event);
            }
        }
        all
    }

    /// When the fault no longer explains what happens, but for what it left behind.
    #[must_use]
    pub fn over(&self) -> Option<Duration> {
        self.restored.or(self.healthy).or(self.up)
    }

    fn add(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::InjectBegan { in_flight, .. } => {
                self.began.get_or_insert(at);
                self.in_flight.get_or_insert(*in_flight);
                if self.proof == Proof::NotBegun {
                    self.proof = Proof::Silent;
                }
            }
            What::Injected { instance, evidence, .. } => {
                self.effective.get_or_insert(at);
                let evidence = format!("{instance}: {evidence}");
                match &mut self.proof {
                    Proof::Proven(all) => all.push(evidence),
                    Proof::Unproven(_) => {}
                    Proof::NotBegun | Proof::Silent => self.proof = Proof::Proven(vec![evidence]),
                }
            }
            What::NotInjected { instance, reason, .. } => {
                self.proof = Proof::Unproven(format!("{instance}: {reason}"));
            }
            What::UndoBegan { .. } => {
                self.undo_began.get_or_insert(at);
            }
            What::InstanceUp { .. } => self.up = Some(at),
            What::InstanceHealthy { .. } => self.healthy = Some(at),
            What::Restored { .. } => self.restored = Some(at),
            What::NotRestored { instance, reason, .. } => {
                self.not_restored.push((instance.clone(), reason.clone()));
            }
            _ => {}
        }
    }
}

/// The fault that an event is about.
fn fault(what: &What) -> Option<usize> {
    match what {
        What::InjectBegan { fault, .. }
        | What::Injected { fault, .. }
        | What::NotInjected { fault, .. }
        | What::UndoBegan { fault, .. }
        | What::InstanceUp { fault, .. }
        | What::InstanceHealthy { fault, .. }
        | What::Restored { fault, .. }
        | What::NotRestored { fault, .. } => Some(*fault),
        _ => None,
    }
}
