//! Whose silence is an alert and when, as an operator sets it.
//!
//! A feed's settings are its source's where it has none of its own, and a source's are everybody's.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time, Weekday},
    fmt::serde::duration::friendly::compact::{optional as show_optional_duration, required as show_duration},
    tz::TimeZone,
};
use latchkey_contracts::{Feed, SourceId};
use latchkey_core::alert::board::{Policies, SourcePolicies};
use latchkey_core::verdict::{
    BusinessHours, Calendar, InvalidSilence, Maintenance, Policy, Silence, calendar::InvalidCalendar,
};
use serde::{Deserialize, Serialize};

/// When silence is an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DropOffConfig {
    /// Whether it ever is.
    pub enabled: bool,
    /// What decides.
    pub policy: PolicyConfig,
    /// For `adaptive`, whose hours of the week are learned: a name of the IANA's time zone database. Unset: that of `hours`, or UTC.
    pub time_zone: Option<String>,
    /// Time since the last arrival: 15 min to 30 days.
    #[serde(serialize_with = "show_duration")]
    pub after: SignedDuration,
    /// Time from the first poll to the first arrival: 15 min to 30 days.
    #[serde(serialize_with = "show_duration")]
    pub first_within: SignedDuration,
    /// When events are to be expected; unset: always. Only this time counts.
    pub hours: Option<HoursConfig>,
}

/// What decides that a silence is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyConfig {
    /// The threshold `after`.
    #[default]
    Fixed,
    /// What the feed has been like at this hour of the week; the threshold while that is being learned, and for feeds with too few events.
    Adaptive,
}

/// What of [`DropOffConfig`] is different for one source or feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DropOffOverride {
    /// Whether silence ever is an alert.
    pub enabled: Option<bool>,
    /// What decides.
    pub policy: Option<PolicyConfig>,
    /// Whose hours of the week are learned.
    pub time_zone: Option<String>,
    /// Time since the last arrival.
    #[serde(serialize_with = "show_optional_duration")]
    pub after: Option<SignedDuration>,
    /// Time from the first poll to the first arrival.
    #[serde(serialize_with = "show_optional_duration")]
    pub first_within: Option<SignedDuration>,
    /// When events are to be expected.
    pub hours: Option<HoursConfig>,
}

/// Business hours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursConfig {
    /// A name of the IANA's time zone database, such as `Europe/Berlin`.
    pub time_zone: String,
    /// Days of the week.
    #[serde(default = "weekdays")]
    pub days: Vec<Day>,
    /// When a day's business begins: `08:00`.
    pub from: Time,
    /// When it ends; `00:00`, or anything not after `from`, is the end of the day.
    pub until: Time,
    /// Dates without business: `2026-12-25`.
    #[serde(default)]
    pub holidays: Vec<Date>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// What holds for one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// When its silence is an alert.
    pub drop_off: DropOffOverride,
    /// The same for some of its feeds, by their names.
    pub feeds: BTreeMap<Feed, DropOffOverride>,
    /// Spans in which its silence does not count and nobody is told of its alerts.
    pub maintenance: Vec<MaintenanceConfig>,
}

/// A span in which nothing is expected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceConfig {
    /// Its beginning: `2026-12-24T18:00:00Z`.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

impl Default for DropOffConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            policy: PolicyConfig::Fixed,
            time_zone: None,
            after: Silence::DEFAULT,
            first_within: Silence::DEFAULT,
            hours: None,
        }
    }
}

/// Settings that cannot be used, and whose.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPolicy {
    /// The threshold of a drop-off.
    #[error("{key}: {reason}")]
    DropOff {
        /// Whose.
        key: String,
        /// What is wrong with it.
        reason: InvalidSilence,
    },
    /// Business hours or maintenance.
    #[error("{key}: {reason}")]
    Calendar {
        /// Whose.
        key: String,
        /// What is wrong with it.
        reason: InvalidCalendar,
    },
    /// A time zone that nobody knows.
    #[error("{key}.time_zone: {name:?} is no time zone that this machine knows: use a name such as Europe/Berlin")]
    TimeZone {
        /// Whose.
        key: String,
        /// What it says.
        name: String,
    },
}

/// What holds for whom.
pub(super) fn policies(
    drop_off: &DropOffConfig,
    sources: &BTreeMap<SourceId, SourceConfig>,
    maintenance: &[MaintenanceConfig],
) -> Result<Policies, InvalidPolicy> {
    let everybody = SourceConfig::default().policies("alerter", drop_off, maintenance)?;
    let own = sources.iter().map(|(source, config)| {
        let key = format!("alerter.sources.{source}");
        Ok((source.clone(), config.policies(&key, drop_off, maintenance)?))
    });
    let sources = own.collect::<Result<_, InvalidPolicy>>()?;
    Ok(Policies { everybody, sources, maintenance: calendar("alerter.maintenance", None, maintenance.iter())? })
}

