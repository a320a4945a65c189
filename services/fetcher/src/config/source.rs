//! One account, as an operator sets it in the configuration file or in the bucket SOURCES.

use std::{path::PathBuf, sync::Mutex, time::Duration};

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Feed, SourceId};
use latchkey_core::polling::Policy;
use latchkey_runtime::clock;
use serde::{Deserialize, Serialize};

use super::InvalidConfig;
use crate::{
    access::{Access, Fault, Settings},
    connections::Connections,
    keeper::Keeper,
    sealed_tokens::SealedTokens,
    source::Source,
};

/// What 1Password keeps of the past.
const API_RETENTION: SignedDuration = SignedDuration::from_hours(120 * 24);

/// No poll more often than this: the limit of 600 requests a minute is shared by all feeds of an account.
const SHORTEST_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

/// Anything shorter gives up on answers that would come.
const SHORTEST_TIMEOUT: SignedDuration = SignedDuration::from_secs(1);

/// With a longer one a turn could outlast what an alerter waits for a sign of life.
const LONGEST_TIMEOUT: SignedDuration = SignedDuration::from_mins(1);

/// One account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Its name in subjects and files.
    pub id: SourceId,
    /// What people call it; the id if absent.
    #[serde(default)]
    pub label: Option<String>,
    /// A file with the bearer token and nothing else. It may be replaced at any time; the new token is then used.
    #[serde(default)]
    pub token_file: PathBuf,
    /// Or the variable of the environment that holds it.
    #[serde(default)]
    pub token_env: Option<String>,
    /// Or whether it is in the bucket TOKENS, sealed to a key of the fetchers (`latchkey source seal`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub token_sealed: bool,
    /// `us`, `us-enterprise`, `ca` or `eu`; the token's own region if absent.
    #[serde(default)]
    pub region: Option<String>,
    /// Another address than 1Password's: a proxy, or a stand-in for tests. The token goes there.
    #[serde(default)]
    pub events_api_url: Option<String>,
    /// PEM certificates of authorities to trust beside the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Which feeds to poll; all but `audit_events_v3`, a beta, if absent.
    #[serde(default = "usual_feeds")]
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
    /// Time for a request, from connecting to the answer's last byte: 1 s to 1 min. What an answer waits for room in here does not count.
    #[serde(default = "default_timeout", serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub timeout: SignedDuration,
    /// Whether it is left alone for now. Its feeds keep their places.
    #[serde(default)]
    pub paused: bool,
}

fn usual_feeds() -> Vec<Feed> {
    Feed::USUAL.into()
}

fn default_interval() -> SignedDuration {
    SignedDuration::from_mins(1)
}

fn default_limit() -> u32 {
    1000
}

fn default_timeout() -> SignedDuration {
    SignedDuration::from_mins(1)
}

impl SourceConfig {
    /// An account with defaults for everything but its name; the token file is yet to be named.
    #[must_use]
    pub fn new(id: SourceId) -> Self {
        Self {
            id,
            label: None,
            token_file: PathBuf::new(),
            token_env: None,
            token_sealed: false,
            region: None,
            events_api_url: None,
            ca_file: None,
            feeds: usual_feeds(),
            start_time: None,
            poll_interval: default_interval(),
            page_limit: default_limit(),
            timeout: default_timeout(),
            paused: false,
        }
    }

