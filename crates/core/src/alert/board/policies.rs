//! Which policy holds for which source and feed, and when nobody is to be told of them.

use std::collections::HashMap;

use jiff::Timestamp;
use latchkey_contracts::{About, Chain, Feed, SourceId};

use crate::verdict::{Calendar, Policy};

/// The operator's policies: those for every source, and those that some have of their own.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// What holds for a source that has nothing of its own.
    pub everybody: SourcePolicies,
    /// What holds for some.
    pub sources: HashMap<SourceId, SourcePolicies>,
    /// Maintenance of the whole line.
    pub maintenance: Calendar,
}

/// What holds for one source.
#[derive(Clone, Debug, Default)]
pub struct SourcePolicies {
    /// For the source as a whole.
    pub whole: Policy,
    /// For each of [`Feed::ALL`].
    pub feeds: [Policy; Feed::ALL.len()],
    /// Its maintenance, the line's included.
    pub maintenance: Calendar,
}

impl Policies {
    /// What holds for this source.
    #[must_use]
    pub fn of_source(&self, source: &SourceId) -> &SourcePolicies {
        self.sources.get(source).unwrap_or(&self.everybody)
    }

    /// What holds for this feed of it.
    #[must_use]
    pub fn of_chain(&self, chain: &Chain) -> &Policy {
        &self.of_source(&chain.source).feeds[chain.feed as usize]
    }

    /// Whether people are to be left alone about this.
    #[must_use]
    pub fn in_maintenance(&self, about: &About, now: Timestamp) -> bool {
        let calendar = match about {
            About::Source(source) => &self.of_source(source).maintenance,
            About::Chain(chain) => &self.of_source(&chain.source).maintenance,
            About::Line | About::Object(_) => &self.maintenance,
        };
        calendar.in_maintenance(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_stand_in_the_order_of_their_numbers() {
        for (index, feed) in Feed::ALL.into_iter().enumerate() {
            assert_eq!(feed as usize, index);
        }
    }
}
