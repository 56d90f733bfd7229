//! Who answered, by second.
//!
//! Names come from the system, so that their number and length are bounded here: one that sends a
//! new name with each answer must not fill our memory.

use std::collections::HashMap;
use std::time::Duration;

use rehearsal_reports::record::{Record, Served};

/// Names that are told apart. More instances than any system that one machine can load.
const NAMES_MAX: usize = 256;

/// How long a name is, in bytes; what is longer is cut.
const NAME_MAX: usize = 100;

/// So many names are found sooner one by one than by their hash.
const LISTED: usize = 8;

/// What all further names are counted as.
const OTHERS: &str = "(others)";

/// Counts answers by who gave them.
#[derive(Debug, Default)]
pub(super) struct Census {
    places: HashMap<String, usize>,
    names: Vec<String>,
    /// Since the last hand-over: the current second, and the one before it.
    seconds: Vec<Second>,
}

/// The answers of one second, by the name's place.
#[derive(Debug)]
struct Second {
    second: u64,
    answers: Vec<Option<Answers>>,
}

#[derive(Clone, Copy, Debug)]
struct Answers {
    count: u64,
    first: Duration,
    last: Duration,
}

impl Census {
    /// `by` answered at `done`.
    pub(super) fn count(&mut self, by: &str, done: Duration) {
        let place = self.place(by);
        let second = done.as_secs();
        let known = self.seconds.iter().rposition(|one| one.second == second);
        let at = known.unwrap_or_else(|| {
            self.seconds.push(Second { second, answers: Vec::new() });
            self.seconds.len() - 1
        });
        let answers = &mut self.seconds[at].answers;
        if answers.len() <= place {
            answers.resize(place + 1, None);
        }
        let new = Answers { count: 0, first: done, last: done };
        let answers = answers[place].get_or_insert(new);
        answers.count += 1;
        answers.first = answers.first.min(done);
        answers.last = answers.last.max(done);
    }

    /// The place of a name; looking up a known one allocates nothing.
    fn place(&mut self, by: &str) -> usize {
        let by = &by[..by.floor_char_boundary(NAME_MAX)];
        let first = self.names.iter().take(LISTED).position(|name| name == by);
        if let Some(place) = first {
            return place;
        }
        if let Some(place) = self.places.get(by) {
            return *place;
        }
        let by = if self.names.len() < NAMES_MAX { by } else { OTHERS };
        *self.places.entry(by.to_owned()).or_insert_with(|| {
            self.names.push(by.to_owned());
            self.names.len() - 1
        })
    }

    /// Writes all counts and forgets them; the names stay.
    pub(super) fn take(&mut self, records: &mut Vec<Record>) {
        for Second { second, answers } in self.seconds.drain(..) {
            let second = u32::try_from(second).unwrap_or(u32::MAX);
            for (by, answers) in self.names.iter().zip(answers) {
                let Some(Answers { count, first, last }) = answers else { continue };
                let by = by.clone();
                records.push(Record::Served(Served { second, by, count, first, last }));
            }
        }
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let answers = self.seconds.iter().map(|second| second.answers.len());
        self.names.len() + self.places.len() + answers.sum::<usize>()
    }
}
