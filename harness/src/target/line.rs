//! A user's way to the system: the connection it holds, or shares, and how it fared of late.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use rehearsal_reports::outcome::Cause;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::by_hyper::Sender;
use super::exchange::{Fault, Job};
use super::raw::Raw;
use crate::transport::{Connections, Http, Transport};

/// A connection, by who speaks on it.
#[derive(Debug)]
pub(super) enum Conn {
    /// Our own codec.
    Raw(Raw),
    /// The hyper library.
    Hyper(Sender),
}

/// A connection that may serve another request.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) conn: Conn,
    /// When it was made.
    pub(super) made: Duration,
    /// Requests that it has carried.
    pub(super) requests: u32,
}

impl Kept {
    /// Whether it may carry a request at `now`, as far as can be told without looking.
    pub(super) fn fits(&self, transport: &Transport, now: Duration) -> bool {
        let young = transport.max_age.is_none_or(|most| now.saturating_sub(self.made) < most);
        let unused = transport.max_requests.is_none_or(|most| self.requests < most);
        let open = match &self.conn {
            Conn::Raw(_) => true,
            Conn::Hyper(sender) => !sender.is_closed(),
        };
        young && unused && open
    }

    /// One more user of the same connection, where its protocol carries many requests at once.
    fn another(&self) -> Option<Self> {
        let Conn::Hyper(sender) = &self.conn else { return None };
        let conn = Conn::Hyper(sender.another()?);
        Some(Self { conn, made: self.made, requests: self.requests })
    }
}

/// A user's way to the system. It makes a connection when the first request needs one.
#[derive(Debug)]
pub struct Line {
    pub(super) kept: Option<Kept>,
    /// Whether a request is on its way; one that was given up leaves the connection in no state
    /// for another.
    pub(super) busy: bool,
    per_iteration: bool,
    /// Refused connections in a row.
    refusals: u32,
    /// Before this moment no connection is tried.
    not_before: Duration,
    /// The client of a user of goose, which then is the only way.
    #[cfg(feature = "goose")]
    pub(super) foreign: Option<reqwest::Client>,
}

impl Line {
    pub(super) fn new(transport: &Transport) -> Self {
        Self {
            kept: None,
            busy: false,
            per_iteration: transport.connections == Connections::PerIteration,
            refusals: 0,
            not_before: Duration::ZERO,
            #[cfg(feature = "goose")]
            foreign: None,
        }
    }

    /// An iteration has ended: where the next one begins with a new connection, this one is closed.
    pub fn iteration_over(&mut self) {
        if self.per_iteration {
            self.kept = None;
        }
    }

    /// What a client of goose must be built of to do what ours do; it has so long to connect.
    #[cfg(feature = "goose")]
    pub fn foreign_client(connect: Duration) -> reqwest::ClientBuilder {
        super::by_reqwest::builder().connect_timeout(connect)
    }

    /// From now on all requests go through `client`.
    #[cfg(feature = "goose")]
    pub fn go_through(&mut self, client: reqwest::Client) {
        self.foreign = Some(client);
    }

    /// When the next connection may be tried.
    pub(super) fn not_before(&self) -> Duration {
        self.not_before
    }

    /// How an attempt to connect ended at `now`.
    pub(super) fn tried(&mut self, refused: bool, now: Duration, transport: &Transport) {
        self.refusals = if refused { self.refusals.saturating_add(1) } else { 0 };
        if let Some(back_off) = transport.back_off.filter(|_| refused) {
            self.not_before = now + back_off.wait(self.refusals);
        }
    }
}

/// Waits for a place in `room`, within the total time limit.
pub(super) async fn enter<'a>(
    room: &'a Semaphore,
    job: &Job<'_>,
) -> Result<SemaphorePermit<'a>, Fault> {
    match timeout(job.left(), room.acquire()).await {
        Ok(Ok(place)) => Ok(place),
        _ => Err(Fault::failed(Cause::ConnectTimeout, "no shared connection free in time")),
    }
}

/// The connections that the users of a thread share, where they do.
#[derive(Debug)]
pub(super) struct Pool {
    shared: bool,
    /// Whether one connection carries many requests at once.
    many: bool,
    /// Connections at most, where one carries many requests.
    most: usize,
    /// One place for each connection that may be busy, where one carries one request.
    room: Option<Semaphore>,
    kept: RefCell<Vec<Kept>>,
    /// Whose turn it is among connections that carry many requests.
    turn: Cell<usize>,
    /// Held while a connection for many requests is made, so that one suffices for all who wait.
    pub(super) opening: Mutex<()>,
}

impl Pool {
    pub(super) fn new(transport: &Transport) -> Self {
        let shared = transport.connections == Connections::Shared;
        let many = transport.http != Http::One;
        let most = transport.max_connections.map(|most| most as usize);
        Self {
            shared,
            many,
            most: most.unwrap_or(1),
            room: most.filter(|_| shared && !many).map(Semaphore::new),
            kept: RefCell::default(),
            turn: Cell::new(0),
            opening: Mutex::default(),
        }
    }

    /// Whether users send over the same connection at the same time.
    pub(super) fn multiplexes(&self) -> bool {
        self.shared && self.many
    }

    /// The places for connections that may be busy, where their number is limited.
    pub(super) fn room(&self) -> Option<&Semaphore> {
        self.room.as_ref()
    }

    /// Sees to it that `line` holds a connection that may serve a request at `now`, if there is one.
    pub(super) fn lend(&self, line: &mut Line, now: Duration, transport: &Transport) -> bool {
        if !self.shared {
            if !line.kept.as_ref().is_some_and(|kept| kept.fits(transport, now)) {
                line.kept = None;
            }
            return line.kept.is_some();
        }
        let mut all = self.kept.borrow_mut();
        if self.many {
            all.retain(|kept| kept.fits(transport, now));
            if all.len() >= self.most {
                let turn = self.turn.get() % all.len();
                self.turn.set(turn + 1);
                all[turn].requests = all[turn].requests.saturating_add(1);
                line.kept = all[turn].another();
            }
        } else {
            line.kept = None;
            while line.kept.is_none() {
                let Some(kept) = all.pop() else { break };
                line.kept = Some(kept).filter(|kept| kept.fits(transport, now));
            }
        }
        line.kept.is_some()
    }

    /// Shares a connection that was just made, where it carries many requests at once.
    pub(super) fn share(&self, kept: &Kept) {
        if self.multiplexes() {
            self.kept.borrow_mut().extend(kept.another());
        }
    }

    /// Takes back what was lent, after an exchange after which it `may` be used again.
    pub(super) fn take_back(&self, line: &mut Line, may: bool, transport: &Transport) {
        let may = may && transport.connections != Connections::PerRequest;
        if let Some(kept) = line.kept.as_mut().filter(|_| may) {
            kept.requests = kept.requests.saturating_add(1);
        } else {
            line.kept = None;
        }
        if self.shared {
            let kept = line.kept.take().filter(|_| !self.many);
            self.kept.borrow_mut().extend(kept);
        }
    }

    /// Forgets the connections that many share: one of them took no more requests.
    pub(super) fn forget(&self) {
        if self.many {
            self.kept.borrow_mut().clear();
        }
    }
}
