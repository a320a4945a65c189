//! A light JSON tree that borrows the text it was read from.
//!
//! Numbers and strings stay as they were written, so what passes through is not changed by passing: `1.50` keeps its zero, an
//! integer of 24 digits keeps all of them, `\u00e9` stays an escape. Only white space between values is lost. One event at a time
//! is held this way, never a page.

mod parse;
mod write;

use std::{borrow::Cow, fmt};

pub use parse::parse;
pub(crate) use parse::{Parser, parse_first, parse_within};
pub(crate) use write::write_text;
pub use write::{write_string, write_value};

/// The deepest nesting of one value. Real events have four levels; readers downstream stop at 128, records included.
pub const MAX_DEPTH: usize = 64;

/// Any JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it was written.
    Number(&'a str),
    /// A string.
    String(Text<'a>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object: each key once, at the place of its last appearance, with its last value.
    Object(Vec<Member<'a>>),
}

/// One member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key.
    pub key: Text<'a>,
    /// The value.
    pub value: Value<'a>,
}

/// The inside of a string as it was written, escapes and all. Escapes are known to be valid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

/// Why a text is not one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct Error {
    /// Where, in bytes from the start.
    pub at: usize,
    /// What was expected there.
    pub reason: Reason,
}

/// What a JSON text lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No value begins here.
    #[error("expected a value")]
    Value,
    /// A literal, number, string or bracket is not finished, or followed by what may not follow it.
    #[error("malformed value")]
    Malformed,
    /// A string with a control character, an unknown escape or half of a surrogate pair.
    #[error("malformed string")]
    String,
    /// More than [`MAX_DEPTH`] levels.
    #[error("nested too deep")]
    Depth,
    /// Something follows the value.
    #[error("trailing bytes")]
    Trailing,
    /// Not UTF-8.
    #[error("not UTF-8")]
    Encoding,
}

impl<'a> Text<'a> {
    /// A text that needs no escapes.
    pub(crate) fn plain(text: &'a str) -> Self {
        Self { raw: text, escaped: false }
    }

    /// Whether it has escapes.
    pub(crate) fn is_escaped(self) -> bool {
        self.escaped
    }

    /// A text whose escapes are known to be valid, and to be there if `escaped`.
    pub(crate) fn from_raw(raw: &'a str, escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// The inside of a string that [`write_string`] wrote.
    pub(crate) fn written(raw: &'a str) -> Self {
        Self { raw, escaped: raw.contains('\\') }
    }

    /// The text between the quotes, escapes and all.
    #[must_use]
    pub fn raw(self) -> &'a str {
        self.raw
    }

    /// The text that is meant.
    #[must_use]
    pub fn decode(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(parse::unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// Whether the text that is meant is `other`.
    #[must_use]
    pub fn is(self, other: &str) -> bool {
        if self.escaped { parse::unescape(self.raw) == other } else { self.raw == other }
    }
}

/// Says how long it is: texts of events do not belong into messages.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Text({} bytes)", self.raw.len())
    }
}

impl<'a> Value<'a> {
    /// The member `key` of an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        match self {
            Self::Object(members) => members.iter().find(|member| member.key.is(key)).map(|member| &member.value),
            _ => None,
        }
    }

    /// The text of a string, or the literal of a number: what names a thing.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::String(text) => Some(text.decode()),
            Self::Number(literal) => Some(Cow::Borrowed(literal)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
