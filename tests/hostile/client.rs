//! Asks a hostile server, and tells what came of it in a form that compares.

use std::rc::Rc;
use std::time::Duration;

use rehearsal::answer::{Answer, Keep};
use rehearsal::clock::Clock;
use rehearsal::scenario::Timeouts;
use rehearsal::target::{Client, Endpoint, Exchange, Line};
use rehearsal::transport::{Codec, Transport};
use rehearsal::wire::Wire;
use rehearsal_reports::outcome::{Cause, Outcome};
use tokio::task::LocalSet;

/// Both ways to read HTTP/1.1.
pub(crate) const CODECS: [Codec; 2] = [Codec::Raw, Codec::Hyper];

/// A time limit that no test waits for.
pub(crate) const FAR: Duration = Duration::from_mins(1);

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// An answer.
    Answer(Good),
    /// None, and why.
    Fault(Outcome, Cause),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Good {
    pub(crate) status: u16,
    /// Names in lower case, sorted.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) bytes: u64,
}

/// A client with its user.
pub(crate) struct User {
    pub(crate) client: Rc<Client>,
    pub(crate) line: Line,
    pub(crate) answer: Answer,
}

impl User {
    pub(crate) fn new(endpoint: &str, transport: &Transport, limits: Timeouts) -> Self {
        let endpoint: Endpoint = endpoint.parse().expect("a target");
        let clock = Clock::starting_in(Duration::ZERO);
        let client = Client::new(endpoint, transport, limits, clock).expect("a client");
        Self::of(&Rc::new(client))
    }

    /// One more user of `client`.
    pub(crate) fn of(client: &Rc<Client>) -> Self {
        Self { client: Rc::clone(client), line: client.line(), answer: Answer::default() }
    }

    /// Sends a request without a body.
    pub(crate) async fn ask(&mut self, method: &str, path: &str) -> (Seen, Exchange) {
        self.send(method, path, None).await
    }

    /// Sends a request.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> (Seen, Exchange) {
        let mut wire = Wire::default();
        wire.begin(method, path);
        wire.header("host", &self.client.endpoint().authority());
        for (name, value) in self.client.transport().headers() {
            wire.header(name, &value);
        }
        match body {
            Some(body) => wire.body(body),
            None => wire.finish(),
        }
        let (line, answer) = (&mut self.line, &mut self.answer);
        let exchange = self.client.exchange(line, &wire, Keep::Body, answer).await;
        (seen(&exchange, answer), exchange)
    }
}

/// What came of a request.
pub(crate) fn seen(exchange: &Exchange, answer: &Answer) -> Seen {
    if let Err(fault) = &exchange.result {
        assert!(!fault.message.is_empty(), "{fault:?}");
        return Seen::Fault(fault.outcome, fault.cause);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = answer.all_headers();
    let mut headers: Vec<(String, String)> =
        headers.map(|(name, value)| (text(name).to_lowercase(), text(value))).collect();
    headers.sort();
    let (status, body, bytes) = (answer.status, text(&answer.body), exchange.bytes);
    Seen::Answer(Good { status, headers, body, bytes })
}

/// Limits that no test waits for.
pub(crate) fn patient() -> Timeouts {
    Timeouts { connect: FAR, first_byte: FAR, total: FAR }
}

/// A transport with `codec`.
pub(crate) fn with(codec: Codec) -> Transport {
    Transport { codec, ..Transport::default() }
}

/// Runs `work` as load threads do.
pub(crate) fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), work);
}
