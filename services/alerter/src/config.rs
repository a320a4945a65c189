//! What an operator can set, and what is refused.

mod api;
mod destinations;
mod drop_off;

use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::{SignedDuration, fmt::serde::duration::friendly::compact::required as show_duration};
use latchkey_bus::Bus;
use latchkey_contracts::SourceId;
use latchkey_core::{
    alert::board::Timing,
    verdict::{Silence, lag::Patience},
};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use self::destinations::Told;
pub use self::{
    api::ApiConfig,
    destinations::{
        AlertmanagerConfig, DeliveryConfig, DestinationConfig, EmailConfig, HeartbeatConfig, MailAddress,
        PagerDutyConfig, RouteConfig, Security, SeverityName, SlackConfig, WebhookConfig,
    },
    drop_off::{
        Day, DropOffConfig, DropOffOverride, HoursConfig, InvalidPolicy, MaintenanceConfig, PolicyConfig, SourceConfig,
    },
};
use crate::{
    announcer::Announcer,
    destination::Origin,
    metrics::Metrics,
    service::{Alerter, Telling, Watching},
};

/// The tick's bounds: silence needs no finer clock, and a verdict should not be older than this.
const TICK: (SignedDuration, SignedDuration) = (SignedDuration::from_millis(100), SignedDuration::from_mins(1));

/// The most that looks are kept for, and the least: in intervals between them, since rules need some; in ticks, since what is in the window
/// between two of them would be seen by none; and for whoever judges and looks many times a second.
const KEPT: (SignedDuration, i32, i32, SignedDuration) =
    (SignedDuration::from_hours(1), 10, 2, SignedDuration::from_secs(10));

/// A reader's bounds: what is unread for longer than a week is lost.
const READER: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(1), SignedDuration::from_hours(7 * 24));

/// The bounds of a poll's lateness: no shorter than what clocks differ, no longer than somebody can wait to hear that all is dead.
const GRACE: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(5), SignedDuration::from_hours(1));

/// The alerter's own section of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// When silence is an alert, of each feed and of each source as a whole.
    pub drop_off: DropOffConfig,
    /// What holds for some sources instead, by their names.
    pub sources: BTreeMap<SourceId, SourceConfig>,
    /// Spans in which silence does not count and nobody is told of alerts.
    pub maintenance: Vec<MaintenanceConfig>,
    /// After how long people are told again of an alert that nobody has acknowledged: 15 min to 30 days, or 0 for never.
    #[serde(serialize_with = "show_duration")]
    pub remind_every: SignedDuration,
    /// How late a poll may be at least before its feed is called dead: 5 s to 1 h. Three of the feed's own intervals may pass in any case.
    #[serde(serialize_with = "show_duration")]
    pub poll_grace: SignedDuration,
    /// How long what was seen must not be seen again to be over, where nobody says that it is: refused events (for an hour at most), drifting
    /// events, what an audit found, messages that the server gave up. 1 s to 7 days.
    #[serde(serialize_with = "show_duration")]
    pub settles_after: SignedDuration,
    /// How long readers of streams may take.
    pub reader: ReaderConfig,
    /// How often streams and their readers are looked at: 100 ms to 1 min.
    #[serde(serialize_with = "show_duration")]
    pub look_every: SignedDuration,
    /// How long looks are kept, for the rules that judge a span of time: ten times `look_every`, twice `tick` and 10 s at least, 1 h at most.
    #[serde(serialize_with = "show_duration")]
    pub looks_kept_for: SignedDuration,
    /// How often every chain is judged even if nothing happens: 100 ms to 1 min.
    #[serde(serialize_with = "show_duration")]
    pub tick: SignedDuration,
    /// Whether each transition is written to standard output, as one line of JSON.
    pub stdout: bool,
    /// Where people are told, by names of 1 to 32 of `a-z`, `0-9`, `-` and `_`: at most 32.
    pub destinations: BTreeMap<String, DestinationConfig>,
    /// Who is told of what: the first that fits decides, and what fits none goes everywhere.
    pub routes: Vec<RouteConfig>,
    /// How one notification is delivered.
    pub delivery: DeliveryConfig,
    /// Somebody outside who is called while everything is judged in time.
    pub heartbeat: HeartbeatConfig,
    /// Where programs look after alerts, over gRPC.
    pub api: ApiConfig,
    /// What tells this installation from others that tell the same destinations, by the rules of a source's name.
    pub instance: SourceId,
    /// Where the pages of docs/runbook can be read, for links to them. Unset: no links.
    pub runbook_url: Option<WebhookUrl>,
}

/// How long a reader of a stream may take: fetchers, a normalizer, a notifier, a sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReaderConfig {
    /// How long it may stand still while there is work: 1 s to 7 days.
    #[serde(serialize_with = "show_duration")]
    pub stands_still: SignedDuration,
    /// How long a message may wait to be read: 1 s to 7 days.
    #[serde(serialize_with = "show_duration")]
    pub waits: SignedDuration,
    /// How long people are told of messages that left a stream unread: 1 s to 7 days.
    #[serde(serialize_with = "show_duration")]
    pub loss_is_told_for: SignedDuration,
}

