//! HTTP/1.1 on a byte stream, by our own codec: what most load consists of.
//!
//! The whole exchange happens in the task of the user whose request it is: no task for the
//! connection, no channel, no lock. A buffer to read into is lent by the thread only while bytes
//! are there to be read, so that a connection that waits costs next to nothing.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rehearsal_reports::outcome::Cause;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::codec::{self, Body, Found};
use super::deadline::{Alarm, Watch};
use super::exchange::{Exchange, Fault, Job, Trouble};
use super::stream::Stream;
use crate::answer::Answer;

/// The size of a buffer: most answers fit, and a big one is read in few calls.
const BUFFER: usize = 16 << 10;

/// Buffers that wait for their next use. More than these are only needed at once when many
/// answers have come in part.
const BUFFERS_KEPT: usize = 32;

/// Answers before the answer (1xx) that are passed over.
const INTERIMS_LIMIT: u32 = 100;

/// The buffers of a thread.
#[derive(Debug, Default)]
pub(super) struct Buffers(RefCell<Vec<Vec<u8>>>);

impl Buffers {
    fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_else(|| vec![0; BUFFER])
    }

    /// Takes back what was lent; one that had to grow for a long head is let go.
    fn give_back(&self, buffer: Vec<u8>) {
        let mut buffers = self.0.borrow_mut();
        if buffer.len() == BUFFER && buffers.len() < BUFFERS_KEPT {
            buffers.push(buffer);
        }
    }
}

/// What the connections of a thread share.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) buffers: Buffers,
    pub(super) watch: Rc<Watch>,
}

/// A connection that speaks HTTP/1.1.
#[derive(Debug)]
pub(super) struct Raw {
    stream: Stream,
}

/// How far an exchange has come.
struct State<'a> {
    job: &'a Job<'a>,
    means: &'a Means,
    alarm: Alarm<'a>,
    /// Bytes of the request that were taken by the stream.
    written: usize,
    /// Whether nothing more can or need be written.
    writing_over: bool,
    sent: Duration,
    first_byte: Option<Duration>,
    /// What was read and not yet understood; without memory while there is nothing.
    buffer: Vec<u8>,
    filled: usize,
    /// The body, once the head was read.
    body: Option<Body>,
    keep_alive: bool,
    /// How much of the body is kept.
    limit: usize,
    bytes: u64,
    interims: u32,
}

/// How a look at what was read ended.
enum Progress {
    /// More must come.
    More,
    /// The answer is complete; whether the connection may be used again.
    Complete(bool),
}

