//! The version of a nats-server.
//!
//! Old servers silently ignore what they do not know, so the version is checked before anything relies on it.

use std::{fmt, str::FromStr};

/// The oldest server that keeps every promise the streams need (per-message TTL among them).
pub const MINIMUM: Version = Version { major: 2, minor: 11, patch: 0 };

/// A release of nats-server. A pre-release counts as its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Incompatible changes.
    pub major: u32,
    /// Features.
    pub minor: u32,
    /// Repairs.
    pub patch: u32,
}

/// A text in which no version stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the version of a nats-server")]
pub struct InvalidVersion(String);

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Reads `2.15.1`, `v2.15.1`, `2.12.0-RC.1` and what `nats-server --version` prints: `nats-server: v2.15.1`.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let bare = text.trim().trim_start_matches("nats-server:").trim_start().trim_start_matches('v');
        let release = bare.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = release.split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => Ok(Self { major, minor, patch }),
            // A longer text is something else than a version; an error message needs no more of it.
            _ => Err(InvalidVersion(text.trim().chars().take(60).collect())),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_as_servers_print_them() {
        let version = |major, minor, patch| Ok(Version { major, minor, patch });
        assert_eq!("nats-server: v2.15.1\n".parse(), version(2, 15, 1));
        assert_eq!("2.11.0".parse(), version(2, 11, 0));
        assert_eq!("v2.12.0-RC.1".parse(), version(2, 12, 0));
        for bad in ["", "nats-server", "2.11", "2.11.0.1", "two.eleven.zero", "2.11.x"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_compare_by_number_not_by_text() {
        let parse = |text: &str| text.parse::<Version>().unwrap();
        assert!(parse("2.9.26") < MINIMUM);
        assert!(parse("2.11.0-preview.2") >= MINIMUM);
        assert!(parse("2.100.0") > parse("2.15.1"));
    }
}
