//! Watches every chain and says why it is silent.
//!
//! Two halves that meet only in stream ALERTS. The *watcher* follows the checkpoints of all chains and what the *surveyors* of all alerters
//! see of streams and their readers (bucket WINDOWS), judges them with the pure rules of [`latchkey_core::verdict`] on every change and on a
//! tick, and publishes each transition onto the one before it, so that any number of alerters raise and resolve an alert once; the *keeper*
//! stores what it has learned of feeds. What tells people are consumers of ALERTS: the *announcer* writes the log and standard output, and each
//! destination has a *notifier* with its own progress, so that one that is down is tried again and holds nothing else back. The [`desk`] is where
//! people and programs look after alerts, also over gRPC ([`api`]). A *heartbeat* shows outside that all this goes on.

mod announcer;
pub mod api;
mod config;
pub mod desk;
mod destination;
mod hearsay;
mod heartbeat;
mod keeper;
mod look;
mod metrics;
mod nats_clock;
mod notification;
mod notifier;
mod routing;
mod service;
mod survey;
mod tables;
mod take;
mod watcher;
mod windows;

pub use config::{
    AlertmanagerConfig, ApiConfig, Config, Day, DeliveryConfig, DestinationConfig, DropOffConfig, DropOffOverride,
    EmailConfig, HeartbeatConfig, HoursConfig, InvalidConfig, InvalidPolicy, MailAddress, MaintenanceConfig,
    PagerDutyConfig, PolicyConfig, ReaderConfig, RouteConfig, Security, SeverityName, SlackConfig, SourceConfig,
    WebhookConfig, WebhookUrl,
};
pub use metrics::Metrics;
pub use notification::Notification;
pub use service::Alerter;
