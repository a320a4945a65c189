//! Tables in memory, by the way their rows are found: by key, by range of addresses, or in a MaxMind database.

mod addresses;
mod arena;
mod exact;
mod ranges;

use std::{borrow::Cow, fmt};

use jiff::Timestamp;

pub(super) use self::{
    addresses::Addresses,
    exact::Exact,
    ranges::{Ranges, parse as parse_range},
};

/// The most rows of a table.
pub const MAX_ROWS: usize = 2_000_000;

/// The longest row as JSON, in bytes. Rows are copied into every event that matches.
pub const MAX_ROW_BYTES: usize = 16 << 10;

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 1 << 10;

/// The most text of a table, in bytes: rows as JSON and their keys. Four times the longest file, because the names of CSV columns
/// stand in every row.
pub const MAX_TEXT_BYTES: usize = 1 << 30;

/// A table.
pub(super) enum Table {
    Exact(Exact),
    Ranges(Box<Ranges>),
    Addresses(Box<Addresses>),
}

impl Table {
    /// The row of a key as an object without its closing brace, ready for `p_match` to be added. Rows whose life has ended at `now`
    /// are not there. `folded` is scratch space.
    pub(super) fn get<'t>(&'t self, key: &str, now: Moment, folded: &mut String) -> Option<Cow<'t, [u8]>> {
        match self {
            Self::Exact(table) => table.get(key, now, folded).map(Cow::Borrowed),
            Self::Ranges(table) => table.get(key, now).map(Cow::Borrowed),
            Self::Addresses(table) => table.get(key).map(Cow::Owned),
        }
    }

    /// Rows in use; of a MaxMind database the nodes of its tree.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Exact(table) => table.rows(),
            Self::Ranges(table) => table.rows(),
            Self::Addresses(table) => table.nodes(),
        }
    }
}

/// Says how many rows there are: titles do not belong into messages.
impl fmt::Debug for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Table({} rows)", self.rows())
    }
}

/// An instant in nanoseconds since 1970, as rows keep it. What 64 bits cannot hold is put at their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) i64);

impl Moment {
    /// Before everything: no row's life has ended.
    pub(super) const START: Self = Self(i64::MIN);
    /// The end of a row that lives for ever.
    pub(super) const NEVER: Self = Self(i64::MAX);

    pub(super) fn of(instant: Timestamp) -> Self {
        let nanos = instant.as_nanosecond();
        Self(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }
}
