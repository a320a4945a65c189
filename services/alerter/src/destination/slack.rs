//! Slack: an incoming webhook, whose address is its secret.
//!
//! Slack knows no message again: an attempt that timed out after it was taken shows twice. Its interface for incoming webhooks is
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.

use serde_json::json;

use super::{Failure, Origin, Poster, http::send, template};
use crate::notification::Notification;

const TEXT: &str = include_str!("../../templates/slack.txt");

pub(crate) struct Slack {
    pub(crate) poster: Poster,
    pub(crate) origin: Origin,
}

impl Slack {
    pub(crate) async fn post(&self, notification: &Notification) -> Result<(), Failure> {
        let body = render(notification, &self.origin);
        send(self.poster.request("", "application/json", body)?).await
    }
}

/// The message. `fallback` is what shows on a phone's locked screen.
pub(crate) fn render(notification: &Notification, origin: &Origin) -> String {
    let colour = match (notification.state, notification.severity) {
        ("resolved", _) => "#2e7d32",
        (_, "critical") => "#c62828",
        (_, "warning") => "#f9a825",
        _ => "#607d8b",
    };
    let text = template::fill(TEXT, notification, origin, escape);
    json!({"attachments": [{
        "color": colour,
        "fallback": escape(&notification.summary),
        "text": text,
        "mrkdwn_in": ["text"],
    }]})
    .to_string()
}

/// The three characters that mean something to Slack outside its markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
