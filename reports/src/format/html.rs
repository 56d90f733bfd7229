//! Everything for people, in one file that needs nothing else: no script, no font, no address.
//!
//! The template escapes whatever it is given. Only the charts are let through as they are: the one
//! text of others in them, the names of phases, is escaped by the drawing.

mod chart;
mod tables;
mod quality;
mod strip;

use std::io::Write;

use askama::Template;

use crate::format::FormatError;
use crate::format::html::strip::Strip;
use crate::format::html::tables::{FaultTold, Table};
use crate::number;
use crate::objective::judge::{Finding, Reading};
use crate::report::Report;
use crate::verdict::Exit;
use crate::words::{Lang, Words};

/// The page, for the template.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    lang: Lang,
    words: &'static Words,
    timeline: String,
    quality: String,
}

/// Writes the page.
pub(super) fn write(report: &Report, lang: Lang, out: &mut dyn Write) -> Result<(), FormatError> {
    let words = lang.words();
    let timeline = chart::timeline(report, words)?;
    let quality = chart::quality(report, words)?;
    let page = Page { report, lang, words, timeline, quality };
    out.write_all(page.render()?.as_bytes())?;
    Ok(())
}

/// A number worth a large font: its name, the number, and a second line.
struct Figure {
    name: &'static str,
    number: String,
    detail: String,
}

impl Page<'_> {
    fn verdict(&self) -> &'static str {
        self.lang.exit(self.report.verdict.exit)
    }

    fn tone(&self) -> &'static str {
        match self.report.verdict.exit {
            Exit::Pass => "good",
            Exit::Inconclusive => "open",
            _ => "bad",
        }
    }

    fn finding_tone(finding: &Finding) -> &'static str {
        match finding.reading {
            Reading::Met => "good",
            Reading::Missed => "bad",
            Reading::Inconclusive(_) => "open",
        }
    }

    fn sign(finding: &Finding) -> &'static str {
        match finding.reading {
            Reading::Met => "✓",
            Reading::Missed => "✗",
            Reading::Inconclusive(_) => "?",
        }
    }

    fn doubt(&self, finding: &Finding) -> String {
        match &finding.reading {
            Reading::Inconclusive(doubt) => self.lang.doubt(doubt),
            _ => String::new(),
        }
    }

    /// The lesser and further reasons, which the sentence leaves out.
    fn further(&self) -> Vec<String> {
        self.report.verdict.why.iter().skip(1).map(|reason| self.lang.reason(reason)).collect()
    }

    fn figures(&self) -> Vec<Figure> {
        let Self { report, words, .. } = self;
        let analysis = &report.analysis;
        let share = |share: Option<f64>| share.map_or("–".to_owned(), number::percent);
        let counts = analysis.requests.counts;
        let downtime = analysis.downtime;
        let front = analysis.probing.first();
        let outages = front.map(|front| front.within(&analysis.scope).collect::<Vec<_>>());
        let longest = outages.iter().flatten().max_by_key(|outage| outage.length);
        let mut figures = vec![
            Figure {
                name: words.availability,
                number: share(analysis.requests.availability()),
                detail: format!(
                    "{} · {} {}",
                    words.of_requests,
                    share(analysis.time_availability),
                    words.of_time
                ),
            },
            Figure {
                name: words.longest_outage,
                number: longest.map_or("0 s".to_owned(), |outage| number::seconds(outage.length)),
                detail: longest.map_or_else(
                    || words.no_outages.to_owned(),
                    |outage| format!("± {}", number::seconds(outage.resolution)),
                ),
            },
            Figure {
                name: words.downtime,
                number: number::seconds(downtime.planned + downtime.unplanned),
                detail: format!("{} {}", words.planned, number::seconds(downtime.planned)),
            },
            Figure {
                name: words.requests,
                number: number::count(counts.total()),
                detail: format!(
                    "{} {} · {} {}",
                    number::count(counts.failed),
                    words.failed,
                    number::count(counts.unknown),
                    words.unknown
                ),
            },
        ];
        figures.extend(self.failover_figure());
        figures
    }

    fn failover_figure(&self) -> Option<Figure> {
        let failovers = &self.report.analysis.failovers;
        let begun = || failovers.iter().filter(|one| one.marks.began.is_some());
        begun().next()?;
        let never = begun().any(|one| one.failover.is_none());
        let worst = begun().filter_map(|one| one.failover).max();
        let recovery = begun().map(|one| one.recovery).collect::<Option<Vec<_>>>();
        let recovery = recovery.and_then(|all| all.into_iter().max());
        Some(Figure {
            name: self.words.failover,
            number: match worst {
                Some(worst) if !never => number::seconds(worst),
                _ => "–".to_owned(),
            },
            detail: match (never, recovery) {
                (true, _) => self.words.not_failed_over.to_owned(),
                (false, Some(span)) => format!("{} {}", self.words.recovery, number::seconds(span)),
                (false, None) => format!("{}: {}", self.words.recovery, self.words.not_seen),
            },
        })
    }

    fn faults(&self) -> Vec<FaultTold> {
        tables::faults(self.report, self.lang)
    }

    fn fault_overview(&self) -> Table {
        tables::fault_overview(self.report, self.lang)
    }

    fn sections(&self) -> Vec<(&'static str, Table)> {
        tables::sections(self.report, self.lang)
    }

    fn quality_sentence(&self) -> String {
        self.lang.quality(&self.report.analysis.tally())
    }

    fn limiting(&self) -> String {
        self.lang.limiting(&self.report.analysis.validity).unwrap_or_default()
    }

    fn quality_tone(&self) -> &'static str {
        if self.report.analysis.tally().is_sound() { "good" } else { "open" }
    }

    fn strip(&self) -> Strip {
        Strip::of(self.report, self.lang)
    }

    fn quality_table(&self) -> Table {
        quality::table(self.report, self.lang)
    }

    fn annex(&self) -> Vec<(&'static str, Table)> {
        tables::annex(self.report, self.lang)
    }
}
