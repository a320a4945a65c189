//! What can go wrong with one request, and what follows from it.
//!
//! Each error answers three questions: is it worth trying again and when (for the fetcher), what is it called (a stable word for
//! checkpoints, metrics and alerts), and what does the operator do. None repeats a body, a token or an address.

use std::time::Duration;

use latchkey_core::{alert, page};

/// Why there is no answer to a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Status 401: the token is missing, wrong, expired or revoked, or not made for this feed.
    #[error("1Password refuses the token for this feed (401)")]
    Unauthorized,
    /// Status 403.
    #[error("1Password forbids the request (403)")]
    Forbidden,
    /// Status 400. For a continuing request: the cursor is refused, possibly for ever.
    #[error("1Password refuses the request as malformed (400)")]
    BadRequest,
    /// Status 404.
    #[error("there is no Events API at this address (404)")]
    NotFound,
    /// Status 429.
    #[error("1Password asks for fewer requests (429)")]
    RateLimited {
        /// How long the server asks to wait, at most an hour.
        retry_after: Option<Duration>,
    },
    /// Status 408 or 500 to 599.
    #[error("1Password or a gateway before it fails ({status})")]
    Server {
        /// The status.
        status: u16,
        /// How long the server asks to wait, at most an hour.
        retry_after: Option<Duration>,
    },
    /// Any other status than 200, redirects included: following one could carry the token elsewhere.
    #[error("the answer has an unexpected status ({status})")]
    Unexpected {
        /// The status.
        status: u16,
    },
    /// No full answer within the time-outs.
    #[error("no full answer in time")]
    Timeout,
    /// The host's name does not resolve.
    #[error("the host name does not resolve")]
    Dns,
    /// No connection.
    #[error("no connection: {kind}")]
    Connect {
        /// What the system says, in general words.
        kind: std::io::ErrorKind,
    },
    /// The server's certificate or its TLS is not acceptable.
    #[error("no trusted connection: {reason}")]
    Tls {
        /// What rustls says; host names and dates of certificates at most.
        reason: String,
    },
    /// The connection ended before the answer did, or the body does not decompress.
    #[error("the answer broke off or cannot be decompressed")]
    Body,
    /// The body exceeds the bound.
    #[error("the answer exceeds {limit} bytes")]
    TooLarge {
        /// The bound, in bytes after decompression.
        limit: usize,
    },
    /// The body is not a page.
    #[error("the answer is not a page: {0}")]
    NotAPage(#[from] page::Error),
    /// The body is not an answer to introspection.
    #[error("the answer is not an introspection")]
    NotAnIntrospection,
    /// The client could not be built.
    #[error("the client cannot be set up: {reason}")]
    Setup {
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// Whether the same request may well succeed a little later, without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Server { .. }
            | Self::Timeout
            | Self::Dns
            | Self::Connect { .. }
            | Self::Body
            // A gateway's page in the place of an answer passes by itself.
            | Self::NotAPage(_)
            | Self::NotAnIntrospection => true,
            Self::Unauthorized
            | Self::Forbidden
            | Self::BadRequest
            | Self::NotFound
            | Self::Unexpected { .. }
            | Self::Tls { .. }
            | Self::TooLarge { .. }
            | Self::Setup { .. } => false,
        }
    }

    /// How long the server asks to wait, if it says: at most an hour.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The stable word for checkpoints, metrics and alerts.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::RateLimited { .. } => "rate_limited",
            Self::Server { .. } => "server_error",
            Self::Unexpected { .. } => "unexpected_status",
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Body => "body",
            Self::TooLarge { .. } => "too_large",
            Self::NotAPage(_) | Self::NotAnIntrospection => "malformed",
            Self::Setup { .. } => "setup",
        }
    }

    /// The answer's status, where the status is the error.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Unauthorized => Some(401),
            Self::Forbidden => Some(403),
            Self::BadRequest => Some(400),
            Self::NotFound => Some(404),
            Self::RateLimited { .. } => Some(429),
            Self::Server { status, .. } | Self::Unexpected { status } => Some(*status),
            _ => None,
        }
    }

    /// What the operator does about it.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        alert::next_step_of_refusal(self.reason())
    }
}
