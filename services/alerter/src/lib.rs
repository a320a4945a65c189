//! Watches every chain and says why it is silent.
//!
//! Two halves that meet only in stream ALERTS. The *watcher* follows the checkpoints of all chains, judges them with the pure rules
//! of [`latchkey_core::verdict`] on every change and on a tick, and publishes each transition onto the one before it, so that any
//! number of alerters raise and resolve an alert once. The *notifier* is a consumer of ALERTS and carries each transition to the
//! log, to standard output and to a webhook; a destination that is down is tried again and holds nothing else back.

mod board;
mod config;
mod destination;
mod metrics;
mod notification;
mod notifier;
mod service;
mod watcher;
mod webhook;

pub use config::{Config, DropOffConfig, InvalidConfig, WebhookConfig, WebhookUrl};
pub use metrics::Metrics;
pub use notification::Notification;
pub use service::Alerter;
