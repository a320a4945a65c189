//! `PagerDuty`: Events API v2.
//!
//! An alert is one incident at a time: its key says what it is about, so a reminder finds its incident and a resolve ends it. What
//! is sent twice changes nothing. <https://developer.pagerduty.com/docs/send-alert-event>

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Failure, Origin, Poster, SecretFile, http::send};
use crate::notification::Notification;

/// The longest summary, in characters.
const MAX_SUMMARY: usize = 1_024;

pub(crate) struct PagerDuty {
    pub(crate) poster: Poster,
    pub(crate) routing_key: SecretFile,
    pub(crate) origin: Origin,
}

impl PagerDuty {
    pub(crate) async fn post(&self, notification: &Notification) -> Result<(), Failure> {
        let mut event = render(notification, &self.origin);
        event["routing_key"] = self.routing_key.read()?.expose_secret().into();
        send(self.poster.request("", "application/json", event.to_string())?).await
    }
}

/// The event, but for its key.
pub(crate) fn render(notification: &Notification, origin: &Origin) -> Value {
    let Notification { kind, source, feed, object, .. } = notification;
    let action = match notification.change {
        "resolved" => "resolve",
        "acknowledged" => "acknowledge",
        _ => "trigger",
    };
    // 255 characters at most: names of ours are far shorter.
    let mut event = json!({
        "event_action": action,
        "dedup_key": format!("{}/{kind}/{source}/{feed}/{object}", origin.instance),
    });
    if action != "trigger" {
        return event;
    }
    event["client"] = "Latchkey".into();
    event["payload"] = json!({
        "summary": notification.summary.chars().take(MAX_SUMMARY).collect::<String>(),
        "source": origin.instance,
        "severity": if notification.severity.is_empty() { "warning" } else { notification.severity },
        "timestamp": notification.since,
        "component": notification.about(),
        "class": kind,
        "custom_details": notification,
    });
    let page = origin.page(notification);
    if !page.is_empty() {
        event["links"] = json!([{"href": page, "text": "What it means and what to do"}]);
    }
    event
}
