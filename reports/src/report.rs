//! The one value that every format renders. What is told about a run is decided here.

use std::path::PathBuf;

use crate::analysis::Analysis;
use crate::journal::{Journal, JournalError};
use crate::objective::judge::{Doubt, Finding, judge, unproven};
use crate::objective::{Objective, ObjectiveError};
use crate::run::Run;
use crate::tables::Tables;
use crate::verdict::Verdict;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run directory cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The run was made with an objective that this version cannot read.
    #[error("the run has the objective `{0}`, which this version cannot read: {1}")]
    Objective(String, #[source] Box<ObjectiveError>),
}

/// A run, analysed and judged.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run directory.
    pub directory: PathBuf,
    /// What was planned.
    pub run: Run,
    /// What was recorded.
    pub tables: Tables,
    /// What it means.
    pub analysis: Analysis,
    /// The objectives, judged, in the order in which they were written.
    pub findings: Vec<Finding>,
    /// The word at the end.
    pub verdict: Verdict,
}

impl Report {
    /// Reads, analyses and judges the run of `journal`.
    pub fn of(mut journal: Journal) -> Result<Self, ReportError> {
        let tables = Tables::read(&mut journal)?;
        let directory = journal.directory().to_owned();
        let run = journal.run;
        let analysis = Analysis::of(&run, &tables);
        let findings = run.objectives.iter().map(|text| {
            let read = text.parse::<Objective>();
            let objective =
                read.map_err(|error| ReportError::Objective(text.clone(), Box::new(error)))?;
            Ok(judge(&objective, &run, &tables, &analysis))
        });
        let findings = findings.collect::<Result<Vec<_>, ReportError>>()?;
        let doubts = unproven(&run, &analysis).map(|(_, fault, why)| Doubt::NotProven(fault, why));
        // Each objective says itself whether it can be judged; a run without any has only this.
        let tally = analysis.tally();
        let unsound = findings.is_empty() && !tally.is_sound();
        let doubts = doubts.chain(unsound.then_some(Doubt::InvalidSeconds(tally)));
        let fault_name =
            |fault: usize| run.faults.get(fault).map_or(String::new(), |fault| fault.name.clone());
        let verdict = Verdict::of(&findings, &tables, doubts, fault_name);
        Ok(Self { directory, run, tables, analysis, findings, verdict })
    }
}
