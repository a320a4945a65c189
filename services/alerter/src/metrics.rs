//! What an alerter counts.

use latchkey_contracts::Chain;
use latchkey_core::{alert::Kind, verdict::Poll};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AlertLabels {
    kind: &'static str,
    source: String,
    feed: &'static str,
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
    destination: &'static str,
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
    unreadable_messages: Family<StreamLabels, Counter>,
}

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
            unreadable_messages: Family::default(),
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
            alerter.register("unreadable_messages", "Messages that cannot be read", new.unreadable_messages.clone());
        });
        new
    }

    pub(crate) fn judged(&self, chain: &Chain, poll: &Poll) {
        for verdict in Poll::WORDS {
            let labels = VerdictLabels { source: chain.source.to_string(), feed: chain.feed.as_str(), verdict };
            self.chain_verdict.get_or_create(&labels).set((verdict == poll.as_str()).into());
        }
    }

    pub(crate) fn alert_is(&self, chain: &Chain, kind: Kind, raised: bool) {
        let labels = AlertLabels { kind: kind.as_str(), source: chain.source.to_string(), feed: chain.feed.as_str() };
        self.alerts_raised.get_or_create(&labels).set(raised.into());
    }

    pub(crate) fn transition_published(&self, kind: Kind, raised: bool) {
        let state = if raised { "raised" } else { "resolved" };
        self.transitions.get_or_create(&TransitionLabels { kind: kind.as_str(), state }).inc();
    }

    pub(crate) fn notified(&self, destination: &'static str) {
        self.notifications.get_or_create(&DestinationLabels { destination }).inc();
    }

    pub(crate) fn notification_failed(&self, destination: &'static str) {
        self.notification_failures.get_or_create(&DestinationLabels { destination }).inc();
    }

    pub(crate) fn notification_abandoned(&self, destination: &'static str) {
        self.notifications_abandoned.get_or_create(&DestinationLabels { destination }).inc();
    }

    pub(crate) fn unreadable(&self, stream: &'static str) {
        self.unreadable_messages.get_or_create(&StreamLabels { stream }).inc();
    }
}
