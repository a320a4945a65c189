//! What a fetcher counts.

use latchkey_contracts::Chain;
use latchkey_core::polling::Outcome;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Unit,
};

/// The labels of one chain.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ChainLabels {
    source: String,
    feed: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PollLabels {
    source: String,
    feed: &'static str,
    outcome: &'static str,
}

/// The fetcher's metrics. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    pages: Family<ChainLabels, Counter>,
    events: Family<ChainLabels, Counter>,
    duplicates: Family<ChainLabels, Counter>,
    polls: Family<PollLabels, Counter>,
    fetch_seconds: Histogram,
}

impl Metrics {
    /// Registers them.
    #[must_use]
    pub fn new(metrics: &latchkey_runtime::Metrics) -> Self {
        let new = Self {
            pages: Family::default(),
            events: Family::default(),
            duplicates: Family::default(),
            polls: Family::default(),
            // From a stand-in on loopback to the time-out of 60 s.
            fetch_seconds: Histogram::new([0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0]),
        };
        metrics.register(|registry| {
            let fetcher = registry.sub_registry_with_prefix("fetcher");
            fetcher.register("pages", "Pages stored", new.pages.clone());
            fetcher.register("events", "Events stored, duplicates left out", new.events.clone());
            fetcher.register("duplicates", "Items that the API had sent before", new.duplicates.clone());
            fetcher.register("polls", "Turns by outcome", new.polls.clone());
            fetcher.register_with_unit("fetch", "Time to fetch a page", Unit::Seconds, new.fetch_seconds.clone());
        });
        new
    }

    /// Pages and events stored by this process for a chain.
    #[must_use]
    pub fn stored(&self, chain: &Chain) -> (u64, u64) {
        let labels = labels(chain);
        (self.pages.get_or_create(&labels).get(), self.events.get_or_create(&labels).get())
    }

    pub(crate) fn page_stored(&self, chain: &Chain, events: u32, duplicates: usize) {
        let labels = labels(chain);
        self.pages.get_or_create(&labels).inc();
        self.events.get_or_create(&labels).inc_by(events.into());
        self.duplicates.get_or_create(&labels).inc_by(duplicates as u64);
    }

    pub(crate) fn page_fetched(&self, seconds: f64) {
        self.fetch_seconds.observe(seconds);
    }

    pub(crate) fn turn_ended(&self, chain: &Chain, outcome: &Outcome) {
        let ChainLabels { source, feed } = labels(chain);
        let outcome = match outcome {
            Outcome::Quiet => "quiet",
            Outcome::Active => "active",
            Outcome::Behind => "behind",
            Outcome::Refused(failure) => failure.reason,
        };
        self.polls.get_or_create(&PollLabels { source, feed, outcome }).inc();
    }
}

fn labels(chain: &Chain) -> ChainLabels {
    ChainLabels { source: chain.source.to_string(), feed: chain.feed.as_str() }
}
