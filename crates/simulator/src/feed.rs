//! The three feeds of the Events API and the two API versions that serve them.
//!
//! The names are the ones a collector's user sees (`sign_in_attempts`); [`Feed::endpoint`] is 1Password's own spelling,
//! which is both the last part of the path and the name of the token's feature.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One event stream of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    /// Attempts to sign in, successful or not.
    SignInAttempts,
    /// Uses of items in shared vaults.
    ItemUsages,
    /// What members and administrators changed in the account.
    AuditEvents,
}

impl Feed {
    /// All feeds, in the order in which the rest of the crate indexes them.
    pub const ALL: [Self; 3] = [Self::SignInAttempts, Self::ItemUsages, Self::AuditEvents];

    /// The feed's name as users write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignInAttempts => "sign_in_attempts",
            Self::ItemUsages => "item_usages",
            Self::AuditEvents => "audit_events",
        }
    }

    /// 1Password's spelling: the last part of the path, and the feature in a token and in an introspection.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::SignInAttempts => "signinattempts",
            Self::ItemUsages => "itemusages",
            Self::AuditEvents => "auditevents",
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::SignInAttempts => 0,
            Self::ItemUsages => 1,
            Self::AuditEvents => 2,
        }
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::SignInAttempts => 0,
            Self::ItemUsages => 1,
            Self::AuditEvents => 2,
        }
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Feed {
    type Err = UnknownFeed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|feed| feed.as_str() == text).ok_or(UnknownFeed)
    }
}

/// A text that names no feed. Permanent: the three names are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a feed: expected sign_in_attempts, item_usages or audit_events")]
pub struct UnknownFeed;

/// A version of the Events API: version 2 carries fields that version 1 lacks, version 3 (beta) is asked in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
    V3,
}

impl Version {
    pub(crate) const ALL: [Self; 3] = [Self::V1, Self::V2, Self::V3];

    /// Path of a feed's pages, if this version has the feed.
    pub(crate) fn page_path(self, feed: Feed) -> Option<String> {
        let version = match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 if feed == Feed::AuditEvents => "v3",
            Self::V3 => return None,
        };
        Some(format!("/api/{version}/{}", feed.endpoint()))
    }

    /// Path of the introspection, which has no version number in version 1 and does not exist in version 3.
    pub(crate) const fn introspect_path(self) -> Option<&'static str> {
        match self {
            Self::V1 => Some("/api/auth/introspect"),
            Self::V2 => Some("/api/v2/auth/introspect"),
            Self::V3 => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back() {
        for feed in Feed::ALL {
            assert_eq!(feed.as_str().parse(), Ok(feed));
            assert_eq!(Feed::ALL[feed.index()], feed);
            assert_eq!(serde_json::to_string(&feed).unwrap(), format!("\"{feed}\""));
        }
        assert_eq!("signinattempts".parse::<Feed>(), Err(UnknownFeed));
    }
}
