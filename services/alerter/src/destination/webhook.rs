//! Any program: `CloudEvents` 1.0 as JSON, posted and signed.
//!
//! The event's id and the header `Idempotency-Key` are the same for each attempt, so a receiver can leave out what it has had. With a key,
//! the header `Latchkey-Signature: t=SECONDS,v1=HEX` carries the HMAC-SHA256 of `SECONDS.BODY`; a receiver that refuses old times cannot be
//! told the same thing twice by somebody who listened. <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>

use std::fmt::Write;

use jiff::Timestamp;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    Failure, Origin, Poster, SecretFile,
    http::{authorized, send},
};
use crate::notification::Notification;

pub(crate) struct Webhook {
    pub(crate) poster: Poster,
    pub(crate) bearer: Option<SecretFile>,
    pub(crate) key: Option<SecretFile>,
    pub(crate) origin: Origin,
}

impl Webhook {
    pub(crate) async fn post(&self, notification: &Notification, now: Timestamp) -> Result<(), Failure> {
        let body = render(notification, &self.origin);
        let signature = match &self.key {
            Some(key) => Some(sign(&key.read()?, now, &body)),
            None => None,
        };
        let mut request = self
            .poster
            .request("", "application/cloudevents+json", body)?
            .header("Idempotency-Key", notification.sequence);
        if let Some(signature) = signature {
            request = request.header("Latchkey-Signature", signature);
        }
        send(authorized(request, self.bearer.as_ref())?).await
    }
}

/// The event.
pub(crate) fn render(notification: &Notification, origin: &Origin) -> String {
    json!({
        "specversion": "1.0",
        // Sequences begin anew with a stream that was made anew; times do not.
        "id": format!("{}-{}", notification.judged_at.as_nanosecond(), notification.sequence),
        "source": format!("/{}", origin.instance),
        "type": format!("latchkey.alert.{}", notification.change),
        "subject": notification.path(),
        "time": notification.judged_at,
        "datacontenttype": "application/json",
        "data": notification,
    })
    .to_string()
}

/// The signature's header.
pub(crate) fn sign(key: &SecretString, now: Timestamp, body: &str) -> String {
    let seconds = now.as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret().as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let mut header = format!("t={seconds},v1=");
    for byte in tag.as_ref() {
        // Writing into a String cannot fail.
        let _ = write!(header, "{byte:02x}");
    }
    header
}
