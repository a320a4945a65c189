//! Golden files of what each destination is sent.

use jiff::SignedDuration;
use latchkey_contracts::alert::{
    Alert,
    alert::{Change, Severity, State},
};
use secrecy::SecretString;
use serde_json::Value;

use super::*;

fn alert() -> Alert {
    Alert {
        kind: "poll_refused".into(),
        code: "LK102".into(),
        severity: Severity::Critical.into(),
        state: State::Raised.into(),
        change: Change::Raised.into(),
        source: "acme".into(),
        source_label: "Acme & <Sons>".into(),
        feed: "item_usages".into(),
        reason: "unauthorized".into(),
        since_unix_nano: 1_700_000_000_000_000_000,
        judged_at_unix_nano: 1_700_000_060_000_000_000,
        generation: 2,
        summary: "item_usages of Acme & <Sons> is refused since 2023-11-14T22:13:20Z: unauthorized, HTTP 401.".into(),
        next_step: "Give the source a new token.".into(),
        ..Alert::default()
    }
}

pub(crate) fn raised() -> Notification {
    Notification::new(7, &alert()).unwrap()
}

fn acknowledged() -> Notification {
    let alert = Alert { change: Change::Acknowledged.into(), acknowledged_by: "Ada".into(), ..alert() };
    Notification::new(8, &alert).unwrap()
}

pub(crate) fn resolved() -> Notification {
    let alert = Alert {
        state: State::Resolved.into(),
        change: Change::Resolved.into(),
        judged_at_unix_nano: 1_700_000_120_000_000_000,
        summary: "item_usages of Acme & <Sons> can be read again.".into(),
        next_step: String::new(),
        ..alert()
    };
    Notification::new(9, &alert).unwrap()
}

/// About the whole line, with nothing that can be left out.
fn bare() -> Notification {
    let alert = Alert {
        kind: "outage".into(),
        source: String::new(),
        source_label: String::new(),
        feed: String::new(),
        code: String::new(),
        next_step: String::new(),
        ..alert()
    };
    Notification::new(10, &alert).unwrap()
}

fn origin() -> Origin {
    let runbook = Some("https://docs.example.com/runbook/".parse().unwrap());
    Origin { instance: "latchkey".into(), runbook }
}

/// Holds what is sent for each of them to its golden file.
fn golden(name: &str, render: impl Fn(&Notification) -> String) {
    for (case, notification) in
        [("raised", raised()), ("acknowledged", acknowledged()), ("resolved", resolved()), ("bare", bare())]
    {
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../../tests/golden"}, {
            insta::assert_snapshot!(format!("{name}-{case}"), render(&notification));
        });
    }
}

fn pretty(body: &str) -> String {
    serde_json::to_string_pretty(&serde_json::from_str::<Value>(body).unwrap()).unwrap()
}

fn later() -> Timestamp {
    raised().judged_at.checked_add(SignedDuration::from_mins(4)).unwrap()
}

#[test]
fn alertmanager_is_sent_this() {
    golden("alertmanager", |one| pretty(&alertmanager::render(one, &origin(), later()).to_string()));
}

#[test]
fn slack_is_sent_this() {
    golden("slack", |one| pretty(&slack::render(one, &origin())));
}

#[test]
fn pagerduty_is_sent_this() {
    golden("pagerduty", |one| pretty(&pagerduty::render(one, &origin()).to_string()));
}

#[test]
fn a_webhook_is_sent_this() {
    golden("webhook", |one| pretty(&webhook::render(one, &origin())));
}

#[test]
fn a_mail_is_this() {
    let (from, to) = ("Latchkey <latchkey@example.com>".parse().unwrap(), ["ops@example.com".parse().unwrap()]);
    golden("email", |one| {
        let message = email::render(one, &origin(), &from, &to, later()).unwrap();
        String::from_utf8(message.formatted()).unwrap().replace("\r\n", "\n")
    });
}

/// Computed with `printf '1700000000.{}' | openssl dgst -sha256 -hmac s3cret`.
#[test]
fn a_signature_is_what_others_compute() {
    let signature = webhook::sign(&SecretString::from("s3cret"), raised().since, "{}");
    assert_eq!(signature, "t=1700000000,v1=97926816e98fbb41ccb1673225ff29a2f35369099990e1b1561651e7bd097ebf");
}
