//! The word at the end, and the exit code that says it to scripts.

use std::fmt;

use crate::event::What;
use crate::number;
use crate::objective::judge::{Doubt, Finding, Reading};
use crate::tables::Tables;

/// How the program ends. Scripts rely on the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every objective was met.
    Pass,
    /// An objective was missed.
    Missed,
    /// The command line or the scenario is wrong, or an objective matches nothing.
    Usage,
    /// The record cannot tell: the generator was saturated, a fault not proven, too few values.
    Inconclusive,
    /// Something that was broken on purpose could not be healed.
    NotRestored,
    /// The system could not be reached or brought up.
    Environment,
    /// Somebody stopped the run; everything was healed.
    Interrupted,
}

impl Exit {
    /// The worst first.
    pub const BY_RANK: [Self; 7] = [
        Self::NotRestored,
        Self::Interrupted,
        Self::Environment,
        Self::Usage,
        Self::Missed,
        Self::Inconclusive,
        Self::Pass,
    ];

    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Missed => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::NotRestored => 4,
            Self::Environment => 5,
            Self::Interrupted => 130,
        }
    }

    /// The one that is told when both hold.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        let worst = Self::BY_RANK.into_iter().find(|exit| *exit == self || *exit == other);
        worst.unwrap_or(self)
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Missed => "missed",
            Self::Usage => "usage",
            Self::Inconclusive => "inconclusive",
            Self::NotRestored => "not restored",
            Self::Environment => "environment",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One reason for a verdict.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// An instance is not as it was before a fault.
    NotRestored {
        /// The fault's name.
        fault: String,
        /// The instance's name.
        instance: String,
        /// What differs and what to do.
        reason: String,
    },
    /// Somebody stopped the run, by this signal.
    Interrupted(String),
    /// An objective was missed.
    Missed {
        /// The objective.
        objective: String,
        /// What was measured.
        measured: String,
    },
    /// An objective cannot be judged.
    Doubtful {
        /// The objective.
        objective: String,
        /// Why not.
        doubt: Doubt,
    },
    /// The record as a whole is doubtful.
    Doubt(Doubt),
    /// All of so many objectives were met.
    AllMet(usize),
    /// There were no objectives to miss.
    NoObjectives,
}

impl Reason {
    /// How a run ends for this reason alone.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotRestored { .. } => Exit::NotRestored,
            Self::Interrupted(_) => Exit::Interrupted,
            Self::Missed { .. } => Exit::Missed,
            Self::Doubtful { .. } | Self::Doubt(_) => Exit::Inconclusive,
            Self::AllMet(_) | Self::NoObjectives => Exit::Pass,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRestored { fault, instance, reason } => {
                write!(f, "`{instance}` is not as it was before `{fault}`: {reason}")
            }
            Self::Interrupted(signal) => write!(f, "the run was stopped by {signal}"),
            Self::Missed { objective, measured } => {
                write!(f, "`{objective}` was missed: measured {measured}")
            }
            Self::Doubtful { objective, doubt } => {
                write!(f, "`{objective}` cannot be judged: {doubt}")
            }
            Self::Doubt(doubt) => write!(f, "{doubt}"),
            Self::AllMet(1) => f.write_str("the objective was met"),
            Self::AllMet(count) => {
                write!(f, "all {} objectives were met", number::count(*count as u64))
            }
            Self::NoObjectives => f.write_str("there were no objectives to miss"),
        }
    }
}

/// The verdict on a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How the program ends.
    pub exit: Exit,
    /// Why: the reasons for this exit first, then the lesser ones; never empty.
    pub why: Vec<Reason>,
}

impl Verdict {
    /// The verdict from what was found and from what the journal says besides: `unproven` names
    /// the faults that nothing proves.
    #[must_use]
    pub fn of(
        findings: &[Finding],
        tables: &Tables,
        unproven: impl Iterator<Item = Doubt>,
        fault_name: impl Fn(usize) -> String,
    ) -> Self {
        let mut why: Vec<Reason> = Vec::new();
        for event in &tables.events {
            match &event.what {
                What::NotRestored { fault, instance, reason } => why.push(Reason::NotRestored {
                    fault: fault_name(*fault),
                    instance: instance.clone(),
                    reason: reason.clone(),
                }),
                What::Interrupted { signal } => why.push(Reason::Interrupted(signal.clone())),
                _ => {}
            }
        }
        if tables.end.is_some() {
            why.extend(never_undone(tables).map(|(fault, instance)| Reason::NotRestored {
                fault: fault_name(fault),
                instance: instance.to_owned(),
                reason: "the record does not say that it was undone".to_owned(),
            }));
        }
        let interrupted = tables.end.as_ref().is_some_and(|end| end.interrupted);
        if interrupted && !why.iter().any(|reason| matches!(reason, Reason::Interrupted(_))) {
            why.push(Reason::Interrupted("its user".to_owned()));
        }
        // What casts doubt on the record as a whole explains the doubts about single objectives.
        why.extend(unproven.map(Reason::Doubt));
        if tables.end.is_none() {
            why.push(Reason::Doubt(Doubt::CutOff));
        }
        why.extend(findings.iter().filter_map(reason));
        if why.is_empty() {
            why.push(match findings.len() {
                0 => Reason::NoObjectives,
                count => Reason::AllMet(count),
            });
        }
        let rank = |reason: &Reason| Exit::BY_RANK.iter().position(|exit| *exit == reason.exit());
        why.sort_by_key(rank);
        Self { exit: why[0].exit(), why }
    }

