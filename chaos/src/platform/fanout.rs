//! Tells one change to everybody who asked for changes.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use super::{CHANGES_WAITING, Change};

/// The open ends of all receivers of changes.
#[derive(Debug, Default)]
pub(super) struct Fanout {
    senders: Mutex<Vec<mpsc::Sender<Change>>>,
}

impl Fanout {
    /// A receiver of all that is told from now on.
    pub(super) fn subscribe(&self) -> mpsc::Receiver<Change> {
        let (sender, receiver) = mpsc::channel(CHANGES_WAITING);
        self.senders.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Tells `change` to all; who is gone is forgotten, who is too slow misses it.
    pub(super) fn tell(&self, change: &Change) {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner).retain(|sender| {
            let told = sender.try_send(change.clone());
            !matches!(told, Err(mpsc::error::TrySendError::Closed(_)))
        });
    }
}
