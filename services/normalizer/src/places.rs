//! Which sources have metrics of their own in a process that is never told that one is gone.
//!
//! A normalizer knows sources by their pages alone. So a source of which none has come for a day gives its place back as soon as another has
//! need of it. Until then it keeps it: a place that nobody wants costs nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use latchkey_contracts::{Chain, Feed, SourceId};
use latchkey_runtime::Sources;

/// How long a source is silent that gives its place back: longer than any night.
const SILENT_FOR: Duration = Duration::from_hours(24);

/// The least from one search for places to the next: thousands of sources may want one, with each page of theirs.
const SEARCHED_EVERY: Duration = Duration::from_mins(1);

/// Places and when they were last of use. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    sources: Sources,
    used: Arc<Mutex<Used>>,
}

#[derive(Debug, Default)]
struct Used {
    /// When something last came of each source that has a place.
    at: HashMap<SourceId, Instant>,
    searched_at: Option<Instant>,
}

impl Places {
    pub(crate) fn new(sources: Sources) -> Self {
        Self { sources, used: Arc::default() }
    }

    /// The label `source` of a metric of the chain, of which something has come; empty if it is counted together with others. `forget` is called
    /// for each chain whose source has given its place back, and before anybody can take that again.
    pub(crate) fn label(&self, chain: &Chain, now: Instant, forget: impl FnMut(&Chain)) -> String {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let mut label = self.sources.label(chain);
        let searched_lately = |at: Instant| now.saturating_duration_since(at) < SEARCHED_EVERY;
        if label.is_empty() && !used.searched_at.is_some_and(searched_lately) {
            used.searched_at = Some(now);
            self.give_back(&mut used, now, forget);
            label = self.sources.label(chain);
        }
        if !label.is_empty() {
            used.at.insert(chain.source.clone(), now);
        }
        label
    }

    fn give_back(&self, used: &mut Used, now: Instant, mut forget: impl FnMut(&Chain)) {
        for (source, _) in used.at.extract_if(|_, at| now.saturating_duration_since(*at) >= SILENT_FOR) {
            for feed in Feed::ALL {
                let chain = Chain { source: source.clone(), feed };
                self.sources.forget(&chain);
                forget(&chain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_after_a_day_of_silence_to_who_needs_it() {
        let hour = Duration::from_hours(1);
        let (places, began) = (Places::new(latchkey_runtime::Metrics::with_sources(2).sources()), Instant::now());
        let mut gone = Vec::new();
        let mut label = |source: &str, feed, after| {
            let chain = Chain { source: source.parse().unwrap(), feed };
            places.label(&chain, began + after, |chain| gone.push(chain.to_string()))
        };
        let (usual, other) = (Feed::ItemUsages, Feed::AuditEvents);
        assert_eq!(
            [label("a", usual, Duration::ZERO), label("b", usual, Duration::ZERO), label("b", other, hour * 12)],
            ["a", "b", "b"]
        );
        // Nobody gives a place back for as long as it is of use, by whichever feed.
        assert_eq!(label("c", usual, hour * 23), "");
        // Nor while nobody needs it.
        assert_eq!(label("b", usual, hour * 25), "b");
        assert_eq!(label("c", usual, hour * 26), "c");
        assert_eq!(label("a", usual, hour * 27), "");
        // A search is not made with each page: there was one half a minute before.
        assert_eq!(label("a", usual, hour * 48 + Duration::from_secs(3_570)), "");
        assert_eq!(label("a", usual, hour * 49), "");
        assert_eq!(label("a", usual, hour * 49 + SEARCHED_EVERY), "a");
        let of = |source: &str| Feed::ALL.map(|feed| Chain { source: source.parse().unwrap(), feed }.to_string());
        assert_eq!(gone, [of("a"), of("b")].concat());
    }

    #[test]
    fn where_there_are_no_places_none_is_given() {
        let places = Places::new(Sources::new(0));
        let chain = Chain { source: "a".parse().unwrap(), feed: Feed::ItemUsages };
        for minutes in 0..3 {
            let now = Instant::now() + Duration::from_mins(minutes);
            assert_eq!(places.label(&chain, now, |_| panic!("nobody has one")), "");
        }
    }
}
