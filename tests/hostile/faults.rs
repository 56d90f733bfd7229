//! Faults that are no answers: each has its own cause, by both codecs.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rehearsal::scenario::Timeouts;
use rehearsal::transport::Transport;
use rehearsal_reports::outcome::{Cause, Outcome};
use tokio::net::{TcpSocket, TcpStream};

use super::client::{CODECS, FAR, Seen, User, patient, run, with};
use super::server::{Act, Server, say};

/// A time limit that is waited for.
const SOON: Duration = Duration::from_millis(300);

/// A fault that a server commits.
struct Row {
    name: &'static str,
    script: fn() -> Vec<Act>,
    limits: Timeouts,
    outcome: Outcome,
    cause: Cause,
}

fn head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")
}

/// The table. That a request was read, or a part of the answer sent, leaves the outcome unknown.
#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    let first_byte = Timeouts { first_byte: SOON, ..patient() };
    let total = Timeouts { total: SOON, ..patient() };
    let unknown = |name, script, limits, cause| Row {
        name,
        script,
        limits,
        outcome: Outcome::Unknown,
        cause,
    };
    vec![
        unknown(
            "reset after the request was read",
            || vec![Act::Read, Act::Reset],
            patient(),
            Cause::Reset,
        ),
        unknown("closed after the request was read", || vec![Act::Read], patient(), Cause::Reset),
        unknown(
            "half closed after the request was read",
            || vec![Act::Read, Act::HalfClose],
            patient(),
            Cause::Reset,
        ),
        unknown(
            "reset within the head",
            || vec![Act::Read, say("HTTP/1.1 200 OK\r\n"), Act::Reset],
            patient(),
            Cause::Reset,
        ),
        unknown(
            "reset within the body",
            || vec![Act::Read, Act::Say((head(9) + "abc").into()), Act::Reset],
            patient(),
            Cause::BodyCut,
        ),
        unknown(
            "reset within a body to the close",
            || vec![Act::Read, say("HTTP/1.1 200 OK\r\n\r\nabc"), Act::Reset],
            patient(),
            Cause::BodyCut,
        ),
        unknown(
            "half closed within the body",
            || vec![Act::Read, Act::Say((head(9) + "abc").into()), Act::HalfClose],
            patient(),
            Cause::BodyCut,
        ),
        unknown(
            "accepted and never answered",
            || vec![Act::Read, Act::Hold],
            first_byte,
            Cause::FirstByteTimeout,
        ),
        unknown(
            "never answered, with a limit on the whole",
            || vec![Act::Read, Act::Hold],
            total,
            Cause::TotalTimeout,
        ),
        unknown(
            "an answer that stops in its body",
            || vec![Act::Read, Act::Say((head(9) + "abc").into()), Act::Hold],
            total,
            Cause::TotalTimeout,
        ),
        unknown(
            "an answer that drips without end",
            || vec![Act::Read, say("HTTP/1.1 200 OK\r\n\r\n"), Act::Flood(b"a".to_vec())],
            total,
            Cause::TotalTimeout,
        ),
        unknown(
            "a body that floods without end",
            || vec![Act::Read, say("HTTP/1.1 200 OK\r\n\r\n"), Act::Flood(vec![b'a'; 64 << 10])],
            total,
            Cause::TotalTimeout,
        ),
        unknown(
            "a head of many headers",
            || vec![Act::Read, say("HTTP/1.1 200 OK\r\n"), Act::Flood(b"a: b\r\n".to_vec())],
            patient(),
            Cause::Malformed,
        ),
        unknown(
            "a header without end",
            || vec![Act::Read, say("HTTP/1.1 200 OK\r\na: "), Act::Flood(vec![b'b'; 1 << 10])],
            patient(),
            Cause::Malformed,
        ),
        unknown(
            "extensions without end",
            || {
                let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;";
                vec![Act::Read, say(text), Act::Flood(vec![b'x'; 1 << 10])]
            },
            patient(),
            Cause::Malformed,
        ),
        unknown(
            "trailers without end",
            || {
                let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
                vec![Act::Read, say(text), Act::Flood(b"a: b\r\n".to_vec())]
            },
            patient(),
            Cause::Malformed,
        ),
    ]
}

async fn check(row: &Row) {
    for codec in CODECS {
        let server = Server::new(vec![(row.script)()]).await;
        let url = format!("http://{}", server.address);
        let mut user = User::new(&url, &with(codec), row.limits);
        let (seen, exchange) = user.ask("GET", "/").await;
        let name = format!("{} by {codec:?}: {exchange:?}", row.name);
        assert_eq!(seen, Seen::Fault(row.outcome, row.cause), "{name}");
        assert!(exchange.sent.is_some_and(|sent| sent <= exchange.done), "{name}");
        let again = user.ask("GET", "/").await.0;
        assert!(matches!(again, Seen::Fault(..)), "{name}");
        assert_eq!(server.accepted(), 2, "a broken connection is not used again: {name}");
    }
}

#[test]
fn every_fault_after_the_request_was_sent_has_its_cause() {
    run(async {
        for row in rows() {
            check(&row).await;
        }
    });
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    run(async {
        for codec in CODECS {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
            let url = format!("http://{}", socket.local_addr().expect("an address"));
            let (seen, exchange) = User::new(&url, &with(codec), patient()).ask("GET", "/").await;
            assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::Refused));
            assert_eq!((exchange.sent, exchange.first_byte, exchange.bytes), (None, None, 0));
        }
    });
}

