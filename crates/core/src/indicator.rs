//! Indicators: the values people search for, collected from every field that holds one (`p_any_*`).
//!
//! Panther's rules, so that queries written for Panther find the same events here: values are trimmed, otherwise verbatim, sorted
//! bytewise and kept once. A value that does not fit its indicator is skipped; it never costs the event.

mod address;
mod aws;
mod punycode;

use std::{borrow::Cow, net::IpAddr, str::FromStr};

use crate::json::{self, Text};

/// What a string field may hold, as schemas name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Indicator {
    /// A plain IPv4 or IPv6 address.
    Ip,
    /// A domain name.
    Domain,
    /// An address or a domain name.
    Hostname,
    /// A URL, of which the host counts.
    Url,
    /// `host:port`, of which the host counts.
    NetAddr,
    /// An e-mail address.
    Email,
    /// The name of a user.
    Username,
    /// What ties the events of one request or session together.
    TraceId,
    /// Who acted.
    ActorId,
    /// A hash of 32 hex digits.
    Md5,
    /// A hash of 40 hex digits.
    Sha1,
    /// A hash of 64 hex digits.
    Sha256,
    /// An Amazon resource name, with what it says of account, instance and who assumed a role.
    AwsArn,
    /// An Amazon resource name, of which nothing else is taken.
    AwsArnOnly,
    /// An AWS account: 12 digits.
    AwsAccountId,
    /// An EC2 instance: `i-…`.
    AwsInstanceId,
    /// An AWS tag.
    AwsTag,
    /// The address of a network card.
    Mac,
    /// The serial number of a device.
    SerialNumber,
}

/// A `p_any_*` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// `p_any_actor_ids`
    ActorIds,
    /// `p_any_aws_account_ids`
    AwsAccountIds,
    /// `p_any_aws_arns`
    AwsArns,
    /// `p_any_aws_instance_ids`
    AwsInstanceIds,
    /// `p_any_aws_tags`
    AwsTags,
    /// `p_any_domain_names`
    DomainNames,
    /// `p_any_emails`
    Emails,
    /// `p_any_ip_addresses`
    IpAddresses,
    /// `p_any_mac_addresses`
    MacAddresses,
    /// `p_any_md5_hashes`
    Md5Hashes,
    /// `p_any_serial_numbers`
    SerialNumbers,
    /// `p_any_sha1_hashes`
    Sha1Hashes,
    /// `p_any_sha256_hashes`
    Sha256Hashes,
    /// `p_any_trace_ids`
    TraceIds,
    /// `p_any_usernames`
    Usernames,
}

/// A name that is no indicator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no indicator")]
pub struct Unknown(pub String);

/// The indicators of one event.
pub struct Indicators<'a> {
    /// What is borrowed stands in the event without escapes, and needs none in a record.
    values: Vec<(Column, Cow<'a, str>)>,
    email_usernames: bool,
}

impl Indicator {
    /// Every indicator with its name in schemas.
    const NAMES: [(&'static str, Self); 19] = [
        ("actor_id", Self::ActorId),
        ("aws_account_id", Self::AwsAccountId),
        ("aws_arn", Self::AwsArn),
        ("aws_arn_only", Self::AwsArnOnly),
        ("aws_instance_id", Self::AwsInstanceId),
        ("aws_tag", Self::AwsTag),
        ("domain", Self::Domain),
        ("email", Self::Email),
        ("hostname", Self::Hostname),
        ("ip", Self::Ip),
        ("mac", Self::Mac),
        ("md5", Self::Md5),
        ("net_addr", Self::NetAddr),
        ("serial_number", Self::SerialNumber),
        ("sha1", Self::Sha1),
        ("sha256", Self::Sha256),
        ("trace_id", Self::TraceId),
        ("url", Self::Url),
        ("username", Self::Username),
    ];

    /// The fields that its values may go to.
    pub(crate) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Ip => &[Column::IpAddresses],
            Self::Domain => &[Column::DomainNames],
            Self::Hostname | Self::Url | Self::NetAddr => &[Column::IpAddresses, Column::DomainNames],
            Self::Email => &[Column::Emails, Column::Usernames],
            Self::Username => &[Column::Usernames],
            Self::TraceId => &[Column::TraceIds],
            Self::ActorId => &[Column::ActorIds],
            Self::Md5 => &[Column::Md5Hashes],
            Self::Sha1 => &[Column::Sha1Hashes],
            Self::Sha256 => &[Column::Sha256Hashes],
            // The address of who assumed a role goes to others too; nobody looks for people in tables of resources.
            Self::AwsArn => &[Column::AwsArns, Column::AwsAccountIds, Column::AwsInstanceIds],
            Self::AwsArnOnly => &[Column::AwsArns],
            Self::AwsAccountId => &[Column::AwsAccountIds],
            Self::AwsInstanceId => &[Column::AwsInstanceIds],
            Self::AwsTag => &[Column::AwsTags],
            Self::Mac => &[Column::MacAddresses],
            Self::SerialNumber => &[Column::SerialNumbers],
        }
    }
}

impl FromStr for Indicator {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, indicator)| *indicator).ok_or_else(|| Unknown(text.into()))
    }
}

