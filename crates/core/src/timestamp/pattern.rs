//! Timestamps in a form of their own: directives of strftime, or a layout as Go writes it.
//!
//! Both are compiled into the same pieces and read strictly from left to right; what is not a directive has to stand in the text as it
//! stands in the pattern. An instant without a zone is UTC, one without a time of day begins its day, and a pattern from which no
//! date can follow is refused when it is compiled.

mod go;
mod parts;
mod strftime;

use self::parts::Parts;
use super::Utc;

/// The longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 128;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<Piece>,
}

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Longer than [`MAX_PATTERN_BYTES`].
    #[error("longer than {MAX_PATTERN_BYTES} bytes")]
    TooLong,
    /// A directive that is not known here.
    #[error("{0:?} is no directive that is known here")]
    Directive(String),
    /// Neither a year nor an epoch.
    #[error(
        "has no year, so no instant follows from it (use rfc3339, unix, unix_ms, unix_us, unix_ns or directives such as %Y-%m-%d)"
    )]
    NoYear,
    /// An hour of twelve without its half of the day.
    #[error("has an hour of twelve without AM or PM")]
    NoHalf,
}

/// What is read next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// The same text.
    Text(String),
    /// A whole number.
    Number(Unit, Width),
    /// Seconds since 1970, perhaps negative.
    Epoch,
    /// The digits behind the point.
    Fraction(Fraction),
    /// The name of a month, whole or its first three letters.
    MonthName,
    /// The name of a day of the week, whole or its first three letters. It is read and not believed.
    DayName,
    /// AM or PM.
    Half,
    /// `Z`, `+0200`, `+02:00` or `+02`.
    Offset,
    /// The name of a zone.
    Zone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Year,
    YearOfCentury,
    Month,
    Day,
    DayOfYear,
    Hour,
    HourOfHalf,
    Minute,
    Second,
}

/// How many digits a number has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// So many.
    Exactly(usize),
    /// At least one, at most so many.
    UpTo(usize),
    /// So many, or spaces in the place of the first ones.
    Padded(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fraction {
    /// At least one digit; those behind the ninth are cut off.
    Any,
    /// So many digits.
    Exactly(usize),
    /// A point or comma and digits, or nothing.
    Optional,
}

impl Pattern {
    /// Compiles directives such as `%Y-%m-%d %H:%M:%S`.
    pub fn from_strftime(text: &str) -> Result<Self, PatternError> {
        check_length(text)?;
        Self::new(strftime::pieces(text)?)
    }

    /// Compiles a layout such as `2006-01-02 15:04:05 MST`: the reference time of Go's package `time`, written as the text would be.
    pub fn from_go_layout(text: &str) -> Result<Self, PatternError> {
        check_length(text)?;
        Self::new(go::pieces(text))
    }

    /// The instant that `text` says, if it has this form.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Utc> {
        let mut parts = Parts::default();
        let mut rest = text;
        for piece in &self.pieces {
            rest = parts.take(piece, rest)?;
        }
        if rest.is_empty() { parts.instant() } else { None }
    }

    fn new(pieces: Vec<Piece>) -> Result<Self, PatternError> {
        let number =
            |wanted: Unit| pieces.iter().any(|piece| matches!(piece, Piece::Number(unit, _) if *unit == wanted));
        if number(Unit::HourOfHalf) && !pieces.contains(&Piece::Half) {
            return Err(PatternError::NoHalf);
        }
        if number(Unit::Year) || number(Unit::YearOfCentury) || pieces.contains(&Piece::Epoch) {
            Ok(Self { pieces })
        } else {
            Err(PatternError::NoYear)
        }
    }
}

fn check_length(text: &str) -> Result<(), PatternError> {
    if text.len() > MAX_PATTERN_BYTES { Err(PatternError::TooLong) } else { Ok(()) }
}

/// Adds a piece of literal text to the end.
fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

#[cfg(test)]
mod tests;
