//! What is wrong with an event: path, rule, expected, found.
//!
//! What was found is described, never quoted: rejections are read by people who may not see what the event says about others.

use std::fmt::Write as _;

use latchkey_contracts::rejection::Problem;

use crate::json::{self, Value};

/// How many problems of one event are named; the rest is counted.
pub const MAX_PROBLEMS: usize = 64;

/// The longest name of a field in a path, in bytes. A longer one is cut.
const MAX_NAME_BYTES: usize = 64;

const INFALLIBLE: &str = "writing to a String does not fail";

/// Where the walk is.
#[derive(Debug, Default)]
pub(super) struct Path<'s> {
    steps: Vec<Step<'s>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'s> {
    Field(&'s str),
    Element(usize),
}

/// The problems of one event.
#[derive(Debug, Default)]
pub(super) struct Problems {
    named: Vec<Problem>,
    more: usize,
}

impl<'s> Path<'s> {
    pub(super) fn push(&mut self, step: Step<'s>) {
        self.steps.push(step);
    }

    pub(super) fn pop(&mut self) {
        self.steps.pop();
    }

    /// `$.tags[3].name`
    pub(super) fn exact(&self, leaf: Option<&str>) -> String {
        self.render(leaf, |text, index| write!(text, "[{index}]").expect(INFALLIBLE))
    }

    /// `$.tags[*].name`: the same for every element.
    pub(super) fn general(&self, leaf: Option<&str>) -> String {
        self.render(leaf, |text, _| text.push_str("[*]"))
    }

    /// How many levels below the event.
    pub(super) fn depth(&self) -> usize {
        self.steps.len()
    }

    fn render(&self, leaf: Option<&str>, element: impl Fn(&mut String, usize)) -> String {
        let mut text = String::from("$");
        for step in self.steps.iter().copied().chain(leaf.map(Step::Field)) {
            match step {
                Step::Field(name) => push_name(&mut text, name),
                Step::Element(index) => element(&mut text, index),
            }
        }
        text
    }
}

impl Problems {
    pub(super) fn add(&mut self, path: String, rule: &str, expected: impl Into<String>, found: String) {
        if self.named.len() < MAX_PROBLEMS {
            self.named.push(Problem { path, rule: rule.into(), expected: expected.into(), found });
        } else {
            self.more += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Takes them out; an entry `more` says how many are not named.
    pub(super) fn take(&mut self) -> Vec<Problem> {
        let more = std::mem::take(&mut self.more);
        let mut problems = std::mem::take(&mut self.named);
        if more > 0 {
            let found = format!("{more} more problems");
            problems.push(Problem { path: "$".into(), rule: "more".into(), expected: String::new(), found });
        }
        problems
    }
}

/// An item that cannot be read at all.
pub(crate) fn not_json(error: json::Error) -> Problem {
    Problem { path: "$".into(), rule: "json".into(), expected: "one JSON object".into(), found: error.to_string() }
}

/// Type and length of a value.
pub(crate) fn kind_of(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(literal) => format!("number of {} bytes", literal.len()),
        Value::String(text) => text_of(&text.decode()),
        Value::Array(elements) => format!("array of {} elements", elements.len()),
        Value::Object(members) => format!("object of {} members", members.len()),
    }
}

/// Type and length of a text.
pub(crate) fn text_of(text: &str) -> String {
    format!("string of {} bytes", text.len())
}

fn push_name(path: &mut String, name: &str) {
    let cut = &name[..name.floor_char_boundary(MAX_NAME_BYTES)];
    let plain = !cut.is_empty() && cut.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain {
        path.push('.');
        path.push_str(cut);
    } else {
        write!(path, "['{}']", cut.escape_default()).expect(INFALLIBLE);
    }
    if cut.len() < name.len() {
        path.push('…');
    }
}
