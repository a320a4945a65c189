//! What a normalizer counts.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, Instant},
};

use latchkey_contracts::{Chain, LogType};
use latchkey_core::{
    alert::files::{Files, Standing},
    lookup::Report,
    normalize::drift::{Drift, Seen},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Unit,
};

use crate::{places::Places, work::Summary};

/// The labels of one chain.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ChainLabels {
    source: String,
    feed: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TableLabels {
    table: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FilesLabels {
    files: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DriftLabels {
    log_type: &'static str,
    change: &'static str,
}

/// The normalizer's metrics. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    pages: Family<ChainLabels, Counter>,
    events: Family<ChainLabels, Counter>,
    rejections: Family<ChainLabels, Counter>,
    duplicates: Family<ChainLabels, Counter>,
    unknown_fields: Family<ChainLabels, Counter>,
    returned_pages: Family<ReasonLabels, Counter>,
    page_seconds: Histogram,
    table_rows: Family<TableLabels, Gauge<u64, AtomicU64>>,
    table_age: Family<TableLabels, Gauge<f64, AtomicU64>>,
    tables_stale: Gauge<u64, AtomicU64>,
    tables_refused: Counter,
    schemas_refused: Counter,
    newest_refused: Family<FilesLabels, Gauge>,
    drift: Family<DriftLabels, Counter>,
    /// Which have series of their own.
    places: Places,
}

/// What this process has done for a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pages normalized and acknowledged.
    pub pages: u64,
    /// Events published.
    pub events: u64,
    /// Items refused.
    pub rejections: u64,
    /// Items that had come before.
    pub duplicates: u64,
}

