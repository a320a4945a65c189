//! How full a stream is and how far a consumer is behind.

use jiff::Timestamp;
use latchkey_contracts::topology::{Consumer, Stream};

use crate::{connect::Bus, error::Error, stored::timestamp};

/// A stream at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamState {
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
    /// Messages never delivered yet.
    pub pending: u64,
    /// Deliveries not yet answered, delayed naks included.
    pub ack_pending: u64,
    /// Stream sequence up to which everything is acknowledged.
    pub floor: u64,
    /// Stream sequence of the newest delivery.
    pub delivered: u64,
    /// Pull requests that wait at the server: 0 means that nobody works.
    pub waiting: usize,
}

impl Bus {
    /// Asks the server for a stream's state.
    pub async fn stream_state(&self, stream: &Stream) -> Result<StreamState, Error> {
        let unavailable = |error: &dyn std::fmt::Display| {
            Error::unavailable("reading a stream's state", format!("{}: {error}", stream.name))
        };
        let info = self.stream(stream).await?.get_info().await.map_err(|error| unavailable(&error))?;
        Ok(StreamState {
            first: info.state.first_sequence,
            last: info.state.last_sequence,
            messages: info.state.messages,
            bytes: info.state.bytes,
            max_bytes: info.config.max_bytes,
            created: timestamp(info.created),
        })
    }

    /// Asks the server for a consumer's state.
    pub async fn consumer_state(&self, consumer: &Consumer) -> Result<ConsumerState, Error> {
        let unavailable = |error: &dyn std::fmt::Display| {
            Error::unavailable("reading a consumer's state", format!("{}: {error}", consumer.name))
        };
        let stream = self.jetstream.get_stream_no_info(consumer.stream).await.map_err(|error| unavailable(&error))?;
        let info = stream.consumer_info(consumer.name).await.map_err(|error| unavailable(&error))?;
        Ok(ConsumerState {
            pending: info.num_pending,
            ack_pending: info.num_ack_pending as u64,
            floor: info.ack_floor.stream_sequence,
            delivered: info.delivered.stream_sequence,
            waiting: info.num_waiting,
        })
    }
}
