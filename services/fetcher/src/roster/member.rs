//! One source as it stands: polled, paused, not usable, or removed.

use jiff::Timestamp;
use latchkey_contracts::{Chain, Feed, SourceId};
use latchkey_core::polling::Policy;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{InvalidConfig, SourceConfig},
    connections::Connections,
    sealed_tokens::SealedTokens,
    source::Source,
};

/// Why a source of the bucket is not polled. An address may hold a password, so it is not repeated.
const UNLISTED: &str =
    "events_api_url: not among fetcher.events_api_urls of the configuration file; list it there, word for word";

/// Why a source of the configuration file is not polled at the very start.
const UNREAD: &str = "token_sealed: the bucket TOKENS has not been read yet";

/// One source.
pub(crate) struct Member {
    pub(crate) id: SourceId,
    pub(crate) label: String,
    /// Those that are to have duties; none of a source that was removed.
    feeds: Vec<Feed>,
    pub(crate) policy: Policy,
    /// The sequence of its value in the bucket; 0 for a source of the configuration file.
    pub(crate) revision: u64,
    pub(crate) duty: Duty,
    /// Cancelled when something else takes its place: turns then end softly.
    pub(crate) stop: CancellationToken,
    /// Its turns under way.
    pub(crate) turns: TaskTracker,
}

/// What is to be done for a source.
pub(crate) enum Duty {
    Poll(Box<Source>),
    /// It is left alone for now.
    Pause,
    /// It would be polled if its settings could be used.
    Misconfigured {
        config: Option<Box<SourceConfig>>,
        reason: String,
    },
    /// Nothing is left to do.
    Removed {
        at: Timestamp,
    },
}

impl Duty {
    /// All that [`Self::as_str`] says.
    pub(crate) const WORDS: [&str; 4] = ["polled", "paused", "misconfigured", "removed"];

    pub(crate) const fn as_str(&self) -> &'static str {
        let [polled, paused, misconfigured, removed] = Self::WORDS;
        match self {
            Self::Poll(_) => polled,
            Self::Pause => paused,
            Self::Misconfigured { .. } => misconfigured,
            Self::Removed { .. } => removed,
        }
    }
}

impl Member {
    /// A source of the configuration file, which is refused if it cannot be used.
    pub(crate) fn of_file(
        config: &SourceConfig,
        connections: &Connections,
        tokens: &SealedTokens,
    ) -> Result<Self, InvalidConfig> {
        if config.token_sealed && tokens.has_keys() {
            config.check()?;
            // Nothing is read from the bus yet.
            let duty = Duty::Misconfigured { config: Some(Box::new(config.clone())), reason: UNREAD.to_owned() };
            return Ok(Self::new(config, 0, if config.paused { Duty::Pause } else { duty }));
        }
        let source = config.open(connections, tokens)?;
        let duty = if config.paused { Duty::Pause } else { Duty::Poll(Box::new(source)) };
        Ok(Self::new(config, 0, duty))
    }

    /// A source of the bucket. What cannot be used is kept, with the reason.
    ///
    /// Whoever may write the bucket must not be able to send a token of this machine elsewhere, so an address of the bucket counts only
    /// if `addresses`, which come from the configuration file, has it.
    pub(crate) fn of_bucket(
        id: &SourceId,
        json: &[u8],
        revision: u64,
        connections: &Connections,
        tokens: &SealedTokens,
        addresses: &[String],
    ) -> Self {
        let config = match SourceConfig::from_json(id, json) {
            Ok(config) => config,
            Err(reason) => return Self::unreadable(id.clone(), revision, reason),
        };
        if config.events_api_url.as_ref().is_some_and(|url| !addresses.contains(url)) {
            return Self::new(&config, revision, Duty::Misconfigured { config: None, reason: UNLISTED.to_owned() });
        }
        let duty = match config.open(connections, tokens) {
            _ if config.paused => Duty::Pause,
            Ok(source) => Duty::Poll(Box::new(source)),
            Err(error) => Duty::Misconfigured { config: Some(Box::new(config.clone())), reason: error.to_string() },
        };
        Self::new(&config, revision, duty)
    }

    /// A source of the bucket whose value is none.
    pub(crate) fn unreadable(id: SourceId, revision: u64, reason: String) -> Self {
        Self::new(&SourceConfig::new(id), revision, Duty::Misconfigured { config: None, reason })
    }

    /// What is left of a source that was removed.
    pub(crate) fn removed(id: SourceId, revision: u64, at: Timestamp) -> Self {
        let config = SourceConfig { feeds: Vec::new(), ..SourceConfig::new(id) };
        Self::new(&config, revision, Duty::Removed { at })
    }

    fn new(config: &SourceConfig, revision: u64, duty: Duty) -> Self {
        Self {
            id: config.id.clone(),
            label: config.label(),
            feeds: config.feeds.clone(),
            policy: config.policy(),
            revision,
            duty,
            stop: CancellationToken::new(),
            turns: TaskTracker::new(),
        }
    }

    /// The same in a usable state, if its settings can be used by now; or with another reason why not, if that has changed.
    pub(crate) fn opened(&self, connections: &Connections, tokens: &SealedTokens) -> Option<Self> {
        let Duty::Misconfigured { config: Some(config), reason } = &self.duty else { return None };
        let duty = match config.open(connections, tokens) {
            Ok(source) => Duty::Poll(Box::new(source)),
            Err(error) if error.to_string() == *reason => return None,
            Err(error) => Duty::Misconfigured { config: Some(config.clone()), reason: error.to_string() },
        };
        Some(Self::new(config, self.revision, duty))
    }

    /// Whether its token is kept in the bucket TOKENS, as far as it has one.
    pub(crate) fn is_sealed(&self) -> bool {
        matches!(&self.duty, Duty::Poll(source) if source.access.is_sealed())
    }

    pub(crate) const fn is_of_file(&self) -> bool {
        self.revision == 0
    }

    pub(crate) fn is_removed_before(&self, then: Timestamp) -> bool {
        matches!(self.duty, Duty::Removed { at } if at <= then)
    }

    pub(crate) fn lists(&self, feed: Feed) -> bool {
        self.feeds.contains(&feed)
    }

    /// Its chains that are to have duties.
    pub(crate) fn chains(&self) -> impl Iterator<Item = Chain> {
        self.feeds.iter().map(|feed| Chain { source: self.id.clone(), feed: *feed })
    }

    /// Every chain that it may ever have had.
    pub(crate) fn every_chain(&self) -> impl Iterator<Item = Chain> {
        Feed::ALL.into_iter().map(|feed| Chain { source: self.id.clone(), feed })
    }
}
