//! Streams and consumers are created where they are missing and compared where they exist.
//!
//! Nothing is changed or deleted to repair a difference: an operator who altered a stream had a reason, and a program that
//! recreates it destroys what it holds. The difference is an error that shows what is wanted and what is there.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::{DiscardPolicy, RetentionPolicy, StorageType},
};
use futures::future::try_join_all;
use latchkey_contracts::topology::{
    BUCKETS, Bucket, CONSUMERS, Consumer, Discard, KEY_VALUES, KeyValue, Limits, STREAMS, Stream,
};

use crate::{
    connect::Bus,
    error::{CREATING_CONSUMER, Error},
};

/// The server's default, since object stores repeat no message.
const BUCKET_DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

impl Bus {
    /// Makes sure that every stream, bucket and consumer exists as [`latchkey_contracts::topology`] describes it.
    ///
    /// Safe to call from every service at every start, also at once, and again after a failure: one try, whose error says by
    /// [`Error::is_transient`] whether another is worth it.
    pub async fn provision(&self, limits: Limits) -> Result<(), Error> {
        let streams = STREAMS.iter().map(|stream| stream_config(stream, limits));
        let buckets = BUCKETS.iter().map(|bucket| bucket_config(bucket, limits));
        let values = KEY_VALUES.iter().map(|bucket| key_value_config(bucket, limits));
        try_join_all(streams.chain(buckets).chain(values).map(|want| self.ensure_stream(want))).await?;
        try_join_all(CONSUMERS.iter().map(|consumer| self.ensure_consumer(consumer))).await?;
        Ok(())
    }

    async fn ensure_stream(&self, want: jetstream::stream::Config) -> Result<(), Error> {
        let found = self
            .jetstream
            .get_or_create_stream(want.clone())
            .await
            .map_err(|error| Error::of_creating_stream(&want.name, &error))?;
        compare_streams(&want, &found.cached_info().config)
    }

    async fn ensure_consumer(&self, consumer: &Consumer) -> Result<(), Error> {
        let want = consumer_config(consumer);
        let stream = self
            .jetstream
            .get_stream_no_info(consumer.stream)
            .await
            .map_err(|error| Error::unavailable(CREATING_CONSUMER, format!("{}: {error}", consumer.name)))?;
        let found = stream
            .get_or_create_consumer(consumer.name, want.clone())
            .await
            .map_err(|error| Error::of_creating_consumer(consumer.name, &error))?;
        compare_consumers(consumer.name, &want, &found.cached_info().config)
    }
}

fn stream_config(stream: &Stream, limits: Limits) -> jetstream::stream::Config {
    jetstream::stream::Config {
        name: stream.name.into(),
        description: Some(stream.description.into()),
        subjects: stream.subjects.iter().map(ToString::to_string).collect(),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: limits.replicas,
        max_age: stream.max_age.unwrap_or_default(),
        max_bytes: limits.max_bytes / 100 * i64::from(stream.share),
        max_messages: -1,
        max_messages_per_subject: stream.max_messages_per_subject.unwrap_or(-1),
        discard: match stream.discard {
            Discard::Old => DiscardPolicy::Old,
            Discard::New => DiscardPolicy::New,
        },
        duplicate_window: stream.duplicate_window,
        allow_direct: true,
        ..jetstream::stream::Config::default()
    }
}

/// As the NATS clients' object stores lay a bucket out, so that every tool can use it.
fn bucket_config(bucket: &Bucket, limits: Limits) -> jetstream::stream::Config {
    jetstream::stream::Config {
        name: format!("OBJ_{}", bucket.name),
        description: Some(bucket.description.into()),
        subjects: vec![format!("$O.{}.C.>", bucket.name), format!("$O.{}.M.>", bucket.name)],
        storage: StorageType::File,
        num_replicas: limits.replicas,
        max_bytes: limits.max_bytes / bucket.divisor,
        max_messages: -1,
        max_messages_per_subject: -1,
        discard: DiscardPolicy::New,
        duplicate_window: BUCKET_DUPLICATE_WINDOW,
        allow_rollup: true,
        allow_direct: true,
        ..jetstream::stream::Config::default()
    }
}

/// As the NATS clients lay a key-value bucket out.
fn key_value_config(bucket: &KeyValue, limits: Limits) -> jetstream::stream::Config {
    jetstream::stream::Config {
        max_bytes: limits.max_bytes / bucket.divisor,
        allow_rollup: true,
        deny_delete: true,
        ..stream_config(&bucket.stream, limits)
    }
}

pub(crate) fn consumer_config(consumer: &Consumer) -> pull::Config {
    pull::Config {
        durable_name: Some(consumer.name.into()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: consumer.ack_wait,
        max_deliver: -1,
        max_ack_pending: consumer.max_ack_pending,
        ..pull::Config::default()
    }
}

/// Compares what this system relies on; what it does not care about, an operator may set.
fn compare_streams(want: &jetstream::stream::Config, have: &jetstream::stream::Config) -> Result<(), Error> {
    let object = format!("stream {}", want.name);
    same(&object, "subjects", &want.subjects, &have.subjects)?;
    same(&object, "retention", &want.retention, &have.retention)?;
    same(&object, "storage", &want.storage, &have.storage)?;
    same(&object, "num_replicas", &want.num_replicas, &have.num_replicas)?;
    same(&object, "max_age", &want.max_age, &have.max_age)?;
    same(&object, "max_bytes", &want.max_bytes, &have.max_bytes)?;
    same(&object, "max_msgs_per_subject", &want.max_messages_per_subject, &have.max_messages_per_subject)?;
    same(&object, "discard", &want.discard, &have.discard)?;
    same(&object, "duplicate_window", &want.duplicate_window, &have.duplicate_window)?;
    same(&object, "allow_direct", &want.allow_direct, &have.allow_direct)
}

pub(crate) fn compare_consumers(
    name: &str,
    want: &pull::Config,
    have: &jetstream::consumer::Config,
) -> Result<(), Error> {
    let object = format!("consumer {name}");
    same(&object, "ack_policy", &want.ack_policy, &have.ack_policy)?;
    same(&object, "ack_wait", &want.ack_wait, &have.ack_wait)?;
    same(&object, "max_deliver", &want.max_deliver, &have.max_deliver)?;
    same(&object, "max_ack_pending", &want.max_ack_pending, &have.max_ack_pending)?;
    same(&object, "filter_subject", &want.filter_subject, &have.filter_subject)
}

fn same<T: PartialEq + std::fmt::Debug>(object: &str, field: &'static str, want: &T, have: &T) -> Result<(), Error> {
    if want == have {
        return Ok(());
    }
    Err(Error::Drift { object: object.into(), field, want: format!("{want:?}"), have: format!("{have:?}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_names_want_and_have() {
        let want = stream_config(&STREAMS[0], Limits::default());
        let have = jetstream::stream::Config { discard: DiscardPolicy::Old, ..want.clone() };
        assert!(compare_streams(&want, &want).is_ok());
        let error = compare_streams(&want, &have).unwrap_err().to_string();
        assert!(error.contains("stream PAGES has drifted: discard is Old and should be New"), "{error}");
    }

    #[test]
    fn the_streams_fit_into_the_limit() {
        let total: i64 = STREAMS.iter().map(|stream| stream_config(stream, Limits::default()).max_bytes).sum();
        assert!(total <= Limits::default().max_bytes);
    }
}
