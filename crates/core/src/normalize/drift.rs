//! Fields that events have and schemas do not declare.
//!
//! Paths and counts only, no values: what drifts is reported widely. The number of paths is bounded, because an object that is
//! used as a map has as many as it has keys.

use std::collections::BTreeMap;

/// How many paths one page's drift names; the rest is counted together.
pub const MAX_DRIFT_PATHS: usize = 256;

/// Undeclared fields of a page's events, rejected events included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// How often each path was met, such as `$.location.timezone` or `$.tags[*].color`.
    pub paths: BTreeMap<String, u64>,
    /// How often paths beyond the bound were met.
    pub others: u64,
}

impl Drift {
    /// How many undeclared fields were met.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.paths.values().sum::<u64>() + self.others
    }

    pub(super) fn add(&mut self, path: String) {
        if let Some(count) = self.paths.get_mut(&path) {
            *count += 1;
        } else if self.paths.len() < MAX_DRIFT_PATHS {
            self.paths.insert(path, 1);
        } else {
            self.others += 1;
        }
    }
}
