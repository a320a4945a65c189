//! What a fetcher counts.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
};

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Chain, SourceId, reread::Found};
use latchkey_core::{
    budget::Work,
    polling::{Off, Outcome},
};
use latchkey_runtime::Sources;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
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

/// Why a chain's past is read.
const REREADS: [&str; 3] = ["audit", "backfill", "compare"];

/// The fetcher's metrics. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    pages: Family<ChainLabels, Counter>,
    events: Family<ChainLabels, Counter>,
    duplicates: Family<ChainLabels, Counter>,
    polls: Family<PollLabels, Counter>,
    fetch_seconds: Histogram,
    recoveries: Family<ChainLabels, Counter>,
    token_expiry: Family<SourceLabels, Gauge>,
    clock_skew: Family<SourceLabels, Gauge<f64, AtomicU64>>,
    budget: Family<BudgetLabels, Counter>,
    missing: Family<RereadLabels, Counter>,
    held_up: Family<HeldUpLabels, Counter>,
    completeness: Family<ChainLabels, Gauge<f64, AtomicU64>>,
    audit_lateness: Histogram,
    lateness: Histogram,
    standings: Family<StandingLabels, Gauge>,
    /// Which have series of their own.
    sources: Sources,
    /// Every word for an outcome that was used: a few dozen at most.
    outcomes: Arc<Mutex<BTreeSet<&'static str>>>,
}

/// A chain, and why its past was read: audit, backfill or compare.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RereadLabels {
    kind: &'static str,
    source: String,
    feed: &'static str,
}

/// Why a past is read, and why that does not go on. Of all chains together: each may have trouble.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HeldUpLabels {
    kind: &'static str,
    reason: &'static str,
}

/// What came of asking for requests: taken, refused, or alone if the budget could not be reached.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BudgetLabels {
    work: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StandingLabels {
    standing: &'static str,
}

