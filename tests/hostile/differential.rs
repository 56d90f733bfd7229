//! Our own codec beside hyper, on answers that nobody thought of.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rehearsal::transport::Codec;
use rehearsal_reports::outcome::Outcome;

use super::catalogue::ROWS;
use super::client::{Seen, User, patient, run, with};
use super::server::{Act, Server};

/// Answers that are made up.
const MADE_UP: usize = 1000;

/// Bytes that are put in: those that mean something to one reader or the other.
const PUT_IN: [u8; 11] = *b"\r\n 0:,;aF\0\x80";

/// What came of an answer, as far as both codecs must agree: why an answer is not good is a matter
/// of words where it is wrong in two ways at once.
#[derive(Debug, PartialEq, Eq)]
enum Class {
    Good(Seen),
    Bad(Outcome),
}

impl Class {
    fn of(seen: Seen) -> Self {
        match seen {
            Seen::Fault(outcome, _) => Self::Bad(outcome),
            good @ Seen::Answer(_) => Self::Good(good),
        }
    }
}

/// An answer of the catalogue with a few bytes changed, left out, doubled or put in.
fn mutated(random: &mut Pcg64Mcg) -> (&'static str, Vec<u8>) {
    let row = &ROWS[random.random_range(0..ROWS.len())];
    let mut bytes = row.bytes.as_bytes().to_vec();
    for _ in 0..random.random_range(1..4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] = random.random(),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, PUT_IN[random.random_range(0..PUT_IN.len())]),
            3 => {
                let end = random.random_range(at..bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.truncate(at),
        }
    }
    (row.method, bytes)
}

/// The bytes in pieces, written one after the other.
fn pieces(bytes: &[u8], random: &mut Pcg64Mcg) -> Vec<Act> {
    let mut acts = vec![Act::Read];
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(random.random_range(1..=rest.len()));
        acts.push(Act::Say(piece.to_vec()));
        acts.push(Act::Drip(Vec::new()));
        rest = more;
    }
    acts
}

/// Whether a line after the head ends with a line feed alone: in trailers, hyper takes that for
/// their end and our own codec for malformed.
fn odd_trailers(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let rest = text.split_once("\r\n\r\n").map_or("", |(_, rest)| rest);
    rest.replace("\r\n", "").contains('\n')
}

async fn class(method: &str, acts: Vec<Act>, codec: Codec) -> Class {
    let server = Server::new(vec![acts]).await;
    let mut user = User::new(&format!("http://{}", server.address), &with(codec), patient());
    Class::of(user.ask(method, "/").await.0)
}

#[test]
fn both_codecs_agree_on_answers_that_nobody_thought_of() {
    run(async {
        let mut random = Pcg64Mcg::seed_from_u64(3);
        let mut good = 0;
        for number in 0..MADE_UP {
            let (method, bytes) = mutated(&mut random);
            let acts = pieces(&bytes, &mut random);
            let ours = class(method, acts.clone(), Codec::Raw).await;
            let theirs = class(method, acts, Codec::Hyper).await;
            good += usize::from(matches!(ours, Class::Good(_)));
            let text = String::from_utf8_lossy(&bytes);
            if ours != theirs && odd_trailers(&bytes) {
                continue;
            }
            assert_eq!(ours, theirs, "answer {number} to {method}: {text:?}");
        }
        let share = good * 100 / MADE_UP;
        assert!((10..90).contains(&share), "{share} % of the answers are good: a dull lot");
    });
}