    /// The verdict in one sentence: the weightiest reason, and how many others weigh as much.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.others() {
            0 => format!("{}", self.why[0]),
            others => format!("{} (and {others} more)", self.why[0]),
        }
    }

    /// How many further reasons there are for the same exit.
    #[must_use]
    pub fn others(&self) -> usize {
        self.why.iter().skip(1).filter(|reason| reason.exit() == self.exit).count()
    }
}

/// Faults in effect of which a complete record tells no end, with their instances.
fn never_undone(tables: &Tables) -> impl Iterator<Item = (usize, &str)> {
    let injected = tables.events.iter().filter_map(|event| match &event.what {
        What::Injected { fault, instance, .. } => Some((*fault, instance.as_str())),
        _ => None,
    });
    injected.filter(|broken| {
        !tables.events.iter().any(|event| match &event.what {
            What::Restored { fault, instance } | What::NotRestored { fault, instance, .. } => {
                (*fault, instance.as_str()) == *broken
            }
            _ => false,
        })
    })
}

fn reason(finding: &Finding) -> Option<Reason> {
    let objective = finding.objective.to_string();
    match &finding.reading {
        Reading::Met => None,
        Reading::Missed => {
            Some(Reason::Missed { objective, measured: finding.measured.to_string() })
        }
        Reading::Inconclusive(doubt) => Some(Reason::Doubtful { objective, doubt: doubt.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::objective::judge::Measured;
    use crate::record::End;

    #[test]
    fn the_worse_of_two_exits_is_told() {
        let order = [4, 130, 5, 2, 1, 3, 0];
        assert_eq!(Exit::BY_RANK.map(Exit::code), order);
        for (place, worse) in Exit::BY_RANK.into_iter().enumerate() {
            for lesser in Exit::BY_RANK.into_iter().skip(place) {
                assert_eq!((worse.worst(lesser), lesser.worst(worse)), (worse, worse));
            }
        }
    }

    #[test]
    fn every_exit_has_its_cause() {
        let doubtful = || Reading::Inconclusive(Doubt::TooShort);
        let healthy = || tables(vec![], true);
        let broken = What::NotRestored {
            fault: 0,
            instance: "was-1".to_owned(),
            reason: "still paused".to_owned(),
        };
        let stopped = What::Interrupted { signal: "SIGINT".to_owned() };
        for (readings, tables, code) in [
            (vec![Reading::Met], healthy(), 0),
            (vec![], healthy(), 0),
            (vec![doubtful(), Reading::Missed], healthy(), 1),
            (vec![Reading::Met, doubtful()], healthy(), 3),
            (vec![], tables(vec![], false), 3),
            (vec![Reading::Missed], tables(vec![], false), 1),
            (vec![Reading::Missed], tables(vec![stopped.clone()], true), 130),
            (vec![Reading::Missed], tables(vec![stopped, broken], true), 4),
        ] {
            assert_eq!(verdict(&readings, &tables).exit.code(), code, "{readings:?}");
        }
    }

    #[test]
    fn a_fault_that_nothing_proves_leaves_the_verdict_open() {
        let doubt = Doubt::NotProven("kill was-1".to_owned(), "still running".to_owned());
        let verdict =
            Verdict::of(&[], &tables(vec![], true), std::iter::once(doubt), |_| String::new());
        assert_eq!(verdict.exit, Exit::Inconclusive);
        assert_eq!(
            verdict.sentence(),
            "nothing proves that fault `kill was-1` happened (still running)"
        );
    }

    fn verdict(readings: &[Reading], tables: &Tables) -> Verdict {
        let objective = "outage <= 1s".parse().expect("an objective");
        let finding = |reading: &Reading| Finding {
            objective: Clone::clone(&objective),
            measured: Measured::Nothing,
            reading: reading.clone(),
        };
        let findings: Vec<Finding> = readings.iter().map(finding).collect();
        Verdict::of(&findings, tables, std::iter::empty(), |_| "kill was-1".to_owned())
    }

    fn tables(events: Vec<What>, ended: bool) -> Tables {
        let at = std::time::Duration::ZERO;
        let end =
            End { at, interrupted: false, failures_left_out: 0, cpu_seconds: 0.0, memory_peak: 0 };
        let events = events.into_iter().map(|what| Event { at, what }).collect();
        Tables { events, end: ended.then_some(end), ..Tables::default() }
    }
}
