//! The chunked transfer coding, decoded as the bytes come.
//!
//! ```text
//! 1a; extension\r\n   26 bytes \r\n   0\r\n   trailer: value\r\n   \r\n
//! ```
//!
//! Line ends are CR LF and nothing else: what one side takes for a line end and the other does not
//! is how answers are smuggled.

/// Bytes of extensions in one answer at most.
const EXTENSIONS_LIMIT: u16 = 16 << 10;

/// Bytes of trailers at most.
const TRAILERS_LIMIT: u16 = 16 << 10;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first digit of a size.
    Start,
    /// Further digits of it.
    Size,
    /// White space after a size.
    Space,
    /// An extension, which is passed over.
    Extension,
    /// The end of the line of the size.
    SizeLf,
    /// Bytes of the chunk.
    Data,
    /// The line end after a chunk.
    DataCr,
    DataLf,
    /// The first byte of a trailer, or the end.
    Trailer,
    /// The rest of a trailer's name.
    TrailerName,
    /// The value of a trailer, which is passed over.
    TrailerValue,
    TrailerLf,
    /// The last byte.
    EndLf,
    /// All is read.
    End,
}

/// A decoder in the middle of a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunked {
    state: State,
    /// Bytes of the chunk that are yet to come.
    left: u64,
    extensions: u16,
    trailers: u16,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self { state: State::Start, left: 0, extensions: 0, trailers: 0 }
    }

    /// Whether the body is complete.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::End
    }

    /// Reads on in `bytes` and hands the body's bytes to `sink`; returns how many bytes were read,
    /// which are all of them unless the body ended.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<usize, &'static str> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::End {
            if self.state == State::Data {
                let there = (bytes.len() - at) as u64;
                let taken = usize::try_from(self.left.min(there)).unwrap_or(usize::MAX);
                sink(&bytes[at..at + taken]);
                self.left -= taken as u64;
                at += taken;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            self.state = self.step(bytes[at])?;
            at += 1;
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<State, &'static str> {
        Ok(match (self.state, byte) {
            (State::Start | State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let size = self.left.checked_mul(16).and_then(|size| size.checked_add(digit));
                self.left = size.ok_or("a chunk's size is too big for a number")?;
                State::Size
            }
            (State::Start | State::Size | State::Space, _) => self.after_size(byte)?,
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\n') => return Err("a chunk's extension holds a line end"),
            (State::Extension, _) => {
                self.extensions += 1;
                if self.extensions >= EXTENSIONS_LIMIT {
                    return Err("the chunks' extensions are too long");
                }
                State::Extension
            }
            (State::SizeLf, b'\n') if self.left == 0 => State::Trailer,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Start,
            (State::DataCr | State::DataLf, _) => return Err("a chunk does not end at its size"),
            (State::Trailer, b'\r') => State::EndLf,
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::Trailer,
            (State::Trailer | State::TrailerName | State::TrailerValue, _) => self.trailer(byte)?,
            (State::EndLf, b'\n') => State::End,
            _ => return Err("a chunk's line ends without CR LF"),
        })
    }

    fn trailer(&mut self, byte: u8) -> Result<State, &'static str> {
        self.trailers += 1;
        if self.trailers >= TRAILERS_LIMIT {
            return Err("the trailers are too long");
        }
        match (self.state, byte) {
            (State::TrailerName, b':') | (State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => {
                Ok(State::TrailerValue)
            }
            (State::Trailer | State::TrailerName, byte) if is_token(byte) => Ok(State::TrailerName),
            _ => Err("a trailer is malformed"),
        }
    }

    fn after_size(&self, byte: u8) -> Result<State, &'static str> {
        match byte {
            _ if self.state == State::Start => Err("a chunk's size is not a number"),
            b'\t' | b' ' => Ok(State::Space),
            b';' => Ok(State::Extension),
            b'\r' => Ok(State::SizeLf),
            _ => Err("a chunk's size is not a number"),
        }
    }
}

/// Whether a header's name may hold `byte` (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Body and bytes read, when `bytes` come in pieces of `step`.
    fn decoded(bytes: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool), &'static str> {
        let mut chunked = Chunked::new();
        let mut body = Vec::new();
        let mut read = 0;
        for piece in bytes.chunks(step) {
            read += chunked.read(piece, &mut |data| body.extend_from_slice(data))?;
            if chunked.is_over() {
                break;
            }
        }
        Ok((body, read, chunked.is_over()))
    }

    #[test]
    fn a_body_is_the_same_in_whatever_pieces_it_comes() {
        let bytes = b"3;x=\"y\"\r\nabc\r\n0A \r\n0123456789\r\n0\r\nx: y\r\nz: 1\r\n\r\nrest";
        for step in 1..=bytes.len() {
            let expected = (b"abc0123456789".to_vec(), bytes.len() - 4, true);
            assert_eq!(decoded(bytes, step), Ok(expected), "in pieces of {step}");
        }
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        let long = [b"1;".as_slice(), &vec![b'x'; 17 << 10], b"\r\n"].concat();
        let wrong: [&[u8]; 13] = [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"3 4\r\n",
            b"3\nabc",
            b"3\r\nabcd\r\n",
            b"3;a\nb\r\n",
            b"10000000000000000\r\n",
            b"0\r\nx: y\nz",
            b"0\r\nx y\r\n",
            b"0\r\n: y\r\n",
            b"0\r\nx: \0\r\n",
            &long,
        ];
        for bytes in wrong {
            for step in [1, bytes.len()] {
                assert!(decoded(bytes, step).is_err(), "{:?}", String::from_utf8_lossy(bytes));
            }
        }
    }

    #[test]
    fn a_body_that_ends_early_is_not_over() {
        assert_eq!(decoded(b"5\r\nabc", 2), Ok((b"abc".to_vec(), 6, false)));
        assert_eq!(decoded(b"1\r\na\r\n0\r\n", 3), Ok((b"a".to_vec(), 9, false)));
    }
}
