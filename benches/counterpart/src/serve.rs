//! An HTTP server on one thread that misbehaves in known ways and writes down when it did what.
//!
//! The record is text: `stall BEGIN END`, then for each request `ARRIVAL ANSWER STATUS NUMBER`, in
//! nanoseconds since the begin. NUMBER is what follows the `/` of the path, -1 when nothing does: a
//! client that counts its requests can be followed one by one.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::time::{Instant as Moment, interval_at, sleep};

use crate::Problem;

/// The time between the begins of two stalls, or of two spans of failing.
const PERIOD: Duration = Duration::from_secs(5);

/// How long a stall lasts.
const STALL: Duration = Duration::from_millis(400);

/// How long requests fail in each period.
const FAILING: Duration = Duration::from_secs(1);

/// The body of every answer: 128 bytes, as nginx gives in the other suites.
const BODY: [u8; 128] = [b'x'; 128];

/// How the server misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Not at all, and as cheaply as can be.
    Lean,
    /// It stands still for 400 ms every 5 s.
    Stall,
    /// The more it has in flight, the longer an answer takes: 1 ms and 0.2 ms for each.
    Slower,
    /// For 1 s of every 5 s it answers 503 at once, else 200 after 5 ms.
    Fail,
}

impl FromStr for Mode {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "lean" => Ok(Self::Lean),
            "stall" => Ok(Self::Stall),
            "slower" => Ok(Self::Slower),
            "fail" => Ok(Self::Fail),
            _ => Err(format!("`{text}` is none of lean, stall, slower, fail").into()),
        }
    }
}

struct Entry {
    arrival: u64,
    answer: u64,
    status: u16,
    number: i64,
}

struct Server {
    mode: Mode,
    begin: Instant,
    records: bool,
    in_flight: Cell<u32>,
    entries: RefCell<Vec<Entry>>,
    stalls: RefCell<Vec<(u64, u64)>>,
    well: Vec<u8>,
    failed: Vec<u8>,
}

pub(crate) fn main(mode: Mode, record: &str) -> Result<(), Problem> {
    let answer = |status: &str| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", BODY.len());
        [head.as_bytes(), &BODY].concat()
    };
    let server = Rc::new(Server {
        mode,
        begin: Instant::now(),
        records: record != "-",
        in_flight: Cell::new(0),
        entries: RefCell::default(),
        stalls: RefCell::default(),
        well: answer("200 OK"),
        failed: answer("503 Service Unavailable"),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(until_stdin_ends(Rc::clone(&server))))?;
    if server.records {
        std::fs::write(record, server.text())?;
    }
    Ok(())
}

async fn until_stdin_ends(server: Rc<Server>) -> Result<(), Problem> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    // The kernel lowers this to what it allows.
    let listener = socket.listen(65_535)?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        // Whatever comes, and an error too, is followed by the end.
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        ended.send(()).ok();
    });
    if server.mode == Mode::Stall {
        tokio::task::spawn_local(stall(Rc::clone(&server)));
    }
    tokio::task::spawn_local(accept(listener, server));
    Ok(end.await?)
}

async fn accept(listener: TcpListener, server: Rc<Server>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it the answer is only later.
                stream.set_nodelay(true).ok();
                tokio::task::spawn_local(serve(stream, Rc::clone(&server)));
            }
            // No descriptors: some connection will end.
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Holds the one thread, so that nothing is read and nothing is answered.
async fn stall(server: Rc<Server>) {
    let mut ticks = interval_at(Moment::now() + PERIOD, PERIOD);
    loop {
        ticks.tick().await;
        let begin = server.now();
        std::thread::sleep(STALL);
        server.stalls.borrow_mut().push((begin, server.now()));
    }
}

async fn serve(mut stream: TcpStream, server: Rc<Server>) {
    let mut buffer = Vec::with_capacity(1024);
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let arrival = server.now();
        let number = if server.records { number(&buffer) } else { -1 };
        buffer.drain(..end);
        let status = server.work(arrival).await;
        let answer = if status == 200 { &server.well } else { &server.failed };
        if stream.write_all(answer).await.is_err() {
            return;
        }
        if server.records {
            let answer = server.now();
            server.entries.borrow_mut().push(Entry { arrival, answer, status, number });
        }
    }
}

/// The number that is the path of the request in `head`.
fn number(head: &[u8]) -> i64 {
    let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let digits = path.strip_prefix(b"/").unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(-1)
}

impl Server {
    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes as long as the mode says; the status that comes of it.
    async fn work(&self, arrival: u64) -> u16 {
        match self.mode {
            Mode::Lean | Mode::Stall => 200,
            Mode::Slower => {
                self.in_flight.set(self.in_flight.get() + 1);
                sleep(Duration::from_micros(1_000 + 200 * u64::from(self.in_flight.get()))).await;
                self.in_flight.set(self.in_flight.get() - 1);
                200
            }
            Mode::Fail => {
                let within = Duration::from_nanos(arrival).as_nanos() % PERIOD.as_nanos();
                if within < FAILING.as_nanos() {
                    return 503;
                }
                sleep(Duration::from_millis(5)).await;
                200
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (begin, end) in self.stalls.borrow().iter() {
            writeln!(text, "stall {begin} {end}").expect("a string takes every text");
        }
        for entry in self.entries.borrow().iter() {
            let Entry { arrival, answer, status, number } = entry;
            writeln!(text, "{arrival} {answer} {status} {number}")
                .expect("a string takes every text");
        }
        text
    }
}
