//! What has drifted since when: the drift of many pages, or of the lines of a file.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Drift, Seen};

/// How many changes a book names for one log type; further ones are counted together. A patch with more would not be read.
pub const MAX_BOOK_CHANGES: usize = 1_000;

/// The drift of one log type. `At` says where on the way it was met: an instant, or a place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book<At = Timestamp> {
    /// Undeclared fields, by path.
    pub paths: BTreeMap<String, Noted<At>>,
    /// Values outside of a closed set, by path and value.
    pub values: BTreeMap<(String, Option<String>), Noted<At>>,
    /// Declared fields with values of another type.
    pub types: BTreeMap<String, Noted<At>>,
    /// How often changes beyond the bound were met.
    pub others: u64,
}

/// A change with its times or places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted<At = Timestamp> {
    /// When it was first met.
    pub first: At,
    /// When it was last met.
    pub last: At,
    /// How often, and what values.
    pub seen: Seen,
}

impl<At> Default for Book<At> {
    fn default() -> Self {
        Self { paths: BTreeMap::new(), values: BTreeMap::new(), types: BTreeMap::new(), others: 0 }
    }
}

impl<At: Copy + Ord> Book<At> {
    /// Takes in the drift of a page, or of an event. `at`: when the page was fetched or normalized, or where the event stands; they
    /// may come in any order.
    pub fn add(&mut self, drift: &Drift, at: At) {
        let mut room = MAX_BOOK_CHANGES.saturating_sub(self.len());
        self.others += drift.others;
        let others = merge(&mut self.paths, &drift.paths, at, &mut room)
            + merge(&mut self.values, &drift.values, at, &mut room)
            + merge(&mut self.types, &drift.types, at, &mut room);
        self.others += others;
    }
}

impl<At> Book<At> {
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
fn merge<K: Ord + Clone, At: Copy + Ord>(
    book: &mut BTreeMap<K, Noted<At>>,
    page: &BTreeMap<K, Seen>,
    at: At,
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
