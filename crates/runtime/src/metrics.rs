//! Prometheus metrics: one registry per process, prefix `latchkey`.
//!
//! Services register their own families under their own noun (`fetcher_pages`); the text is `OpenMetrics`, which adds
//! `_total` to counters and the unit to the name.

use crate::{Service, sources::Sources};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};

/// The content type of [`Metrics::encode`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Sources with metrics of their own, unless the operator sets another number: some two megabytes of text.
pub const DEFAULT_SOURCES: usize = 1_000;

/// A process' metrics. Clones share the registry.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    most_sources: usize,
}

impl Metrics {
    /// An empty registry, for as many sources as a service has by default.
    #[must_use]
    pub fn new() -> Self {
        Self::with_sources(DEFAULT_SOURCES)
    }

    /// An empty registry, where at most so many sources have metrics of their own.
    #[must_use]
    pub fn with_sources(most: usize) -> Self {
        Self { registry: Arc::new(Mutex::new(Registry::with_prefix("latchkey"))), most_sources: most }
    }

    /// Which sources have metrics of their own, for one service: of several in a process each meets and forgets them by itself.
    #[must_use]
    pub fn sources(&self) -> Sources {
        Sources::new(self.most_sources)
    }

    /// Gives access to the registry, to register families in; returns what the closure returns (usually the families).
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        // A panic while registering leaves a registry that is merely missing a family: still worth serving.
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Registers `latchkey_build_info{service, version} 1`.
    pub fn register_build_info(&self, service: &Service) {
        let labels = vec![("service", service.name), ("version", service.version)];
        self.register(|registry| registry.register("build", "The program that runs", Info::new(labels)));
    }

    /// Everything in `OpenMetrics` text.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "writing to a String does not fail")]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        self.register(|registry| prometheus_client::encoding::text::encode(&mut text, registry))
            .expect("writing to a String does not fail");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn families_appear_with_the_prefix_and_build_info() {
        let metrics = Metrics::new();
        metrics.register_build_info(&Service { name: "fetcher", version: "1.2.3", about: "" });
        let pages: Counter = metrics.register(|registry| {
            let counter = Counter::default();
            registry.register("fetcher_pages", "Pages published", counter.clone());
            counter
        });
        pages.inc_by(3);
        assert_eq!(
            metrics.encode(),
            "# HELP latchkey_build The program that runs.\n\
             # TYPE latchkey_build info\n\
             latchkey_build_info{service=\"fetcher\",version=\"1.2.3\"} 1\n\
             # HELP latchkey_fetcher_pages Pages published.\n\
             # TYPE latchkey_fetcher_pages counter\n\
             latchkey_fetcher_pages_total 3\n\
             # EOF\n"
        );
    }
}
