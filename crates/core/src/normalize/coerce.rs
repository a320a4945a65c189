//! What a value becomes under a declared type.
//!
//! Panther's table, row by row: each function answers with the value, with nothing (null and what counts as null), or with what it
//! would have needed.

use std::borrow::Cow;

use crate::{
    json::{self, Text, Value},
    schema::{self, TimeFormat, Width},
    timestamp::Utc,
};

/// Why a value does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    /// The stable word.
    pub(super) rule: &'static str,
    /// What was needed.
    pub(super) expected: &'static str,
}

pub(super) type Coerced<T> = Result<Option<T>, Unfit>;

const TYPE: &str = "type";

/// Numbers of this length without an exponent lie far inside the range of floats.
const FEW_DIGITS: usize = 100;

/// Numbers keep their literal text.
pub(super) fn string<'a>(value: &Value<'a>) -> Coerced<Text<'a>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(*text)),
        Value::Number(literal) => Ok(Some(Text::plain(literal))),
        Value::Bool(true) => Ok(Some(Text::plain("true"))),
        Value::Bool(false) => Ok(Some(Text::plain("false"))),
        Value::Array(_) | Value::Object(_) => Err(Unfit { rule: TYPE, expected: "string" }),
    }
}

/// Neither fraction nor exponent, and in range.
pub(super) fn integer(value: &Value<'_>, width: Width) -> Coerced<i64> {
    let number: Option<i64> = match value {
        Value::Null => return Ok(None),
        Value::Number(literal) => literal.parse().ok(),
        Value::String(text) => match text.decode() {
            text if text.is_empty() => return Ok(None),
            text => text.parse().ok(),
        },
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| width.holds(*number)).map(Some).ok_or(Unfit { rule: TYPE, expected: width.as_str() })
}

/// A number keeps its literal text, and so does a text that is a JSON number.
pub(super) fn float<'a>(value: &Value<'a>) -> Coerced<Cow<'a, str>> {
    let literal = match value {
        Value::Null => return Ok(None),
        Value::Number(literal) => Some(Cow::Borrowed(*literal)),
        Value::String(text) => match text.decode() {
            text if text.is_empty() => return Ok(None),
            text => Some(text),
        },
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let fit = literal.and_then(|literal| {
        let number = literal.parse::<f64>().ok().filter(|number| number.is_finite())?;
        let is_json = matches!(json::parse(literal.as_bytes()), Ok(Value::Number(_)));
        Some(if is_json { literal } else { Cow::Owned(format!("{number:?}")) })
    });
    fit.map(Some).ok_or(Unfit { rule: TYPE, expected: "float" })
}

/// Whether a JSON number is a float of 64 bits. Only large exponents and hundreds of digits make one that is not.
pub(super) fn is_finite(number: &str) -> bool {
    let is_short = number.len() <= FEW_DIGITS && !number.bytes().any(|byte| matches!(byte, b'e' | b'E'));
    is_short || number.parse().is_ok_and(f64::is_finite)
}

/// Whether a JSON number is an integer in range that records have in this form, as they have all but minus zero.
pub(super) fn is_written_so(number: &str, width: Width) -> bool {
    number.parse().is_ok_and(|number| width.holds(number)) && number != "-0"
}

/// The spellings of Go's `strconv.ParseBool`.
pub(super) fn boolean(value: &Value<'_>) -> Coerced<bool> {
    let flag = match value {
        Value::Null => return Ok(None),
        Value::Bool(flag) => Some(*flag),
        Value::Number(literal) => bit(literal),
        Value::String(text) => match text.decode().as_ref() {
            "" => return Ok(None),
            "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            text => bit(text),
        },
        Value::Array(_) | Value::Object(_) => None,
    };
    flag.map(Some).ok_or(Unfit { rule: TYPE, expected: "boolean" })
}

/// The first format that reads the value.
pub(super) fn instant(value: &Value<'_>, formats: &[TimeFormat]) -> Coerced<Utc> {
    match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.raw().is_empty() => return Ok(None),
        Value::String(_) | Value::Number(_) => {}
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(Unfit { rule: TYPE, expected: "timestamp" });
        }
    }
    let expected =
        if formats == [TimeFormat::Rfc3339] { "RFC 3339 timestamp" } else { "timestamp in a declared format" };
    schema::read_instant(value, formats).map(Some).ok_or(Unfit { rule: "timestamp", expected })
}

fn bit(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}
