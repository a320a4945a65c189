//! A private nats-server as a child process.
//!
//! The line runs on JetStream everywhere; on a laptop and in tests nobody should have to install it. This module finds or
//! fetches the server's binary ([`obtain`]) and runs it bound to the life of this process ([`Server`]), so that the same code
//! and the same streams serve one person and a fleet. Unix only: it rests on process groups, pipes and file locks.

mod command;
mod download;
mod files;
mod obtain;
mod process;
#[cfg(feature = "testing")]
mod scratch;
#[cfg(test)]
mod tests;
mod version;

use std::{fmt::Write as _, io, path::PathBuf, time::Duration};

#[cfg(feature = "testing")]
pub use scratch::{Scratch, scratch, scratch_with};
pub use {
    obtain::{Attempt, Binary, ObtainOptions, obtain, obtain_blocking},
    process::{Server, ServerOptions},
    version::{InvalidVersion, MINIMUM, Version},
};

/// Why there is no private server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The binary that the operator named cannot be used.
    #[error("the nats-server named by NATS_SERVER_BIN or by option ({}) cannot be used: {reason}", path.display())]
    Named {
        /// The binary.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// No way led to a server.
    #[error(
        "no nats-server of at least {MINIMUM} was found or fetched:{}\nName a binary with NATS_SERVER_BIN, put one on PATH \
         (https://github.com/nats-io/nats-server/releases), or use a running server with --nats-url.",
        list(.0)
    )]
    NotObtained(Vec<Attempt>),
    /// Another server keeps running on the store.
    #[error(
        "another nats-server has been using {} for {} s: stop the latchkey that runs it, or choose another directory",
        directory.display(),
        waited.as_secs()
    )]
    Locked {
        /// The store.
        directory: PathBuf,
        /// How long this start waited.
        waited: Duration,
    },
    /// The server has ended.
    #[error("nats-server ended ({status}); its last words: {last_words}")]
    Ended {
        /// The exit status.
        status: String,
        /// The end of its log.
        last_words: String,
    },
    /// The server runs and does not answer.
    #[error("nats-server has not answered within {} s; its last words: {last_words}", waited.as_secs())]
    Silent {
        /// How long it had.
        waited: Duration,
        /// The end of its log.
        last_words: String,
    },
    /// The server had to be killed; it repairs its store at the next start.
    #[error("nats-server has not stopped within {} s and was killed", waited.as_secs())]
    Stubborn {
        /// How long it had.
        waited: Duration,
    },
    /// The machine refused.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What went wrong.
        source: io::Error,
    },
}

impl Error {
    /// Whether the same call may succeed later without anybody repairing something.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Locked { .. } | Self::Ended { .. } | Self::Silent { .. } => true,
            Self::Named { .. } | Self::NotObtained(_) | Self::Stubborn { .. } | Self::Io { .. } => false,
        }
    }
}

fn list(attempts: &[Attempt]) -> String {
    attempts.iter().fold(String::new(), |mut text, attempt| {
        // Writing into a String cannot fail.
        let _ = write!(text, "\n  - {attempt}");
        text
    })
}
