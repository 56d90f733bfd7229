//! One user's walk through one journey.
//!
//! A step is due when the one before it was done, or when the user has thought. The first step that
//! is not ok ends the journey: a user who could not log in does not go on to order.

use std::time::Duration;

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use rehearsal_reports::outcome::{Cause, Outcome};

use super::desk::Desk;
use super::user::User;
use crate::answer::Answer;
use crate::compose::{NotAPath, compose};
use crate::judge::{Seen, explained, judge};
use crate::recorder::{Miss, Sample};
use crate::script::{Request, Rounds, Script, Step};
use crate::target::{Exchange, Fault};
use crate::template::{Pad, Values};
use crate::wire::Wire;

/// The status by which a system says that it does not know the user.
const UNAUTHORIZED: u16 = 401;

/// How long a user waits behind a journey in which nothing was sent.
const PAUSE: Duration = Duration::from_millis(1);

/// Walks through the journey at `place`, which was due at `due`.
pub(crate) async fn walk(user: &mut User, place: usize, due: Duration, desk: &Desk) {
    let script = &desk.brief.plan.scripts[place];
    user.prepare(place, script);
    let mut walk = Walk { user, desk, place, due, done: due, bytes: 0, asked: false };
    let drawn = walk.draw(script);
    walk.user.used_up = drawn.is_err();
    let verdict = match drawn {
        Ok(()) => walk.steps(script).await,
        Err(miss) => Err(miss),
    };
    if !walk.asked {
        // A journey that sends nothing (no descriptor is left, the network is gone) would be begun
        // again as fast as this thread can, and keep others from their turn.
        desk.pacer.wait_until(walk.done.max(due) + PAUSE).await;
        tokio::task::yield_now().await;
    }
    walk.finish(script, due, &verdict);
}

struct Walk<'a> {
    user: &'a mut User,
    desk: &'a Desk,
    place: usize,
    /// When the next step is due.
    due: Duration,
    /// When the last request ended.
    done: Duration,
    bytes: u64,
    /// Whether a request was sent.
    asked: bool,
}

/// What the variables stand for.
fn values<'v>(
    desk: &'v Desk,
    (user, iteration): (u64, u64),
    random: &'v mut Pcg64Mcg,
    slots: &'v mut [String],
    pad: &'v mut Pad,
) -> Values<'v> {
    let brief = &desk.brief;
    let (run, secrets, counter) = (brief.run.as_str(), &*brief.secrets, &brief.dealt.counter);
    Values { user, iteration, run, slots, secrets, counter, random, pad }
}

