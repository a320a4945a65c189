//! How a service lives: configuration, telemetry, health, metrics, signals, shutdown.
//!
//! Every Latchkey process starts, reports and stops in the same way, so that an operator learns it once. A service is a
//! body; its main is [`start`]:
//!
//! ```no_run
//! # #[derive(Default, serde::Serialize, serde::Deserialize)]
//! # struct Settings {}
//! fn main() -> std::process::ExitCode {
//!     let service = latchkey_runtime::Service { name: "fetcher", version: "0.1.0", about: "Polls 1Password." };
//!     latchkey_runtime::start(service, |config: latchkey_runtime::Config<Settings>, context| async move {
//!         context.shutdown.soft().cancelled().await;
//!         Ok(())
//!     })
//! }
//! ```
//!
//! A command that is no service, or several in one process, reads its own arguments and calls [`run_with`].

mod bus;
pub mod clock;
pub mod config;
mod context;
pub mod exit;
pub mod health;
pub mod http;
pub mod metrics;
mod run;
mod service;
pub mod shutdown;
pub mod signals;
mod sources;
mod start;
mod tasks;
pub mod telemetry;

pub use config::{Config, HttpConfig, NatsConfig, ShutdownConfig, TelemetryConfig};
pub use context::Context;
pub use exit::{Exit, Failure, refused};
pub use health::{ComponentHandle, Health};
pub use metrics::Metrics;
pub use run::{HARD_LIMIT, RunConfig, install_crypto, run_with};
pub use service::Service;
pub use shutdown::Shutdown;
pub use sources::Sources;
pub use start::start;
