//! Log schemas: what an event of a log type looks like, read from Panther's YAML.
//!
//! A schema is compiled once into what the walk over an event needs. Whatever a file asks for that is not done here is refused when
//! it is loaded, with every fault named at once: a schema that is half obeyed is worse than none.

mod fault;
mod load;
mod plan;
mod validate;

use std::collections::BTreeMap;

pub use fault::{Error, Fault};
pub(crate) use plan::{NodeKind, Plan};
pub use validate::{Family, Validate};

use crate::{indicator::Indicator, timestamp};

/// The most fields of one schema, nested ones included.
pub const MAX_FIELDS: usize = 2_000;

/// The deepest nesting of a schema, well below [`crate::json::MAX_DEPTH`]. Panther's own schemas stay below ten levels.
pub const MAX_DEPTH: usize = 16;

/// The longest schema file, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// The beginning of the names that the top level of a record keeps for itself.
pub const RESERVED_PREFIX: &str = "p_";

/// The schemas of a normalizer, by log type.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    by_log_type: BTreeMap<String, Schema>,
}

/// One log type's schema.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The log type's name, such as `OnePassword.SignInAttempt`.
    pub log_type: String,
    /// The fields of an event.
    pub root: Object,
    /// The same, laid out for the quick way.
    pub(crate) plan: Plan,
}

/// The declared fields of an object.
#[derive(Clone, Debug)]
pub struct Object {
    /// In the schema's order, which is the record's.
    pub fields: Vec<Field>,
}

/// A declared field.
#[derive(Clone, Debug)]
pub struct Field {
    /// The key in the event.
    pub name: String,
    /// The key ready for output: `"name":`.
    pub(crate) key: Vec<u8>,
    /// Whether an event without it is refused.
    pub required: bool,
    /// What it holds.
    pub kind: Kind,
}

/// What a field or an array's element holds.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Text. Numbers and booleans become text.
    String {
        /// What to collect from it.
        indicators: Vec<Indicator>,
        /// What it must fulfil.
        validate: Option<Validate>,
    },
    /// An instant.
    Timestamp {
        /// Tried in order; at least one.
        formats: Vec<TimeFormat>,
        /// Whether it may be the event's time.
        event_time: bool,
    },
    /// An object.
    Object(Object),
    /// An array of one kind.
    Array(Box<Kind>),
    /// Anything, verbatim.
    Json,
    /// A whole number.
    Integer(Width),
    /// A number.
    Float,
    /// `true` or `false`.
    Boolean,
}

/// The range of a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// `smallint`: 16 bits.
    Small,
    /// `int`: 32 bits.
    Int,
    /// `bigint`: 64 bits.
    Big,
}

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `rfc3339`
    Rfc3339,
    /// `unix`, `unix_ms`, `unix_us`, `unix_ns`
    Unix(timestamp::Unit),
}

impl Schemas {
    /// Loads schema files, each as its name (for messages) and its text. All faults of all files are reported at once.
    pub fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut schemas = Self::default();
        let mut faults = Vec::new();
        for (file, text) in files {
            match load::load(text) {
                Ok(schema) if schemas.by_log_type.contains_key(&schema.log_type) => {
                    let reason = format!("{} is defined by another file too", schema.log_type);
                    faults.push(Fault { path: "schema".into(), reason }.in_file(file));
                }
                Ok(schema) => {
                    schemas.by_log_type.insert(schema.log_type.clone(), schema);
                }
                Err(found) => faults.extend(found.into_iter().map(|fault| fault.in_file(file))),
            }
        }
        if faults.is_empty() { Ok(schemas) } else { Err(Error { faults }) }
    }

    /// These schemas, but `others` where both know a log type.
    #[must_use]
    pub fn overridden_by(mut self, others: Self) -> Self {
        self.by_log_type.extend(others.by_log_type);
        self
    }

    /// The schema of a log type.
    #[must_use]
    pub fn get(&self, log_type: &str) -> Option<&Schema> {
        self.by_log_type.get(log_type)
    }

    /// The log types that have a schema, in order.
    pub fn log_types(&self) -> impl Iterator<Item = &str> {
        self.by_log_type.keys().map(String::as_str)
    }
}

impl Width {
    /// Whether `number` is in range.
    #[must_use]
    pub fn holds(self, number: i64) -> bool {
        match self {
            Self::Small => i16::try_from(number).is_ok(),
            Self::Int => i32::try_from(number).is_ok(),
            Self::Big => true,
        }
    }

    /// The type's name in schemas.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Small => "smallint",
            Self::Int => "int",
            Self::Big => "bigint",
        }
    }
}

/// Whether a name of an event's top level is kept for the record's own fields.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.get(..RESERVED_PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(RESERVED_PREFIX))
}

#[cfg(test)]
mod tests;
