//! What an operator can set, and what is refused.

mod audit;
mod source;

use std::{
    collections::HashSet,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use latchkey_bus::Bus;
use latchkey_contracts::SourceId;
use latchkey_core::budget::Limits;
use serde::{Deserialize, Serialize};

pub use self::{audit::AuditConfig, source::SourceConfig};
use crate::{metrics::Metrics, roster::Roster, sealed_tokens::SealedTokens, service::Fetcher};

/// The fetcher's own section of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The accounts to poll, beside those that are added while fetchers run (`latchkey source`).
    pub sources: Vec<SourceConfig>,
    /// Addresses other than 1Password's, word for word, that sources added while fetchers run may name as `events_api_url`: a token goes
    /// nowhere else.
    pub events_api_urls: Vec<String>,
    /// The secret keys that sealed tokens are opened with, one on each line (`latchkey source token-key`).
    pub token_key_file: Option<PathBuf>,
    /// Pages held at once in this process, a quarter of them at most of the past; four times as many turns may wait for answers.
    pub concurrency: NonZeroUsize,
    /// Requests a minute that 1Password allows an account, over all fetchers and kinds of work.
    pub requests_per_minute: NonZeroU32,
    /// Requests an hour.
    pub requests_per_hour: NonZeroU32,
    /// Reading the past again to prove that nothing is missing.
    pub audit: AuditConfig,
}

impl Default for Config {
    fn default() -> Self {
        let Limits { per_minute, per_hour } = Limits::default();
        Self {
            sources: Vec::new(),
            events_api_urls: Vec::new(),
            token_key_file: None,
            concurrency: NonZeroUsize::new(64).expect("64 is not zero"),
            requests_per_minute: NonZeroU32::new(per_minute).expect("the limits are not zero"),
            requests_per_hour: NonZeroU32::new(per_hour).expect("the limits are not zero"),
            audit: AuditConfig::default(),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// Two sources share a name.
    #[error("fetcher.sources: {0} is named twice")]
    Twice(SourceId),
    /// The keys of sealed tokens cannot be read.
    #[error("fetcher.token_key_file: {0}")]
    TokenKey(String),
    /// A value out of its bounds.
    #[error("fetcher.sources ({source_id}).{key}: {reason}")]
    Value {
        /// Which source.
        source_id: SourceId,
        /// Which key.
        key: &'static str,
        /// Why.
        reason: String,
    },
}

impl Config {
    /// Reads the tokens, checks every value and makes a fetcher. Nothing is sent yet.
    pub fn build(self, bus: Bus, metrics: Metrics) -> Result<Fetcher, InvalidConfig> {
        let tokens = match &self.token_key_file {
            Some(path) => SealedTokens::open(bus.clone(), path).map_err(InvalidConfig::TokenKey)?,
            None => SealedTokens::none(),
        };
        let roster = Roster::new(bus.clone(), metrics.clone(), self.events_api_urls, tokens);
        let mut ids = HashSet::new();
        for config in self.sources {
            if !ids.insert(config.id.clone()) {
                return Err(InvalidConfig::Twice(config.id));
            }
            roster.name(&config)?;
        }
        let limits = Limits { per_minute: self.requests_per_minute.get(), per_hour: self.requests_per_hour.get() };
        let schedule = self.audit.enabled.then_some(self.audit.schedule());
        Ok(Fetcher::new(roster, self.concurrency, limits, schedule, bus, metrics))
    }
}
