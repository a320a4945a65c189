//! What an alerter counts.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use latchkey_contracts::{About, Chain};
use latchkey_core::{
    alert::{
        Kind,
        board::{SeenReader, SeenStream, Sight},
    },
    verdict::Poll,
};
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
        };
        metrics.register(|registry| {
            let alerter = registry.sub_registry_with_prefix("alerter");
            alerter.register("alerts_raised", "1 while an alert is raised", new.alerts_raised.clone());
            alerter.register("chain_verdict", "1 for the poll verdict that holds", new.chain_verdict.clone());
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
                "Share of a consumer's deliveries of the last ten minutes that were repeated ones",
                new.reader_redelivered_ratio.clone(),
            );
            alerter.register(
                "stream_fill_ratio",
                "Share of its room that a stream holds",
                new.stream_fill_ratio.clone(),
            );
            alerter.register(
                "stream_seconds_to_full",
                "Until a stream is full at the rate of the last ten minutes, while it grows",
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
        });
        new
    }

    pub(crate) fn judged(&self, chain: &Chain, poll: &str) {
        for verdict in Poll::WORDS {
            let labels = VerdictLabels { source: chain.source.to_string(), feed: chain.feed.as_str(), verdict };
            self.chain_verdict.get_or_create(&labels).set((verdict == poll).into());
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
        for reader in &sight.readers {
            self.reader(reader);
        }
        for stream in &sight.streams {
            self.stream(*stream, now);
        }
        for feeds in sight.polls.chunk_by(|(one, _), (other, _)| one.source == other.source) {
            let source = &feeds[0].0.source;
            let labels = SourceLabels { source: source.to_string() };
            match sight.ends.get(source) {
                Some(end) => {
                    let left = end.duration_since(now).as_secs();
                    self.seconds_to_data_loss.get_or_create(&labels).set(left);
                }
                None => _ = self.seconds_to_data_loss.remove(&labels),
            }
        }
        if let Some(skew) = sight.skew {
            self.clock_skew_seconds.set(skew.as_secs_f64());
        }
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
