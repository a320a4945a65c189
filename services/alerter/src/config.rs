//! What an operator can set, and what is refused.

use std::{fmt, path::PathBuf, time::Duration};

use jiff::{SignedDuration, fmt::serde::duration::friendly::compact::required as show_duration};
use latchkey_bus::Bus;
use latchkey_core::verdict::{InvalidThreshold, Policy};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::{
    metrics::Metrics,
    notifier::Notifier,
    service::Alerter,
    webhook::{self, Webhook},
};

/// The tick's bounds: silence needs no finer clock, and a verdict should not be older than this.
const TICK: (SignedDuration, SignedDuration) = (SignedDuration::from_millis(100), SignedDuration::from_mins(1));

/// The webhook's time-out's bounds: it must stay well below the lease of one delivery (a minute).
const TIMEOUT: (SignedDuration, SignedDuration) = (SignedDuration::from_millis(100), SignedDuration::from_secs(30));

/// The most attempts to deliver one notification: about three days of them.
const MAX_ATTEMPTS: u32 = 1_000;

/// The alerter's own section of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// When silence is an alert.
    pub drop_off: DropOffConfig,
    /// How often every chain is judged even if nothing happens: 100 ms to 1 min.
    #[serde(serialize_with = "show_duration")]
    pub tick: SignedDuration,
    /// Whether each transition is written to standard output, as one line of JSON.
    pub stdout: bool,
    /// Where each transition is posted to.
    pub webhook: WebhookConfig,
}

/// When silence is an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DropOffConfig {
    /// Whether it ever is.
    pub enabled: bool,
    /// Time since the last arrival: 15 min to 30 days.
    #[serde(serialize_with = "show_duration")]
    pub after: SignedDuration,
}

/// Where each transition is posted to, as the JSON of [`crate::Notification`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConfig {
    /// The address, `https://…` or `http://…`. Unset: none.
    pub url: Option<WebhookUrl>,
    /// A file with a bearer token and nothing else; read again for each notification, so it can be rotated.
    pub bearer_file: Option<PathBuf>,
    /// For one attempt: 100 ms to 30 s.
    #[serde(serialize_with = "show_duration")]
    pub timeout: SignedDuration,
    /// Attempts before a notification is given up, with pauses of 1 s doubling to 5 min between them: 1 to 1000.
    pub attempts: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            drop_off: DropOffConfig::default(),
            tick: SignedDuration::from_secs(5),
            stdout: false,
            webhook: WebhookConfig::default(),
        }
    }
}

impl Default for DropOffConfig {
    fn default() -> Self {
        Self { enabled: true, after: Policy::DEFAULT_DROP_OFF }
    }
}

impl Default for WebhookConfig {
    /// Twenty attempts take about an hour.
    fn default() -> Self {
        Self { url: None, bearer_file: None, timeout: SignedDuration::from_secs(5), attempts: 20 }
    }
}

/// A webhook's address. Many carry their secret in the path: only the origin shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebhookUrl(Url);

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// The threshold of a drop-off.
    #[error("alerter.drop_off.after: {0}")]
    DropOff(#[from] InvalidThreshold),
    /// A duration or number out of its bounds.
    #[error("alerter.{key}: {value} is not between {least} and {most}")]
    OutOfBounds {
        /// Which key.
        key: &'static str,
        /// What it says.
        value: String,
        /// The least.
        least: String,
        /// The most.
        most: String,
    },
    /// The webhook cannot work.
    #[error("alerter.webhook: {0}")]
    Webhook(#[from] webhook::Error),
}

impl Config {
    /// Checks every value and makes an alerter. Nothing is sent yet.
    pub fn build(self, bus: Bus, metrics: Metrics) -> Result<Alerter, InvalidConfig> {
        let policy = Policy::new(self.drop_off.enabled.then_some(self.drop_off.after))?;
        let tick = duration("tick", self.tick, TICK)?;
        let webhook = self.webhook.build()?;
        let notifier = Notifier::new(bus.clone(), self.stdout, webhook, metrics.clone());
        Ok(Alerter::new(bus, policy, tick, notifier, metrics))
    }
}

impl WebhookConfig {
    fn build(self) -> Result<Option<Webhook>, InvalidConfig> {
        let timeout = duration("webhook.timeout", self.timeout, TIMEOUT)?;
        if !(1..=MAX_ATTEMPTS).contains(&self.attempts) {
            return Err(out_of_bounds("webhook.attempts", &self.attempts, (&1, &MAX_ATTEMPTS)));
        }
        let Some(WebhookUrl(url)) = self.url else { return Ok(None) };
        Ok(Some(Webhook::new(url, self.bearer_file, timeout, self.attempts)?))
    }
}

fn duration(
    key: &'static str,
    value: SignedDuration,
    (least, most): (SignedDuration, SignedDuration),
) -> Result<Duration, InvalidConfig> {
    let shown = |duration: SignedDuration| format!("{duration:#}");
    match Duration::try_from(value) {
        Ok(fitting) if (least..=most).contains(&value) => Ok(fitting),
        _ => Err(out_of_bounds(key, &shown(value), (&shown(least), &shown(most)))),
    }
}

fn out_of_bounds<T: ToString>(key: &'static str, value: &T, (least, most): (&T, &T)) -> InvalidConfig {
    InvalidConfig::OutOfBounds { key, value: value.to_string(), least: least.to_string(), most: most.to_string() }
}

impl TryFrom<String> for WebhookUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "https" | "http") && url.has_host() => Ok(Self(url)),
            _ => Err("not an address that begins with https:// or http://"),
        }
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.0.path() == "/" && self.0.query().is_none() { "/" } else { "/…" };
        write!(formatter, "{}{rest}", self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhooks_secret_does_not_show() {
        for (url, shown) in [
            ("https://user:pw@hooks.example.com/services/T0/B0/s3cret?k=s3cret#s3cret", "https://hooks.example.com/…"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
        ] {
            let url = WebhookUrl::try_from(url.to_owned()).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
            assert_eq!(serde_json::to_value(&url).unwrap(), shown);
        }
        for bad in ["", "hooks.example.com", "ftp://example.com", "file:///etc/passwd"] {
            assert!(WebhookUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_out_of_bounds_are_named() {
        let webhook = |config: WebhookConfig| config.build().map(|webhook| webhook.is_some());
        assert!(!webhook(WebhookConfig::default()).unwrap());
        let error = webhook(WebhookConfig { attempts: 0, ..WebhookConfig::default() }).unwrap_err();
        assert_eq!(error.to_string(), "alerter.webhook.attempts: 0 is not between 1 and 1000");
        let slow = WebhookConfig { timeout: SignedDuration::from_secs(31), ..WebhookConfig::default() };
        let error = webhook(slow).unwrap_err();
        assert_eq!(error.to_string(), "alerter.webhook.timeout: 31s is not between 100ms and 30s");
        let error = duration("tick", SignedDuration::ZERO, TICK).unwrap_err();
        assert_eq!(error.to_string(), "alerter.tick: 0s is not between 100ms and 1m");
    }

    #[test]
    fn the_configuration_reads_back() {
        let text = r#"{"drop_off": {"after": "2h"}, "stdout": true, "webhook": {"url": "https://hooks.example.com/", "attempts": 3}}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.drop_off, DropOffConfig { enabled: true, after: SignedDuration::from_hours(2) });
        assert_eq!(config.tick, SignedDuration::from_secs(5));
        assert_eq!(serde_json::from_value::<Config>(serde_json::to_value(&config).unwrap()).unwrap(), config);
        assert!(serde_json::from_str::<Config>(r#"{"dropoff": {}}"#).is_err());
    }
}