/// The label of one source.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SourceLabels {
    source: String,
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
            recoveries: Family::default(),
            token_expiry: Family::default(),
            clock_skew: Family::default(),
            budget: Family::default(),
            missing: Family::default(),
            held_up: Family::default(),
            completeness: Family::default(),
            // From minutes to three weeks.
            audit_lateness: Histogram::new([900.0, 3_600.0, 14_400.0, 86_400.0, 259_200.0, 604_800.0, 1_814_400.0]),
            lateness: Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0]),
            standings: Family::default(),
            sources: metrics.sources(),
            outcomes: Arc::default(),
        };
        metrics.register(|registry| {
            let fetcher = registry.sub_registry_with_prefix("fetcher");
            fetcher.register("pages", "Pages stored", new.pages.clone());
            fetcher.register("events", "Events stored, duplicates left out", new.events.clone());
            fetcher.register("duplicates", "Items that the API had sent before", new.duplicates.clone());
            fetcher.register("polls", "Turns by outcome", new.polls.clone());
            fetcher.register_with_unit("fetch", "Time to fetch a page", Unit::Seconds, new.fetch_seconds.clone());
            let help = "Times a chain was read again from a point in time";
            fetcher.register("recoveries", help, new.recoveries.clone());
            let help = "When the token expires as it says itself, in Unix time";
            fetcher.register_with_unit("token_expiry_timestamp", help, Unit::Seconds, new.token_expiry.clone());
            let help = "Messages exchanged about the budgets of accounts, by what came of them";
            fetcher.register("budget_messages", help, new.budget.clone());
            let help = "Events of the past that polling had not brought";
            fetcher.register("audit_events_missing", help, new.missing.clone());
            let help = "Turns of reading the past again that ended before they should, by why";
            fetcher.register("rereads_held_up", help, new.held_up.clone());
            let help = "Share of the events of the last audited window that polling had brought";
            fetcher.register("audit_completeness_ratio", help, new.completeness.clone());
            let help = "How late events were found that only an audit found";
            fetcher.register_with_unit("audit_lateness", help, Unit::Seconds, new.audit_lateness.clone());
            let help = "How far our clock is ahead of 1Password's";
            fetcher.register_with_unit("clock_skew", help, Unit::Seconds, new.clock_skew.clone());
            let help = "How long after it was due a chain was taken up, as this process knows";
            fetcher.register_with_unit("lateness", help, Unit::Seconds, new.lateness.clone());
            fetcher.register("sources", "Sources by how they stand with this fetcher", new.standings.clone());
        });
        new
    }

    /// Pages and events stored by this process for a chain; for all chains of its feed together that have no metrics of their own, if it is one
    /// of them.
    #[must_use]
    pub fn stored(&self, chain: &Chain) -> (u64, u64) {
        let labels = self.labels(chain);
        (self.pages.get_or_create(&labels).get(), self.events.get_or_create(&labels).get())
    }

    pub(crate) fn page_stored(&self, chain: &Chain, events: u32, duplicates: usize) {
        let labels = self.labels(chain);
        self.pages.get_or_create(&labels).inc();
        self.events.get_or_create(&labels).inc_by(events.into());
        self.duplicates.get_or_create(&labels).inc_by(duplicates as u64);
    }

    pub(crate) fn page_fetched(&self, seconds: f64) {
        self.fetch_seconds.observe(seconds);
    }

    pub(crate) fn taken_up(&self, seconds_late: f64) {
        self.lateness.observe(seconds_late);
    }

    pub(crate) fn standings(&self, standings: [(&'static str, usize); 4]) {
        for (standing, count) in standings {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.standings.get_or_create(&StandingLabels { standing }).set(count);
        }
    }

    /// Forgets what was counted of a source that is gone. What was counted together with others stays.
    pub(crate) fn forget(&self, chain: &Chain) {
        self.sources.forget(chain);
        let source = SourceLabels { source: chain.source.to_string() };
        let of_chain = ChainLabels { source: source.source.clone(), feed: chain.feed.as_str() };
        self.pages.remove(&of_chain);
        self.events.remove(&of_chain);
        self.duplicates.remove(&of_chain);
        self.recoveries.remove(&of_chain);
        self.completeness.remove(&of_chain);
        let ChainLabels { source: name, feed } = of_chain;
        for outcome in &*self.outcomes() {
            self.polls.remove(&PollLabels { source: name.clone(), feed, outcome });
        }
        for kind in REREADS {
            self.missing.remove(&RereadLabels { kind, source: name.clone(), feed });
        }
        self.token_expiry.remove(&source);
        self.clock_skew.remove(&source);
    }

    pub(crate) fn began_again(&self, chain: &Chain) {
        self.recoveries.get_or_create(&self.labels(chain)).inc();
    }

    pub(crate) fn token_expires(&self, source: &SourceId, at: Option<Timestamp>) {
        let labels = SourceLabels { source: source.to_string() };
        if let Some(at) = at.filter(|_| self.sources.is_own(source)) {
            self.token_expiry.get_or_create(&labels).set(at.as_second());
        } else {
            self.token_expiry.remove(&labels);
        }
    }

    pub(crate) fn clock_is_ahead(&self, chain: &Chain, by: SignedDuration) {
        let source = self.sources.label(chain);
        if !source.is_empty() {
            self.clock_skew.get_or_create(&SourceLabels { source }).set(by.as_secs_f64());
        }
    }

    pub(crate) fn budget_asked(&self, work: Work, outcome: &'static str) {
        self.budget.get_or_create(&BudgetLabels { work: work.as_str(), outcome }).inc();
    }

    /// A window of the past is read.
    pub(crate) fn reread_finished(&self, chain: &Chain, kind: &'static str, found: &Found) {
        let ChainLabels { source, feed } = self.labels(chain);
        self.missing.get_or_create(&RereadLabels { kind, source, feed }).inc_by(found.missing);
        if kind == "audit" && self.sources.is_own(&chain.source) {
            #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
            let ratio = if found.events == 0 { 1.0 } else { found.present as f64 / found.events as f64 };
            self.completeness.get_or_create(&self.labels(chain)).set(ratio);
        }
    }

    /// A turn of reading the past ended before it should.
    pub(crate) fn reread_held_up(&self, kind: &'static str, reason: &'static str) {
        self.held_up.get_or_create(&HeldUpLabels { kind, reason }).inc();
    }

    pub(crate) fn found_late(&self, kind: &'static str, seconds: f64) {
        if kind == "audit" {
            self.audit_lateness.observe(seconds);
        }
    }

    pub(crate) fn turn_ended(&self, chain: &Chain, outcome: &Outcome) {
        let ChainLabels { source, feed } = self.labels(chain);
        let outcome = match outcome {
            Outcome::Quiet => "quiet",
            Outcome::Active => "active",
            Outcome::Behind => "behind",
            Outcome::Refused(failure) => failure.reason,
            Outcome::Off(Off::Paused) => "paused",
            Outcome::Off(Off::Removed) => "removed",
            Outcome::Off(Off::OutOfScope) => "off",
        };
        self.outcomes().insert(outcome);
        self.polls.get_or_create(&PollLabels { source, feed, outcome }).inc();
    }

    fn labels(&self, chain: &Chain) -> ChainLabels {
        ChainLabels { source: self.sources.label(chain), feed: chain.feed.as_str() }
    }

    fn outcomes(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::Feed;

    use super::*;

    #[test]
    fn nothing_is_told_of_a_chain_that_is_gone() {
        let registry = latchkey_runtime::Metrics::new();
        let metrics = Metrics::new(&registry);
        let chain = Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages };
        metrics.page_stored(&chain, 3, 1);
        metrics.began_again(&chain);
        for outcome in [Outcome::Quiet, Outcome::Active, Outcome::Off(Off::Paused)] {
            metrics.turn_ended(&chain, &outcome);
        }
        for kind in REREADS {
            metrics.reread_finished(&chain, kind, &Found::default());
        }
        metrics.token_expires(&chain.source, Some(Timestamp::UNIX_EPOCH));
        metrics.clock_is_ahead(&chain, SignedDuration::ZERO);
        assert!(registry.encode().contains("acme"));
        metrics.forget(&chain);
        assert!(!registry.encode().contains("acme"), "{}", registry.encode());
    }

    #[test]
    fn what_has_no_metrics_of_its_own_is_counted_with_others() {
        let registry = latchkey_runtime::Metrics::with_sources(1);
        let metrics = Metrics::new(&registry);
        let chain = |source: &str| Chain { source: source.parse().unwrap(), feed: Feed::ItemUsages };
        for source in ["acme", "globex", "initech"] {
            metrics.page_stored(&chain(source), 3, 1);
            metrics.turn_ended(&chain(source), &Outcome::Active);
            metrics.clock_is_ahead(&chain(source), SignedDuration::ZERO);
        }
        metrics.forget(&chain("globex"));
        let text = registry.encode();
        for line in [
            r#"latchkey_fetcher_events_total{source="acme",feed="item_usages"} 3"#,
            r#"latchkey_fetcher_events_total{source="",feed="item_usages"} 6"#,
            r#"latchkey_fetcher_polls_total{source="",feed="item_usages",outcome="active"} 2"#,
            r#"latchkey_fetcher_clock_skew_seconds{source="acme"} 0.0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(!text.contains("globex") && !text.contains("initech"), "{text}");
    }

    /// What there is of ten thousand sources, where so many have metrics of their own.
    fn text(most: usize) -> String {
        let registry = latchkey_runtime::Metrics::with_sources(most);
        let metrics = Metrics::new(&registry);
        for number in 0..10_000 {
            let source: SourceId = format!("customer-{number:05}").parse().unwrap();
            for feed in Feed::USUAL {
                let chain = Chain { source: source.clone(), feed };
                metrics.page_stored(&chain, 3, 1);
                for outcome in [Outcome::Quiet, Outcome::Active] {
                    metrics.turn_ended(&chain, &outcome);
                }
                metrics.reread_finished(&chain, "audit", &Found::default());
            }
            metrics.clock_is_ahead(&Chain { source, feed: Feed::ItemUsages }, SignedDuration::ZERO);
        }
        registry.encode()
    }

    /// docs/sources.md tells what this prints.
    #[test]
    fn thirty_thousand_chains_are_told_within_bounds() {
        let [bounded, all] = [latchkey_runtime::metrics::DEFAULT_SOURCES, 10_000].map(text);
        for text in [&bounded, &all] {
            println!("{} bytes, {} lines", text.len(), text.lines().count());
        }
        // So that somebody thinks twice who adds a metric for each chain.
        assert!(bounded.len() < 5 << 19 && all.len() < 24 << 20, "{} {}", bounded.len(), all.len());
    }
}
