//! `rehearsal report`

use std::path::Path;

use rehearsal_reports::format::{FormatError, ReportFormat};
use rehearsal_reports::journal::Journal;
use rehearsal_reports::report::{Report, ReportError};
use rehearsal_reports::verdict::Exit;
use rehearsal_reports::words::Lang;

use super::{complain, print};

/// Judges the run again. The exit code is the verdict's, as after the run itself.
pub(super) fn main(run_dir: &Path, formats: &[ReportFormat], lang: Lang) -> Exit {
    let report = match Journal::open(run_dir).map_err(ReportError::from).and_then(Report::of) {
        Ok(report) => report,
        Err(error) => {
            complain(&error);
            return Exit::Usage;
        }
    };
    match write(&report, formats, lang) {
        Ok(()) => report.verdict.exit,
        Err(error) => {
            complain(&error);
            Exit::Environment
        }
    }
}

fn write(report: &Report, formats: &[ReportFormat], lang: Lang) -> Result<(), FormatError> {
    let shown = match formats {
        [one] => *one,
        several => {
            let all = ReportFormat::ALL.map(|(format, ..)| format);
            let wanted = if several.is_empty() { &all[..] } else { several };
            for format in wanted {
                format.write_file(report, lang, &report.directory)?;
            }
            ReportFormat::Text
        }
    };
    let mut text = Vec::new();
    shown.write(report, lang, &mut text)?;
    print(&String::from_utf8_lossy(&text));
    Ok(())
}