#[test]
fn a_listener_whose_backlog_is_full_is_a_connect_timeout() {
    run(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let mut waiting = Vec::new();
        while let Ok(stream) = tokio::time::timeout(SOON, TcpStream::connect(address)).await {
            waiting.push(stream);
            assert!(waiting.len() < 100, "the backlog is never full");
        }
        for codec in CODECS {
            let limits = Timeouts { connect: SOON, ..patient() };
            let mut user = User::new(&format!("http://{address}"), &with(codec), limits);
            let (seen, exchange) = user.ask("GET", "/").await;
            assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::ConnectTimeout));
            assert_eq!(exchange.sent, None);
        }
    });
}

#[test]
fn names_and_source_addresses_that_lead_nowhere_are_unreachable() {
    run(async {
        let server = Server::new(vec![vec![Act::Hold]]).await;
        // An address for documentation (RFC 5737): it is nobody's, so not ours.
        let source =
            Transport { source_addresses: vec![[192, 0, 2, 1].into()], ..Transport::default() };
        let url = format!("http://{}", server.address);
        let (seen, _) = User::new(&url, &source, patient()).ask("GET", "/").await;
        assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::Unreachable));
        let six = Transport { ip: rehearsal::transport::Ip::Six, ..Transport::default() };
        let (seen, _) = User::new(&url, &six, patient()).ask("GET", "/").await;
        assert_eq!(seen, Seen::Fault(Outcome::Failed, Cause::Unreachable), "no such address");
    });
}

#[test]
fn a_flood_of_answers_before_the_answer_is_ended_by_count_or_by_time() {
    run(async {
        for codec in CODECS {
            let flood = Act::Flood(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
            let server = Server::new(vec![vec![Act::Read, flood]]).await;
            let limits = Timeouts { first_byte: SOON, ..patient() };
            let url = format!("http://{}", server.address);
            let (seen, _) = User::new(&url, &with(codec), limits).ask("GET", "/").await;
            // Our own codec counts; hyper passes over all of them, and the time limit ends it.
            let cause = match codec {
                rehearsal::transport::Codec::Raw => Cause::Malformed,
                rehearsal::transport::Codec::Hyper => Cause::FirstByteTimeout,
            };
            assert_eq!(seen, Seen::Fault(Outcome::Unknown, cause), "{codec:?}");
        }
    });
}

#[test]
fn a_connection_closed_before_the_request_is_a_failure_that_nobody_served() {
    run(async {
        for codec in CODECS {
            for answered in [false, true] {
                let text = "HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n";
                let script = if answered { vec![say(text)] } else { Vec::new() };
                let server = Server::new(vec![script]).await;
                let url = format!("http://{}", server.address);
                let (seen, _) = User::new(&url, &with(codec), patient()).ask("GET", "/").await;
                // Whether the close is seen before the request is written is a race that the
                // system's own users run too; both ends of it are no answer.
                let possible = [Outcome::Failed, Outcome::Unknown];
                let fault = possible.map(|outcome| Seen::Fault(outcome, Cause::Reset));
                let early = answered && matches!(&seen, Seen::Answer(good) if good.status == 503);
                assert!(early || fault.contains(&seen), "{codec:?}: {seen:?}");
            }
        }
    });
}

#[test]
fn an_answer_that_comes_before_the_request_is_read_is_good() {
    run(async {
        let text = "HTTP/1.1 413 x\r\ncontent-length: 3\r\n\r\nbig";
        let body = vec![b'x'; 8 << 20];
        let server = Server::new(vec![vec![say(""), Act::Drip(vec![]), say(text), Act::Hold]]);
        let server = server.await;
        let mut user =
            User::new(&format!("http://{}", server.address), &with(CODECS[0]), patient());
        for _ in 0..2 {
            let (seen, _) = user.send("POST", "/", Some(&body)).await;
            // The request may have been on its way already, or not: the answer is what it is.
            let good = matches!(&seen, Seen::Answer(good) if good.status == 413);
            assert!(good || seen == Seen::Fault(Outcome::Failed, Cause::Reset), "{seen:?}");
        }
        assert_eq!(server.accepted(), 2, "a request cut short ends its connection");
        assert!(FAR > SOON);
    });
}

#[test]
fn a_long_request_is_written_whole_though_the_server_reads_it_late() {
    run(async {
        for codec in CODECS {
            let text = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            let server = Server::new(vec![vec![Act::Read, say(text), Act::Hold]]).await;
            let url = format!("http://{}", server.address);
            let mut user = User::new(&url, &with(codec), patient());
            let body = vec![b'x'; 8 << 20];
            let (seen, _) = user.send("POST", "/", Some(&body)).await;
            assert!(matches!(&seen, Seen::Answer(good) if good.body == "ok"), "{seen:?}");
            let requests = server.requests();
            let (_, sent) = requests[0].split_once("\r\n\r\n").expect("a body");
            assert!(sent.len() == body.len() && sent.bytes().all(|byte| byte == b'x'));
        }
    });
}
