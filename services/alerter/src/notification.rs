//! A transition as people and programs receive it.

use jiff::Timestamp;
use latchkey_contracts::alert::{
    Alert,
    alert::{Change, Severity, State},
};
use latchkey_core::{alert::severity_word, instant};
use serde::Serialize;

/// One transition of one alert, as standard output and the webhook carry it: a flat JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// Sequence in stream ALERTS: the same for every attempt, and growing with each transition. A retried notification may come
    /// after a later one of the same alert: receivers keep the one with the higher sequence.
    pub sequence: u64,
    /// The alert's kind, such as `poll_refused` (docs/alerts.md).
    pub kind: String,
    /// The kind's code, such as `LK102`: its page in the runbook.
    pub code: String,
    /// `critical`, `warning` or `info`.
    pub severity: &'static str,
    /// `raised` or `resolved`.
    pub state: &'static str,
    /// What this transition is: `raised`, `updated`, `reminded`, `acknowledged` or `resolved`.
    pub change: &'static str,
    /// The source's name; empty, as the next two are, where the alert is about none.
    pub source: String,
    /// What the operator calls it.
    pub source_label: String,
    /// The feed.
    pub feed: String,
    /// The consumer, sink, stream or lookup table; empty where it is about none.
    pub object: String,
    /// A stable word for the cause, where a kind has several.
    pub reason: String,
    /// Since when the condition holds, or held.
    pub since: Timestamp,
    /// When this was judged.
    pub judged_at: Timestamp,
    /// Which life of the alert this is, from 1.
    pub generation: u64,
    /// What is, in one sentence.
    pub summary: String,
    /// What to do about it; empty when it is over.
    pub next_step: String,
    /// Who has taken it on; empty if nobody has.
    pub acknowledged_by: String,
    /// Severities that people have been told of in this life, for routing.
    #[serde(skip)]
    pub(crate) told_severities: Vec<Severity>,
}

impl Notification {
    /// The notification of the transition at `sequence`; `None` if it is neither raised nor resolved.
    pub(crate) fn new(sequence: u64, alert: &Alert) -> Option<Self> {
        let state = match alert.state() {
            State::Raised => "raised",
            State::Resolved => "resolved",
            State::Unspecified => return None,
        };
        let change = match alert.change() {
            // Older writers had only beginnings and ends.
            Change::Unspecified => state,
            Change::Raised => "raised",
            Change::Updated => "updated",
            Change::Reminded => "reminded",
            Change::Acknowledged => "acknowledged",
            Change::Resolved => "resolved",
        };
        Some(Self {
            sequence,
            kind: alert.kind.clone(),
            code: alert.code.clone(),
            severity: severity_word(alert.severity()),
            state,
            change,
            source: alert.source.clone(),
            source_label: alert.source_label.clone(),
            feed: alert.feed.clone(),
            object: alert.object.clone(),
            reason: alert.reason.clone(),
            since: instant::from_unix_nano(alert.since_unix_nano),
            judged_at: instant::from_unix_nano(alert.judged_at_unix_nano),
            generation: alert.generation,
            summary: alert.summary.clone(),
            next_step: alert.next_step.clone(),
            acknowledged_by: alert.acknowledged_by.clone(),
            told_severities: told_severities(alert),
        })
    }

    /// What it is about, for people.
    pub(crate) fn about(&self) -> String {
        let label = if self.source_label.is_empty() { &self.source } else { &self.source_label };
        match (label.as_str(), self.feed.as_str(), self.object.as_str()) {
            ("", "", "") => "the line".into(),
            ("", _, object) => object.into(),
            (label, "", _) => label.into(),
            (label, feed, _) => format!("{feed} of {label}"),
        }
    }

    /// What it is about, for programs: `acme/item_usages`, `acme`, `normalizer`, or `all` for the whole line.
    pub(crate) fn path(&self) -> String {
        let parts = [&self.source, &self.feed, &self.object].map(String::as_str);
        let said: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if said.is_empty() { "all".into() } else { said.join("/") }
    }

    /// As JSON, in one line.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and times are always JSON")
    }
}

fn told_severities(alert: &Alert) -> Vec<Severity> {
    let told = alert.told_severities();
    // Older writers did not say.
    if alert.told_severities.is_empty() { vec![alert.severity()] } else { told.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_one_flat_line() {
        let alert = Alert {
            kind: "drop_off".into(),
            code: "LK103".into(),
            severity: 2,
            change: Change::Reminded.into(),
            source: "acme".into(),
            source_label: "Acme".into(),
            feed: "item_usages".into(),
            state: State::Raised.into(),
            since_unix_nano: 1_700_000_000_000_000_000,
            judged_at_unix_nano: 1_700_000_001_000_000_000,
            summary: "two\nlines".into(),
            next_step: "act".into(),
            generation: 2,
            ..Alert::default()
        };
        assert_eq!(
            Notification::new(7, &alert).unwrap().to_json(),
            r#"{"sequence":7,"kind":"drop_off","code":"LK103","severity":"warning","state":"raised","change":"reminded","#.to_owned()
                + r#""source":"acme","source_label":"Acme","feed":"item_usages","object":"","reason":"","#
                + r#""since":"2023-11-14T22:13:20Z","judged_at":"2023-11-14T22:13:21Z","generation":2,"#
                + r#""summary":"two\nlines","next_step":"act","acknowledged_by":""}"#
        );
        assert_eq!(Notification::new(7, &Alert { state: 9, ..alert }), None);
    }
    #[test]
    fn an_alert_about_the_whole_line_has_neither_source_nor_feed() {
        let alert = Alert { kind: "schemas_refused".into(), state: State::Raised.into(), ..Alert::default() };
        let notification = Notification::new(1, &alert).unwrap();
        assert_eq!((notification.source.as_str(), notification.feed.as_str()), ("", ""));
        assert_eq!((notification.state, notification.change, notification.severity), ("raised", "raised", ""));
    }
}
