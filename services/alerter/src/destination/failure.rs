//! Why an attempt failed.
//!
//! Nothing here shows an address, a key or what the receiver wrote: addresses hold secrets, and answers may repeat them.

use std::time::Duration;

use reqwest::StatusCode;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The receiver refuses.
    #[error("the receiver answered {}", .status.as_u16())]
    Status {
        /// With this.
        status: StatusCode,
        /// And wants to be left alone for so long.
        retry_after: Option<Duration>,
    },
    /// The mail server refuses.
    #[error("the mail server answered {0}")]
    Smtp(u16),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// No answer at all.
    #[error("no connection, or it broke")]
    Connect,
    /// A file with a secret cannot be read.
    #[error("the file cannot be used: {0}")]
    Secret(String),
    /// It cannot be set up.
    #[error("cannot be set up: {0}")]
    Setup(String),
}

impl Failure {
    /// How long the receiver wants to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        if let Self::Status { retry_after, .. } = self { *retry_after } else { None }
    }

    /// Whether it may be the notification that is refused, and not whoever sends it.
    pub(crate) fn may_be_the_content(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status.as_u16(), 400 | 413 | 422),
            Self::Smtp(code) => matches!(code, 552 | 554),
            Self::Timeout | Self::Connect | Self::Secret(_) | Self::Setup(_) => false,
        }
    }
}
