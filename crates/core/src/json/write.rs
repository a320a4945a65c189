//! Writes JSON without white space, and what was read as it was read.

use super::{Text, Value};
use crate::special;

/// Appends `value`.
pub fn write_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(literal) => out.extend_from_slice(literal.as_bytes()),
        Value::String(text) => write_text(out, *text),
        Value::Array(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, element);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(out, member.key);
                out.push(b':');
                write_value(out, &member.value);
            }
            out.push(b'}');
        }
    }
}

/// Appends a string as it was written.
pub(crate) fn write_text(out: &mut Vec<u8>, text: Text<'_>) {
    out.push(b'"');
    out.extend_from_slice(text.raw.as_bytes());
    out.push(b'"');
}

/// Appends `text` as a string, with no more escapes than JSON demands.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = special::first(rest) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
