//! What has drifted since when: the drift of many pages.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Drift, Seen};

/// How many changes a book names for one log type; further ones are counted together. A patch with more would not be read.
pub const MAX_BOOK_CHANGES: usize = 1_000;

/// The drift of one log type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Undeclared fields, by path.
    pub paths: BTreeMap<String, Noted>,
    /// Values outside of a closed set, by path and value.
    pub values: BTreeMap<(String, Option<String>), Noted>,
    /// Declared fields with values of another type.
    pub types: BTreeMap<String, Noted>,
    /// How often changes beyond the bound were met.
    pub others: u64,
}

/// A change with its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// When it was first met.
    pub first: Timestamp,
    /// When it was last met.
    pub last: Timestamp,
    /// How often, and what values.
    pub seen: Seen,
}

impl Book {
    /// Takes in a page's drift. `at`: when the page was fetched or normalized; pages may come in any order.
    pub fn add(&mut self, drift: &Drift, at: Timestamp) {
        let mut room = MAX_BOOK_CHANGES.saturating_sub(self.len());
        self.others += drift.others;
        let others = merge(&mut self.paths, &drift.paths, at, &mut room)
            + merge(&mut self.values, &drift.values, at, &mut room)
            + merge(&mut self.types, &drift.types, at, &mut room);
        self.others += others;
    }

    /// How many changes are named.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len() + self.values.len() + self.types.len()
    }

    /// Whether no change is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How many sightings found no room.
fn merge<K: Ord + Clone>(
    book: &mut BTreeMap<K, Noted>,
    page: &BTreeMap<K, Seen>,
    at: Timestamp,
    room: &mut usize,
) -> u64 {
    let mut others = 0;
    for (key, seen) in page {
        if let Some(noted) = book.get_mut(key) {
            noted.first = noted.first.min(at);
            noted.last = noted.last.max(at);
            noted.seen.merge(seen);
        } else if *room > 0 {
            *room -= 1;
            book.insert(key.clone(), Noted { first: at, last: at, seen: seen.clone() });
        } else {
            others += seen.count;
        }
    }
    others
}
