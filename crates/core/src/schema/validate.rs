//! Conditions on a string: `validate` in schemas.
//!
//! They bind what is there: an absent field fulfils all of them, an empty text is checked like any other.

use std::net::IpAddr;

/// How many allowed values a message names. They come from the schema, not from events.
const MAX_QUOTED: usize = 8;

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validate {
    /// One of these.
    Allow(Vec<String>),
    /// None of these.
    Deny(Vec<String>),
    /// An address.
    Ip(Family),
    /// A range of addresses: `192.0.2.0/24`.
    Cidr(Family),
}

/// Which addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Either.
    Any,
}

impl Validate {
    /// Whether `text` fulfils it.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Allow(values) => values.iter().any(|value| value == text),
            Self::Deny(values) => values.iter().all(|value| value != text),
            Self::Ip(family) => text.parse().is_ok_and(|address| family.has(address)),
            Self::Cidr(family) => cidr(text).is_some_and(|address| family.has(address)),
        }
    }

    /// The stable word for rejections.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::Deny(_) => "deny",
            Self::Ip(_) => "ip",
            Self::Cidr(_) => "cidr",
        }
    }

    /// What it asks for, in words.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Allow(values) if values.len() <= MAX_QUOTED => format!("one of {}", values.join(", ")),
            Self::Allow(values) => format!("one of {} allowed values", values.len()),
            Self::Deny(values) => format!("none of {} denied values", values.len()),
            Self::Ip(family) => format!("{} address", family.words()),
            Self::Cidr(family) => format!("{} address range", family.words()),
        }
    }
}

impl Family {
    pub(crate) fn has(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
            Self::Any => true,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::V4 => "an IPv4",
            Self::V6 => "an IPv6",
            Self::Any => "an IP",
        }
    }
}

/// The address of a range, if its prefix fits the address.
fn cidr(text: &str) -> Option<IpAddr> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let plain = prefix.bytes().all(|digit| digit.is_ascii_digit()) && (prefix.len() == 1 || !prefix.starts_with('0'));
    let prefix: u8 = prefix.parse().ok()?;
    (plain && prefix <= longest).then_some(address)
}
