//! Rehearsal: the dress rehearsal of a system before it opens.
//!
//! ```text
//! scenario.yaml --read--> Scenario --check--> Plan --lay out--> Timeline --run--> Journal --> reports
//!                        (as written)     (resolved)     (who, what, when)    (on disk)
//! ```
//!
//! Everything left of *run* is pure and is what `rehearsal plan` prints. Only *run* has effects: it
//! drives load, breaks instances through [`rehearsal_chaos`], and writes the record that
//! [`rehearsal_reports`] judges.
//!
//! The order of the modules is the order of the layers: a file uses only what stands above it.

pub mod clock;
pub mod duration;
pub mod rate;
pub mod seed;
pub mod stop;
pub mod yaml;
pub mod problem;
pub mod shape;
pub mod secret;
pub mod template;
pub mod data;
pub mod json;
pub mod journey;
pub mod load;
pub mod transport;
pub mod scenario;
pub mod quick;
pub mod answer;
pub mod wire;
pub mod cookies;
pub mod compose;
pub mod judge;
pub mod script;
pub mod target;
pub mod plan;
pub mod timeline;
pub mod pacer;
pub mod gauges;
pub mod recorder;
pub mod live;
pub mod scribe;
pub mod engine;
pub mod prober;
pub mod nemesis;
pub mod progress;
pub mod run_dir;
pub mod system;
pub mod conduct;
pub mod run;
pub mod cli;
