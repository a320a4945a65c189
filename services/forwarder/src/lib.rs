//! Delivers events to files and object stores, each exactly once.
//!
//! [`latchkey_core::delivery`] decides what belongs into which object and what a crash leaves to do; this crate reads stream EVENTS,
//! writes objects and publishes plan and commit. Any number of forwarders may run on one sink: a plan can be finished by whoever
//! finds it, and a commit is published only onto its own plan (docs/adr/0002).

mod config;
mod error;
mod forwarder;
mod metrics;
mod session;
mod store;
mod write;

pub use config::{Config, InvalidConfig};
pub use error::Error;
pub use forwarder::{Forwarder, Position};
pub use metrics::Metrics;
pub use store::{OpenError, Store};
