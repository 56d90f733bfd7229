//! `rehearsal schema`

use clap::ValueEnum;
use rehearsal_reports::format::summary_schema;
use rehearsal_reports::verdict::Exit;

use super::print;
use crate::scenario;

/// What a schema is wanted of.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum Of {
    /// Scenario files.
    Scenario,
    /// The `summary.json` of a run.
    Summary,
}

pub(super) fn main(of: Of) -> Exit {
    let schema = match of {
        Of::Scenario => scenario::schema(),
        Of::Summary => summary_schema(),
    };
    print(&format!("{schema:#}\n"));
    Exit::Pass
}
