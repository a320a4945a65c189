//! What can go wrong between a service and JetStream.
//!
//! Answers of the server that a caller decides on (conflict, full, unknown) are no errors: they are [`crate::Publication`].

use std::time::Duration;

use async_nats::jetstream::{
    self, ErrorCode,
    context::{CreateStreamError, CreateStreamErrorKind},
    stream::{ConsumerError, ConsumerErrorKind},
};
use latchkey_contracts::topology;

use crate::Publication;

const CREATING_STREAM: &str = "creating a stream";
pub(crate) const CREATING_CONSUMER: &str = "creating a consumer";

/// What JetStream answers to a stream or consumer that it cannot have until somebody changes its settings or ours.
///
/// JetStream that is not enabled is none of it: a server that is shutting down says the same. Neither are peers that are missing: a cluster
/// that is starting says so.
const NEEDS_SOMEBODY: [ErrorCode; 7] = [
    ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
    ErrorCode::MAXIMUM_CONSUMERS_LIMIT,
    ErrorCode::MAXIMUM_STREAMS_LIMIT,
    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ErrorCode::STREAM_MAX_STREAM_BYTES_EXCEEDED,
    ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED,
    ErrorCode::STREAM_SUBJECT_OVERLAP,
];

/// A call to the bus that gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No server accepted a connection within the bound.
    #[error(
        "no connection to NATS at {servers} within {seconds} s: {reason}; check the address and that the server runs"
    )]
    Connect {
        /// Addresses without user names or passwords.
        servers: String,
        /// The bound.
        seconds: u64,
        /// What the last attempt said.
        reason: String,
    },
    /// A server answered, and does not let us in.
    #[error(
        "NATS at {servers} refuses the credentials: {reason}; check nats.token_file, nats.credentials_file, or the user in the address"
    )]
    Refused {
        /// Addresses without user names or passwords.
        servers: String,
        /// What it said.
        reason: String,
    },
    /// The configuration of the connection itself is unusable.
    #[error("NATS settings: {0}")]
    Settings(String),
    /// The server is older than the features this system relies on; older servers ignore them silently.
    #[error("nats-server {found} is too old: {required} or later is needed")]
    Version {
        /// What the server says it is.
        found: String,
        /// The oldest usable version.
        required: &'static str,
    },
    /// A stream or consumer exists with another configuration than this version wants.
    #[error(
        "{object} has drifted: {field} is {have} and should be {want}; change it with the nats tool or choose matching settings (nothing was modified)"
    )]
    Drift {
        /// Such as "stream PAGES".
        object: String,
        /// The differing setting.
        field: &'static str,
        /// The value this version wants.
        want: String,
        /// The value on the server.
        have: String,
    },
    /// JetStream cannot have a stream or consumer as this version wants it.
    #[error("{action} is impossible: {reason}; change the settings of nats-server or of section nats")]
    Impossible {
        /// What was asked.
        action: &'static str,
        /// What came back.
        reason: String,
    },
    /// A stream or consumer that existed is gone: deleted, or its server lost its storage. Starting again creates it anew.
    #[error("{object} does not exist any more; a restart creates it")]
    Missing {
        /// Such as "consumer normalizer".
        object: String,
    },
    /// A stored message is not what its subject promises.
    #[error("message {sequence} of stream {stream} cannot be decoded: {source}")]
    Undecodable {
        /// The stream.
        stream: &'static str,
        /// The message's sequence.
        sequence: u64,
        /// Why.
        source: Undecodable,
    },
    /// The server did not answer, answered with an error or the connection broke. Worth retrying.
    #[error("{action} failed: {reason}")]
    Unavailable {
        /// What was asked.
        action: &'static str,
        /// What came back.
        reason: String,
    },
}

impl Error {
    /// Whether the same call may succeed later without anybody's help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Unavailable { .. })
    }

    /// The same after trying for so long.
    #[must_use]
    pub fn after(self, tried: Duration) -> Self {
        match self {
            Self::Connect { servers, reason, .. } => Self::Connect { servers, seconds: tried.as_secs(), reason },
            other => other,
        }
    }

    /// What an error of the client about a stream or consumer means.
    pub(crate) fn of_consumer(action: &'static str, object: &str, error: &ConsumerError) -> Self {
        match error.kind() {
            ConsumerErrorKind::JetStream(refusal)
                if matches!(refusal.error_code(), ErrorCode::STREAM_NOT_FOUND | ErrorCode::CONSUMER_NOT_FOUND) =>
            {
                Self::Missing { object: object.into() }
            }
            _ => Self::unavailable(action, format!("{object}: {error}")),
        }
    }

    pub(crate) fn of_creating_stream(name: &str, error: &CreateStreamError) -> Self {
        let refusal = match error.kind() {
            CreateStreamErrorKind::JetStream(refusal) => Some(refusal),
            _ => None,
        };
        Self::of_creating(CREATING_STREAM, format!("{name}: {error}"), refusal.as_ref())
    }

    pub(crate) fn of_creating_consumer(name: &str, error: &ConsumerError) -> Self {
        let refusal = match error.kind() {
            ConsumerErrorKind::JetStream(refusal) => Some(refusal),
            _ => None,
        };
        Self::of_creating(CREATING_CONSUMER, format!("{name}: {error}"), refusal.as_ref())
    }

    fn of_creating(action: &'static str, reason: String, refusal: Option<&jetstream::Error>) -> Self {
        match refusal {
            Some(refusal) if NEEDS_SOMEBODY.contains(&refusal.error_code()) => Self::Impossible { action, reason },
            _ => Self::Unavailable { action, reason },
        }
    }

    /// A message that had to be stored and was not, or not certainly.
    #[must_use]
    pub fn not_stored(action: &'static str, publication: Publication) -> Self {
        Self::unavailable(action, format!("{publication:?}"))
    }

    pub(crate) fn unavailable(action: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Unavailable { action, reason: reason.to_string() }
    }

    /// A stored page whose content makes no sense to its reader.
    #[must_use]
    pub fn unreadable_page(sequence: u64) -> Self {
        Self::undecodable(&topology::PAGES, sequence, Undecodable::Content)
    }

    pub(crate) fn undecodable(stream: &topology::Stream, sequence: u64, source: Undecodable) -> Self {
        Self::Undecodable { stream: stream.name, sequence, source }
    }
}

/// Bytes that are not the message their subject promises.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Undecodable {
    /// Not the expected protobuf message.
    #[error("not the expected protobuf message: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// The compressed payload is damaged.
    #[error("damaged zstd payload")]
    Compression,
    /// The message is well formed and holds an impossible value.
    #[error("a field holds an impossible value")]
    Content,
    /// Decompression would pass the bound.
    #[error("larger than {limit} bytes when decompressed")]
    TooLarge {
        /// The bound in bytes.
        limit: u64,
    },
}
