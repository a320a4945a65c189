//! How a timestamp is written: `timeFormat` and `timeFormats` in schemas.

use std::borrow::Cow;

use crate::{
    json::Value,
    timestamp::{self, Pattern, Unit, Utc},
};

/// How a timestamp is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `rfc3339`
    Rfc3339,
    /// `unix`, `unix_ms`, `unix_us`, `unix_ns`
    Unix(Unit),
    /// Directives of strftime, or a layout of Go's (`layout=2006-01-02 15:04:05`).
    Pattern(Pattern),
}

/// What the first format that fits makes of a text or a number. Behind them stands the form in which records carry every timestamp,
/// so that a record can be read again whatever its event's form was.
pub(crate) fn read(value: &Value<'_>, formats: &[TimeFormat]) -> Option<Utc> {
    let (text, quoted) = match value {
        Value::String(text) => (text.decode(), true),
        Value::Number(literal) => (Cow::Borrowed(*literal), false),
        _ => return None,
    };
    formats.iter().find_map(|format| format.read(&text, quoted)).or_else(|| timestamp::parse_written(&text))
}

impl TimeFormat {
    fn read(&self, text: &str, quoted: bool) -> Option<Utc> {
        match self {
            Self::Rfc3339 => timestamp::parse_rfc3339(text).filter(|_| quoted),
            Self::Unix(unit) => timestamp::parse_unix(text, *unit),
            Self::Pattern(pattern) => pattern.read(text),
        }
    }
}