impl SourceConfig {
    fn policies(
        &self,
        key: &str,
        base: &DropOffConfig,
        everywhere: &[MaintenanceConfig],
    ) -> Result<SourcePolicies, InvalidPolicy> {
        let spans = || everywhere.iter().chain(&self.maintenance);
        let whole = base.with(&self.drop_off);
        let feed = |feed: Feed| match self.feeds.get(&feed) {
            Some(other) => whole.with(other).policy(&format!("{key}.feeds.{feed}"), spans()),
            None => whole.policy(&format!("{key}.drop_off"), spans()),
        };
        let [one, two, three, four] = Feed::ALL;
        Ok(SourcePolicies {
            whole: whole.policy(&format!("{key}.drop_off"), spans())?,
            feeds: [feed(one)?, feed(two)?, feed(three)?, feed(four)?],
            maintenance: calendar(&format!("{key}.maintenance"), None, spans())?,
        })
    }
}

impl DropOffConfig {
    fn with(&self, other: &DropOffOverride) -> Self {
        Self {
            enabled: other.enabled.unwrap_or(self.enabled),
            policy: other.policy.unwrap_or(self.policy),
            time_zone: other.time_zone.clone().or_else(|| self.time_zone.clone()),
            after: other.after.unwrap_or(self.after),
            first_within: other.first_within.unwrap_or(self.first_within),
            hours: other.hours.clone().or_else(|| self.hours.clone()),
        }
    }

    fn policy<'a>(
        &self,
        key: &str,
        maintenance: impl Iterator<Item = &'a MaintenanceConfig>,
    ) -> Result<Policy, InvalidPolicy> {
        let calendar = Arc::new(calendar(key, self.hours.as_ref(), maintenance)?);
        let silence = Silence::new(self.after, self.first_within, calendar);
        let mut silence = silence.map_err(|reason| InvalidPolicy::DropOff { key: key.into(), reason })?;
        if self.policy == PolicyConfig::Adaptive {
            silence = silence.adaptive(self.learned_in(key)?);
        }
        Ok(Policy { drop_off: self.enabled.then_some(silence) })
    }
}

impl DropOffConfig {
    fn learned_in(&self, key: &str) -> Result<TimeZone, InvalidPolicy> {
        match (&self.time_zone, &self.hours) {
            (Some(name), _) => time_zone(key, name),
            (None, Some(hours)) => time_zone(&format!("{key}.hours"), &hours.time_zone),
            (None, None) => Ok(TimeZone::UTC),
        }
    }
}

fn time_zone(key: &str, name: &str) -> Result<TimeZone, InvalidPolicy> {
    TimeZone::get(name).map_err(|_| InvalidPolicy::TimeZone { key: key.into(), name: name.into() })
}

fn calendar<'a>(
    key: &str,
    hours: Option<&HoursConfig>,
    maintenance: impl Iterator<Item = &'a MaintenanceConfig>,
) -> Result<Calendar, InvalidPolicy> {
    let hours = match hours {
        Some(hours) => Some(BusinessHours {
            time_zone: time_zone(&format!("{key}.hours"), &hours.time_zone)?,
            days: hours.days.iter().map(|day| day.weekday()).collect(),
            from: hours.from,
            until: hours.until,
            holidays: hours.holidays.clone(),
        }),
        None => None,
    };
    let maintenance = maintenance.map(|span| Maintenance { from: span.from, until: span.until }).collect();
    Calendar::new(hours, maintenance).map_err(|reason| InvalidPolicy::Calendar { key: key.into(), reason })
}

