//! Log schemas: what an event of a log type looks like, read from Panther's YAML.
//!
//! A schema is compiled once into what the walk over an event needs. Whatever a file asks for that is not done here is refused when
//! it is loaded, with every fault named at once: a schema that is half obeyed is worse than none.

mod csv;
mod expiry;
mod fault;
mod format;
mod load;
mod patch;
mod plan;
mod source;
mod validate;
pub(crate) mod yaml;

use std::collections::BTreeMap;

pub(crate) use csv::Csv;
pub(crate) use fault::write_all as write_faults;
pub use fault::{Error, Fault};
pub use format::TimeFormat;
pub(crate) use format::read as read_instant;
pub(crate) use load::{Of, load as compile};
pub use patch::{Hunk, Patch, patch};
pub(crate) use plan::{Member, NodeKind, Plan, find};

pub use source::{MAX_ADDED_BYTES, MAX_CONCAT_PATHS, MAX_DERIVED_FIELDS, Mask, Pointer, Source};
pub use validate::{Family, Validate};

use crate::indicator::Indicator;

/// The most fields of one schema, nested ones included, a definition's as often as it is referred to.
pub const MAX_FIELDS: usize = 2_000;

/// The most definitions of one schema. Each is checked on its own, up to [`MAX_FIELDS`] fields.
pub const MAX_DEFINITIONS: usize = 200;

/// The most values in the lists of one schema (indicators, formats, allowed values), a definition's as often as it is referred to.
pub const MAX_LISTED: usize = 50_000;

/// The most faults of one file that are named.
pub const MAX_FAULTS: usize = 100;

/// The deepest nesting of a schema, well below [`crate::json::MAX_DEPTH`]. Panther's own schemas stay below ten levels.
pub const MAX_DEPTH: usize = 16;

/// The longest schema file, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// The beginning of the names that the top level of a record keeps for itself.
pub const RESERVED_PREFIX: &str = "p_";

/// The field at the top of which the row id is made, if the schema declares it.
pub(crate) const ROW_KEY: &str = "uuid";

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
    /// What becomes of fields that it does not declare; `None`: as for every log type.
    pub unknown: Option<Unknown>,
    /// How the rows of a lookup table are written in CSV, if it says so.
    pub(crate) csv: Option<Csv>,
    /// Whether a record may differ from its event in more than form: something is renamed, derived, masked or unpacked.
    pub(crate) rewrites: bool,
    /// Whether a field takes its value from a path that begins at the event's top.
    pub(crate) looks_up: bool,
}

/// What becomes of fields that the schema does not declare. They are counted in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// They stand verbatim behind the declared fields of their object.
    #[default]
    Keep,
    /// They are left out, as Panther does.
    Drop,
    /// They cost the event.
    Reject,
}

/// A log type that has no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no log type that is known here")]
pub struct NoSuchLogType(pub String);

/// The declared fields of an object.
#[derive(Clone, Debug)]
pub struct Object {
    /// In the schema's order, which is the record's.
    pub fields: Vec<Field>,
    /// Keys that are not declared here, and that other fields' paths lead through: they are no drift.
    pub(crate) passages: Vec<String>,
}

/// A declared field.
#[derive(Clone, Debug)]
pub struct Field {
    /// The key in the event and in the record.
    pub name: String,
    /// The key ready for output: `"name":`.
    pub(crate) key: Vec<u8>,
    /// Whether an event without it is refused.
    pub required: bool,
    /// What it holds.
    pub kind: Kind,
    /// Where its value comes from if the event has none under the field's own name.
    pub source: Option<Source>,
}

/// What a field or an array's element holds.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Text. Numbers and booleans become text.
    String {
        /// What to collect from it.
        indicators: Vec<Indicator>,
        /// What it must fulfil, all of it.
        validate: Vec<Validate>,
        /// What the record shows instead.
        mask: Option<Mask>,
    },
    /// An instant.
    Timestamp {
        /// Tried in order; at least one.
        formats: Vec<TimeFormat>,
        /// Whether it may be the event's time.
        event_time: bool,
        /// Whether a lookup table's row counts until then.
        expiration: bool,
    },
    /// An object.
    Object(Object),
    /// An array of one kind.
    Array(Box<Kind>),
    /// Anything, verbatim.
    Json,
    /// One of [`Kind::Json`], [`Kind::Object`] and [`Kind::Array`], or a text that holds it (`isEmbeddedJSON`).
    Embedded(Box<Kind>),
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

impl Schemas {
    /// Loads schema files, each as its name (for messages) and its text. All faults of all files are reported at once.
    pub fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut schemas = Self::default();
        let mut faults = Vec::new();
        for (file, text) in files {
            match load::load(text, Of::Events) {
                Ok(schema) if schemas.by_log_type.contains_key(&schema.log_type) => {
                    let reason = format!("{} is defined by another file too", schema.log_type);
                    faults.push(Fault::new(0, "schema", reason).in_file(file));
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

    /// Sets what becomes of undeclared fields in events of one log type.
    pub fn set_unknown(&mut self, log_type: &str, unknown: Unknown) -> Result<(), NoSuchLogType> {
        let schema = self.by_log_type.get_mut(log_type).ok_or_else(|| NoSuchLogType(log_type.into()))?;
        schema.unknown = Some(unknown);
        Ok(())
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

impl Object {
    /// The field `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
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