impl Raw {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream }
    }

    /// Sends the request, at the moment that `exchange` says, and reads the answer to its end;
    /// returns whether the connection may be used again.
    pub(super) async fn ask(
        &mut self,
        job: &Job<'_>,
        means: &Means,
        answer: &mut Answer,
        exchange: &mut Exchange,
    ) -> Result<bool, Trouble> {
        if self.stream.is_stale() {
            return Err(Trouble::Unwritten);
        }
        let sent = exchange.sent.unwrap_or(job.begin);
        let mut state = State {
            job,
            means,
            alarm: Alarm::new(&means.watch),
            written: 0,
            writing_over: false,
            sent,
            first_byte: None,
            buffer: Vec::new(),
            filled: 0,
            body: None,
            keep_alive: false,
            limit: 0,
            bytes: 0,
            interims: 0,
        };
        let result = poll_fn(|cx| {
            let polled = self.poll(cx, &mut state, answer);
            state.put_buffer_down(polled.is_ready());
            polled
        })
        .await;
        exchange.first_byte = state.first_byte;
        exchange.bytes += state.bytes;
        match result {
            Ok((reusable, done)) => {
                exchange.done = done;
                Ok(reusable)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Writes while it can be written and reads what comes meanwhile: a server may answer, and
    /// close, before it has read the whole request.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        state: &mut State<'_>,
        answer: &mut Answer,
    ) -> Poll<Result<(bool, Duration), Trouble>> {
        self.write(cx, state)?;
        loop {
            let Poll::Ready(read) = self.read(cx, state) else {
                let limit = state.limit();
                if state.alarm.has_passed(limit, cx.waker()) {
                    let fault = state.job.late(state.sent, state.first_byte);
                    return Poll::Ready(Err(Trouble::Fault(fault)));
                }
                return Poll::Pending;
            };
            let now = state.job.clock.now();
            match read {
                Ok(0) => return Poll::Ready(state.ended(None).map(|reusable| (reusable, now))),
                Err(error) => {
                    return Poll::Ready(state.ended(Some(&error)).map(|reusable| (reusable, now)));
                }
                Ok(_) => {}
            }
            match state.understand(now, answer) {
                Ok(Progress::More) => {}
                Ok(Progress::Complete(reusable)) => return Poll::Ready(Ok((reusable, now))),
                Err(message) => {
                    let fault = Fault::unknown(Cause::Malformed, message);
                    return Poll::Ready(Err(Trouble::Fault(fault)));
                }
            }
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, state: &mut State<'_>) -> Result<(), Trouble> {
        let bytes = state.job.wire.bytes();
        let mut stream = Pin::new(&mut self.stream);
        while !state.writing_over {
            if state.written == bytes.len() {
                if stream.wants_flush() {
                    let Poll::Ready(flushed) = stream.as_mut().poll_flush(cx) else { break };
                    // An error shows when the answer is read; one may have come before it.
                    drop(flushed);
                }
                state.writing_over = true;
                break;
            }
            match stream.as_mut().poll_write(cx, &bytes[state.written..]) {
                Poll::Ready(Ok(count)) if count > 0 => state.written += count,
                // An encrypted stream may have sent a part before it fails.
                Poll::Ready(_) if state.written == 0 && !stream.wants_flush() => {
                    return Err(Trouble::Unwritten);
                }
                Poll::Ready(_) => state.writing_over = true,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Reads once; returns how many bytes came.
    fn read(&mut self, cx: &mut Context<'_>, state: &mut State<'_>) -> Poll<io::Result<usize>> {
        if state.buffer.is_empty() {
            state.buffer = state.means.buffers.take();
        } else if state.filled == state.buffer.len() {
            // Only a head may fill a whole buffer, and heads have a limit.
            let longer = state.buffer.len() * 2;
            state.buffer.resize(longer, 0);
        }
        let mut free = ReadBuf::new(&mut state.buffer[state.filled..]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut free))?;
        let count = free.filled().len();
        state.filled += count;
        Poll::Ready(Ok(count))
    }
}

impl State<'_> {
    /// When this exchange has taken too long.
    fn limit(&self) -> Duration {
        let total = self.job.total();
        match self.first_byte {
            None => total.min(self.sent + self.job.timeouts.first_byte),
            Some(_) => total,
        }
    }

    /// Gives the buffer back unless it holds a part of a head that more must follow.
    fn put_buffer_down(&mut self, over: bool) {
        if (over || self.filled == 0) && !self.buffer.is_empty() {
            self.means.buffers.give_back(std::mem::take(&mut self.buffer));
        }
    }

    /// What the end of the stream means.
    fn ended(&self, error: Option<&io::Error>) -> Result<bool, Trouble> {
        match (self.body, error) {
            (Some(Body::ToClose), None) => Ok(false),
            (body, None) => Err(Trouble::Fault(Fault::ended(body.is_some()))),
            (body, Some(error)) => Err(Trouble::Fault(Fault::broken(error, body.is_some()))),
        }
    }

    /// Takes what was read, at `now`, into `answer`.
    fn understand(&mut self, now: Duration, answer: &mut Answer) -> Result<Progress, &'static str> {
        let mut begin = 0;
        while self.body.is_none() {
            self.first_byte.get_or_insert(now);
            let to_head = self.job.wire.is_head();
            match codec::head(&self.buffer[begin..self.filled], to_head, answer)? {
                Found::Part => {
                    self.buffer.copy_within(begin..self.filled, 0);
                    self.filled -= begin;
                    return Ok(Progress::More);
                }
                Found::Interim(bytes) => {
                    self.interims += 1;
                    if self.interims > INTERIMS_LIMIT {
                        return Err("no end of answers before the answer (1xx)");
                    }
                    begin += bytes;
                    // The answer itself is yet to begin.
                    self.first_byte = None;
                    if begin == self.filled {
                        self.filled = 0;
                        return Ok(Progress::More);
                    }
                }
                Found::Head(head) => {
                    begin += head.bytes;
                    self.keep_alive = head.keep_alive;
                    self.limit = codec::kept(self.job.keep, answer.status);
                    self.body = Some(head.body);
                }
            }
        }
        let Some(body) = &mut self.body else { return Ok(Progress::More) };
        let data = &self.buffer[begin..self.filled];
        let (limit, bytes, kept) = (self.limit, &mut self.bytes, &mut answer.body);
        let read = body.read(data, &mut |part| {
            *bytes += part.len() as u64;
            codec::keep_part(kept, limit, part);
        })?;
        let more = data.len() > read;
        self.filled = 0;
        if !body.is_over() {
            return Ok(Progress::More);
        }
        // Bytes that follow a complete answer belong to none. The request must have left too, or
        // what follows it would be read as its rest.
        Ok(Progress::Complete(
            self.keep_alive && !more && self.written == self.job.wire.bytes().len(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::LocalSet;

    use super::*;
    use crate::answer::Keep;
    use crate::clock::Clock;
    use crate::scenario::Timeouts;
    use crate::wire::Wire;

    #[tokio::test]
    async fn a_connection_that_waits_holds_no_buffer_and_many_share_one() {
        let clock = Clock::starting_in(Duration::ZERO);
        let means = Means { buffers: Buffers::default(), watch: Watch::new(clock) };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut wire = Wire::default();
        wire.begin("GET", "/");
        wire.finish();
        let ask = async || {
            let stream = TcpStream::connect(address).await.expect("a connection");
            let timeouts = Timeouts::default();
            let (begin, keep) = (clock.now(), Keep::Nothing);
            let job = Job { wire: &wire, keep, begin, timeouts, clock };
            let (mut answer, mut exchange) = (Answer::default(), Exchange::begun());
            let mut raw = Raw::new(Stream::Tcp(stream));
            let reusable = raw.ask(&job, &means, &mut answer, &mut exchange).await;
            assert!(matches!(reusable, Ok(true)) && answer.status == 200);
        };
        let serve = async {
            let mut streams = Vec::new();
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut request = vec![0; wire.bytes().len()];
                stream.read_exact(&mut request).await.expect("a request");
                streams.push(stream);
            }
            tokio::task::yield_now().await;
            assert_eq!(means.buffers.0.borrow().len(), 1, "all three wait");
            for stream in &mut streams {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.expect("somebody reads");
            }
        };
        LocalSet::new().run_until(async { tokio::join!(serve, ask(), ask(), ask()) }).await;
        assert_eq!(means.buffers.0.borrow().len(), 1, "one buffer served all");
    }
}
