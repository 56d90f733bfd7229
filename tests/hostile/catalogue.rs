//! Answers, good and malformed, and what both codecs must make of them.

use rehearsal::transport::Codec;
use rehearsal_reports::outcome::{Cause, Outcome};

use super::client::{CODECS, Seen, User, patient, run, with};
use super::server::{Act, Server};

/// What an answer is worth.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Worth {
    /// Status and body; whether the connection is used again.
    Good(u16, &'static str, bool),
    /// The cause; bytes have left, so that the outcome is unknown.
    Bad(Cause),
}

/// An answer of a server that closes after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) bytes: &'static str,
    pub(crate) worth: Worth,
}

const fn get(name: &'static str, bytes: &'static str, worth: Worth) -> Row {
    Row { name, method: "GET", bytes, worth }
}

const MALFORMED: Worth = Worth::Bad(Cause::Malformed);
const CUT: Worth = Worth::Bad(Cause::BodyCut);
const RESET: Worth = Worth::Bad(Cause::Reset);

/// The catalogue.
#[rustfmt::skip]
pub(crate) const ROWS: [Row; 61] = [
    // Good answers, by the ways in which their end is told.
    get("length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Worth::Good(200, "hello", true)),
    get("no reason", "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", Worth::Good(200, "", true)),
    get("empty reason", "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", Worth::Good(200, "", true)),
    get("empty lines before the head", "\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", Worth::Good(200, "a", true)),
    get("bare line feeds", "HTTP/1.1 200 OK\ncontent-length: 1\n\na", Worth::Good(200, "a", true)),
    get("the same length twice", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na", Worth::Good(200, "a", true)),
    get("the same length in a list", "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\na", Worth::Good(200, "a", true)),
    get("chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Worth::Good(200, "abcde", true)),
    get("chunks with extensions", "HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\n3 ;a=b\r\nabc\r\n0;x\r\n\r\n", Worth::Good(200, "abc", true)),
    get("chunks with trailers", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\nz: 1\r\n\r\n", Worth::Good(200, "a", true)),
    get("sizes with zeros before", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0003\r\nabc\r\n000\r\n\r\n", Worth::Good(200, "abc", true)),
    get("several codings", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", Worth::Good(200, "a", true)),
    get("to the close", "HTTP/1.1 200 OK\r\n\r\nhello", Worth::Good(200, "hello", false)),
    get("to the close, of nothing", "HTTP/1.1 200 OK\r\n\r\n", Worth::Good(200, "", false)),
    get("to the close, another coding", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc", Worth::Good(200, "abc", false)),
    get("announced close", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\na", Worth::Good(200, "a", false)),
    get("announced close in a list", "HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\ncontent-length: 1\r\n\r\na", Worth::Good(200, "a", false)),
    get("the old version", "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", Worth::Good(200, "a", false)),
    get("the old version, kept alive", "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na", Worth::Good(200, "a", true)),
    get("204 has no body", "HTTP/1.1 204 No Content\r\n\r\n", Worth::Good(204, "", true)),
    get("304 has none, whatever it says", "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", Worth::Good(304, "", true)),
    Row { name: "the answer to HEAD has none", method: "HEAD", bytes: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", worth: Worth::Good(200, "", true) },
    Row { name: "HEAD with chunks announced", method: "HEAD", bytes: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", worth: Worth::Good(200, "", true) },
    get("continue before", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", Worth::Good(200, "a", true)),
    get("hints before", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", Worth::Good(200, "a", true)),
    get("a failure with its reason", "HTTP/1.1 503 x\r\ncontent-length: 4\r\n\r\ndown", Worth::Good(503, "down", true)),
    get("a status beyond the classes", "HTTP/1.1 999 x\r\ncontent-length: 0\r\n\r\n", Worth::Good(999, "", true)),
    get("bytes beyond ASCII in a header", "HTTP/1.1 200 OK\r\nx: \u{e9}\r\ncontent-length: 0\r\n\r\n", Worth::Good(200, "", true)),
    get("an empty header", "HTTP/1.1 200 OK\r\nx:\r\ncontent-length: 0\r\n\r\n", Worth::Good(200, "", true)),
    // A complete answer stays good whatever follows it; its connection is not used again.
    get("rubbish after the answer", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabc", Worth::Good(200, "a", false)),
    get("a second answer that nobody asked for", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", Worth::Good(200, "a", false)),
    get("rubbish after the last chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nx", Worth::Good(200, "a", false)),
    // Chunks win over a length, as RFC 9112 has it; hyper keeps such a connection, we do not.
    get("length and chunks", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", Worth::Good(200, "a", false)),
    // Heads that are none.
    get("not HTTP", "hello\r\n\r\n", MALFORMED),
    get("another protocol", "SSH-2.0-OpenSSH_9.2\r\n", MALFORMED),
    get("the next version", "HTTP/2.0 200 OK\r\n\r\n", MALFORMED),
    get("no version of it", "HTTP/1.2 200 OK\r\n\r\n", MALFORMED),
    get("a status of letters", "HTTP/1.1 abc OK\r\n\r\n", MALFORMED),
    get("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", MALFORMED),
    get("a status below all", "HTTP/1.1 099 OK\r\n\r\n", MALFORMED),
    get("a header without a colon", "HTTP/1.1 200 OK\r\nhello\r\n\r\n", MALFORMED),
    get("a space before the colon", "HTTP/1.1 200 OK\r\ncontent-length : 1\r\n\r\na", MALFORMED),
    get("a folded header", "HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n", MALFORMED),
    get("a zero byte in a header", "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n", MALFORMED),
    get("a zero byte in a name", "HTTP/1.1 200 OK\r\nx\0: a\r\n\r\n", MALFORMED),
    get("a switch of protocols", "HTTP/1.1 101 x\r\nupgrade: y\r\nconnection: upgrade\r\n\r\n", MALFORMED),
    get("lengths that differ", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", MALFORMED),
    get("lengths that differ in a list", "HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\nab", MALFORMED),
    get("a length below zero", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\na", MALFORMED),
    get("a length beyond all", "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n", MALFORMED),
    get("chunks in the old version", "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    // Chunks that are none.
    get("a size that is none", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", MALFORMED),
    get("a size beyond all", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", MALFORMED),
    get("a chunk longer than its size", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", MALFORMED),
    get("a size ended by a line feed", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", MALFORMED),
    get("a trailer that is none", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx y\r\n\r\n", MALFORMED),
    // Answers that end too early.
    get("nothing at all", "", RESET),
    get("a part of a head", "HTTP/1.1 200 OK\r\nconte", RESET),
    get("a part of a body", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", CUT),
    get("a part of a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", CUT),
    get("no last chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", CUT),
];

/// Asks for the answer of `row`, sent by `acts`, and again afterwards.
async fn check(row: &Row, codec: Codec, acts: Vec<Act>) {
    let in_pieces = acts.iter().any(|act| matches!(act, Act::Drip(_)));
    let again = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nagain".into();
    let answers = [acts, vec![Act::Read, Act::Say(again), Act::Hold]].concat();
    let second = answers[answers.len() - 3..].to_vec();
    let worth = row.worth;
    // Where the connection may serve again, the server goes on; everywhere else it closes.
    let reused = matches!(worth, Worth::Good(_, _, true));
    let first = if reused { answers } else { answers[..answers.len() - 3].to_vec() };
    let server = Server::new(vec![first, second]).await;
    let mut user = User::new(&format!("http://{}", server.address), &with(codec), patient());
    let (seen, exchange) = user.ask(row.method, "/").await;
    let name = format!("{} by {codec:?}", row.name);
    match (&worth, &seen) {
        (Worth::Good(status, body, _), Seen::Answer(good)) => {
            assert_eq!((good.status, good.body.as_str()), (*status, *body), "{name}");
            assert_eq!(good.bytes, body.len() as u64, "{name}");
            assert!(exchange.connect.is_some() && exchange.tls.is_none(), "{name}");
            assert!(exchange.sent <= exchange.first_byte, "{name}");
            assert!(exchange.first_byte <= Some(exchange.done), "{name}");
        }
        (Worth::Bad(cause), Seen::Fault(Outcome::Unknown, found)) => {
            assert_eq!(found, cause, "{name}: {exchange:?}");
        }
        _ => panic!("{name}: {worth:?} expected, {seen:?} seen: {exchange:?}"),
    }
    if in_pieces && !reused {
        // What follows the answer may come after the next request has left: nobody could know.
        return;
    }
    let (seen, _) = user.ask("GET", "/").await;
    assert!(matches!(&seen, Seen::Answer(good) if good.body == "again"), "{name}: {seen:?}");
    assert_eq!(server.accepted(), if reused { 1 } else { 2 }, "{name}: connections");
}

#[test]
fn every_answer_is_what_it_is_worth_by_both_codecs() {
    run(async {
        for row in &ROWS {
            for codec in CODECS {
                check(row, codec, vec![Act::Read, Act::Say(row.bytes.into())]).await;
            }
        }
    });
}

#[test]
fn every_answer_is_the_same_when_it_comes_byte_by_byte() {
    run(async {
        for row in &ROWS {
            for codec in CODECS {
                check(row, codec, vec![Act::Read, Act::Drip(row.bytes.into())]).await;
            }
        }
    });
}
