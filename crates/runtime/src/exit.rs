//! How a process ends: exit codes, and the errors that choose one.
//!
//! A supervisor sees nothing but the code. 64, 69 and 70 are those of BSD's `sysexits.h`, 130 is what a shell reports for
//! a process ended by Ctrl-C.

use std::process::ExitCode;

/// Every way a Latchkey process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Asked to stop, or finished, and everything in hand was completed or handed back.
    Ok = 0,
    /// Flags, environment or file were refused: starting again changes nothing.
    Configuration = 64,
    /// Something the service needs did not answer at start: starting again later may help.
    Unavailable = 69,
    /// A task failed or panicked, or would not stop.
    Internal = 70,
    /// A second signal cut the soft shutdown short.
    Forced = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// An error that chooses the exit code, anywhere in the chain of an [`anyhow::Error`].
///
/// A service's body returns it for what only it can find out; every other error is [`Exit::Internal`].
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is well formed but cannot be: names its key and the reason. Permanent.
    #[error("configuration refused: {0}")]
    Configuration(String),
    /// `what` did not answer while the service started. Transient: the supervisor should start the service again.
    #[error("{what} is unavailable")]
    Unavailable {
        /// The needed service: `nats`.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The process was asked to stop before it had begun: no failure at all.
    #[error("asked to stop while {0}")]
    Stopped(&'static str),
}

impl Failure {
    /// `what` did not answer, because of `source`.
    pub fn unavailable(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { what, source: source.into() }
    }
}

/// Turns a service's complaint about its own section into [`Failure::Configuration`].
#[must_use]
pub fn refused(error: impl std::error::Error) -> Failure {
    Failure::Configuration(error.to_string())
}

/// The exit code an error asks for.
pub(crate) fn code_of(error: &anyhow::Error) -> Exit {
    match error.chain().find_map(|cause| cause.downcast_ref::<Failure>()) {
        Some(Failure::Configuration(_)) => Exit::Configuration,
        Some(Failure::Unavailable { .. }) => Exit::Unavailable,
        Some(Failure::Stopped(_)) => Exit::Ok,
        None => Exit::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_first_failure_in_the_chain_chooses_the_code() {
        let plain = anyhow::anyhow!("disk full");
        assert_eq!(code_of(&plain), Exit::Internal);

        let unavailable = Err::<(), _>(Failure::unavailable("nats", "connection refused")).context("connecting");
        assert_eq!(code_of(&unavailable.unwrap_err()), Exit::Unavailable);

        let refused = anyhow::Error::new(Failure::Configuration("fetcher.region: unknown".into()));
        assert_eq!(code_of(&refused), Exit::Configuration);
    }
}
