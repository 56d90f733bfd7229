//! Walks over the bytes of a JSON text.

use std::borrow::Cow;

use memchr::memchr2;

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
            let Some(ahead) = memchr2(b'"', b'\\', &self.text[self.at..]) else {
                self.at = self.text.len();
                return self.wrong();
            };
            self.at += ahead;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Ok(&self.text[begin..self.at - 1]);
            }
            self.at += 2;
            if self.at > self.text.len() {
                self.at = self.text.len();
                return self.wrong();
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

    fn skip_inside(&mut self) -> Result<(), NotJson> {
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return self.wrong(),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
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
