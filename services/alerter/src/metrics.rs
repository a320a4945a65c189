//! What an alerter counts.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{About, Chain};
use latchkey_core::alert::{
    Kind,
    board::{SeenReader, SeenStream, Sight},
};
use latchkey_runtime::Sources;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AlertLabels {
    kind: &'static str,
    source: String,
    feed: &'static str,
    object: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReaderLabels {
    reader: String,
    stream: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VerdictLabels {
    source: String,
    feed: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TransitionLabels {
    kind: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DestinationLabels {
    destination: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HeartbeatLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StreamLabels {
    stream: &'static str,
}

/// The alerter's metrics. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    alerts_raised: Family<AlertLabels, Gauge>,
    chain_verdict: Family<VerdictLabels, Gauge>,
    transitions: Family<TransitionLabels, Counter>,
    notifications: Family<DestinationLabels, Counter>,
    notification_failures: Family<DestinationLabels, Counter>,
    notifications_abandoned: Family<DestinationLabels, Counter>,
    notifications_overtaken: Family<DestinationLabels, Counter>,
    heartbeats: Family<HeartbeatLabels, Counter>,
    unreadable_messages: Family<StreamLabels, Counter>,
    reader_lag_messages: Family<ReaderLabels, Gauge>,
    reader_lag_seconds: Family<ReaderLabels, Gauge>,
    reader_redelivered_ratio: Family<ReaderLabels, Ratio>,
    stream_fill_ratio: Family<StreamLabels, Ratio>,
    stream_seconds_to_full: Family<StreamLabels, Gauge>,
    seconds_to_data_loss: Family<SourceLabels, Gauge>,
    clock_skew_seconds: Ratio,
    nats_clock_skew_seconds: Ratio,
    /// Which have series of their own.
    sources: Sources,
    /// Readers of which something is shown, by name and stream.
    readers: Arc<Mutex<BTreeSet<(String, &'static str)>>>,
}

/// What is shown of a chain.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    labels: VerdictLabels,
}

impl Shown {
    /// Whether it is this verdict.
    pub(crate) fn is(&self, verdict: &str) -> bool {
        self.labels.verdict == verdict
    }
}

/// A gauge with a fraction.
type Ratio = Gauge<f64, AtomicU64>;

impl Metrics {
    /// Registers them.
    #[must_use]
    pub fn new(metrics: &latchkey_runtime::Metrics) -> Self {
        let new = Self {
            alerts_raised: Family::default(),
            chain_verdict: Family::default(),
            transitions: Family::default(),
            notifications: Family::default(),
            notification_failures: Family::default(),
            notifications_abandoned: Family::default(),
            notifications_overtaken: Family::default(),
            heartbeats: Family::default(),
            unreadable_messages: Family::default(),
            reader_lag_messages: Family::default(),
            reader_lag_seconds: Family::default(),
            reader_redelivered_ratio: Family::default(),
            stream_fill_ratio: Family::default(),
            stream_seconds_to_full: Family::default(),
            seconds_to_data_loss: Family::default(),
            clock_skew_seconds: Ratio::default(),
            nats_clock_skew_seconds: Ratio::default(),
            sources: metrics.sources(),
            readers: Arc::default(),
        };
        metrics.register(|registry| {
            let alerter = registry.sub_registry_with_prefix("alerter");
            alerter.register("alerts_raised", "1 while an alert is raised", new.alerts_raised.clone());
            alerter.register(
                "chain_verdict",
                "Feeds with this poll verdict: 1 for a feed by itself",
                new.chain_verdict.clone(),
            );
            alerter.register("transitions", "Transitions that this process published", new.transitions.clone());
            alerter.register("notifications", "Transitions delivered", new.notifications.clone());
            alerter.register("notification_failures", "Attempts that failed", new.notification_failures.clone());
            alerter.register(
                "notifications_abandoned",
                "Transitions given up after the last attempt",
                new.notifications_abandoned.clone(),
            );
            alerter.register(
                "notifications_overtaken",
                "Late transitions left out for a later one of the same alert",
                new.notifications_overtaken.clone(),
            );
            alerter.register("heartbeats", "Heartbeats that were sent, failed or withheld", new.heartbeats.clone());
            alerter.register("unreadable_messages", "Messages that cannot be read", new.unreadable_messages.clone());
            alerter.register(
                "reader_lag_messages",
                "Messages that a reader is not done with",
                new.reader_lag_messages.clone(),
            );
            alerter.register(
                "reader_lag_seconds",
                "How long a reader's oldest unread message has waited",
                new.reader_lag_seconds.clone(),
            );
            alerter.register(
                "reader_redelivered_ratio",
                "Share of a consumer's deliveries within `looks_kept_for` that were repeated ones",
                new.reader_redelivered_ratio.clone(),
            );
            alerter.register(
                "stream_fill_ratio",
                "Share of its room that a stream holds",
                new.stream_fill_ratio.clone(),
            );
            alerter.register(
                "stream_seconds_to_full",
                "Until a stream is full at its rate within `looks_kept_for`, while it grows",
                new.stream_seconds_to_full.clone(),
            );
            alerter.register(
                "seconds_to_data_loss",
                "Until a source's token ends, 1Password deletes its unread events, a stream does, or one is full",
                new.seconds_to_data_loss.clone(),
            );
            alerter.register(
                "clock_skew_seconds",
                "The worst difference of a fetcher's clock to 1Password's",
                new.clock_skew_seconds.clone(),
            );
            alerter.register(
                "nats_clock_skew_seconds",
                "How far this alerter's clock is ahead of NATS's",
                new.nats_clock_skew_seconds.clone(),
            );
        });
        new
    }

    /// Shows a chain's verdict, in place of what was shown of it before.
    pub(crate) fn judged(&self, chain: &Chain, verdict: &'static str, before: Option<&Shown>) -> Shown {
        let source = before.map_or_else(|| self.sources.label(chain), |before| before.labels.source.clone());
        if let Some(before) = before {
            self.unshow(before);
        }
        let labels = VerdictLabels { source, feed: chain.feed.as_str(), verdict };
        self.chain_verdict.get_or_create(&labels).inc();
        Shown { labels }
    }

    /// Shows nothing more of a chain that is gone.
    pub(crate) fn forget(&self, chain: &Chain, shown: &Shown) {
        self.unshow(shown);
        if !shown.labels.source.is_empty() {
            self.sources.forget(chain);
            self.seconds_to_data_loss.remove(&SourceLabels { source: chain.source.to_string() });
        }
    }

    fn unshow(&self, Shown { labels }: &Shown) {
        // The guard of the gauge must be gone before it is removed.
        let left = self.chain_verdict.get_or_create(labels).dec() - 1;
        if left == 0 {
            self.chain_verdict.remove(labels);
        }
    }

    fn reader(&self, SeenReader { name, stream, now }: &SeenReader) {
        let labels = ReaderLabels { reader: name.clone(), stream };
        let Some(lag) = now else {
            self.reader_lag_messages.remove(&labels);
            self.reader_lag_seconds.remove(&labels);
            self.reader_redelivered_ratio.remove(&labels);
            return;
        };
        self.reader_lag_messages.get_or_create(&labels).set(i64::try_from(lag.messages).unwrap_or(i64::MAX));
        self.reader_lag_seconds.get_or_create(&labels).set(lag.age.as_secs());
        if let Some(repeats) = lag.repeats {
            self.reader_redelivered_ratio.get_or_create(&labels).set(ratio(repeats.repeats, repeats.deliveries.max(1)));
        }
    }

    fn stream(&self, SeenStream { name, now }: SeenStream, at: Timestamp) {
        let labels = StreamLabels { stream: name };
        match now.filter(|(fill, _)| fill.max_bytes > 0) {
            Some((fill, _)) => _ = self.stream_fill_ratio.get_or_create(&labels).set(ratio(fill.bytes, fill.max_bytes)),
            None => _ = self.stream_fill_ratio.remove(&labels),
        }
        match now.and_then(|(_, full_at)| full_at) {
            Some(full_at) => {
                let left = full_at.duration_since(at).as_secs();
                self.stream_seconds_to_full.get_or_create(&labels).set(left);
            }
            None => _ = self.stream_seconds_to_full.remove(&labels),
        }
    }

    pub(crate) fn sighted(&self, sight: &Sight, now: Timestamp) {
        let mut shown = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *shown);
        for reader in &sight.readers {
            self.reader(reader);
            shown.insert((reader.name.clone(), reader.stream));
        }
        for (name, stream) in before.difference(&shown) {
            self.reader(&SeenReader { name: name.clone(), stream, now: None });
        }
        drop(shown);
        for stream in &sight.streams {
            self.stream(*stream, now);
        }
        let (mut ends, mut others) = (sight.ends.iter().peekable(), None);
        for feeds in sight.polls.chunk_by(|(one, _), (other, _)| one.source == other.source) {
            let source = &feeds[0].0.source;
            let end = ends.next_if(|(other, _)| other == source).map(|(_, end)| *end);
            if self.sources.is_own(source) {
                self.ends(source.to_string(), end, now);
            } else {
                others = others.into_iter().chain(end).min();
            }
        }
        self.ends(String::new(), others, now);
        if let Some(skew) = sight.skew {
            self.clock_skew_seconds.set(skew.as_secs_f64());
        }
    }

    /// When events of a source begin to be lost, or of the first of those that are counted together.
    fn ends(&self, source: String, end: Option<Timestamp>, now: Timestamp) {
        let labels = SourceLabels { source };
        match end {
            Some(end) => _ = self.seconds_to_data_loss.get_or_create(&labels).set(end.duration_since(now).as_secs()),
            None => _ = self.seconds_to_data_loss.remove(&labels),
        }
    }

    pub(crate) fn nats_clock_is_apart(&self, ahead: SignedDuration) {
        self.nats_clock_skew_seconds.set(ahead.as_secs_f64());
    }

    pub(crate) fn alert_is(&self, about: &About, kind: Kind, raised: bool) {
        let labels = AlertLabels {
            kind: kind.as_str(),
            source: about.source().into(),
            feed: about.feed(),
            object: about.object().into(),
        };
        self.alerts_raised.get_or_create(&labels).set(raised.into());
    }

    pub(crate) fn transition_published(&self, kind: Kind, raised: bool) {
        let state = if raised { "raised" } else { "resolved" };
        self.transitions.get_or_create(&TransitionLabels { kind: kind.as_str(), state }).inc();
    }

    pub(crate) fn notified(&self, destination: &str) {
        self.notifications.get_or_create(&DestinationLabels { destination: destination.into() }).inc();
    }

    pub(crate) fn notification_failed(&self, destination: &str) {
        self.notification_failures.get_or_create(&DestinationLabels { destination: destination.into() }).inc();
    }

    pub(crate) fn notification_abandoned(&self, destination: &str) {
        self.notifications_abandoned.get_or_create(&DestinationLabels { destination: destination.into() }).inc();
    }

    pub(crate) fn notification_overtaken(&self, destination: &str) {
        self.notifications_overtaken.get_or_create(&DestinationLabels { destination: destination.into() }).inc();
    }

    pub(crate) fn heartbeat(&self, outcome: &'static str) {
        self.heartbeats.get_or_create(&HeartbeatLabels { outcome }).inc();
    }

    pub(crate) fn unreadable(&self, stream: &'static str) {
        self.unreadable_messages.get_or_create(&StreamLabels { stream }).inc();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::{Feed, SourceId};
    use latchkey_core::{alert::board::Lag, verdict::Poll};

    use super::*;

    fn chain(source: &str) -> Chain {
        Chain { source: source.parse().unwrap(), feed: Feed::ItemUsages }
    }

    /// What is told of verdicts.
    fn verdicts(registry: &latchkey_runtime::Metrics) -> Vec<String> {
        let text = registry.encode();
        let lines = text.lines().filter_map(|line| line.strip_prefix("latchkey_alerter_chain_verdict"));
        let mut told: Vec<_> = lines.map(String::from).collect();
        told.sort();
        told
    }

    #[test]
    fn the_verdict_that_holds_is_told_and_those_of_others_together() {
        let registry = latchkey_runtime::Metrics::with_sources(1);
        let metrics = Metrics::new(&registry);
        let (acme, globex, initech) = (chain("acme"), chain("globex"), chain("initech"));
        let shown = [&acme, &globex, &initech].map(|chain| metrics.judged(chain, "active", None));
        let own = |verdict| format!(r#"{{source="acme",feed="item_usages",verdict="{verdict}"}} 1"#);
        let others = |verdict, count| format!(r#"{{source="",feed="item_usages",verdict="{verdict}"}} {count}"#);
        assert_eq!(verdicts(&registry), [others("active", 2), own("active")]);
        let acme_is = metrics.judged(&acme, "dead", Some(&shown[0]));
        let globex_is = metrics.judged(&globex, "dead", Some(&shown[1]));
        assert_eq!(verdicts(&registry), [others("active", 1), others("dead", 1), own("dead")]);
        // What was told with others stays with others, also when there is room.
        metrics.forget(&acme, &acme_is);
        let globex_is = metrics.judged(&globex, "quiet", Some(&globex_is));
        assert_eq!(verdicts(&registry), [others("active", 1), others("quiet", 1)]);
        metrics.forget(&globex, &globex_is);
        metrics.forget(&initech, &shown[2]);
        assert_eq!(verdicts(&registry), [""; 0]);
    }

    #[test]
    fn what_is_in_sight_no_more_is_not_shown() {
        let registry = latchkey_runtime::Metrics::with_sources(1);
        let metrics = Metrics::new(&registry);
        // Another service of the same process has met another source first.
        assert_eq!(registry.sources().label(&chain("globex")), "globex");
        let now = Timestamp::UNIX_EPOCH;
        let lag = Lag { messages: 1, age: SignedDuration::ZERO, repeats: None, evicts_at: None };
        let reader = SeenReader { name: "files".into(), stream: "EVENTS", now: Some(lag) };
        let shows = |source: &str| {
            let line = format!(r#"latchkey_alerter_seconds_to_data_loss{{source="{source}"}}"#);
            registry.encode().lines().any(|shown| shown.starts_with(&line))
        };
        let sighted = |chains: &[&Chain], readers: &[SeenReader]| {
            let polls = chains.iter().map(|chain| ((*chain).clone(), "active")).collect();
            let ends = chains.iter().map(|chain| (chain.source.clone(), now)).collect();
            metrics.sighted(&Sight { polls, ends, readers: readers.to_vec(), ..Sight::default() }, now);
        };
        let (acme, globex) = (chain("acme"), chain("globex"));
        let shown = [&acme, &globex].map(|chain| metrics.judged(chain, "active", None));
        sighted(&[&acme, &globex], &[reader]);
        assert_eq!((shows("acme"), shows("globex"), shows("")), (true, false, true));
        assert!(registry.encode().contains(r#"reader="files""#));
        metrics.forget(&acme, &shown[0]);
        sighted(&[&globex], &[]);
        assert_eq!((shows("acme"), shows("globex"), shows("")), (false, false, true));
        assert!(!registry.encode().contains(r#"reader="files""#));
        // The place that was given back is for the next one that is met.
        metrics.judged(&chain("initech"), "active", None);
        metrics.forget(&globex, &shown[1]);
        sighted(&[&chain("initech")], &[]);
        assert_eq!((shows("globex"), shows("initech"), shows("")), (false, true, false));
    }

    /// What there is of ten thousand sources, where so many have metrics of their own.
    fn text(most: usize) -> String {
        let registry = latchkey_runtime::Metrics::with_sources(most);
        let metrics = Metrics::new(&registry);
        let now = Timestamp::UNIX_EPOCH;
        let mut sight = Sight::default();
        for number in 0..10_000 {
            let source: SourceId = format!("customer-{number:05}").parse().unwrap();
            for (feed, verdict) in Feed::USUAL.into_iter().zip(Poll::WORDS) {
                let chain = Chain { source: source.clone(), feed };
                metrics.judged(&chain, verdict, None);
                sight.polls.push((chain, verdict));
            }
            sight.ends.push((source, now));
        }
        metrics.sighted(&sight, now);
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
        assert!(bounded.len() < 1 << 19 && all.len() < 1 << 22, "{} {}", bounded.len(), all.len());
    }
}
