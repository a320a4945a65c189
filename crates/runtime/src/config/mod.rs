//! Configuration: flags over environment over one YAML file over defaults.
//!
//! What the operator wrote is either understood whole or refused whole: an unknown key is a misspelt one, and a service
//! that starts without the setting one believes it has is worse than one that does not start. Every fault names its place
//! (file and line, variable or flag), its path and what to write instead, and all of them are reported at once.
//!
//! Secrets are never values here: keys name the files they are in. So the configuration can be printed and logged.
//!
//! ```
//! use latchkey_runtime::config::{self, Flags};
//! # #[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
//! # #[serde(default, deny_unknown_fields)]
//! # struct Settings { output: String }
//! let environment = [("LATCHKEY_FORWARDER__OUPUT".into(), "file:///tmp".into())];
//! let faults = config::load::<Settings>("forwarder", &Flags::default(), environment, config::read_file).unwrap_err();
//! assert_eq!(
//!     faults.to_string(),
//!     "environment LATCHKEY_FORWARDER__OUPUT: forwarder.ouput: unknown key, did you mean LATCHKEY_FORWARDER__OUTPUT?"
//! );
//! ```

mod fault;
mod flags;
mod layers;
mod read;
mod reader;
mod sections;
mod tree;
mod value;
mod yaml;

pub use fault::{Fault, Faults, MAX_FAULTS};
pub use flags::Flags;
pub use layers::{MAX_FILE_BYTES, assemble, read_file};
pub use reader::Reader;
pub use sections::{Config, HttpConfig, LogFormat, MAX_GRACE, NatsConfig, ShutdownConfig, TelemetryConfig};
pub use tree::Tree;

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::path::Path;

/// The services whose sections one file may hold. A service reads its own and leaves the others to them.
pub const SERVICES: [&str; 4] = ["fetcher", "normalizer", "forwarder", "alerter"];

/// Reads a service's whole configuration: the common sections and the one under its own name, which becomes `S`.
///
/// `environment` is [`std::env::vars_os`] and `read` is [`read_file`], except in tests.
pub fn load<S>(
    service: &str,
    flags: &Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    read: impl FnOnce(&Path) -> std::io::Result<String>,
) -> Result<Config<S>, Faults>
where
    S: Serialize + DeserializeOwned + Default,
{
    let mut reader = Reader::new(assemble(flags, environment, read)?);
    let config = Config {
        nats: reader.section("nats"),
        telemetry: reader.section("telemetry"),
        http: reader.section("http"),
        shutdown: reader.section("shutdown"),
        service: reader.section(service),
    };
    reader.finish()?;
    Ok(config)
}
