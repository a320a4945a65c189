//! Publishing: one call, one answer that the caller must look at.
//!
//! While disconnected, the client queues what is published and sends it after reconnecting, long after the caller's time-out. So
//! a missing acknowledgement is [`Publication::Unknown`] and never "not stored": the caller reads the stream to find out, and the
//! expected sequence keeps a late arrival harmless.

use async_nats::jetstream::{
    self, ErrorCode,
    context::{PublishError, PublishErrorKind},
    message::PublishMessage,
};

use crate::{connect::Bus, error::Error, trace, wire::Wire};

/// What became of a published message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Stored.
    Stored {
        /// Its sequence in the stream.
        sequence: u64,
    },
    /// A message with the same id had been stored before; nothing was added.
    Repeated {
        /// The sequence of the earlier one.
        sequence: u64,
    },
    /// The expected sequence is not the subject's last. Somebody else published, or this very message arrived before: read the
    /// subject's last message.
    Conflict,
    /// The stream is full and discards new messages. Nothing was stored.
    Full,
    /// The message is larger than the server accepts. Nothing was stored.
    TooLarge {
        /// Its payload in bytes.
        size: usize,
        /// The server's limit in bytes.
        max: usize,
    },
    /// No answer came: it is stored, or will be, or never was.
    Unknown,
}

/// How a message is kept from being stored twice.
pub(crate) enum Guard<'a> {
    /// Only onto this sequence of its subject; 0 for an empty subject.
    After(u64),
    /// Only if no message with this id is in the duplicate window.
    Id(&'a str),
    /// Repetition is harmless.
    None,
}

impl Bus {
    pub(crate) async fn publish<T: Wire>(
        &self,
        subject: String,
        message: &T,
        guard: Guard<'_>,
    ) -> Result<Publication, Error> {
        let payload = message.to_payload();
        let size = payload.len();
        let mut headers = async_nats::HeaderMap::new();
        trace::inject(&mut headers);
        if let Some(encoding) = T::CONTENT_ENCODING {
            headers.insert("Content-Encoding", encoding);
        }
        if let Some(operation) = message.operation() {
            headers.insert("KV-Operation", operation);
        }
        let message = PublishMessage::build().headers(headers).payload(payload);
        let message = match guard {
            Guard::After(sequence) => message.expected_last_subject_sequence(sequence),
            Guard::Id(id) => message.message_id(id),
            Guard::None => message,
        };
        let sent = match self.jetstream.send_publish(subject, message).await {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(ack) if ack.duplicate => Ok(Publication::Repeated { sequence: ack.sequence }),
            Ok(ack) => Ok(Publication::Stored { sequence: ack.sequence }),
            Err(error) => classify(&error, size, self.max_payload()),
        }
    }
}

fn classify(error: &PublishError, size: usize, max: usize) -> Result<Publication, Error> {
    match error.kind() {
        PublishErrorKind::WrongLastSequence => Ok(Publication::Conflict),
        PublishErrorKind::MaxPayloadExceeded => Ok(Publication::TooLarge { size, max }),
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => Ok(Publication::Unknown),
        PublishErrorKind::StreamNotFound | PublishErrorKind::MaxAckPending | PublishErrorKind::WrongLastMessageId => {
            Err(Error::unavailable("publishing", error))
        }
        PublishErrorKind::Other => match code(error) {
            // Another write on the subject is in flight on a replicated stream.
            Some(ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT) => Ok(Publication::Conflict),
            Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM) => Ok(Publication::TooLarge { size, max }),
            // Discard new at max bytes; the account's or the server's storage is used up.
            Some(
                ErrorCode::STREAM_STORE_FAILED
                | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
                | ErrorCode::INSUFFICIENT_RESOURCES,
            ) => Ok(Publication::Full),
            _ => Err(Error::unavailable("publishing", error)),
        },
    }
}

fn code(error: &PublishError) -> Option<ErrorCode> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<jetstream::Error>().map(jetstream::Error::error_code)
}
