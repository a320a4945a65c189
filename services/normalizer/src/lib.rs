//! Turns raw pages into validated, enriched events.
//!
//! A normalizer takes a page, lets [`latchkey_core::normalize`] decide what becomes of each item, publishes the events and the
//! rejections under ids that follow from the page, and only then acknowledges the page. Whatever happens in between, the page comes
//! again and the same messages are published again, of which the stream keeps one. It holds no state but schemas and lookup tables.

mod config;
mod directory;
mod drift;
mod metrics;
mod places;
mod publish;
mod report;
mod rulebook;
mod service;
mod tables;
mod watch;
mod work;

pub use config::{Config, InvalidConfig, SHIPPED};
pub use metrics::{Counts, Metrics};
pub use rulebook::InvalidSchemas;
pub use service::Normalizer;
pub use tables::InvalidTables;
