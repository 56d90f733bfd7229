//! Inject faults and heal them, proven and always undone.
//!
//! ```text
//! Selector --select--> Instance --inject--> Injection --heal--> Healed
//!                                   |                     |
//!                        undo log: intent, applied   undone | not restored
//! ```
//!
//! The intent stands in the undo log before the act, so that whatever happens to this process,
//! [`recover`] finds what it left broken. This crate knows Docker and processes; it knows no load.
//!
//! The order of the modules is the order of the layers: a file uses only what stands above it.

pub mod duration;
pub mod signal;
pub mod instance;
pub mod platform;
pub mod compose;
pub mod selector;
pub mod fault;
pub mod undo_log;
pub mod heal;
pub mod injection;
pub mod lock;
pub mod registry;
pub mod recover;
