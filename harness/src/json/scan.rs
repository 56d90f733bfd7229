//! Walks over the bytes of a JSON text.

use std::borrow::Cow;

use super::path::Step;
use super::{NotJson, Raw};

/// A place in a text.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    fn wrong<T>(&self) -> Result<T, NotJson> {
        Err(NotJson { at: self.at })
    }

    /// The next byte that is not white space; stays before it.
    fn peek(&mut self) -> Result<u8, NotJson> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return self.wrong(),
            }
        }
    }

    fn take(&mut self, wanted: u8) -> Result<(), NotJson> {
        if self.peek()? != wanted {
            return self.wrong();
        }
        self.at += 1;
        Ok(())
    }

    /// Takes `wanted` if it comes next.
    fn takes(&mut self, wanted: u8) -> Result<bool, NotJson> {
        let there = self.peek()? == wanted;
        self.at += usize::from(there);
        Ok(there)
    }

    /// A text without its quotes, escapes as they are.
    fn string(&mut self) -> Result<&'a [u8], NotJson> {
        self.take(b'"')?;
        let begin = self.at;
        loop {
            self.at = find_end(self.text, self.at);
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[begin..self.at - 1]);
                }
                Some(_) => self.at = (self.at + 2).min(self.text.len()),
                None => return self.wrong(),
            }
        }
    }

    /// Passes over a value; of the inside of lists and objects only texts and brackets are read.
    fn skip(&mut self) -> Result<Raw<'a>, NotJson> {
        let first = self.peek()?;
        let begin = self.at;
        match first {
            b'"' => drop(self.string()?),
            b'{' | b'[' => self.skip_inside()?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            b'-' | b'0'..=b'9' => {
                let digits =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let rest = &self.text[self.at..];
                self.at += rest.iter().position(|byte| !digits(byte)).unwrap_or(rest.len());
            }
            _ => return self.wrong(),
        }
        Ok(Raw { bytes: &self.text[begin..self.at] })
    }

    /// Passes over the list or object that begins here.
    fn skip_inside(&mut self) -> Result<(), NotJson> {
        let mut depth = 0_usize;
        let mut inside = false;
        while let Some(chunk) = self.text.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_le_bytes(*chunk);
            if zeros(word ^ each(b'\\')) != 0 {
                if self.step(&mut depth, &mut inside) {
                    return Ok(());
                }
                continue;
            }
            let texts = within_texts(zeros(word ^ each(b'"')), inside);
            let braces = word | each(b' ');
            let opened = zeros(braces ^ each(b'{')) & !texts;
            let closed = zeros(braces ^ each(b'}')) & !texts;
            if count(closed) < depth {
                depth = depth + count(opened) - count(closed);
                inside = texts >> 63 == 1;
                self.at += 8;
            } else if self.step(&mut depth, &mut inside) {
                return Ok(());
            }
        }
        if self.step(&mut depth, &mut inside) { Ok(()) } else { self.wrong() }
    }

    /// Goes on by eight bytes at least, one by one. Whether the end was among them.
    fn step(&mut self, depth: &mut usize, inside: &mut bool) -> bool {
        let end = self.at + 8;
        while self.at < end {
            let Some(byte) = self.text.get(self.at) else { return false };
            self.at += 1;
            match byte {
                b'"' => *inside = !*inside,
                b'\\' if *inside => self.at += 1,
                b'{' | b'[' if !*inside => *depth += 1,
                b'}' | b']' if !*inside => {
                    *depth -= 1;
                    if *depth == 0 {
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }

    fn word(&mut self, word: &[u8]) -> Result<(), NotJson> {
        if !self.text[self.at..].starts_with(word) {
            return self.wrong();
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes over the value that comes next and shows all that `steps` lead to in it to `see`.
    /// Whether that has seen enough; the scanner is then anywhere.
    pub(super) fn walk(
        &mut self,
        steps: &[Step],
        see: &mut dyn FnMut(Raw<'a>) -> bool,
    ) -> Result<bool, NotJson> {
        let Some((step, rest)) = steps.split_first() else {
            let raw = self.skip()?;
            return Ok(see(raw));
        };
        match (self.peek()?, step) {
            (b'{', Step::Key(key) | Step::Either(key, _)) => self.walk_key(key, rest, see),
            (b'[', Step::Each) => self.walk_items(None, rest, see),
            (b'[', Step::Index(index) | Step::Either(_, index)) => {
                let place = if *index < 0 {
                    let all = Self { text: self.text, at: self.at }.members()?;
                    let back = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
                    all.checked_sub(back)
                } else {
                    usize::try_from(*index).ok()
                };
                match place {
                    Some(place) => self.walk_items(Some(place), rest, see),
                    None => self.skip().map(|_| false),
                }
            }
            _ => self.skip().map(|_| false),
        }
    }

    fn walk_key(
        &mut self,
        key: &str,
        rest: &[Step],
        see: &mut dyn FnMut(Raw<'a>) -> bool,
    ) -> Result<bool, NotJson> {
        self.take(b'{')?;
        if self.takes(b'}')? {
            return Ok(false);
        }
        let mut passed = false;
        loop {
            self.peek()?;
            let own = self.string()?;
            self.take(b':')?;
            if !passed && is_key(own, key) {
                // Of two equal keys the first counts.
                passed = true;
                if self.walk(rest, see)? {
                    return Ok(true);
                }
            } else {
                self.skip()?;
            }
            if !self.takes(b',')? {
                self.take(b'}')?;
                return Ok(false);
            }
        }
    }

    /// Walks into the item at `place`, or into each.
    fn walk_items(
        &mut self,
        place: Option<usize>,
        rest: &[Step],
        see: &mut dyn FnMut(Raw<'a>) -> bool,
    ) -> Result<bool, NotJson> {
        self.take(b'[')?;
        if self.takes(b']')? {
            return Ok(false);
        }
        for at in 0.. {
            if place.is_none_or(|place| place == at) {
                if self.walk(rest, see)? {
                    return Ok(true);
                }
            } else {
                self.skip()?;
            }
            if !self.takes(b',')? {
                self.take(b']')?;
                break;
            }
        }
        Ok(false)
    }

    /// How many items or entries the list or object has that comes next.
    pub(super) fn members(mut self) -> Result<usize, NotJson> {
        let object = self.peek()? == b'{';
        self.at += 1;
        let end = if object { b'}' } else { b']' };
        if self.takes(end)? {
            return Ok(0);
        }
        let mut members = 1;
        loop {
            if object {
                self.string()?;
                self.take(b':')?;
            }
            self.skip()?;
            if !self.takes(b',')? {
                return self.take(end).map(|()| members);
            }
            members += 1;
        }
    }
}

/// The same byte in each place of a word.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks the bytes of `word` that are zero with their highest bit.
const fn zeros(word: u64) -> u64 {
    let low = each(0x7f);
    !(((word & low) + low) | word | low)
}

/// How many bytes are marked.
const fn count(marks: u64) -> usize {
    ((marks >> 7).wrapping_mul(each(1)) >> 56) as usize
}

/// From marked quotes, marks what lies in texts: each opening quote and all up to the closing one.
/// `inside` says whether the word begins in a text.
const fn within_texts(quotes: u64, inside: bool) -> u64 {
    let mut texts = quotes;
    texts ^= texts << 8;
    texts ^= texts << 16;
    texts ^= texts << 32;
    if inside { texts ^ each(0x80) } else { texts }
}

/// Marks what ends a text or escapes its end.
const fn ends_text(word: u64) -> u64 {
    zeros(word ^ each(b'"')) | zeros(word ^ each(b'\\'))
}

/// The first place from `at` on that ends a text or escapes its end, eight bytes at a time; the end
/// when there is none. Most texts are shorter than the call of a vectorised search is long.
fn find_end(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = ends_text(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    // Zeros in the place of what is not there are never marked.
    let rest = text.get(at..).unwrap_or_default();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    match ends_text(u64::from_le_bytes(last)) {
        0 => text.len(),
        found => at + found.trailing_zeros() as usize / 8,
    }
}

fn is_key(own: &[u8], key: &str) -> bool {
    own == key.as_bytes() || (memchr::memchr(b'\\', own).is_some() && unescaped(own) == key)
}

/// RFC 8259 section 7: the text between two quotes; as it is written where its escapes mean
/// nothing, such as half of a surrogate pair.
pub(super) fn unescaped(inside: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inside).is_none() {
        return String::from_utf8_lossy(inside);
    }
    let mut quoted = Vec::with_capacity(inside.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(inside);
    quoted.push(b'"');
    match serde_json::from_slice(&quoted) {
        Ok(text) => Cow::Owned(text),
        Err(_) => String::from_utf8_lossy(inside),
    }
}
