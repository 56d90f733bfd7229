//! The roles, as a command line names them.

use clap::Subcommand;

use crate::check::{self, CheckArgs};
use crate::error::Error;
use crate::front::{self, FrontArgs};
use crate::partner::{self, PartnerArgs};
use crate::was::{self, WasArgs};

/// One process of the testbed.
#[derive(Subcommand, Clone, Debug)]
pub enum Role {
    /// The order service
    Was(Box<WasArgs>),
    /// The external partner that the order service asks for prices
    Partner(PartnerArgs),
    /// A small web server and load balancer before order services on this machine
    Front(FrontArgs),
    /// One GET; succeeds when the answer does (for container health checks)
    Check(CheckArgs),
}

/// Runs `role` until it is told to end by SIGTERM, SIGINT or, if asked for, the end of stdin.
pub async fn run(role: Role) -> Result<(), Error> {
    match role {
        Role::Was(args) => was::run(*args).await,
        Role::Partner(args) => partner::run(args).await,
        Role::Front(args) => front::run(args).await,
        Role::Check(args) => check::run(args).await,
    }
}
