//! Which sources have metrics of their own.
//!
//! Each feed of each source in each of several metrics is more than anybody scrapes gladly where there are thousands of them. So the first so
//! many sources have series of their own, and the others are counted together, in series whose label `source` is empty: every sum stays right.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use latchkey_contracts::{Chain, Feed, SourceId};

/// The sources with metrics of their own, of one service: each forgets those that it has met. Clones share them.
#[derive(Clone, Debug)]
pub struct Sources {
    most: usize,
    own: Arc<Mutex<Own>>,
}

/// Sources, and their feeds that are told of.
type Own = HashMap<SourceId, BTreeSet<Feed>>;

impl Sources {
    /// At most so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, own: Arc::default() }
    }

    /// The label `source` of a metric of the chain: empty if it is counted together with others.
    #[must_use]
    pub fn label(&self, chain: &Chain) -> String {
        let mut own = self.own();
        let Some(feeds) = self.place(&mut own, &chain.source) else { return String::new() };
        feeds.insert(chain.feed);
        chain.source.to_string()
    }

    /// Whether the source has metrics of its own, by a chain of it that was told of.
    #[must_use]
    pub fn is_own(&self, source: &SourceId) -> bool {
        self.own().contains_key(source)
    }

    /// Forgets a chain that is gone: with the last one of its source, another source may take its place.
    pub fn forget(&self, chain: &Chain) {
        let mut own = self.own();
        let Some(feeds) = own.get_mut(&chain.source) else { return };
        feeds.remove(&chain.feed);
        if feeds.is_empty() {
            own.remove(&chain.source);
        }
    }

    fn place<'o>(&self, own: &'o mut Own, source: &SourceId) -> Option<&'o mut BTreeSet<Feed>> {
        if !own.contains_key(source) && own.len() < self.most {
            own.insert(source.clone(), BTreeSet::new());
        }
        own.get_mut(source)
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(source: &str, feed: Feed) -> Chain {
        Chain { source: source.parse().unwrap(), feed }
    }

    #[test]
    fn the_first_sources_have_metrics_of_their_own() {
        let sources = Sources::new(2);
        let label = |source| sources.label(&chain(source, Feed::ItemUsages));
        assert_eq!([label("a"), label("b"), label("c"), label("a")], ["a", "b", "", "a"]);
        assert_eq!(sources.label(&chain("b", Feed::AuditEvents)), "b");
        // Another comes in its place when the last of its feeds is gone.
        sources.forget(&chain("b", Feed::AuditEvents));
        assert_eq!((label("c"), sources.is_own(&"b".parse().unwrap())), (String::new(), true));
        sources.forget(&chain("b", Feed::ItemUsages));
        sources.forget(&chain("c", Feed::ItemUsages));
        // To ask takes no place.
        assert!(!sources.is_own(&"d".parse().unwrap()));
        assert_eq!([label("c"), label("b")], ["c", ""]);
        assert_eq!(Sources::new(0).label(&chain("a", Feed::ItemUsages)), "");
    }
}
