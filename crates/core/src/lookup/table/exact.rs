//! Rows by key.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::{HashTable, hash_table::Entry};

use super::{Moment, arena::Arena};

/// Keys come from the operator's own files, so a fixed seed gives nobody a chance.
const HASH: FixedState = FixedState::with_seed(0);

/// A table whose keys are texts.
#[derive(Default)]
pub(in crate::lookup) struct Exact {
    arena: Arena,
    index: HashTable<u32>,
    ignore_case: bool,
}

impl Exact {
    pub(in crate::lookup) fn new(ignore_case: bool) -> Self {
        Self { ignore_case, ..Self::default() }
    }

    pub(in crate::lookup) fn get(&self, key: &str, now: Moment, folded: &mut String) -> Option<&[u8]> {
        let key = if self.ignore_case {
            folded.clear();
            folded.push_str(key);
            folded.make_ascii_lowercase();
            folded.as_bytes()
        } else {
            key.as_bytes()
        };
        let at = self.index.find(HASH.hash_one(key), |at| self.arena.key(*at) == key)?;
        self.arena.row(*at, now)
    }

    /// Adds a row; says whether it took the place of another. `None`: the table is full.
    pub(in crate::lookup) fn add(&mut self, key: &str, row: &[u8], ends: Moment) -> Option<bool> {
        let key = if self.ignore_case { key.to_ascii_lowercase() } else { key.to_owned() };
        let at = self.arena.add(key.as_bytes(), row, ends)?;
        let arena = &self.arena;
        let hash = |at: &u32| HASH.hash_one(arena.key(*at));
        match self.index.entry(HASH.hash_one(key.as_bytes()), |other| arena.key(*other) == key.as_bytes(), hash) {
            Entry::Occupied(mut earlier) => {
                *earlier.get_mut() = at;
                Some(true)
            }
            Entry::Vacant(place) => {
                place.insert(at);
                Some(false)
            }
        }
    }

    pub(in crate::lookup) fn rows(&self) -> usize {
        self.index.len()
    }

    pub(in crate::lookup) fn shrink(&mut self) {
        self.arena.shrink();
        let arena = &self.arena;
        self.index.shrink_to_fit(|at| HASH.hash_one(arena.key(*at)));
    }
}
