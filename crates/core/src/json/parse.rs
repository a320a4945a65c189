//! Reads one JSON value, strictly by RFC 8259.
//!
//! Stricter than most in two points that would hurt behind us: half of a surrogate pair is refused, because readers downstream
//! differ on it, and nesting is bounded.

use hashbrown::HashSet;

use super::{Error, MAX_DEPTH, Member, Reason, Text, Value};
use crate::special::{self, Marks};

/// Up to this many members, doubles are found by comparing each with each.
const FEW_MEMBERS: usize = 24;

/// Reads the one value that `bytes` holds, with white space around it.
pub fn parse(bytes: &[u8]) -> Result<Value<'_>, Error> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| Error { at: error.valid_up_to(), reason: Reason::Encoding })?;
    parse_within(text, MAX_DEPTH)
}

/// Reads the one value that `text` holds, with at most `depth` levels.
pub(crate) fn parse_within(text: &str, depth: usize) -> Result<Value<'_>, Error> {
    let mut parser = Parser::new(text);
    let value = parser.value(depth)?;
    parser.skip_space();
    if parser.at == text.len() { Ok(value) } else { Err(parser.error(Reason::Trailing)) }
}

/// Reads the value that `text` begins with, and says where it ends.
pub(crate) fn parse_first(text: &str) -> Result<(Value<'_>, usize), Error> {
    let mut parser = Parser::new(text);
    let value = parser.value(MAX_DEPTH)?;
    Ok((value, parser.at))
}

/// The text that a valid escaped text means.
pub(super) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let (unit, length) = match rest.as_bytes()[at + 1] {
            b'u' => escaped_char(&rest[at..]).expect("escapes were checked when the text was read"),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            itself => (char::from(itself), 2),
        };
        text.push(unit);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    text
}

/// The character of `\uXXXX` or of a surrogate pair at the start of `text`, and how many bytes it takes there.
fn escaped_char(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        // `from_str_radix` would take a sign.
        if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) { u32::from_str_radix(digits, 16).ok() } else { None }
    };
    let first = unit(0)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = unit(6).filter(|second| (0xdc00..0xe000).contains(second))?;
    Some((char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, 12))
}

/// A place in a text, from which pieces of a value are read.
pub(crate) struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    marks: Option<&'a Marks>,
    at: usize,
}

impl<'a> Parser<'a> {
    /// At the beginning of `text`.
    fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), marks: None, at: 0 }
    }

    /// At byte `at` of `text`, which must be the beginning of a character. `marks` are those of the text.
    pub(crate) fn within(text: &'a str, marks: &'a Marks, at: usize) -> Self {
        Self { text, bytes: text.as_bytes(), marks: Some(marks), at }
    }

    /// The place, in bytes.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Steps over `byte` if it is next.
    #[inline]
    pub(crate) fn take_at_once(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Steps over `word` if it is next.
    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let found = self.bytes[self.at..].starts_with(word.as_bytes());
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Error> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'{') => Ok(Value::Object(self.object(self.deeper(depth)?)?)),
            Some(b'[') => Ok(Value::Array(self.array(self.deeper(depth)?)?)),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            _ => Err(self.error(Reason::Value)),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, Error> {
        depth.checked_sub(1).ok_or(self.error(Reason::Depth))
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Member<'a>>, Error> {
        let mut members = Vec::with_capacity(16);
        self.at += 1;
        let mut more = !self.take(b'}');
        while more {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.error(Reason::Malformed));
            }
            let key = self.string()?;
            if !self.take(b':') {
                return Err(self.error(Reason::Malformed));
            }
            members.push(Member { key, value: self.value(depth)? });
            more = self.more(b'}')?;
        }
        keep_last(&mut members);
        Ok(members)
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value<'a>>, Error> {
        let mut elements = Vec::new();
        self.at += 1;
        let mut more = !self.take(b']');
        while more {
            elements.push(self.value(depth)?);
            more = self.more(b']')?;
        }
        Ok(elements)
    }

    /// The string that begins here.
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Error> {
        let start = self.at + 1;
        let escaped = self.skip_string()?;
        Ok(Text { raw: &self.text[start..self.at - 1], escaped })
    }

    /// Steps over the string that begins here; whether it has escapes.
    #[inline]
    pub(crate) fn skip_string(&mut self) -> Result<bool, Error> {
        self.at += 1;
        self.at = self.special();
        if self.take_at_once(b'"') { Ok(false) } else { self.skip_escaped() }
    }

    /// Goes on within a string, to its end.
    #[cold]
    fn skip_escaped(&mut self) -> Result<bool, Error> {
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += self.escape()?,
                Some(_) | None => return Err(self.error(Reason::String)),
            }
            self.at = self.special();
        }
        self.at += 1;
        Ok(true)
    }

    /// Where the next quote, backslash or control character stands, or the end of the text.
    #[inline]
    fn special(&self) -> usize {
        let found = match self.marks {
            Some(marks) => marks.next(self.at),
            None => special::first(&self.bytes[self.at..]).map(|offset| self.at + offset),
        };
        found.unwrap_or(self.bytes.len())
    }

    fn escape(&self) -> Result<usize, Error> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
            Some(b'u') => {
                escaped_char(&self.text[self.at..]).map(|(_, length)| length).ok_or(self.error(Reason::String))
            }
            _ => Err(self.error(Reason::String)),
        }
    }

    /// Steps over the number that begins here.
    pub(crate) fn number(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.error(Reason::Malformed)) }
    }

    fn literal(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Error> {
        if self.take_word(word) { Ok(value) } else { Err(self.error(Reason::Value)) }
    }

    /// After a member or element: whether a comma announces another one.
    fn more(&mut self, close: u8) -> Result<bool, Error> {
        if self.take(b',') {
            Ok(true)
        } else if self.take(close) {
            Ok(false)
        } else {
            Err(self.error(Reason::Malformed))
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn error(&self, reason: Reason) -> Error {
        Error { at: self.at, reason }
    }
}

/// Of several members with one key, only the last stays. Linear in the number of members, so that a hostile object with a million
/// keys costs what its length is worth.
fn keep_last(members: &mut Vec<Member<'_>>) {
    if members.len() <= FEW_MEMBERS {
        let mut at = 0;
        while at < members.len() {
            let key = members[at].key;
            let repeated = members[at + 1..].iter().any(|later| same(later.key, key));
            if repeated {
                members.remove(at);
            } else {
                at += 1;
            }
        }
    } else {
        let mut seen = HashSet::with_capacity(members.len());
        let last: Vec<bool> = members.iter().rev().map(|member| seen.insert(member.key.decode())).collect();
        let mut last = last.into_iter().rev();
        members.retain(|_| last.next().unwrap_or(true));
    }
}

fn same(one: Text<'_>, other: Text<'_>) -> bool {
    if one.escaped || other.escaped {
        return one.decode() == other.decode();
    }
    // Keys of one object differ in their last letters more often than in their first, and comparing texts is a call.
    let (one, other) = (one.raw.as_bytes(), other.raw.as_bytes());
    one.len() == other.len() && one.last() == other.last() && one == other
}
