//! Where 1Password keeps accounts, and the address of each place.
//!
//! This table is the allow-list of hosts that may see a token without the operator's explicit word.

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// One of 1Password's regions, by account domain and plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// 1Password.com, Business and Teams.
    Us,
    /// 1Password.com, Enterprise.
    UsEnterprise,
    /// 1Password.ca, any plan.
    Ca,
    /// 1Password.eu, any plan.
    Eu,
}

/// A text that names no region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no region: use us, us-enterprise, ca or eu")]
pub struct UnknownRegion(pub String);

impl Region {
    /// Every region.
    pub const ALL: [Self; 4] = [Self::Us, Self::UsEnterprise, Self::Ca, Self::Eu];

    /// The region's name in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::UsEnterprise => "us-enterprise",
            Self::Ca => "ca",
            Self::Eu => "eu",
        }
    }

    /// The host that serves the region's events.
    #[must_use]
    pub const fn host(self) -> &'static str {
        match self {
            Self::Us => "events.1password.com",
            Self::UsEnterprise => "events.ent.1password.com",
            Self::Ca => "events.1password.ca",
            Self::Eu => "events.1password.eu",
        }
    }

    /// The address requests of the region go to.
    #[must_use]
    pub const fn base_url(self) -> &'static str {
        match self {
            Self::Us => "https://events.1password.com",
            Self::UsEnterprise => "https://events.ent.1password.com",
            Self::Ca => "https://events.1password.ca",
            Self::Eu => "https://events.1password.eu",
        }
    }

    /// The region that `host` serves, if it is one of 1Password's.
    #[must_use]
    pub fn from_host(host: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|region| region.host().eq_ignore_ascii_case(host))
    }
}

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        Self::ALL.into_iter().find(|region| region.as_str() == text).ok_or_else(|| UnknownRegion(text.into()))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hosts_and_addresses_agree() {
        for (name, host) in [
            ("us", "events.1password.com"),
            ("us-enterprise", "events.ent.1password.com"),
            ("ca", "events.1password.ca"),
            ("eu", "events.1password.eu"),
        ] {
            let region: Region = name.parse().unwrap();
            assert_eq!(region.to_string(), name);
            assert_eq!(serde_json::from_value::<Region>(name.into()).unwrap(), region);
            assert_eq!(region.host(), host);
            assert_eq!(region.base_url(), format!("https://{host}"));
            assert_eq!(Region::from_host(host), Some(region));
            assert_eq!(Region::from_host(&host.to_uppercase()), Some(region));
        }
    }

    #[test]
    fn only_the_very_hosts_are_1passwords() {
        for host in
            ["", "1password.com", "events.1password.com.example.com", "x.events.1password.com", "events.1password.com."]
        {
            assert_eq!(Region::from_host(host), None, "{host:?}");
        }
        assert_eq!("US".parse::<Region>(), Err(UnknownRegion("US".into())));
    }
}
