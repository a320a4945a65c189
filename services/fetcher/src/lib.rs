//! Polls 1Password and publishes raw pages.
//!
//! A fetcher takes a chain's task, lets [`latchkey_core::polling`] decide each step of a turn, performs it, writes the checkpoint and
//! hands the task back with a delay. It keeps nothing that matters: the window of a chain's recent events is remembered only to save
//! reading its pages again, and counts only while the chain's newest page is the one it was made for.

mod access;
mod audit;
mod budget;
mod config;
mod connections;
mod history;
mod keeper;
mod lanes;
mod memory;
mod metrics;
mod performer;
mod roster;
mod scopes;
pub mod seal;
mod sealed_tokens;
mod service;
mod source;
mod standing;
mod stop;

pub use config::{AuditConfig, Config, InvalidConfig, SourceConfig};
pub use metrics::Metrics;
pub use service::Fetcher;
