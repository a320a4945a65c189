//! What an operator can set, and what is refused.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use jiff::{SignedDuration, Timestamp};
use latchkey_bus::Bus;
use latchkey_contracts::{Feed, SourceId};
use latchkey_events_api::{Client, ClientOptions, Endpoint, Region, Token};
use latchkey_runtime::clock;
use serde::{Deserialize, Serialize};

use crate::{metrics::Metrics, service::Fetcher, source::Source};

/// What 1Password keeps of the past.
const API_RETENTION: SignedDuration = SignedDuration::from_hours(120 * 24);

/// No poll more often than this: the limit of 600 requests a minute is shared by all feeds of an account.
const SHORTEST_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

/// A token file holds one line; anything larger is another file.
const MAX_TOKEN_FILE: u64 = 64 << 10;

/// The fetcher's own section of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The accounts to poll.
    pub sources: Vec<SourceConfig>,
    /// Turns at once in this process. Each holds at most one page.
    pub concurrency: NonZeroUsize,
}

impl Default for Config {
    fn default() -> Self {
        Self { sources: Vec::new(), concurrency: NonZeroUsize::new(64).expect("64 is not zero") }
    }
}

/// One account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Its name in subjects and files.
    pub id: SourceId,
    /// What people call it; the id if absent.
    #[serde(default)]
    pub label: Option<String>,
    /// A file with the bearer token and nothing else.
    pub token_file: PathBuf,
    /// `us`, `us-enterprise`, `ca` or `eu`; the token's own region if absent.
    #[serde(default)]
    pub region: Option<String>,
    /// Another address than 1Password's: a proxy, or a stand-in for tests. The token goes there.
    #[serde(default)]
    pub events_api_url: Option<String>,
    /// PEM certificates of authorities to trust beside the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Which feeds to poll; all if absent.
    #[serde(default = "all_feeds")]
    pub feeds: Vec<Feed>,
    /// The oldest event wanted, where nothing was fetched yet; what 1Password keeps (120 days) if absent.
    #[serde(default)]
    pub start_time: Option<Timestamp>,
    /// Pause after a poll that reached a feed's end: at least 1 s.
    #[serde(default = "default_interval", serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub poll_interval: SignedDuration,
    /// Events per page: 1 to 1000.
    #[serde(default = "default_limit")]
    pub page_limit: u32,
}

fn all_feeds() -> Vec<Feed> {
    Feed::ALL.into()
}

fn default_interval() -> SignedDuration {
    SignedDuration::from_mins(1)
}

fn default_limit() -> u32 {
    1000
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// Nothing to do.
    #[error("fetcher.sources is empty: name at least one source")]
    NoSources,
    /// Two sources share a name.
    #[error("fetcher.sources: {0} is named twice")]
    Twice(SourceId),
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
        if self.sources.is_empty() {
            return Err(InvalidConfig::NoSources);
        }
        let mut sources: Vec<Source> = Vec::with_capacity(self.sources.len());
        for config in self.sources {
            if sources.iter().any(|source| source.id == config.id) {
                return Err(InvalidConfig::Twice(config.id));
            }
            sources.push(config.build()?);
        }
        Ok(Fetcher::new(sources, self.concurrency, bus, metrics))
    }
}

impl SourceConfig {
    /// An account with defaults for everything but its name; the token file is yet to be named.
    #[must_use]
    pub fn new(id: SourceId) -> Self {
        Self {
            id,
            label: None,
            token_file: PathBuf::new(),
            region: None,
            events_api_url: None,
            ca_file: None,
            feeds: all_feeds(),
            start_time: None,
            poll_interval: default_interval(),
            page_limit: default_limit(),
        }
    }

    fn build(self) -> Result<Source, InvalidConfig> {
        let fault = |key: &'static str| {
            let source_id = self.id.clone();
            move |reason: String| InvalidConfig::Value { source_id, key, reason }
        };
        if self.feeds.is_empty() {
            return Err(fault("feeds")("name at least one feed, or leave the key out for all".into()));
        }
        if self.poll_interval < SHORTEST_INTERVAL {
            return Err(fault("poll_interval")(format!("{:#} is too short; at least 1s", self.poll_interval)));
        }
        if !(1..=1000).contains(&self.page_limit) {
            return Err(fault("page_limit")(format!("{} is not between 1 and 1000", self.page_limit)));
        }
        let client = self.client(fault)?;
        let start = self.start_time.unwrap_or_else(|| clock::now() - API_RETENTION);
        Ok(Source {
            label: self.label.unwrap_or_else(|| self.id.to_string()),
            id: self.id,
            client,
            feeds: self.feeds,
            start,
            poll_interval: Duration::try_from(self.poll_interval).unwrap_or(Duration::MAX),
            page_limit: self.page_limit,
        })
    }

    fn client<F>(&self, fault: impl Fn(&'static str) -> F) -> Result<Client, InvalidConfig>
    where
        F: FnOnce(String) -> InvalidConfig,
    {
        let token = read_token(&self.token_file).map_err(|reason| fault("token_file")(reason))?;
        let region = self.region.as_deref().map(str::parse::<Region>).transpose();
        let region = region.map_err(|error| fault("region")(error.to_string()))?;
        let explicit = self.events_api_url.as_deref().map(str::parse).transpose();
        let explicit = explicit.map_err(|error| fault("events_api_url")(format!("no URL: {error}")))?;
        let endpoint =
            Endpoint::for_token(&token, region, explicit).map_err(|error| fault("region")(error.to_string()))?;
        let ca_pem = self.ca_file.as_ref().map(std::fs::read).transpose();
        let ca_pem = ca_pem.map_err(|error| fault("ca_file")(error.to_string()))?;
        let options = ClientOptions { ca_pem, ..ClientOptions::default() };
        Client::new(endpoint, token, options).map_err(|error| fault("ca_file")(error.to_string()))
    }
}

fn read_token(path: &std::path::Path) -> Result<Token, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", path.display());
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_TOKEN_FILE {
        return Err(format!("{} is too large for a token", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Token::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}
