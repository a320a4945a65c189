//! Polls 1Password and publishes raw pages.
//!
//! A fetcher takes a chain's task, lets [`latchkey_core::polling`] decide each step of a turn, performs it, writes the checkpoint and
//! hands the task back with a delay. It keeps nothing that matters: position, history and window of a chain are remembered only to
//! save reading them again, and a stale memory is found out when the next page is refused by the stream.

mod config;
mod memory;
mod metrics;
mod performer;
mod service;
mod source;

pub use config::{Config, InvalidConfig, SourceConfig};
pub use metrics::Metrics;
pub use service::Fetcher;