impl Walk<'_> {
    /// Takes a row of each table that the journey names.
    fn draw(&mut self, script: &Script) -> Result<(), Miss> {
        let brief = &self.desk.brief;
        for draw in &script.draws {
            let table = &brief.plan.tables[draw.table];
            let turn = (self.user.number, self.user.iterations);
            let row = table.draw(turn, &brief.dealt.rows[draw.table], &mut self.user.random);
            let Some(row) = row else {
                return Err(failed(
                    Cause::CheckFailed,
                    format!("data `{}` is used up", table.name),
                ));
            };
            for (column, slot) in &draw.cells {
                self.user.slots[self.place][*slot].push_str(table.cell(row, *column));
            }
        }
        Ok(())
    }

    /// Does `work` with what the variables stand for now.
    fn with<T>(&mut self, work: impl FnOnce(&mut Values<'_>) -> T) -> T {
        let turn = (self.user.number, self.user.iterations);
        let mut pad = self.desk.pad.borrow_mut();
        let slots = &mut self.user.slots[self.place];
        work(&mut values(self.desk, turn, &mut self.user.random, slots, &mut pad))
    }

    async fn steps(&mut self, script: &Script) -> Result<(), Miss> {
        let mut at = 0;
        while let Some(step) = script.steps.get(at) {
            at += 1;
            match step {
                Step::Request(request) => self.request(request).await?,
                Step::Think(think) => {
                    self.due += think.draw(&mut self.user.random);
                    self.desk.pacer.wait_until(self.due).await;
                }
                Step::Let(set) => self.with(|values| {
                    for (slot, template) in set {
                        let mut text = std::mem::take(&mut values.pad.text);
                        text.clear();
                        template.fill_into(values, &mut text);
                        values.slots[*slot].clone_from(&text);
                        values.pad.text = text;
                    }
                }),
                Step::Once { block, past } if self.user.done[self.place][*block] => at = *past,
                Step::Once { .. } => {}
                Step::Done(block) => self.user.done[self.place][*block] = true,
                Step::If { condition, otherwise } => {
                    if !self.with(|values| condition.holds(values)) {
                        at = *otherwise;
                    }
                }
                Step::Choose { doors } => at = self.door(doors).unwrap_or(at),
                Step::Goto(to) => at = *to,
                Step::Begin { lap } => self.user.laps[*lap] = 0,
                Step::Round { lap, rounds, past } => {
                    if !self.goes_round(*lap, rounds)? {
                        at = *past;
                    }
                }
            }
        }
        Ok(())
    }

    /// One of the branches, by weight.
    fn door(&mut self, doors: &[(u64, usize)]) -> Option<usize> {
        let (sum, _) = doors.last()?;
        let drawn = self.user.random.random_range(0..*sum);
        doors.iter().find(|(upto, _)| drawn < *upto).map(|(_, door)| *door)
    }

    /// Whether a loop goes round once more.
    fn goes_round(&mut self, lap: usize, rounds: &Rounds) -> Result<bool, Miss> {
        let before = self.user.laps[lap];
        match rounds {
            Rounds::Times(times) if before >= *times => return Ok(false),
            Rounds::Times(_) => {}
            Rounds::While(condition, most) => {
                if !self.with(|values| condition.holds(values)) {
                    return Ok(false);
                }
                if before >= *most {
                    let message = format!("a loop went round {most} times and was not done");
                    return Err(failed(Cause::CheckFailed, message));
                }
            }
        }
        self.user.laps[lap] = before + 1;
        Ok(true)
    }

    async fn request(&mut self, request: &Request) -> Result<(), Miss> {
        let (desk, due) = (self.desk, self.due);
        let mut wire = desk.wires.borrow_mut().pop().unwrap_or_default();
        let mut answer = desk.answers.borrow_mut().pop().unwrap_or_default();
        let exchange = match self.composed(request, &mut wire) {
            Ok(()) => {
                let _on_the_way = desk.on_the_way();
                let (line, keep) = (&mut self.user.line, request.want.keep());
                desk.client.exchange(line, &wire, keep, &mut answer).await
            }
            Err(error) => self.unsent(&error),
        };
        self.asked |= exchange.sent.is_some();
        self.due = exchange.done;
        self.done = exchange.done;
        self.bytes += exchange.bytes;
        let verdict = self.judged(request, &exchange, &answer, wire.target());
        self.record(request, due, (&exchange, &answer), verdict.as_ref().copied());
        desk.wires.borrow_mut().push(wire);
        desk.answers.borrow_mut().push(answer);
        verdict
    }

    fn record(
        &self,
        request: &Request,
        due: Duration,
        (exchange, answer): (&Exchange, &Answer),
        verdict: Result<(), &Miss>,
    ) {
        let brief = &self.desk.brief;
        let answered = exchange.result.is_ok();
        let name = answer.header(&brief.plan.system.served_by).filter(|_| answered);
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let served_by = name.map(|name| brief.secrets.redact(name));
        self.desk.recorder().ended(&Sample {
            series: request.series,
            user: self.user.number,
            due,
            sent: exchange.sent,
            first_byte: exchange.first_byte,
            done: exchange.done,
            connect: exchange.connect,
            bytes: exchange.bytes,
            status: answered.then_some(answer.status),
            served_by: served_by.as_deref(),
            verdict,
        });
    }

    fn composed(&mut self, request: &Request, wire: &mut Wire) -> Result<(), NotAPath> {
        let desk = self.desk;
        let user = &mut *self.user;
        user.cookies.expire(self.due);
        let mut pad = desk.pad.borrow_mut();
        let turn = (user.number, user.iterations);
        let slots = &mut user.slots[self.place];
        let mut values = values(desk, turn, &mut user.random, slots, &mut pad);
        compose(&request.call, &desk.preamble, &mut values, &user.cookies, wire)
    }

    /// An exchange that never took place, because no request could be made of the journey's words.
    fn unsent(&self, error: &NotAPath) -> Exchange {
        let message = error.to_string();
        Exchange {
            connect: None,
            tls: None,
            sent: None,
            first_byte: None,
            done: self.desk.brief.clock.now(),
            bytes: 0,
            result: Err(Fault { outcome: Outcome::Failed, cause: Cause::CheckFailed, message }),
        }
    }

    /// Whether the answer is what was expected; takes cookies and variables from it.
    fn judged(
        &mut self,
        request: &Request,
        exchange: &Exchange,
        answer: &Answer,
        target: &str,
    ) -> Result<(), Miss> {
        let verdict = match &exchange.result {
            Ok(()) => self.answered(request, exchange, answer, target),
            Err(fault) => {
                let message = fault.message.clone();
                Err(Miss { outcome: fault.outcome, cause: fault.cause, message })
            }
        };
        verdict.map_err(|mut miss| {
            let secrets = &self.desk.brief.secrets;
            if !secrets.is_empty() {
                miss.message = secrets.redact(&miss.message).into_owned();
            }
            miss
        })
    }

    fn answered(
        &mut self,
        request: &Request,
        exchange: &Exchange,
        answer: &Answer,
        target: &str,
    ) -> Result<(), Miss> {
        let (desk, user) = (self.desk, &mut *self.user);
        let good = request.want.good_status(answer.status);
        let lost = !good && answer.status == UNAUTHORIZED && user.has_begun();
        if lost {
            user.start_over();
        }
        user.cookies.take(answer, target, &desk.site, exchange.done);
        let mut pad = desk.pad.borrow_mut();
        let turn = (user.number, user.iterations);
        let slots = &mut user.slots[self.place];
        let mut values = values(desk, turn, &mut user.random, slots, &mut pad);
        let judged = if good {
            let service = exchange.done.saturating_sub(exchange.sent.unwrap_or_default());
            let seen = Seen { answer, bytes: exchange.bytes, service };
            judge(&request.want, seen, &user.cookies, &mut values)
        } else {
            let cause = if lost { Cause::SessionLost } else { Cause::Status(answer.status) };
            Err(explained(&request.want, answer, cause, &values))
        };
        judged.map_err(|wrong| failed(wrong.cause, wrong.message))
    }

    fn finish(self, script: &Script, due: Duration, verdict: &Result<(), Miss>) {
        let sample = Sample {
            series: script.series,
            user: self.user.number,
            due,
            sent: None,
            first_byte: None,
            // What a user thinks behind its last request is not part of the journey.
            done: self.done,
            connect: None,
            bytes: self.bytes,
            status: None,
            served_by: None,
            verdict: verdict.as_ref().copied(),
        };
        if self.user.used_up {
            // No request tells of this failure, so the journey does.
            self.desk.recorder().ended(&sample);
        } else {
            self.desk.recorder().walked(&sample);
        }
    }
}

fn failed(cause: Cause, message: String) -> Miss {
    Miss { outcome: Outcome::Failed, cause, message }
}