impl Day {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

fn weekdays() -> Vec<Day> {
    vec![Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri]
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::{About, Chain};
    use latchkey_core::verdict::{ChainWindow, DropOff, Outcome, Poll, drop_off};
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Section {
        drop_off: DropOffConfig,
        sources: BTreeMap<SourceId, SourceConfig>,
        maintenance: Vec<MaintenanceConfig>,
    }

    fn read(section: serde_json::Value) -> Result<Policies, InvalidPolicy> {
        let Section { drop_off, sources, maintenance } = serde_json::from_value(section).unwrap();
        policies(&drop_off, &sources, &maintenance)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Whether silence of a feed since a moment is an alarm at another.
    fn check(policies: &Policies, source: &str, feed: Feed, since: &str, now: &str, expect: bool) {
        let chain = Chain { source: source.parse().unwrap(), feed };
        let policy = policies.of_chain(&chain);
        let window = ChainWindow {
            chain,
            source_label: String::new(),
            polled_at: at(now),
            next_poll_at: at(now),
            first_polled_at: at(since),
            last_success_at: Some(at(now)),
            last_arrival_at: Some(at(since)),
            consecutive_failures: 0,
            outcome: Outcome::Quiet,
            events_total: 1,
            token_expires_at: None,
            clock_skew: None,
            position_at: None,
            host: String::new(),
            token_fault: None,
        };
        let found = matches!(drop_off(&window, None, &Poll::Quiet, at(now), policy), DropOff::Alarm { .. });
        assert_eq!(found, expect, "{source} {feed} from {since} to {now}");
    }

    #[test]
    fn a_feed_has_its_own_a_sources_or_everybodys_settings() {
        let policies = read(json!({
            "drop_off": {"after": "2h"},
            "sources": {"acme": {
                "drop_off": {"after": "1h", "hours": {"time_zone": "UTC", "from": "08:00", "until": "18:00", "holidays": ["2026-11-24"]}},
                "feeds": {"audit_events": {"after": "720h", "hours": {"time_zone": "UTC", "from": "00:00", "until": "00:00"}},
                          "item_usages": {"enabled": false}}
            }}
        }))
        .unwrap();
        let (friday, monday) = ("2026-11-20T17:30:00Z", "2026-11-23T08:31:00Z");
        check(&policies, "other", Feed::ItemUsages, friday, "2026-11-20T19:30:00Z", false);
        check(&policies, "other", Feed::ItemUsages, friday, "2026-11-20T19:30:01Z", true);
        check(&policies, "acme", Feed::SignInAttempts, friday, "2026-11-23T08:30:00Z", false);
        check(&policies, "acme", Feed::SignInAttempts, friday, monday, true);
        check(&policies, "acme", Feed::SignInAttempts, "2026-11-23T17:30:00Z", "2026-11-25T08:30:00Z", false);
        check(&policies, "acme", Feed::ItemUsages, friday, monday, false);
        check(&policies, "acme", Feed::AuditEvents, friday, monday, false);
    }

    #[test]
    fn habits_are_learned_by_the_hours_of_somewhere() {
        let hours = json!({"time_zone": "Europe/Berlin", "from": "08:00", "until": "18:00"});
        let policies = read(json!({"sources": {
            "acme": {"drop_off": {"policy": "adaptive"}, "feeds": {
                "item_usages": {"hours": hours},
                "audit_events": {"policy": "fixed", "time_zone": "Europe/Paris"}
            }},
            "other": {"drop_off": {"policy": "adaptive", "time_zone": "America/New_York", "hours": hours}}
        }}))
        .unwrap();
        let zone = |source: &str, feed| {
            let chain = Chain { source: source.parse().unwrap(), feed };
            policies.of_chain(&chain).habits().map(|(_, zone)| zone.iana_name().unwrap_or("UTC").to_owned())
        };
        for (source, feed, expect) in [
            ("acme", Feed::SignInAttempts, Some("UTC")),
            ("acme", Feed::ItemUsages, Some("Europe/Berlin")),
            ("acme", Feed::AuditEvents, None),
            ("other", Feed::AuditEvents, Some("America/New_York")),
            ("else", Feed::AuditEvents, None),
        ] {
            assert_eq!(zone(source, feed).as_deref(), expect, "{source} {feed}");
        }
    }

    #[test]
    fn maintenance_leaves_people_alone() {
        let policies = read(json!({
            "maintenance": [{"from": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z"}],
            "sources": {"acme": {"maintenance": [{"from": "2026-11-22T00:00:00Z", "until": "2026-11-23T00:00:00Z"}]}}
        }))
        .unwrap();
        let muted = |about: &About, now| policies.in_maintenance(about, at(now));
        let (acme, other) = (About::Source("acme".parse().unwrap()), About::Source("other".parse().unwrap()));
        for about in [&acme, &other, &About::Line] {
            assert!(muted(about, "2026-11-20T12:00:00Z"));
            assert!(!muted(about, "2026-11-21T12:00:00Z"));
        }
        assert!(muted(&acme, "2026-11-22T12:00:00Z"));
        assert!(!muted(&other, "2026-11-22T12:00:00Z"));
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        let hours = json!({"time_zone": "Europe/Nowhere", "from": "08:00", "until": "18:00"});
        for (section, message) in [
            (
                json!({"drop_off": {"after": "1min"}}),
                "alerter.drop_off: 1m is no threshold for a drop-off: use 15 minutes to 30 days",
            ),
            (
                json!({"sources": {"acme": {"feeds": {"item_usages": {"hours": hours}}}}}),
                "alerter.sources.acme.feeds.item_usages.hours.time_zone: \"Europe/Nowhere\" is no time zone that this machine knows: \
                 use a name such as Europe/Berlin",
            ),
            (
                json!({"drop_off": {"policy": "adaptive", "time_zone": "Mars/Olympus"}}),
                "alerter.drop_off.time_zone: \"Mars/Olympus\" is no time zone that this machine knows: use a name such as Europe/Berlin",
            ),
            (
                json!({"maintenance": [{"from": "2026-11-21T00:00:00Z", "until": "2026-11-20T00:00:00Z"}]}),
                "alerter.drop_off: the maintenance window from 2026-11-21T00:00:00Z ends before it begins, at 2026-11-20T00:00:00Z",
            ),
        ] {
            assert_eq!(read(section).unwrap_err().to_string(), message);
        }
    }
}
