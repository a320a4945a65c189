//! Identifiers: source, feed, chain, log type.
//!
//! Each is a newtype or an enum whose construction is its validation, because each becomes part of a NATS subject or of an
//! object's name, where a stray dot or slash would change what is addressed.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of a source (one onboarded 1Password account): 1 to 64 of `a-z 0-9 _ -`, not starting with `-` or `_`.
///
/// Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceId(Arc<str>);

impl SourceId {
    /// The longest name, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that cannot name a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot name a source: use 1 to 64 of a-z, 0-9, '-' and '_', starting with a letter or digit")]
pub struct InvalidSourceId(pub String);

impl FromStr for SourceId {
    type Err = InvalidSourceId;

    fn from_str(text: &str) -> Result<Self, InvalidSourceId> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= Self::MAX_LENGTH
            && text.bytes().next().is_some_and(plain)
            && text.bytes().all(|byte| plain(byte) || byte == b'-' || byte == b'_');
        if fits { Ok(Self(text.into())) } else { Err(InvalidSourceId(text.into())) }
    }
}

impl TryFrom<String> for SourceId {
    type Error = InvalidSourceId;

    fn try_from(text: String) -> Result<Self, InvalidSourceId> {
        text.parse()
    }
}

impl From<SourceId> for String {
    fn from(source: SourceId) -> Self {
        source.0.as_ref().into()
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One event stream of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    /// Attempts to sign in, successful or not.
    SignInAttempts,
    /// Uses of items in shared vaults.
    ItemUsages,
    /// What administrators and members did to the account.
    AuditEvents,
    /// The same as version 3 of the API tells it, which is a beta.
    AuditEventsV3,
}

impl Feed {
    /// Every feed, in the order in which people list them.
    pub const ALL: [Self; 4] = [Self::SignInAttempts, Self::ItemUsages, Self::AuditEvents, Self::AuditEventsV3];

    /// Those that a source has unless it names others.
    pub const USUAL: [Self; 3] = [Self::SignInAttempts, Self::ItemUsages, Self::AuditEvents];

    /// The feed's name in subjects, metrics and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignInAttempts => "sign_in_attempts",
            Self::ItemUsages => "item_usages",
            Self::AuditEvents => "audit_events",
            Self::AuditEventsV3 => "audit_events_v3",
        }
    }

    /// The log type of this feed's events.
    #[must_use]
    pub const fn log_type(self) -> LogType {
        match self {
            Self::SignInAttempts => LogType("OnePassword.SignInAttempt"),
            Self::ItemUsages => LogType("OnePassword.ItemUsage"),
            Self::AuditEvents => LogType("OnePassword.AuditEvent"),
            Self::AuditEventsV3 => LogType("OnePassword.AuditEventV3"),
        }
    }
}

/// A text that names no feed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no feed: use sign_in_attempts, item_usages, audit_events or audit_events_v3")]
pub struct UnknownFeed(pub String);

impl FromStr for Feed {
    type Err = UnknownFeed;

    fn from_str(text: &str) -> Result<Self, UnknownFeed> {
        Self::ALL.into_iter().find(|feed| feed.as_str() == text).ok_or_else(|| UnknownFeed(text.into()))
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The kind of a normalized event, in Panther's spelling: `OnePassword.SignInAttempt` and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogType(&'static str);

impl LogType {
    /// The log type's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for LogType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// The unit of work, order and failure: one feed of one source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chain {
    /// Whose events.
    pub source: SourceId,
    /// Which of them.
    pub feed: Feed,
}

impl fmt::Display for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.source, self.feed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_id_is_safe_in_subjects_and_paths() {
        for good in ["acme", "a", "0", "acme-eu_2", &"a".repeat(64)] {
            assert_eq!(good.parse::<SourceId>().unwrap().as_str(), good);
        }
        for bad in ["", "Acme", "a.b", "a/b", "a b", "*", ">", "-a", "_a", "é", &"a".repeat(65)] {
            assert_eq!(bad.parse::<SourceId>(), Err(InvalidSourceId(bad.into())));
        }
    }

    #[test]
    fn a_feed_reads_back_from_its_name() {
        for feed in Feed::ALL {
            assert_eq!(feed.as_str().parse(), Ok(feed));
        }
        assert_eq!("signinattempts".parse::<Feed>(), Err(UnknownFeed("signinattempts".into())));
    }
}