impl Metrics {
    /// Registers them.
    #[must_use]
    pub fn new(metrics: &latchkey_runtime::Metrics) -> Self {
        let new = Self {
            pages: Family::default(),
            events: Family::default(),
            rejections: Family::default(),
            duplicates: Family::default(),
            unknown_fields: Family::default(),
            returned_pages: Family::default(),
            // From a page of a few events to one that waits for a slow server.
            page_seconds: Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0]),
            table_rows: Family::default(),
            table_age: Family::default(),
            tables_stale: Gauge::default(),
            tables_refused: Counter::default(),
            schemas_refused: Counter::default(),
            newest_refused: Family::default(),
            drift: Family::default(),
            places: Places::new(metrics.sources()),
        };
        metrics.register(|registry| {
            let normalizer = registry.sub_registry_with_prefix("normalizer");
            normalizer.register("pages", "Pages normalized", new.pages.clone());
            normalizer.register("events", "Events published", new.events.clone());
            normalizer.register("rejections", "Items that validation refused", new.rejections.clone());
            normalizer.register("duplicates", "Items skipped because they had come before", new.duplicates.clone());
            normalizer.register(
                "unknown_fields",
                "Fields of events that their schema does not declare",
                new.unknown_fields.clone(),
            );
            normalizer.register("returned_pages", "Pages handed back for a later try", new.returned_pages.clone());
            normalizer.register_with_unit(
                "page",
                "Time from delivery to acknowledgement",
                Unit::Seconds,
                new.page_seconds.clone(),
            );
            normalizer.register("lookup_rows", "Rows of each lookup table", new.table_rows.clone());
            normalizer.register_with_unit(
                "lookup_age",
                "Time since the data of each lookup table were last changed",
                Unit::Seconds,
                new.table_age.clone(),
            );
            normalizer.register(
                "lookups_stale",
                "Lookup tables whose data are older than their AlarmPeriodMinutes",
                new.tables_stale.clone(),
            );
            normalizer.register(
                "lookups_refused",
                "Changed lookup tables that could not be loaded",
                new.tables_refused.clone(),
            );
            normalizer.register(
                "schemas_refused",
                "Changed schemas that could not be loaded",
                new.schemas_refused.clone(),
            );
            normalizer.register(
                "newest_refused",
                "1 while the newest version of the files is refused and the one before in use",
                new.newest_refused.clone(),
            );
            normalizer.register(
                "drift",
                "Values of events that differ from their schema, by what the schema would have to change",
                new.drift.clone(),
            );
        });
        new
    }

    /// What this process has done for a chain; for all chains of its feed together that have no metrics of their own, if it is one of them.
    #[must_use]
    pub fn normalized(&self, chain: &Chain) -> Counts {
        let labels = self.labels(chain);
        Counts {
            pages: self.pages.get_or_create(&labels).get(),
            events: self.events.get_or_create(&labels).get(),
            rejections: self.rejections.get_or_create(&labels).get(),
            duplicates: self.duplicates.get_or_create(&labels).get(),
        }
    }

    pub(crate) fn page_done(&self, chain: &Chain, summary: &Summary, seconds: f64) {
        let labels = self.labels(chain);
        self.pages.get_or_create(&labels).inc();
        self.events.get_or_create(&labels).inc_by(summary.events);
        self.rejections.get_or_create(&labels).inc_by(summary.rejections);
        self.duplicates.get_or_create(&labels).inc_by(summary.duplicates);
        self.unknown_fields.get_or_create(&labels).inc_by(summary.drift.total());
        self.page_seconds.observe(seconds);
    }

    pub(crate) fn page_returned(&self, reason: &'static str) {
        self.returned_pages.get_or_create(&ReasonLabels { reason }).inc();
    }

    pub(crate) fn tables_loaded(&self, report: &Report) {
        self.table_rows.clear();
        self.table_age.clear();
        for table in &report.tables {
            self.table_rows.get_or_create(&TableLabels { table: table.name.clone() }).set(table.rows as u64);
        }
    }

    pub(crate) fn table_age(&self, table: &str, age: Duration) {
        self.table_age.get_or_create(&TableLabels { table: table.into() }).set(age.as_secs_f64());
    }

    pub(crate) fn tables_stale(&self, count: usize) {
        self.tables_stale.set(count as u64);
    }

    pub(crate) fn tables_refused(&self) {
        self.tables_refused.inc();
    }

    pub(crate) fn schemas_refused(&self) {
        self.schemas_refused.inc();
    }

    pub(crate) fn files_stand(&self, files: Files, standing: &Standing) {
        let refused = matches!(standing, Standing::Refused { .. });
        self.newest_refused.get_or_create(&FilesLabels { files: files.as_str() }).set(refused.into());
    }

    /// Counts only: paths come from outside, and there may be any number of them.
    pub(crate) fn drifted(&self, log_type: LogType, drift: &Drift) {
        for (change, count) in [
            ("field", sum(drift.paths.values())),
            ("value", sum(drift.values.values())),
            ("type", sum(drift.types.values())),
            ("other", drift.others),
        ] {
            if count > 0 {
                self.drift.get_or_create(&DriftLabels { log_type: log_type.as_str(), change }).inc_by(count);
            }
        }
    }

    fn labels(&self, chain: &Chain) -> ChainLabels {
        self.labels_at(chain, Instant::now())
    }

    fn labels_at(&self, chain: &Chain, now: Instant) -> ChainLabels {
        ChainLabels { source: self.places.label(chain, now, |gone| self.forget(gone)), feed: chain.feed.as_str() }
    }

    /// The series of a source without a place end, as with a process. They are not added to those of the others: there they would look like
    /// events that have just come.
    fn forget(&self, chain: &Chain) {
        let labels = ChainLabels { source: chain.source.to_string(), feed: chain.feed.as_str() };
        for family in [&self.pages, &self.events, &self.rejections, &self.duplicates, &self.unknown_fields] {
            family.remove(&labels);
        }
    }

    #[cfg(test)]
    pub(crate) fn schemas_refusals(&self) -> u64 {
        self.schemas_refused.get()
    }
}

fn sum<'s>(seen: impl Iterator<Item = &'s Seen>) -> u64 {
    seen.map(|seen| seen.count).sum()
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::Feed;

    use super::*;

    #[test]
    fn nothing_is_told_of_a_source_that_has_given_its_place_back() {
        let registry = latchkey_runtime::Metrics::with_sources(1);
        let metrics = Metrics::new(&registry);
        let chain = |source: &str| Chain { source: source.parse().unwrap(), feed: Feed::ItemUsages };
        let summary = Summary { events: 3, ..Summary::default() };
        for source in ["acme", "globex"] {
            metrics.page_done(&chain(source), &summary, 0.1);
        }
        let tells = |line: &str| registry.encode().lines().any(|found| found == line);
        let others = r#"latchkey_normalizer_events_total{source="",feed="item_usages"} 3"#;
        assert!(tells(r#"latchkey_normalizer_events_total{source="acme",feed="item_usages"} 3"#) && tells(others));
        assert_eq!(metrics.labels_at(&chain("globex"), Instant::now() + Duration::from_hours(25)).source, "globex");
        // What was counted together is not counted again, and what is gone has not come anew.
        assert!(!registry.encode().contains("acme") && tells(others), "{}", registry.encode());
        metrics.page_done(&chain("globex"), &summary, 0.1);
        assert!(tells(r#"latchkey_normalizer_events_total{source="globex",feed="item_usages"} 3"#) && tells(others));
    }
}
