//! Where people are told, and of what.

mod build;

use std::{fmt, path::PathBuf};

use jiff::{SignedDuration, fmt::serde::duration::friendly::compact::required as show_duration};
use latchkey_contracts::SourceId;
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};

pub(super) use self::build::{Told, build};
use super::WebhookUrl;

/// How one notification is delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// For one attempt: 100 ms to 30 s.
    #[serde(serialize_with = "show_duration")]
    pub timeout: SignedDuration,
    /// Attempts before a notification is given up, with pauses of 1 s doubling to 5 min between them: 1 to 1000. Fewer than ten end before a
    /// destination is told of as failing.
    pub attempts: u32,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DestinationConfig {
    /// Prometheus Alertmanager, API v2.
    Alertmanager(AlertmanagerConfig),
    /// Mail over SMTP.
    Email(EmailConfig),
    /// `PagerDuty`, Events API v2.
    Pagerduty(PagerDutyConfig),
    /// A Slack channel, by an incoming webhook.
    Slack(SlackConfig),
    /// Any program, by `CloudEvents`.
    Webhook(WebhookConfig),
}

/// Prometheus Alertmanager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertmanagerConfig {
    /// Its address, without `/api/v2`.
    pub url: WebhookUrl,
    /// A file with a bearer token and nothing else.
    #[serde(default)]
    pub bearer_file: Option<PathBuf>,
    /// How often what is raised is said again: 100 ms to 1 h. Alertmanager forgets what it has not heard of for four times as long.
    #[serde(default = "a_minute", serialize_with = "show_duration")]
    pub resend_every: SignedDuration,
}

/// Mail over SMTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The mail server's name.
    pub server: String,
    /// Its port; unset, the usual one: 587, 465 with `tls`, 25 with `none`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub security: Security,
    /// Whom to log in as. Unset: nobody.
    #[serde(default)]
    pub user: Option<String>,
    /// A file with the password and nothing else.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// A file with PEM certificates of authorities to trust beside the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The sender.
    pub from: MailAddress,
    /// The recipients: 1 to 50.
    pub to: Vec<MailAddress>,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// From the first command that matters on; without it nothing is sent.
    #[default]
    Starttls,
    /// From the first byte on.
    Tls,
    /// Not at all; without a password.
    None,
}

/// `PagerDuty`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyConfig {
    /// A file with the integration key and nothing else.
    pub key_file: PathBuf,
    /// Another address than the one of the United States.
    #[serde(default)]
    pub url: Option<WebhookUrl>,
}

/// A Slack channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// A file with the incoming webhook's address, which is a secret.
    pub url_file: PathBuf,
}

/// Any program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConfig {
    /// The address, `https://…` or `http://…`.
    pub url: Option<WebhookUrl>,
    /// Or a file with the address and nothing else.
    pub url_file: Option<PathBuf>,
    /// A file with a bearer token and nothing else.
    pub bearer_file: Option<PathBuf>,
    /// A file with the key of the signature and nothing else. Unset: no signature.
    pub key_file: Option<PathBuf>,
}

/// Which destinations are told of what. What is left open fits everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteConfig {
    /// `critical`, `warning`, `info`.
    pub severities: Vec<SeverityName>,
    /// Words of kinds, such as `drop_off`.
    pub kinds: Vec<String>,
    /// Names of sources.
    pub sources: Vec<SourceId>,
    /// Names of destinations; none for telling nobody.
    pub destinations: Vec<String>,
}

/// How much an alert matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeverityName {
    /// Worth knowing.
    Info,
    /// To be looked at on a working day.
    Warning,
    /// To be looked at now.
    Critical,
}

/// Somebody outside who is called while everything is judged in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeartbeatConfig {
    /// The address. Unset, as the next one: none.
    pub url: Option<WebhookUrl>,
    /// Or a file with the address and nothing else.
    pub url_file: Option<PathBuf>,
    /// How often: 100 ms to 1 h.
    #[serde(serialize_with = "show_duration")]
    pub every: SignedDuration,
}

/// Somebody's mail address, which does not show.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MailAddress(Mailbox);

impl Default for DeliveryConfig {
    /// Twenty attempts take about an hour.
    fn default() -> Self {
        Self { timeout: SignedDuration::from_secs(5), attempts: 20 }
    }
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        Self { url: None, url_file: None, every: a_minute() }
    }
}

const fn a_minute() -> SignedDuration {
    SignedDuration::from_mins(1)
}

impl TryFrom<String> for MailAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse().map(Self).map_err(|_| "not a mail address: name@example.com, or Name <name@example.com>")
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "…@{}", self.0.email.domain())
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl Serialize for MailAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