    /// The value of a source that is added while fetchers run, for the bucket SOURCES. There is no token in it, only where one is kept.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("settings are plain data")
    }

    /// Reads such a value.
    pub fn from_json(id: &SourceId, json: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if config.id == *id { Ok(config) } else { Err(format!("the value is of the source {}", config.id)) }
    }

    /// Whether the settings can be used, as far as they say themselves; where the token is kept is not looked at.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let fault = |key: &'static str| {
            let source_id = self.id.clone();
            move |reason: String| InvalidConfig::Value { source_id, key, reason }
        };
        if self.feeds.is_empty() {
            return Err(fault("feeds")("name at least one feed, or leave the key out for the usual ones".into()));
        }
        if self.poll_interval < SHORTEST_INTERVAL {
            return Err(fault("poll_interval")(format!("{:#} is too short; at least 1s", self.poll_interval)));
        }
        if !(1..=1000).contains(&self.page_limit) {
            return Err(fault("page_limit")(format!("{} is not between 1 and 1000", self.page_limit)));
        }
        if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&self.timeout) {
            return Err(fault("timeout")(format!("{:#} is not between 1s and 1m", self.timeout)));
        }
        self.settings(&SealedTokens::none()).map(|_| ()).map_err(|found| fault(found.key)(found.reason))
    }

    /// What does not change during a turn.
    pub(crate) fn policy(&self) -> Policy {
        let start = self.start_time.unwrap_or_else(|| clock::now() - API_RETENTION);
        Policy::new(Duration::try_from(self.poll_interval).unwrap_or(Duration::MAX), start, self.page_limit)
    }

    /// Reads the token. Nothing is sent yet.
    pub(crate) fn open(&self, connections: &Connections, tokens: &SealedTokens) -> Result<Source, InvalidConfig> {
        self.check()?;
        let open = |settings| Access::open(self.id.clone(), self.feeds.clone(), settings, connections);
        let access = self.settings(tokens).and_then(open);
        let access =
            access.map_err(|Fault { key, reason }| InvalidConfig::Value { source_id: self.id.clone(), key, reason })?;
        let Policy { poll_interval, start, page_limit, .. } = self.policy();
        Ok(Source {
            label: self.label(),
            id: self.id.clone(),
            access,
            clock_skew: Mutex::default(),
            start,
            poll_interval,
            page_limit,
        })
    }

    pub(crate) fn label(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.id.to_string())
    }

    fn settings(&self, tokens: &SealedTokens) -> Result<Settings, Fault> {
        let fault = |reason: &str| Err(Fault { key: "token_file", reason: reason.into() });
        let keeper = match (self.token_file.as_os_str().is_empty(), &self.token_env, self.token_sealed) {
            (false, None, false) => Keeper::File(self.token_file.clone()),
            (true, Some(name), false) => Keeper::Variable(name.clone()),
            (true, None, true) => Keeper::Sealed(self.id.clone(), tokens.clone()),
            (true, None, false) => {
                return fault("name the file with the token, the variable with it as token_env, or set token_sealed");
            }
            _ => return fault("name it, token_env or token_sealed, and only one of them"),
        };
        Ok(Settings {
            keeper,
            region: self.region.clone(),
            events_api_url: self.events_api_url.clone(),
            ca_file: self.ca_file.clone(),
            timeout: Duration::try_from(self.timeout).unwrap_or(Duration::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(changes: impl FnOnce(&mut SourceConfig)) -> String {
        let mut config = SourceConfig::new("acme".parse().unwrap());
        changes(&mut config);
        config.open(&Connections::default(), &SealedTokens::none()).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_token_has_one_place() {
        let check = |changes: fn(&mut SourceConfig), expect: &str| {
            let refusal = refusal(changes);
            assert!(refusal.starts_with(&format!("fetcher.sources (acme).{expect}")), "{refusal}");
        };
        check(|_| (), "token_file: name the file");
        check(
            |config| (config.token_file, config.token_env) = ("a".into(), Some("A".into())),
            "token_file: name it, token_env or",
        );
        check(
            |config| (config.token_file, config.token_sealed) = ("a".into(), true),
            "token_file: name it, token_env or",
        );
        check(|config| config.token_sealed = true, "token_sealed: this fetcher has no key to open it");
        check(|config| config.token_file = "/nowhere/token".into(), "token_file: /nowhere/token: ");
        check(
            |config| config.token_env = Some("LATCHKEY_NO_SUCH_VARIABLE".into()),
            "token_env: LATCHKEY_NO_SUCH_VARIABLE is not set",
        );
        // Set everywhere, and no token.
        check(|config| config.token_env = Some("PATH".into()), "token_env: this is not a bearer token");
    }
}
