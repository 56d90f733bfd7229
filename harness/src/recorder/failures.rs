//! Requests that were not ok, kept one by one as long as they are few. An outage at a high rate
//! repeats itself, and the counters hold all of it.

use std::collections::HashSet;
use std::mem::take;

use rehearsal_reports::record::{Failure, Record};

use super::{Miss, Sample};

/// Failures kept in full, per thread and second.
const KEPT_A_SECOND: usize = 200;

/// Failures kept in full, per thread and run; beyond them only the first and the last of each
/// second are, which are those that tell when it began and when it was over.
const KEPT_IN_ALL: usize = 20_000;

/// What is kept of a second when those are used up.
const KEPT_ALWAYS: usize = 2;

/// How long a message is, in characters.
const MESSAGE_KEPT: usize = 300;

/// How long the name of who answered is, in bytes.
const NAME_KEPT: usize = 100;

/// Messages that are told apart, per thread. A system that puts a number into each of its errors
/// would otherwise fill the record with them.
const MESSAGES_KEPT: usize = 500;

/// What stands in place of further messages.
const FURTHER: &str = "(a further message, beyond the 500 that are kept)";

/// Keeps failures.
#[derive(Debug, Default)]
pub(super) struct Failures {
    kept: Vec<Failure>,
    handed_over: usize,
    left_out: u64,
    messages: HashSet<String>,
}

impl Failures {
    /// Keeps a failure, in place of the last one when there is no room for more.
    pub(super) fn keep(&mut self, sample: &Sample<'_>, phase: usize, miss: &Miss) {
        let rest = KEPT_IN_ALL.saturating_sub(self.handed_over);
        let room = KEPT_A_SECOND.min(rest).max(KEPT_ALWAYS);
        let message = self.message(&miss.message);
        let mut text = String::new();
        let mut served_by = None;
        if self.kept.len() >= room
            && let Some(last) = self.kept.pop()
        {
            self.left_out += 1;
            (text, served_by) = (last.message, last.served_by);
        }
        text.clear();
        text.push_str(message);
        self.kept.push(Failure {
            series: sample.series,
            phase,
            user: sample.user,
            due: sample.due,
            sent: sample.sent,
            first_byte: sample.first_byte,
            done: sample.done,
            outcome: miss.outcome,
            cause: miss.cause,
            status: sample.status,
            served_by: sample.served_by.map(|by| {
                let mut known = served_by.unwrap_or_default();
                by[..by.floor_char_boundary(NAME_KEPT)].clone_into(&mut known);
                known
            }),
            message: text,
        });
    }

    fn message<'a>(&mut self, message: &'a str) -> &'a str {
        let end = message.char_indices().nth(MESSAGE_KEPT).map_or(message.len(), |(end, _)| end);
        let message = &message[..end];
        if self.messages.contains(message) {
            return message;
        }
        if self.messages.len() >= MESSAGES_KEPT {
            return FURTHER;
        }
        self.messages.insert(message.to_owned());
        message
    }

    /// How many were not kept.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Hands over what was kept.
    pub(super) fn take(&mut self, records: &mut Vec<Record>) {
        self.handed_over += self.kept.len();
        records.extend(take(&mut self.kept).into_iter().map(Record::Failure));
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.kept.len() + self.messages.len()
    }
}
