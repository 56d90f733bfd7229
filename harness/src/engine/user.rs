//! A virtual user: what it keeps between journeys.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use super::Brief;
use crate::cookies::Cookies;
use crate::script::Script;
use crate::seed::derived;
use crate::target::{Client, Line};

/// A virtual user.
#[derive(Debug)]
pub(crate) struct User {
    /// Its number, from 0.
    pub(crate) number: u64,
    /// Journeys it has begun.
    pub(crate) iterations: u64,
    /// Its cookies.
    pub(crate) cookies: Cookies,
    /// Its way to the system.
    pub(crate) line: Line,
    /// The `once` blocks it has done: by journey and block.
    pub(crate) done: Vec<Vec<bool>>,
    /// The variables of its journeys, by journey and slot: buffers that are used again, and what
    /// `once` blocks have set.
    pub(crate) slots: Vec<Vec<String>>,
    /// Rounds so far of the loops of the journey that it is on.
    pub(crate) laps: Vec<u32>,
    /// Whether its last journey found no row of data left, as the next one of the kind will.
    pub(crate) used_up: bool,
    /// Where its random values come from.
    pub(crate) random: Pcg64Mcg,
}

impl User {
    pub(crate) fn new(number: u32, brief: &Brief, client: &Client) -> Self {
        let plan = &brief.plan;
        // Two runs with one seed must not send the same ids: the system remembers the first run.
        let run =
            brief.run.bytes().fold(plan.seed, |seed, byte| derived(seed, "run", usize::from(byte)));
        Self {
            number: u64::from(number),
            iterations: 0,
            cookies: Cookies::default(),
            line: client.line(),
            done: plan.scripts.iter().map(|script| vec![false; script.onces]).collect(),
            slots: vec![Vec::new(); plan.scripts.len()],
            laps: Vec::new(),
            used_up: false,
            random: Pcg64Mcg::seed_from_u64(derived(run, "user", number as usize)),
        }
    }

    /// Makes ready for `script`, the journey at `place`: its variables are empty but for those that
    /// it keeps. They stay with the user, for a walk may be cut off.
    pub(crate) fn prepare(&mut self, place: usize, script: &Script) {
        let slots = &mut self.slots[place];
        slots.resize_with(script.slots, String::new);
        for (slot, text) in slots.iter_mut().enumerate() {
            if !script.keeps.contains(&slot) {
                text.clear();
            }
        }
        self.laps.clear();
        self.laps.resize(script.laps, 0);
    }

    /// Forgets that anything was done once: the session it led to is gone.
    pub(crate) fn start_over(&mut self) {
        self.done.iter_mut().flatten().for_each(|done| *done = false);
        self.cookies.clear();
    }

    /// Whether anything was done once, such as a login.
    pub(crate) fn has_begun(&self) -> bool {
        self.done.iter().flatten().any(|done| *done)
    }
}