impl Column {
    /// The column whose field has this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let columns = Indicator::NAMES.iter().flat_map(|(_, indicator)| indicator.columns());
        columns.copied().find(|column| column.as_str() == name)
    }

    /// The field's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ActorIds => "p_any_actor_ids",
            Self::AwsAccountIds => "p_any_aws_account_ids",
            Self::AwsArns => "p_any_aws_arns",
            Self::AwsInstanceIds => "p_any_aws_instance_ids",
            Self::AwsTags => "p_any_aws_tags",
            Self::DomainNames => "p_any_domain_names",
            Self::Emails => "p_any_emails",
            Self::IpAddresses => "p_any_ip_addresses",
            Self::MacAddresses => "p_any_mac_addresses",
            Self::Md5Hashes => "p_any_md5_hashes",
            Self::SerialNumbers => "p_any_serial_numbers",
            Self::Sha1Hashes => "p_any_sha1_hashes",
            Self::Sha256Hashes => "p_any_sha256_hashes",
            Self::TraceIds => "p_any_trace_ids",
            Self::Usernames => "p_any_usernames",
        }
    }
}

impl<'a> Indicators<'a> {
    /// None. `email_usernames`: whether the local part of an e-mail address counts as a user's name, as it does in Panther today.
    #[must_use]
    pub fn new(email_usernames: bool) -> Self {
        Self { values: Vec::new(), email_usernames }
    }

    /// Forgets the values and keeps the room they took.
    pub fn clear(&mut self) {
        self.values.clear();
    }

    /// Takes from `text` what `indicator` says it holds.
    pub fn add(&mut self, indicator: Indicator, text: Text<'a>) {
        let text = trim(text.decode());
        if text.is_empty() {
            return;
        }
        match indicator {
            Indicator::Ip => {
                if text.parse::<IpAddr>().is_ok() {
                    self.put(Column::IpAddresses, text);
                }
            }
            Indicator::Domain => self.domain(text),
            Indicator::Hostname => self.hostname(text),
            Indicator::Url => {
                if let Some(host) = address::of_url(&text) {
                    self.hostname(host.to_owned().into());
                }
            }
            Indicator::NetAddr => {
                let host = address::of_host_port(&text).map(|host| Cow::Owned(host.to_owned()));
                self.hostname(host.unwrap_or(text));
            }
            Indicator::Email => self.email(text),
            Indicator::Username => self.put(Column::Usernames, text),
            Indicator::TraceId => self.put(Column::TraceIds, text),
            Indicator::ActorId => self.put(Column::ActorIds, text),
            Indicator::Md5 => self.hash(Column::Md5Hashes, 32, &text),
            Indicator::Sha1 => self.hash(Column::Sha1Hashes, 40, &text),
            Indicator::Sha256 => self.hash(Column::Sha256Hashes, 64, &text),
            Indicator::AwsArn => self.aws_arn(text),
            Indicator::AwsArnOnly => {
                if aws::Arn::parse(&text).is_some() {
                    self.put(Column::AwsArns, text);
                }
            }
            Indicator::AwsAccountId => {
                if aws::is_account(&text) {
                    self.put(Column::AwsAccountIds, text);
                }
            }
            Indicator::AwsInstanceId => {
                if text.starts_with("i-") {
                    self.put(Column::AwsInstanceIds, text);
                }
            }
            Indicator::AwsTag => self.put(Column::AwsTags, text),
            Indicator::Mac => self.put(Column::MacAddresses, text),
            Indicator::SerialNumber => self.put(Column::SerialNumbers, text),
        }
    }

    /// Appends `,"p_any_…":[…]` for each field that has values, in the order of their names.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        self.values.sort_unstable();
        self.values.dedup();
        for group in self.values.chunk_by(|one, other| one.0 == other.0) {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(group[0].0.as_str().as_bytes());
            out.extend_from_slice(b"\":[");
            for (index, (_, value)) in group.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                match value {
                    Cow::Borrowed(text) => json::write_text(out, Text::plain(text)),
                    Cow::Owned(text) => json::write_string(out, text),
                }
            }
            out.push(b']');
        }
    }

    /// The values of one field, sorted, each once.
    pub(crate) fn of(&mut self, column: Column) -> impl Iterator<Item = &str> {
        self.values.sort_unstable();
        self.values.dedup();
        self.values.iter().filter(move |(other, _)| *other == column).map(|(_, value)| value.as_ref())
    }

    fn put(&mut self, column: Column, value: Cow<'a, str>) {
        if !value.is_empty() {
            self.values.push((column, value));
        }
    }

    fn domain(&mut self, text: Cow<'a, str>) {
        let text = if text.contains("xn--") { punycode::decode_domain(&text).into() } else { text };
        self.put(Column::DomainNames, text);
    }

    fn hostname(&mut self, text: Cow<'a, str>) {
        if text.parse::<IpAddr>().is_ok() {
            self.put(Column::IpAddresses, text);
        } else {
            self.domain(text);
        }
    }

    fn email(&mut self, text: Cow<'a, str>) {
        let Some(at) = text.bytes().rposition(|byte| byte == b'@') else { return };
        if self.email_usernames {
            let local = match &text {
                Cow::Borrowed(text) => Cow::Borrowed(&text[..at]),
                Cow::Owned(text) => Cow::Owned(text[..at].to_owned()),
            };
            self.put(Column::Usernames, local);
        }
        self.put(Column::Emails, text);
    }

    fn hash(&mut self, column: Column, length: usize, text: &str) {
        if text.len() == length && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            self.put(column, text.to_ascii_lowercase().into());
        }
    }

    fn aws_arn(&mut self, text: Cow<'a, str>) {
        let Some(arn) = aws::Arn::parse(&text) else { return };
        if let Some(account) = arn.account {
            self.put(Column::AwsAccountIds, account.to_owned().into());
        }
        if let Some(instance) = arn.instance {
            self.put(Column::AwsInstanceIds, instance.to_owned().into());
        }
        if let Some(session) = arn.session {
            self.email(session.to_owned().into());
        }
        self.put(Column::AwsArns, text);
    }
}

fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    // Nearly all; looking for white space of any script takes longer.
    if let [first, .., last] = text.as_bytes()
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return text;
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests;
