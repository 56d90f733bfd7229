//! A server that commits every fault there is, against both codecs: each fault has its own cause,
//! and the two codecs agree on all answers.

mod server;
mod client;
mod catalogue;
mod differential;
mod faults;
mod policies;
mod tls;
mod two;
mod whole;
