//! Where events differ from what their schema says: undeclared fields, new values of a closed set, values of another type.
//!
//! Paths and counts, types and lengths: no values, for what drifts is reported widely. The one exception is a new value of a field
//! that lists its values, and only if it looks like a word. The number of paths is bounded, because an object that is used as a map
//! has as many as it has keys.

mod book;
mod report;
mod shape;

use std::collections::{BTreeMap, btree_map::Entry};

pub use self::{
    book::{Book, MAX_BOOK_CHANGES, Noted},
    report::{MAX_REPORTED_CHANGES, Report, shown},
    shape::Shapes,
};
use super::problem;
use crate::json::Value;

/// How many changes one page's drift names of each kind; the rest is counted together.
pub const MAX_DRIFT_PATHS: usize = 256;

/// The longest value of a closed set that is shown, in bytes.
const MAX_WORD_BYTES: usize = 40;

/// The most digits in a value that is shown: more look like an identifier or a number that means somebody.
const MAX_WORD_DIGITS: usize = 4;

/// How the events of a page differ from their schema, rejected events included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Fields that the schema does not declare, by path such as `$.location.timezone` or `$.tags[*].color`.
    pub paths: BTreeMap<String, Seen>,
    /// Values outside of `validate.allow`, by path and value; no value if it is not shown.
    pub values: BTreeMap<(String, Option<String>), Seen>,
    /// Declared fields with a value that their type does not take.
    pub types: BTreeMap<String, Seen>,
    /// How often changes beyond the bound were met.
    pub others: u64,
}

/// What was seen of one change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often.
    pub count: u64,
    /// The types of the values.
    pub shapes: Shapes,
    /// Type and length of the first value, such as `string of 15 bytes`.
    pub sample: String,
}

impl Drift {
    /// How many undeclared fields were met, and whatever is beyond the bound.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.paths.values().map(|seen| seen.count).sum::<u64>() + self.others
    }

    /// Whether every event was as its schema says.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.values.is_empty() && self.types.is_empty() && self.others == 0
    }

    /// An undeclared field.
    pub(super) fn add_unknown(&mut self, path: String, value: &Value<'_>) {
        note(&mut self.paths, &mut self.others, path, value);
    }

    /// A value that `validate.allow` does not list.
    pub(super) fn add_value(&mut self, path: String, text: Option<&str>, value: &Value<'_>) {
        let word = text.filter(|text| is_word(text)).map(str::to_owned);
        note(&mut self.values, &mut self.others, (path, word), value);
    }

    /// A value that the declared type does not take.
    pub(super) fn add_type(&mut self, path: String, value: &Value<'_>) {
        note(&mut self.types, &mut self.others, path, value);
    }
}

impl Seen {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.shapes |= other.shapes;
        if self.sample.is_empty() {
            self.sample.clone_from(&other.sample);
        }
    }
}

fn note<K: Ord>(changes: &mut BTreeMap<K, Seen>, others: &mut u64, key: K, value: &Value<'_>) {
    let full = changes.len() >= MAX_DRIFT_PATHS;
    match changes.entry(key) {
        Entry::Occupied(entry) => {
            let seen = entry.into_mut();
            seen.count += 1;
            seen.shapes |= Shapes::of(value);
        }
        Entry::Vacant(_) if full => *others += 1,
        Entry::Vacant(entry) => {
            entry.insert(Seen { count: 1, shapes: Shapes::of(value), sample: problem::kind_of(value) });
        }
    }
}

/// Whether a text may be shown: a short word such as `mfa_failed`, and nothing like an address, an identifier or a number.
fn is_word(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' ');
    text.len() <= MAX_WORD_BYTES
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(known)
        && text.bytes().filter(u8::is_ascii_digit).count() <= MAX_WORD_DIGITS
}
