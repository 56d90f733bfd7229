//! The roles of the testbed, as processes, from outside.
#![allow(clippy::unwrap_used, reason = "what must not fail in a test fails the test")]

mod support;
mod was;
mod front;
