//! The system under test that ships with Rehearsal: an order service as projects know it, the
//! partner it calls, and a small front for the days without containers.
//!
//! Every role is one process. It must behave as a real system does when it is broken: answer with
//! an error rather than hang, notice what is gone, come back by itself. Nothing here knows
//! Rehearsal; it is measured from outside like any other system.

mod error;
mod log;
mod lifecycle;
mod store;
mod partner;
mod was;
mod front;
mod check;
mod role;

pub use error::Error;
pub use role::{Role, run};
