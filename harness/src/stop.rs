//! Asking everybody to end: one word, heard by all.

use tokio::sync::watch;

/// Whether and why the run should end early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A signal came, such as SIGINT.
    Signal(&'static str),
    /// The record can no longer be written.
    Journal(String),
    /// A load thread could not go on.
    Generator,
}

/// The speaking end.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<Option<Reason>>);

/// The hearing end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Option<Reason>>);

/// Both ends.
#[must_use]
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks all to end. The first reason stays.
    pub fn stop(&self, reason: Reason) {
        self.0.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(reason);
            }
            first
        });
    }
}

impl Stop {
    /// Why the run should end; `None` while it should not.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.0.borrow().clone()
    }

    /// Returns when the run should end; never, when nobody can ask any more.
    pub async fn asked(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
