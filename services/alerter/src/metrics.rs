//! What an alerter counts.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use latchkey_contracts::{About, Chain};
use latchkey_core::{
    alert::{
        Kind,
        board::{Board, Sight},
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
    stream_fill_ratio: Family<StreamLabels, Ratio>,
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
            stream_fill_ratio: Family::default(),
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
                "stream_fill_ratio",
                "Share of its room that a stream holds",
                new.stream_fill_ratio.clone(),
            );
            alerter.register(
                "seconds_to_data_loss",
                "Until a source's token ends or 1Password deletes its unread events",
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

    pub(crate) fn surveyed(&self, board: &Board) {
        for (reader, stream, lag, age) in board.readers() {
            let labels = ReaderLabels { reader: reader.into(), stream };
            self.reader_lag_messages.get_or_create(&labels).set(i64::try_from(lag).unwrap_or(i64::MAX));
            self.reader_lag_seconds.get_or_create(&labels).set(age.as_secs());
        }
        for (stream, bytes, max_bytes) in board.streams().filter(|(_, _, max_bytes)| *max_bytes > 0) {
            #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
            let ratio = bytes as f64 / max_bytes as f64;
            self.stream_fill_ratio.get_or_create(&StreamLabels { stream }).set(ratio);
        }
    }

    pub(crate) fn sighted(&self, sight: &Sight, now: Timestamp) {
        for (source, end) in &sight.ends {
            let labels = SourceLabels { source: source.to_string() };
            self.seconds_to_data_loss.get_or_create(&labels).set(end.duration_since(now).as_secs());
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
