//! Record, analyse, judge and render a run.
//!
//! ```text
//! Journal --analyse--> Analysis --judge--> Verdict
//!                                  Report --render--> files
//! ```
//!
//! The record is written while a run goes on and is judged afterwards, from the record alone; so a
//! run that was cut off half-way can be read like any other. Nothing here opens a socket.
//!
//! The order of the modules is the order of the layers: a file uses only what stands above it.

pub mod micros;
pub mod number;
pub mod outcome;
pub mod histogram;
pub mod event;
pub mod run;
pub mod record;
pub mod journal;
pub mod series;
pub mod seconds;
pub mod tables;
pub mod analysis;
pub mod objective;
pub mod verdict;
pub mod report;
pub mod words;
pub mod format;
