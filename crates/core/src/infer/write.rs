//! Writes a proposal as YAML, in the layout of the shipped schemas.

use std::fmt::Write as _;

use super::propose::{Field, Kind, Proposal};

const INFALLIBLE: &str = "writing to a String does not fail";

/// The schema file. `full`: whether there were more fields than a schema may have.
pub(super) fn write(log_type: &str, samples: u64, proposal: &Proposal, full: bool) -> String {
    let events = if samples == 1 { "event" } else { "events" };
    let mut text =
        format!("# Proposed from {samples} sample {events}. Read it before you rely on it: names are guesses.\n");
    for (name, reason) in &proposal.left_out {
        writeln!(text, "# Left out: {} ({reason}).", quoted(name)).expect(INFALLIBLE);
    }
    if proposal.more_left_out > 0 {
        writeln!(text, "# Left out besides: {} fields.", proposal.more_left_out).expect(INFALLIBLE);
    }
    if full {
        text.push_str("# Fields beyond those that one schema may have are left out.\n");
    }
    writeln!(text, "schema: {}\nversion: 0", scalar(log_type)).expect(INFALLIBLE);
    fields(&mut text, 0, &proposal.fields);
    text
}

fn fields(text: &mut String, depth: usize, fields: &[Field]) {
    line(text, depth, "fields:");
    for Field { name, required, kind } in fields {
        line(text, depth + 1, &format!("- name: {}", scalar(name)));
        if *required {
            line(text, depth + 2, "required: true");
        }
        write_kind(text, depth + 2, kind);
    }
}

fn write_kind(text: &mut String, depth: usize, kind: &Kind) {
    match kind {
        Kind::String { indicators } => {
            line(text, depth, "type: string");
            list(text, depth, "indicators:", indicators);
        }
        Kind::Timestamp { formats, event_time, .. } => {
            line(text, depth, "type: timestamp");
            list(text, depth, "timeFormats:", formats);
            if *event_time {
                line(text, depth, "isEventTime: true");
            }
        }
        Kind::Object { fields: members, embedded } => {
            line(text, depth, "type: object");
            embedded_json(text, depth, *embedded);
            fields(text, depth, members);
        }
        Kind::Array(element) => {
            line(text, depth, "type: array");
            line(text, depth, "element:");
            write_kind(text, depth + 1, element);
        }
        Kind::Json { embedded } => {
            line(text, depth, "type: json");
            embedded_json(text, depth, *embedded);
        }
        Kind::Plain(name) => line(text, depth, &format!("type: {name}")),
    }
}

fn embedded_json(text: &mut String, depth: usize, embedded: bool) {
    if embedded {
        line(text, depth, "isEmbeddedJSON: true");
    }
}

fn list(text: &mut String, depth: usize, key: &str, values: &[&str]) {
    if !values.is_empty() {
        line(text, depth, key);
    }
    for value in values {
        line(text, depth + 1, &format!("- {}", scalar(value)));
    }
}

fn line(text: &mut String, depth: usize, content: &str) {
    writeln!(text, "{:1$}{content}", "", 2 * depth).expect(INFALLIBLE);
}

/// A text that no reader of YAML takes for anything else.
fn scalar(text: &str) -> String {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(|unit: char| unit.is_ascii_alphabetic() || unit == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        && !words.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.into() } else { quoted(text) }
}

/// A double-quoted text on one line, in which nothing but letters and digits stands as it is beyond ASCII.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for unit in text.chars() {
        match unit {
            '"' | '\\' => quoted.extend(['\\', unit]),
            ' ' | '!'..='~' => quoted.push(unit),
            unit if unit.is_alphanumeric() => quoted.push(unit),
            unit => write!(quoted, "\\U{:08x}", u32::from(unit)).expect(INFALLIBLE),
        }
    }
    quoted.push('"');
    quoted
}
