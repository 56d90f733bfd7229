//! A virtual user: what it keeps between journeys.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use super::Brief;
use super::cookies::Cookies;
use crate::seed::derived;
use crate::target::Connection;

/// A virtual user.
#[derive(Debug)]
pub(crate) struct User {
    /// Its number, from 0.
    pub(crate) number: u64,
    /// Journeys it has begun.
    pub(crate) iterations: u64,
    /// Its cookies.
    pub(crate) cookies: Cookies,
    /// Its connection.
    pub(crate) connection: Connection,
    /// The `once` blocks it has done: by journey and block.
    pub(crate) done: Vec<Vec<bool>>,
    /// Where its UUIDs come from.
    pub(crate) random: Pcg64Mcg,
}

impl User {
    pub(crate) fn new(number: u32, brief: &Brief) -> Self {
        let plan = &brief.plan;
        // Two runs with one seed must not send the same ids: the system remembers the first run.
        let run =
            brief.run.bytes().fold(plan.seed, |seed, byte| derived(seed, "run", usize::from(byte)));
        Self {
            number: u64::from(number),
            iterations: 0,
            cookies: Cookies::default(),
            connection: Connection::new(brief.endpoint.clone(), plan.timeouts, brief.clock),
            done: plan.scripts.iter().map(|script| vec![false; script.onces]).collect(),
            random: Pcg64Mcg::seed_from_u64(derived(run, "user", number as usize)),
        }
    }

    /// Forgets that anything was done once: the session it led to is gone.
    pub(crate) fn start_over(&mut self) {
        self.done.iter_mut().flatten().for_each(|done| *done = false);
        self.cookies = Cookies::default();
    }

    /// Whether anything was done once, such as a login.
    pub(crate) fn has_begun(&self) -> bool {
        self.done.iter().flatten().any(|done| *done)
    }
}
