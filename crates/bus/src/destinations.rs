//! Destinations of alerts: a consumer of ALERTS for each, made when the destination is set up.
//!
//! Unlike the other consumers they are not known beforehand. What is no longer configured is left as it is: an operator may be about to
//! set it up again, and deleting is nobody's business but theirs.

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use jiff::Timestamp;
use latchkey_contracts::{
    alert::Alert,
    topology::{ALERTS, Consumer, DESTINATION, consumer_of},
};

use crate::{
    Deliveries, Error,
    connect::Bus,
    provision::{compare_consumers, consumer_config},
    stored::timestamp,
};

/// One at a time, as the consumer hands them out.
const PREFETCH: usize = 1;

impl Bus {
    /// Makes sure that the destination has its consumer, which begins with the last transition of every alert. Says since when it
    /// exists.
    pub async fn ensure_destination(&self, name: &str) -> Result<Timestamp, Error> {
        let consumer = consumer_of(name);
        let unavailable =
            |error: &dyn std::fmt::Display| Error::unavailable("creating a consumer", format!("{consumer}: {error}"));
        let want = pull::Config {
            durable_name: Some(consumer.clone()),
            deliver_policy: DeliverPolicy::LastPerSubject,
            // The server asks for a filter with this policy.
            filter_subject: ALERTS.subjects[0].into(),
            ..consumer_config(&DESTINATION)
        };
        let stream = self.jetstream.get_stream_no_info(ALERTS.name).await.map_err(|error| unavailable(&error))?;
        let found =
            stream.get_or_create_consumer(&consumer, want.clone()).await.map_err(|error| unavailable(&error))?;
        compare_consumers(&consumer, &want, &found.cached_info().config)?;
        Ok(timestamp(found.cached_info().created))
    }

    /// The transitions for a destination, shared by all alerters.
    pub fn destination(&self, name: &str) -> Deliveries<Alert> {
        let Consumer { stream, .. } = DESTINATION;
        Deliveries::new(self, &consumer_of(name), stream, PREFETCH)
    }
}
