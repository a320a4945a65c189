//! A transition as people and programs receive it.

use jiff::Timestamp;
use latchkey_contracts::alert::{Alert, alert::State};
use latchkey_core::instant;
use serde::Serialize;

/// One transition of one alert, as standard output and the webhook carry it: a flat JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// Sequence in stream ALERTS: the same for every attempt, and growing with each transition. A retried notification may come
    /// after a later one of the same alert: receivers keep the one with the higher sequence.
    pub sequence: u64,
    /// `poll_dead`, `poll_refused` or `drop_off` for a chain; `schemas_refused` or `lookups_refused` for the whole line.
    pub kind: String,
    /// `raised` or `resolved`.
    pub state: &'static str,
    /// The source's name; empty, as the next two are, for the whole line.
    pub source: String,
    /// What the operator calls it.
    pub source_label: String,
    /// The feed.
    pub feed: String,
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
}

impl Notification {
    /// The notification of the transition at `sequence`; `None` if it is neither raised nor resolved.
    pub(crate) fn new(sequence: u64, alert: &Alert) -> Option<Self> {
        let state = match alert.state() {
            State::Raised => "raised",
            State::Resolved => "resolved",
            State::Unspecified => return None,
        };
        Some(Self {
            sequence,
            kind: alert.kind.clone(),
            state,
            source: alert.source.clone(),
            source_label: alert.source_label.clone(),
            feed: alert.feed.clone(),
            since: instant::from_unix_nano(alert.since_unix_nano),
            judged_at: instant::from_unix_nano(alert.judged_at_unix_nano),
            generation: alert.generation,
            summary: alert.summary.clone(),
            next_step: alert.next_step.clone(),
        })
    }

    /// As JSON, in one line.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and times are always JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_one_flat_line() {
        let alert = Alert {
            kind: "drop_off".into(),
            source: "acme".into(),
            source_label: "Acme".into(),
            feed: "item_usages".into(),
            state: State::Raised.into(),
            since_unix_nano: 1_700_000_000_000_000_000,
            judged_at_unix_nano: 1_700_000_001_000_000_000,
            summary: "two\nlines".into(),
            next_step: "act".into(),
            generation: 2,
        };
        assert_eq!(
            Notification::new(7, &alert).unwrap().to_json(),
            r#"{"sequence":7,"kind":"drop_off","state":"raised","source":"acme","source_label":"Acme","feed":"item_usages","#.to_owned()
                + r#""since":"2023-11-14T22:13:20Z","judged_at":"2023-11-14T22:13:21Z","generation":2,"#
                + r#""summary":"two\nlines","next_step":"act"}"#
        );
        assert_eq!(Notification::new(7, &Alert { state: 9, ..alert }), None);
    }
    #[test]
    fn an_alert_about_the_whole_line_has_neither_source_nor_feed() {
        let alert = Alert { kind: "schemas_refused".into(), state: State::Raised.into(), ..Alert::default() };
        let notification = Notification::new(1, &alert).unwrap();
        assert_eq!((notification.source.as_str(), notification.feed.as_str()), ("", ""));
        assert!(
            notification
                .to_json()
                .starts_with(r#"{"sequence":1,"kind":"schemas_refused","state":"raised","source":"","#)
        );
    }
}
