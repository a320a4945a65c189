//! Steps over JSON values without building them.
//!
//! Checks what decides where a value ends: quotes, escapes, matching brackets. Grammar inside a value is left to whoever reads
//! the value, so that one broken item does not cost the page.

use std::{borrow::Cow, str};

use super::{Error, MAX_DEPTH};
use crate::special::Marks;

/// A place in a body. `Copy`, so that a walk can be tried and taken back.
#[derive(Clone, Copy)]
pub(super) struct Scanner<'body, 'marks> {
    body: &'body [u8],
    marks: &'marks Marks,
    at: usize,
}

impl<'body, 'marks> Scanner<'body, 'marks> {
    pub(super) fn new(body: &'body [u8], marks: &'marks Marks) -> Self {
        Self { body, marks, at: 0 }
    }

    /// What was marked in the body.
    pub(super) fn marks(&self) -> &'marks Marks {
        self.marks
    }

    /// Where the next value begins.
    pub(super) fn position(&mut self) -> usize {
        self.skip_space();
        self.at
    }

    /// Goes on behind what somebody else has read.
    pub(super) fn go_on_at(&mut self, at: usize) {
        self.at = at;
    }

    /// Everything from `start` to here.
    pub(super) fn since(&self, start: usize) -> &'body [u8] {
        &self.body[start..self.at]
    }

    /// Steps over `byte` if it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.body.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    /// After a member: steps over a comma (`true`) or over `close` (`false`).
    pub(super) fn more(&mut self, close: u8) -> Result<bool, Error> {
        if self.take(b',') {
            Ok(true)
        } else if self.take(close) {
            Ok(false)
        } else {
            Err(self.syntax())
        }
    }

    /// Steps over a key and its colon; the key without its quotes.
    pub(super) fn key(&mut self) -> Result<&'body [u8], Error> {
        let start = self.position();
        if self.body.get(self.at) != Some(&b'"') {
            return Err(self.syntax());
        }
        self.skip_string()?;
        let key = &self.body[start + 1..self.at - 1];
        if self.take(b':') { Ok(key) } else { Err(self.syntax()) }
    }

    /// Steps over one value of any type.
    pub(super) fn value(&mut self) -> Result<&'body [u8], Error> {
        let start = self.position();
        match self.body.get(self.at) {
            Some(b'"') => self.skip_string()?,
            Some(b'{' | b'[') => self.skip_nested()?,
            _ => self.skip_scalar()?,
        }
        Ok(self.since(start))
    }

    /// Nothing but white space may be left.
    pub(super) fn end(mut self) -> Result<(), Error> {
        let at = self.position();
        if at == self.body.len() { Ok(()) } else { Err(Error::Trailing { at }) }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.body.get(self.at) {
            self.at += 1;
        }
    }

    fn skip_string(&mut self) -> Result<(), Error> {
        self.at += 1;
        while let Some(at) = self.marks.next(self.at) {
            self.at = at + 1;
            match self.body[at] {
                b'"' => return Ok(()),
                b'\\' => self.at += 1,
                // A control character: the value's reader refuses it.
                _ => {}
            }
        }
        self.at = self.body.len();
        Err(self.syntax())
    }

    /// Which bracket each open level needs is one bit of `objects`.
    fn skip_nested(&mut self) -> Result<(), Error> {
        let mut objects: u128 = 0;
        let mut depth = 0;
        while let Some(&byte) = self.body.get(self.at) {
            match byte {
                b'"' => {
                    self.skip_string()?;
                    continue;
                }
                b'{' | b'[' => {
                    if depth == MAX_DEPTH {
                        return Err(Error::TooDeep { at: self.at });
                    }
                    objects = objects << 1 | u128::from(byte == b'{');
                    depth += 1;
                }
                b'}' | b']' => {
                    if (objects & 1 == 1) != (byte == b'}') {
                        return Err(self.syntax());
                    }
                    objects >>= 1;
                    depth -= 1;
                }
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
        Err(self.syntax())
    }

    fn skip_scalar(&mut self) -> Result<(), Error> {
        let start = self.at;
        let ends =
            |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':' | b'"' | b'{' | b'[') || byte.is_ascii_whitespace();
        while self.body.get(self.at).is_some_and(|byte| !ends(byte)) {
            self.at += 1;
        }
        if self.at == start { Err(self.syntax()) } else { Ok(()) }
    }

    fn syntax(&self) -> Error {
        Error::Syntax { at: self.at.min(self.body.len()) }
    }
}

/// The inside of a string value; `None` for any other type.
pub(super) fn string(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The text that the inside of a string stands for; `None` if it is not UTF-8, has a bad escape or a raw control character.
pub(super) fn text(inside: &[u8]) -> Option<Cow<'_, str>> {
    let plain = inside.iter().all(|byte| *byte != b'\\' && *byte >= b' ');
    if plain {
        return str::from_utf8(inside).ok().map(Cow::Borrowed);
    }
    let quoted = [b"\"", inside, b"\""].concat();
    serde_json::from_slice(&quoted).ok().map(Cow::Owned)
}
