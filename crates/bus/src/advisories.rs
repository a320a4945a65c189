//! What the server tells of its own accord: that it gives up on delivering a message.
//!
//! Advisories are no messages of a stream. Whoever listens hears of them, and what nobody hears is lost; so they are worth listening to by
//! every alerter, and nothing is to be built on hearing them all.
//! <https://docs.nats.io/running-a-nats-service/nats_admin/monitoring/monitoring_jetstream#consumer-advisories>

use async_nats::Subscriber;
use futures::StreamExt;
use serde::Deserialize;

use crate::{connect::Bus, error::Error};

/// The subject of a consumer that has used up its deliveries of a message: stream and consumer.
const MAX_DELIVERIES: &str = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.*.*";

/// A message that the server does not deliver again to a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GivenUp {
    /// The stream's name.
    pub stream: String,
    /// The consumer's name.
    pub consumer: String,
    /// The message's sequence in the stream.
    #[serde(rename = "stream_seq")]
    pub sequence: u64,
}

/// The server's advisories, from the moment of subscribing on; over reconnections too, but for what is told in between.
#[derive(Debug)]
pub struct Advisories(Subscriber);

impl Bus {
    /// Listens for messages that the server gives up, of all streams and consumers of the account.
    pub async fn advisories(&self) -> Result<Advisories, Error> {
        let subscribed = self.client.subscribe(MAX_DELIVERIES).await;
        Ok(Advisories(subscribed.map_err(|error| Error::unavailable("listening for advisories", error))?))
    }
}

impl Advisories {
    /// The next one; waits until there is one. What is no advisory is left out.
    ///
    /// Cancel-safe.
    pub async fn next(&mut self) -> Result<GivenUp, Error> {
        loop {
            let message = self.0.next().await;
            let message =
                message.ok_or_else(|| Error::unavailable("listening for advisories", "the connection is closed"))?;
            if let Ok(given_up) = serde_json::from_slice(&message.payload) {
                return Ok(given_up);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advisory_of_the_server_is_read() {
        let text = r#"{"type":"io.nats.jetstream.advisory.v1.max_deliver","id":"x","timestamp":"2026-11-01T00:00:00Z",
            "stream":"PAGES","consumer":"normalizer","stream_seq":7,"deliveries":3}"#;
        let expect = GivenUp { stream: "PAGES".into(), consumer: "normalizer".into(), sequence: 7 };
        assert_eq!(serde_json::from_str::<GivenUp>(text).unwrap(), expect);
    }
}
