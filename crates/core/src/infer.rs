//! Proposes a schema from sample events.
//!
//! The samples are not kept: each one widens what is known of every field, so memory follows the number of fields, not of events.
//! The proposal matches every sample by construction, because each step only ever widens; wherever the samples do not agree, a
//! field becomes `json`, which holds anything. What values look like is a fact, what they mean is guessed from names, and a guess
//! never makes a schema stricter: it only says what is collected, and which instant is the event's.

mod guess;
mod node;
mod propose;
mod seen;
mod write;

use crate::{
    json::Value,
    schema::{self, Schemas},
};

use self::node::{Budget, Node};

/// The most keys of one object. One with more is used as a map, whose keys are data: it becomes `json`.
pub const MAX_KEYS: usize = 256;

/// The longest name of a field that is declared, in bytes. A longer one is data.
pub const MAX_NAME_BYTES: usize = 128;

/// How many samples it takes before a field that all of them have is called required. With fewer, that all have it says little.
pub const REQUIRED_FROM: u64 = 10;

/// How a schema is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// From how many samples on a field that all of them have is required.
    pub required_from: u64,
}

/// What is known from the samples so far.
#[derive(Debug)]
pub struct Samples {
    options: Options,
    count: u64,
    root: Node,
    budget: Budget,
}

/// A sample that is no JSON object, and therefore no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is a JSON object")]
pub struct NotAnObject;

/// Why nothing can be proposed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There was no sample, or none had a field that can be declared.
    #[error("no sample has a field that a schema can declare")]
    Nothing,
    /// The schema would be refused: its log type's name is none, or the file would be too long.
    #[error("{0}")]
    Refused(#[from] schema::Error),
}

impl Default for Options {
    fn default() -> Self {
        Self { required_from: REQUIRED_FROM }
    }
}

impl Samples {
    /// No sample yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, count: 0, root: Node::default(), budget: Budget::new(schema::MAX_FIELDS) }
    }

    /// Takes one event in.
    pub fn add(&mut self, event: &Value<'_>) -> Result<(), NotAnObject> {
        let Value::Object(members) = event else { return Err(NotAnObject) };
        self.count += 1;
        self.root.take_root(members, &mut self.budget);
        Ok(())
    }

    /// How many events were taken in.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The schema in Panther's YAML. The same samples in the same order give the same text, and [`Schemas::load`] accepts it.
    pub fn propose(&self, log_type: &str) -> Result<String, Error> {
        let proposal = propose::propose(&self.root, self.options.required_from).ok_or(Error::Nothing)?;
        let text = write::write(log_type, self.count, &proposal, self.budget.is_spent());
        Schemas::load([("the proposed schema", text.as_str())])?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
