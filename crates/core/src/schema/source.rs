//! Transformations: where a field's value comes from if not from the key of its name, and what the record shows of it.
//!
//! A transformation fills a field that the event lacks. If the event has a value under the field's own name, that value counts: so
//! nothing an event says is written over, and a record that is read again gives the same record.

/// The most fields of a schema that are made from others. Each may hold a copy of a large part of the event.
pub const MAX_DERIVED_FIELDS: usize = 100;

/// The most texts that are joined into one.
pub const MAX_CONCAT_PATHS: usize = 16;

/// The longest text that a schema adds to events (a separator, a mask), in bytes. It is repeated in every event.
pub const MAX_ADDED_BYTES: usize = 256;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Another key of the same object, which the record does not have any more.
    Rename(String),
    /// A value elsewhere, which stays.
    Copy(Pointer),
    /// Several texts, joined. Absent ones are left out; without any there is no value.
    Concat {
        /// In this order.
        paths: Vec<Pointer>,
        /// Stands between two texts.
        separator: String,
    },
    /// A part of a text.
    Split {
        /// The text.
        from: Pointer,
        /// What its parts are separated by.
        separator: String,
        /// The part, from 0. A text with fewer parts gives no value.
        index: usize,
    },
}

/// The way from the event's top to a value: keys of objects, written with dots between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(pub(crate) Vec<String>);

/// What a record shows instead of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mask {
    /// Always the same.
    Redact {
        /// What stands in the record.
        to: String,
    },
}

impl Source {
    /// The paths it reads; none for a renamed key.
    pub(crate) fn paths(&self) -> &[Pointer] {
        match self {
            Self::Rename(_) => &[],
            Self::Copy(path) | Self::Split { from: path, .. } => std::slice::from_ref(path),
            Self::Concat { paths, .. } => paths,
        }
    }
}

impl Pointer {
    /// `None` if there is an empty key in it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let keys: Vec<_> = text.split('.').map(str::to_owned).collect();
        keys.iter().all(|key| !key.is_empty()).then_some(Self(keys))
    }
}
