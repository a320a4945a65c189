//! What a forwarder counts, by sink.

use std::{sync::atomic::AtomicU64, time::Duration};

use latchkey_contracts::SourceId;
use latchkey_core::delivery::Counts;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Unit,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SinkLabels {
    sink: String,
}

/// A sequence or a number of messages.
type Count = Gauge<u64, AtomicU64>;

/// The forwarder's metrics. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    events: Family<SinkLabels, Counter>,
    batches: Family<SinkLabels, Counter>,
    repeated_batches: Family<SinkLabels, Counter>,
    undecodable_batches: Family<SinkLabels, Counter>,
    lost_batches: Family<SinkLabels, Counter>,
    objects: Family<SinkLabels, Counter>,
    bytes: Family<SinkLabels, Counter>,
    flush: Family<SinkLabels, Histogram, fn() -> Histogram>,
    committed: Family<SinkLabels, Count>,
    lag: Family<SinkLabels, Count>,
}

impl Metrics {
    /// Registers them.
    #[must_use]
    pub fn new(metrics: &latchkey_runtime::Metrics) -> Self {
        let new = Self {
            events: Family::default(),
            batches: Family::default(),
            repeated_batches: Family::default(),
            undecodable_batches: Family::default(),
            lost_batches: Family::default(),
            objects: Family::default(),
            bytes: Family::default(),
            flush: Family::new_with_constructor(flush_seconds),
            committed: Family::default(),
            lag: Family::default(),
        };
        metrics.register(|registry| {
            let forwarder = registry.sub_registry_with_prefix("forwarder");
            forwarder.register("events", "Events delivered", new.events.clone());
            forwarder.register("batches", "Batches delivered", new.batches.clone());
            forwarder.register(
                "repeated_batches",
                "Batches left out on purpose: their page had been delivered",
                new.repeated_batches.clone(),
            );
            forwarder.register(
                "undecodable_batches",
                "Messages of EVENTS passed over because they could not be decoded",
                new.undecodable_batches.clone(),
            );
            forwarder.register(
                "lost_batches",
                "Messages of EVENTS that were removed before they could be delivered",
                new.lost_batches.clone(),
            );
            forwarder.register("objects", "Objects written", new.objects.clone());
            forwarder.register("bytes", "Bytes of objects before compression", new.bytes.clone());
            forwarder.register_with_unit("flush", "Time from plan to commit", Unit::Seconds, new.flush.clone());
            forwarder.register("committed_sequence", "Last sequence of EVENTS delivered", new.committed.clone());
            forwarder.register("lag_batches", "Messages of EVENTS not delivered yet", new.lag.clone());
        });
        new
    }

    /// The same, for one sink.
    pub(crate) fn of(&self, sink: &SourceId) -> SinkMetrics {
        let labels = SinkLabels { sink: sink.to_string() };
        // Named once here, so that every counter is there, at zero, before it first counts.
        for family in [
            &self.events,
            &self.batches,
            &self.repeated_batches,
            &self.undecodable_batches,
            &self.lost_batches,
            &self.objects,
            &self.bytes,
        ] {
            drop(family.get_or_create(&labels));
        }
        SinkMetrics { all: self.clone(), labels }
    }
}

/// The metrics of one sink.
#[derive(Clone, Debug)]
pub(crate) struct SinkMetrics {
    all: Metrics,
    labels: SinkLabels,
}

impl SinkMetrics {
    /// A range became part of the past. Counted at the commit, so what is read again after a failure counts once.
    pub(crate) fn committed(&self, counts: &Counts, sequence: u64) {
        let Self { all, labels } = self;
        all.events.get_or_create(labels).inc_by(counts.events);
        all.batches.get_or_create(labels).inc_by(counts.batches);
        all.repeated_batches.get_or_create(labels).inc_by(counts.repeated);
        all.undecodable_batches.get_or_create(labels).inc_by(counts.undecodable);
        all.lost_batches.get_or_create(labels).inc_by(counts.missing);
        all.objects.get_or_create(labels).inc_by(counts.objects as u64);
        all.bytes.get_or_create(labels).inc_by(counts.bytes);
        self.at(sequence);
    }

    /// The sink stands at this sequence.
    pub(crate) fn at(&self, sequence: u64) {
        self.all.committed.get_or_create(&self.labels).set(sequence);
    }

    pub(crate) fn flushed(&self, took: Duration) {
        self.all.flush.get_or_create(&self.labels).observe(took.as_secs_f64());
    }

    pub(crate) fn lag(&self, messages: u64) {
        self.all.lag.get_or_create(&self.labels).set(messages);
    }
}

/// From a small file to an object store that is slow.
fn flush_seconds() -> Histogram {
    Histogram::new([0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_there_before_it_counts() {
        let metrics = latchkey_runtime::Metrics::new();
        let sink = Metrics::new(&metrics).of(&"files".parse().unwrap());
        assert!(metrics.encode().contains("latchkey_forwarder_lost_batches_total{sink=\"files\"} 0\n"));
        sink.committed(&Counts { events: 5, missing: 2, ..Counts::default() }, 9);
        sink.lag(3);
        let text = metrics.encode();
        for line in [
            "latchkey_forwarder_events_total{sink=\"files\"} 5",
            "latchkey_forwarder_lost_batches_total{sink=\"files\"} 2",
            "latchkey_forwarder_committed_sequence{sink=\"files\"} 9",
            "latchkey_forwarder_lag_batches{sink=\"files\"} 3",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
    }
}
