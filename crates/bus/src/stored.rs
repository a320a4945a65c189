//! Reading single messages back: a subject's last one, or the one at a sequence.

use async_nats::jetstream::{message::StreamMessage, stream::DirectGetErrorKind};
use jiff::Timestamp;
use latchkey_contracts::topology::Stream;
use opentelemetry::Context;

use crate::{connect::Bus, error::Error, trace, wire::Wire};

/// A message as a stream holds it.
#[derive(Clone, Debug)]
pub struct Stored<T> {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When the server stored it.
    pub published_at: Timestamp,
    /// The message.
    pub message: T,
    /// The trace it belongs to.
    pub context: Context,
}

impl Bus {
    pub(crate) async fn last<T: Wire>(&self, stream: &Stream, subject: String) -> Result<Option<Stored<T>>, Error> {
        let handle = self.stream(stream).await?;
        found(stream, handle.direct_get_last_for_subject(subject).await)
    }

    pub(crate) async fn at<T: Wire>(&self, stream: &Stream, sequence: u64) -> Result<Option<Stored<T>>, Error> {
        if sequence == 0 {
            return Ok(None);
        }
        let handle = self.stream(stream).await?;
        found(stream, handle.direct_get(sequence).await)
    }

    /// Deletes what a literal subject holds before the sequence `end`.
    ///
    /// The server looks through the whole stream for it, however little there is: so it is asked first whether there is anything.
    pub(crate) async fn purge(&self, stream: &Stream, subject: String, end: u64) -> Result<(), Error> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::unavailable("deleting a message", format!("{}: {error}", stream.name))
        };
        let handle = self.stream(stream).await?;
        match handle.direct_get_last_for_subject(&subject).await {
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(&error)),
            Ok(_) => {}
        }
        handle.purge().sequence(end).filter(subject).await.map(|_| ()).map_err(|error| failed(&error))
    }

    pub(crate) async fn stream(&self, stream: &Stream) -> Result<async_nats::jetstream::stream::Stream<()>, Error> {
        self.jetstream
            .get_stream_no_info(stream.name)
            .await
            .map_err(|error| Error::unavailable("opening a stream", format!("{}: {error}", stream.name)))
    }
}

fn found<T: Wire>(
    stream: &Stream,
    answer: Result<StreamMessage, async_nats::jetstream::stream::DirectGetError>,
) -> Result<Option<Stored<T>>, Error> {
    match answer {
        Ok(message) => decode(stream, message).map(Some),
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::unavailable("reading a message", format!("{}: {error}", stream.name))),
    }
}

fn decode<T: Wire>(stream: &Stream, message: StreamMessage) -> Result<Stored<T>, Error> {
    let sequence = message.sequence;
    Ok(Stored {
        sequence,
        published_at: timestamp(message.time),
        context: trace::extract(Some(&message.headers)),
        message: T::from_payload(message.payload).map_err(|source| Error::undecodable(stream, sequence, source))?,
    })
}

/// The server's time stamps lie between the years 1678 and 2262, well inside what [`Timestamp`] holds.
pub(crate) fn timestamp(time: async_nats::datetime::DateTime) -> Timestamp {
    Timestamp::from_nanosecond(time.unix_timestamp_nanos()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The same, for the server.
pub(crate) fn date_time(time: Timestamp) -> async_nats::datetime::DateTime {
    async_nats::datetime::DateTime::from_unix_timestamp_nanos(time.as_nanosecond())
        .unwrap_or(async_nats::datetime::DateTime::UNIX_EPOCH)
}
