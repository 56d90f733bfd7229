//! What the record means.

pub mod scope;
pub mod marks;
pub mod latency;
pub mod validity;
pub mod outage;
pub mod availability;
pub mod errors;
pub mod failover;

use std::time::Duration;

use crate::analysis::availability::{Definition, Requests, Value};
use crate::analysis::errors::ErrorRow;
use crate::analysis::failover::Failover;
use crate::analysis::latency::LatencyRow;
use crate::analysis::marks::Marks;
use crate::analysis::outage::Probing;
use crate::analysis::scope::Scope;
use crate::analysis::validity::{Tally, Validity};
use crate::number;
use crate::run::Run;
use crate::series::Counts;
use crate::tables::Tables;

/// Downtime at the front door, by who had announced it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Downtime {
    /// During planned work.
    pub planned: Duration,
    /// By accident, or unexplained.
    pub unplanned: Duration,
    /// The part of the unplanned that no fault explains.
    pub unexplained: Duration,
}

/// What became of one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseSeen {
    /// Its requests.
    pub requests: Requests,
    /// Its whole journeys.
    pub journeys: Counts,
}

/// Everything that is known about a run before it is judged.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// All phases but the warm-up.
    pub scope: Scope,
    /// When the load ended.
    pub load_end: Duration,
    /// Whether the run was sound.
    pub validity: Validity,
    /// What the probes of each target say, in the order of the targets.
    pub probing: Vec<Probing>,
    /// The requests of the scope.
    pub requests: Requests,
    /// The requests of the whole run, warm-up and all.
    pub whole: Requests,
    /// What each phase saw.
    pub phases: Vec<PhaseSeen>,
    /// The share of the scope in which the front door answered; `None` when it was not probed.
    pub time_availability: Option<f64>,
    /// Downtime in the scope.
    pub downtime: Downtime,
    /// The scope under each published definition of availability.
    pub readings: Vec<(Definition, Value)>,
    /// What each fault did, in the order of the faults.
    pub failovers: Vec<Failover>,
    /// What went wrong.
    pub errors: Vec<ErrorRow>,
    /// How long things took.
    pub latency: Vec<LatencyRow>,
    /// CPU time of the generator per request, in seconds; `None` when the run was cut off or
    /// made no request.
    pub cpu_per_request: Option<f64>,
}

impl Analysis {
    /// How many of the seconds that count are valid.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.validity.tally(&self.scope)
    }

    /// Analyses the record of `run`.
    #[must_use]
    pub fn of(run: &Run, tables: &Tables) -> Self {
        let load_end = tables.load_end();
        let scope = Scope::new(run, &run.scope(), load_end);
        let validity = Validity::of(tables);
        let marks = Marks::of(run.faults.len(), &tables.events);
        let probing = Probing::of(run, tables, &marks);
        let requests = Requests::of(run, tables, &validity, &scope);
        let front = probing.first();
        let readings = availability::readings(run, tables, &requests, front, &scope);
        let time_availability = front.and_then(|front| availability::time(front, &scope));
        let all: Vec<usize> = (0..run.phases.len()).collect();
        let within = |phases: &[usize]| {
            Requests::of(run, tables, &validity, &Scope::new(run, phases, load_end))
        };
        let seen = |phase: &usize| PhaseSeen {
            requests: within(&[*phase]),
            journeys: tables.phases.counts(&[*phase], &run.journeys()),
        };
        let (whole, phases) = (within(&all), all.iter().map(seen).collect());
        let mut failovers = failover::failovers(run, tables, &marks);
        let mut downtime = Downtime::default();
        for outage in front.into_iter().flat_map(|front| &front.outages) {
            let part = scope.overlap(outage.begin, outage.begin + outage.length);
            match outage.fault {
                _ if outage.planned => downtime.planned += part,
                Some(_) => downtime.unplanned += part,
                None => {
                    downtime.unplanned += part;
                    downtime.unexplained += part;
                }
            }
            if let Some(failover) = outage.fault.and_then(|fault| failovers.get_mut(fault)) {
                failover.downtime += outage.length;
            }
        }
        let errors = errors::rows(run, tables);
        let latency = latency::rows(run, &tables.phases);
        let spent = tables.end.as_ref().map(|end| end.cpu_seconds);
        let made = number::float(whole.counts.total());
        let cpu_per_request = spent.filter(|_| made > 0.0).map(|spent| spent / made);
        Self {
            scope,
            load_end,
            validity,
            probing,
            requests,
            whole,
            phases,
            time_availability,
            downtime,
            readings,
            failovers,
            errors,
            latency,
            cpu_per_request,
        }
    }
}
