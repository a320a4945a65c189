//! How full a stream is and how far a consumer is behind.

use std::time::Duration;

use async_nats::jetstream::{ErrorCode, consumer, response::Response, stream, stream::DirectGetErrorKind};
use jiff::Timestamp;
use latchkey_contracts::topology::{Consumer, Stream};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::{connect::Bus, error::Error, stored::timestamp};

/// A stream at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// The moment, by the server's clock.
    pub at: Timestamp,
    /// Sequence of the oldest message, or one after the last if it is empty.
    pub first: u64,
    /// Sequence of the newest message ever stored; 0 if there was none.
    pub last: u64,
    /// Messages it holds.
    pub messages: u64,
    /// Bytes it holds, as its limit counts them.
    pub bytes: u64,
    /// Its limit.
    pub max_bytes: i64,
    /// When it was created: tells one life of a stream from the next.
    pub created: Timestamp,
}

/// A consumer at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerState {
    /// The moment, by the server's clock.
    pub at: Timestamp,
    /// Messages never delivered yet.
    pub pending: u64,
    /// Deliveries not yet answered, delayed naks included.
    pub ack_pending: u64,
    /// Stream sequence up to which everything is acknowledged.
    pub floor: u64,
    /// Stream sequence of the newest delivery.
    pub delivered: u64,
    /// Of the deliveries not yet answered, those made more than once.
    pub redelivered: u64,
    /// Pull requests that wait at the server: 0 means that nobody works.
    pub waiting: usize,
    /// All deliveries that it has made, repeated ones included.
    pub deliveries: u64,
    /// Deliveries that may be open at once; `None` without limit.
    pub max_ack_pending: Option<u64>,
    /// The most deliveries that a message has; `None` without limit, as every consumer of ours should be.
    pub max_deliver: Option<u64>,
    /// When it was created: tells one life of a consumer from the next.
    pub created: Timestamp,
    /// The latest delivery or acknowledgement, as far as the server remembers: not beyond its own restart.
    pub moved_at: Option<Timestamp>,
}

impl ConsumerState {
    /// Messages that it is not done with.
    #[must_use]
    pub const fn unread(&self) -> u64 {
        self.pending + self.ack_pending
    }
}

/// The longest that a look at the state takes. The client's own bound is on each request.
const LOOK_WITHIN: Duration = Duration::from_secs(10);

impl Bus {
    /// Asks the server for a stream's state; [`Error::Missing`] if there is no such stream.
    pub async fn stream_state(&self, stream: &Stream) -> Result<StreamState, Error> {
        let what = What { action: "reading a stream's state", object: "stream", name: stream.name };
        let Answer { at, info } = self
            .ask::<stream::Info>(format!("STREAM.INFO.{}", stream.name), &what, ErrorCode::STREAM_NOT_FOUND)
            .await?;
        Ok(StreamState {
            at,
            first: info.state.first_sequence,
            last: info.state.last_sequence,
            messages: info.state.messages,
            bytes: info.state.bytes,
            max_bytes: info.config.max_bytes,
            created: timestamp(info.created),
        })
    }

    /// Asks the server for a consumer's state; [`Error::Missing`] if there is no such consumer.
    pub async fn consumer_state(&self, consumer: &Consumer) -> Result<ConsumerState, Error> {
        self.state_of(consumer.stream, consumer.name).await
    }

    /// Asks the server for the state of a stream's consumer of this name; [`Error::Missing`] if there is none.
    pub async fn state_of(&self, stream: &str, consumer: &str) -> Result<ConsumerState, Error> {
        let what = What { action: "reading a consumer's state", object: "consumer", name: consumer };
        let subject = format!("CONSUMER.INFO.{stream}.{consumer}");
        let Answer { at, info } = self.ask::<consumer::Info>(subject, &what, ErrorCode::CONSUMER_NOT_FOUND).await?;
        Ok(ConsumerState {
            at,
            pending: info.num_pending,
            ack_pending: info.num_ack_pending as u64,
            redelivered: info.num_redelivered as u64,
            floor: info.ack_floor.stream_sequence,
            delivered: info.delivered.stream_sequence,
            waiting: info.num_waiting,
            deliveries: info.delivered.consumer_sequence,
            max_ack_pending: u64::try_from(info.config.max_ack_pending).ok().filter(|most| *most > 0),
            max_deliver: u64::try_from(info.config.max_deliver).ok().filter(|most| *most > 0),
            created: timestamp(info.created),
            moved_at: info.delivered.last_active.max(info.ack_floor.last_active).map(timestamp),
        })
    }

    /// Asks JetStream, without the client's own functions: they leave out when the answer was made.
    async fn ask<T: DeserializeOwned>(
        &self,
        subject: String,
        what: &What<'_>,
        not_found: ErrorCode,
    ) -> Result<Answer<T>, Error> {
        let What { action, object, name } = what;
        let unavailable = |error: &dyn std::fmt::Display| Error::unavailable(action, format!("{name}: {error}"));
        let look = async {
            match self.jetstream.request(subject, &serde_json::json!({})).await.map_err(|error| unavailable(&error))? {
                Response::Ok(answer) => Ok(answer),
                Response::Err { error } if error.error_code() == not_found => {
                    Err(Error::Missing { object: format!("{object} {name}") })
                }
                Response::Err { error } => Err(unavailable(&error)),
            }
        };
        within(action, look).await
    }

    /// When the first message of a stream from `sequence` on was stored; `None` if there is none. The message itself is read, since
    /// the server tells its time in no other way.
    pub async fn stored_at_or_after(&self, stream: &Stream, sequence: u64) -> Result<Option<Timestamp>, Error> {
        let look = async {
            let handle = self.stream(stream).await?;
            match handle.direct_get_next_for_subject(EVERY_SUBJECT, Some(sequence.max(1))).await {
                Ok(message) => Ok(Some(timestamp(message.time))),
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
                Err(error) => Err(Error::unavailable("reading a message's time", format!("{}: {error}", stream.name))),
            }
        };
        within("reading a message's time", look).await
    }
}

/// What is asked about, for errors.
struct What<'a> {
    action: &'static str,
    object: &'static str,
    name: &'a str,
}

/// What the server says of a stream or a consumer, and when it said so.
#[derive(Deserialize)]
struct Answer<T> {
    #[serde(rename = "ts")]
    at: Timestamp,
    #[serde(flatten)]
    info: T,
}

/// A stream holds only subjects of its own, so any of them will do.
const EVERY_SUBJECT: &str = ">";

async fn within<T>(action: &'static str, look: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(LOOK_WITHIN, look).await.unwrap_or_else(|_| Err(Error::unavailable(action, "no answer in time")))
}
