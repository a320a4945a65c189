//! Prometheus Alertmanager: API v2.
//!
//! Alertmanager holds an alert for as long as its last message says and forgets it then. So what is raised is said again and again, and so is,
//! for a while, what has ended: with several alerters, a "raised" of one may come just after the "resolved" of another.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Failure, Origin, Poster, SecretFile,
    http::{authorized, send},
};
use crate::notification::Notification;

/// How long a raised alert is to be held, in pauses between two messages: Prometheus takes as many.
const HELD_FOR: i32 = 4;

/// How long the end of an alert is repeated; Prometheus does it for as long.
const END_REPEATED_FOR: SignedDuration = SignedDuration::from_mins(15);

pub(crate) struct Alertmanager {
    pub(crate) poster: Poster,
    pub(crate) bearer: Option<SecretFile>,
    pub(crate) origin: Origin,
    /// Between two messages about what is raised.
    pub(crate) every: Duration,
}

impl Alertmanager {
    pub(crate) async fn post(&self, notifications: &[&Notification], now: Timestamp) -> Result<(), Failure> {
        let every = SignedDuration::try_from(self.every).unwrap_or(SignedDuration::MAX);
        let held_until = now.saturating_add(every.saturating_mul(HELD_FOR)).unwrap_or(Timestamp::MAX);
        let alerts: Vec<_> = notifications.iter().map(|one| render(one, &self.origin, held_until)).collect();
        let body = Value::from(alerts).to_string();
        let request = self.poster.request("/api/v2/alerts", "application/json", body)?;
        send(authorized(request, self.bearer.as_ref())?).await
    }
}

/// One alert. The labels are its identity there: all but the severity stay the same over its life.
pub(crate) fn render(notification: &Notification, origin: &Origin, held_until: Timestamp) -> Value {
    let labels = [
        ("alertname", notification.kind.as_str()),
        ("code", &notification.code),
        ("feed", &notification.feed),
        ("instance", &origin.instance),
        ("job", "latchkey"),
        ("object", &notification.object),
        ("severity", notification.severity),
        ("source", &notification.source),
    ];
    let annotations = [
        ("acknowledged_by", notification.acknowledged_by.as_str()),
        ("about", &notification.about()),
        ("next_step", &notification.next_step),
        ("runbook_url", &origin.page(notification)),
        ("summary", &notification.summary),
    ];
    let ends_at = if notification.state == "resolved" { notification.judged_at } else { held_until };
    json!({
        "labels": said(&labels),
        "annotations": said(&annotations),
        "startsAt": notification.since,
        "endsAt": ends_at.max(notification.since),
        "generatorURL": origin.page(notification),
    })
}

/// Of the texts, those that say something.
fn said(texts: &[(&str, &str)]) -> Map<String, Value> {
    let said = texts.iter().filter(|(_, text)| !text.is_empty());
    said.map(|(name, text)| ((*name).to_owned(), Value::from(*text))).collect()
}

/// What an Alertmanager should hold: what is raised, and what has ended of late.
#[derive(Default)]
pub(crate) struct Mirror {
    alerts: HashMap<String, Notification>,
}

impl Mirror {
    /// A transition that people are told of.
    pub(crate) fn learn(&mut self, notification: Notification) {
        let key = format!("{} {}", notification.kind, notification.path());
        match self.alerts.get(&key) {
            Some(known) if known.sequence > notification.sequence => {}
            _ => _ = self.alerts.insert(key, notification),
        }
    }

    /// What is to be said at `now`; what need not be said any more is forgotten.
    pub(crate) fn current(&mut self, now: Timestamp) -> Vec<&Notification> {
        self.alerts.retain(|_, one| one.state != "resolved" || now.duration_since(one.judged_at) < END_REPEATED_FOR);
        self.alerts.values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::tests::{raised, resolved};

    #[test]
    fn a_mirror_repeats_what_is_raised_and_for_a_while_what_has_ended() {
        let mut mirror = Mirror::default();
        let said = |mirror: &mut Mirror, now| mirror.current(now).iter().map(|one| one.state).collect::<Vec<_>>();
        let minutes = |at: Timestamp, minutes| at.saturating_add(SignedDuration::from_mins(minutes)).unwrap();
        let (raised, resolved) = (raised(), resolved());
        let ended = resolved.judged_at;
        mirror.learn(raised.clone());
        assert_eq!(said(&mut mirror, minutes(ended, 60 * 24)), ["raised"]);
        mirror.learn(resolved);
        // A retried attempt may show an older transition again.
        mirror.learn(raised);
        assert_eq!(said(&mut mirror, minutes(ended, 14)), ["resolved"]);
        assert!(said(&mut mirror, minutes(ended, 15)).is_empty());
    }
}