impl Default for Config {
    fn default() -> Self {
        let Timing { poll_grace, settles_after, .. } = Timing::default();
        Self {
            drop_off: DropOffConfig::default(),
            sources: BTreeMap::new(),
            maintenance: Vec::new(),
            remind_every: SignedDuration::from_hours(4),
            poll_grace,
            settles_after,
            reader: ReaderConfig::default(),
            look_every: SignedDuration::from_secs(30),
            looks_kept_for: Patience::default().window,
            tick: SignedDuration::from_secs(5),
            stdout: false,
            destinations: BTreeMap::new(),
            routes: Vec::new(),
            delivery: DeliveryConfig::default(),
            heartbeat: HeartbeatConfig::default(),
            api: ApiConfig::default(),
            instance: "latchkey".parse().expect("a fixed name that follows the rules"),
            runbook_url: None,
        }
    }
}

impl Default for ReaderConfig {
    fn default() -> Self {
        let Patience { stands_still, waits, loss_is_told_for, .. } = Patience::default();
        Self { stands_still, waits, loss_is_told_for }
    }
}

/// A webhook's address. Many carry their secret in the path: only the origin shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebhookUrl(Url);

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// When silence is an alert.
    #[error(transparent)]
    DropOff(#[from] InvalidPolicy),
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
    /// A destination, a route, the heartbeat or the interface cannot work.
    #[error("alerter.{key}: {reason}")]
    Destination {
        /// Which.
        key: String,
        /// Why not.
        reason: String,
    },
}

impl Config {
    /// Checks every value and makes an alerter. Nothing is sent yet.
    pub fn build(self, bus: Bus, metrics: Metrics) -> Result<Alerter, InvalidConfig> {
        let policies = drop_off::policies(&self.drop_off, &self.sources, &self.maintenance)?;
        let look_every = duration("look_every", self.look_every, TICK)?;
        let tick = duration("tick", self.tick, TICK)?;
        let reader = Patience {
            stands_still: within("reader.stands_still", self.reader.stands_still, READER)?,
            waits: within("reader.waits", self.reader.waits, READER)?,
            loss_is_told_for: within("reader.loss_is_told_for", self.reader.loss_is_told_for, READER)?,
            window: within("looks_kept_for", self.looks_kept_for, (self.least_kept(), KEPT.0))?,
        };
        let poll_grace = within("poll_grace", self.poll_grace, GRACE)?;
        let settles_after = within("settles_after", self.settles_after, READER)?;
        let remind_every = match self.remind_every {
            SignedDuration::ZERO => None,
            every => Some(within("remind_every", every, (Silence::MIN, Silence::MAX))?),
        };
        let runbook = self.runbook_url.map(|WebhookUrl(url)| url);
        let origin = Origin { instance: self.instance.to_string(), runbook };
        let told = destinations::build(self.destinations, self.routes, &self.delivery, &origin)?;
        let heartbeat = self.heartbeat.build(self.delivery.timeout, &metrics)?;
        let api = self.api.build()?;
        let announcer = Announcer::new(bus.clone(), self.stdout, metrics.clone());
        let timing = Timing { remind_every, reader, looks_every: self.look_every, poll_grace, settles_after };
        let watching = Watching { policies, timing, tick, look_every };
        let Told { destinations, routes, attempts } = told;
        let telling = Telling { announcer, destinations, routes, attempts, heartbeat };
        Ok(Alerter::new(bus, watching, telling, api, metrics))
    }

    /// The least that looks are to be kept for. Both intervals are within their bounds.
    fn least_kept(&self) -> SignedDuration {
        (self.look_every * KEPT.1).max(self.tick * KEPT.2).max(KEPT.3)
    }
}

fn within(
    key: &'static str,
    value: SignedDuration,
    bounds: (SignedDuration, SignedDuration),
) -> Result<SignedDuration, InvalidConfig> {
    duration(key, value, bounds).map(|_| value)
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

impl From<WebhookUrl> for Url {
    fn from(WebhookUrl(url): WebhookUrl) -> Self {
        url
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
        let error = duration("tick", SignedDuration::ZERO, TICK).unwrap_err();
        assert_eq!(error.to_string(), "alerter.tick: 0s is not between 100ms and 1m");
    }

    #[test]
    fn a_window_reaches_over_two_ticks_and_ten_looks_at_least() {
        for (look_every, tick, expect) in [(100, 5_000, 10_000), (100, 20_000, 40_000), (30_000, 5_000, 300_000)] {
            let [look_every, tick, expect] = [look_every, tick, expect].map(SignedDuration::from_millis);
            assert_eq!(Config { look_every, tick, ..Config::default() }.least_kept(), expect);
        }
        let bounds = (Config::default().least_kept(), KEPT.0);
        let error = within("looks_kept_for", SignedDuration::from_secs(1), bounds).unwrap_err();
        assert_eq!(error.to_string(), "alerter.looks_kept_for: 1s is not between 5m and 1h");
    }

    #[test]
    fn the_configuration_reads_back() {
        let text = r#"{"drop_off": {"after": "2h"}, "stdout": true,
            "destinations": {"ops": {"webhook": {"url": "https://hooks.example.com/"}}}}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.drop_off, DropOffConfig { after: SignedDuration::from_hours(2), ..DropOffConfig::default() });
        assert_eq!(config.tick, SignedDuration::from_secs(5));
        assert_eq!(serde_json::from_value::<Config>(serde_json::to_value(&config).unwrap()).unwrap(), config);
        assert!(serde_json::from_str::<Config>(r#"{"dropoff": {}}"#).is_err());
    }
}
