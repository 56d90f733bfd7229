//! End to end: the real binary, with the embedded testbed or a small server of the test's own.
//!
//! No test needs Docker, a fixed port or the network; each has a directory and a state of its own.

mod support;

mod bad_input;
mod bare;
mod bench_driver;
mod cli;
mod embedded;
mod executors;
mod goose;
mod hostile;
mod interrupted;
mod journeys;
mod layers;
mod quality;
mod quick;
mod readme;
