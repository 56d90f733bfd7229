//! Compressed bodies, unpacked so that checks see what a user would.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use rehearsal_reports::outcome::Cause;

use super::codec;
use super::exchange::Fault;
use crate::answer::{Answer, Keep};

/// Unpacks the body if the answer says that it is packed; `whole` when all of it was kept. What
/// comes out has the limit of any body that is kept, however much one was packed.
pub(super) fn unpack(answer: &mut Answer, keep: Keep, whole: bool) -> Result<(), Fault> {
    let packed =
        answer.header("content-encoding").is_some_and(|it| it.eq_ignore_ascii_case(b"gzip"));
    if !packed || answer.body.is_empty() {
        return Ok(());
    }
    let limit = codec::kept(keep, answer.status) as u64;
    let mut body = Vec::new();
    let read = MultiGzDecoder::new(answer.body.as_slice()).take(limit).read_to_end(&mut body);
    let torn = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof && !whole;
    match read {
        // What only explains a failure need not be perfect.
        Err(_) if keep == Keep::Nothing => {}
        Err(error) if !torn(&error) => {
            let message = format!("the body is not gzip: {error}");
            return Err(Fault::failed(Cause::WrongContent, message));
        }
        _ => {}
    }
    answer.body = body;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(body: &[u8]) -> Answer {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).expect("memory");
        let mut answer = Answer::default();
        answer.status = 200;
        answer.body = encoder.finish().expect("memory");
        answer.push_header(b"Content-Encoding", b"GZIP");
        answer
    }

    #[test]
    fn a_packed_body_is_unpacked_and_a_bomb_is_bounded() {
        let mut answer = packed(b"hello");
        assert_eq!(unpack(&mut answer, Keep::Body, true), Ok(()));
        assert_eq!(answer.body, b"hello");
        let mut bomb = packed(&vec![0; 64 << 20]);
        assert!(bomb.body.len() < 1 << 20);
        assert_eq!(unpack(&mut bomb, Keep::Body, true), Ok(()));
        assert_eq!(bomb.body.len(), 1 << 20);
    }

    #[test]
    fn a_body_that_is_not_what_it_says_is_wrong_content() {
        let mut torn = packed(b"hello");
        torn.body.truncate(12);
        let cause = |answer: &mut Answer, whole| {
            unpack(answer, Keep::Body, whole).err().map(|fault| fault.cause)
        };
        assert_eq!(cause(&mut torn.clone(), true), Some(Cause::WrongContent));
        assert_eq!(cause(&mut torn, false), None, "the rest was only not kept");
        let mut plain = packed(b"");
        plain.body = b"hello".to_vec();
        assert_eq!(cause(&mut plain, true), Some(Cause::WrongContent));
    }
}
