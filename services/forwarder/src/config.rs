//! What an operator can set, and what is refused.

use std::{env, time::Duration};

use jiff::SignedDuration;
use latchkey_bus::Bus;
use latchkey_contracts::SourceId;
use latchkey_core::delivery::Compression;
use latchkey_runtime::ComponentHandle;
use serde::{Deserialize, Serialize};

use crate::{
    forwarder::Forwarder,
    metrics::Metrics,
    store::{OpenError, Store},
};

/// The largest `max_bytes`: it is held in memory, and an object is uploaded in one request.
const MOST_BYTES: u64 = 1 << 30;

/// The longest `max_delay`: what is not written has to stay in stream EVENTS.
const LONGEST_DELAY: SignedDuration = SignedDuration::from_hours(24);

/// The forwarder's own section of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The sink's name, by the rules of a source's name. Its progress is kept under this name: forwarders of one sink share the
    /// work, and a sink given another name begins at the beginning.
    pub sink: SourceId,
    /// Where objects go: a directory, or a URL with `file`, `s3`, `gs` or `az`. Keys and endpoints of object stores come from
    /// their usual variables (`AWS_…`, `GOOGLE_…`, `AZURE_…`).
    pub output: String,
    /// `none` or `zstd`.
    pub compression: Compression,
    /// Records held before they are written, in bytes: the bound of memory, up to one batch. At most 1 GiB.
    pub max_bytes: u64,
    /// How long an event may wait for others to share an object with. At most 24 h.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub max_delay: SignedDuration,
    /// How long one waits at the stream's end, where no others are in sight. At most `max_delay`.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub min_delay: SignedDuration,
    /// In a directory, write each object to the disk before it counts: it survives power loss.
    pub fsync: bool,
}

impl Default for Config {
    /// 16 MiB keep a process below 100 MiB: what was freed on one thread is not always at hand for the next, so it counts twice or more.
    fn default() -> Self {
        Self {
            sink: "files".parse().expect("a fixed name that follows the rules"),
            output: String::new(),
            compression: Compression::None,
            max_bytes: 16 << 20,
            max_delay: SignedDuration::from_secs(2),
            min_delay: SignedDuration::from_millis(250),
            fsync: true,
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// Nowhere to deliver to.
    #[error("forwarder.output is not set: name a directory, or a URL with file, s3, gs or az")]
    NoOutput,
    /// The output cannot be opened.
    #[error("forwarder.output: {0}")]
    Output(#[from] OpenError),
    /// A value out of its bounds.
    #[error("forwarder.{key}: {reason}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Why.
        reason: &'static str,
    },
}

/// When a load is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_bytes: u64,
    pub(crate) max_delay: Duration,
    pub(crate) min_delay: Duration,
}

impl Config {
    /// Checks every value and opens the output. A directory is created and tried; an object store is first spoken to when there
    /// is something to write.
    pub fn build(self, bus: Bus, metrics: &Metrics, output: ComponentHandle) -> Result<Forwarder, InvalidConfig> {
        if self.output.is_empty() {
            return Err(InvalidConfig::NoOutput);
        }
        // A variable that is not text cannot be a setting of ours.
        let environment =
            env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
        let store = Store::open(&self.output, self.fsync, environment)?;
        self.build_on(store, bus, metrics, output)
    }

    /// As [`Self::build`], onto a store opened by the caller; `output` and `fsync` are left aside.
    pub fn build_on(
        self,
        store: Store,
        bus: Bus,
        metrics: &Metrics,
        output: ComponentHandle,
    ) -> Result<Forwarder, InvalidConfig> {
        let limits = self.limits()?;
        Ok(Forwarder::new(self.sink, self.compression, limits, store, bus, metrics, output))
    }

    fn limits(&self) -> Result<Limits, InvalidConfig> {
        let fault = |key, reason| Err(InvalidConfig::Value { key, reason });
        if !(1..=MOST_BYTES).contains(&self.max_bytes) {
            return fault("max_bytes", "is between 1 and 1073741824 (1 GiB)");
        }
        if !(SignedDuration::ZERO..=LONGEST_DELAY).contains(&self.max_delay) {
            return fault("max_delay", "is between 0s and 24h");
        }
        if !(SignedDuration::ZERO..=self.max_delay).contains(&self.min_delay) {
            return fault("min_delay", "is between 0s and max_delay");
        }
        Ok(Limits {
            max_bytes: self.max_bytes,
            max_delay: self.max_delay.unsigned_abs(),
            min_delay: self.min_delay.unsigned_abs(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_bounds_are_refused_by_key() {
        let key = |config: Config| match config.limits() {
            Err(InvalidConfig::Value { key, .. }) => key,
            other => panic!("{other:?}"),
        };
        assert!(Config::default().limits().is_ok());
        assert_eq!(key(Config { max_bytes: 0, ..Config::default() }), "max_bytes");
        assert_eq!(key(Config { max_delay: SignedDuration::from_hours(25), ..Config::default() }), "max_delay");
        assert_eq!(key(Config { min_delay: SignedDuration::from_secs(3), ..Config::default() }), "min_delay");
        assert_eq!(key(Config { min_delay: SignedDuration::from_secs(-1), ..Config::default() }), "min_delay");
    }
}
