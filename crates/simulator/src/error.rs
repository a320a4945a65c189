//! What can go wrong when a simulator is set up or steered.

use std::io;

use crate::{fault::PlanError, tls};

/// An error of the simulator's own interface. None is worth retrying as it stands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An account's configuration breaks a bound.
    #[error("account `{name}`: {bound}")]
    Account {
        /// The account.
        name: String,
        /// What must hold.
        bound: &'static str,
    },
    /// Two accounts have one name.
    #[error("two accounts are named `{0}`")]
    DuplicateAccount(String),
    /// More accounts than [`MAX_ACCOUNTS`](crate::MAX_ACCOUNTS).
    #[error("too many accounts")]
    TooManyAccounts,
    /// No account has this name.
    #[error("no account is named `{0}`")]
    UnknownAccount(String),
    /// An address cannot be listened on.
    #[error("cannot listen: {0}")]
    Bind(#[source] io::Error),
    /// The certificate cannot be made.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// An account has been issued [`MAX_TOKENS`](crate::MAX_TOKENS).
    #[error("an account is issued 1,000 tokens at most")]
    TooManyTokens,
    /// A fault breaks a bound.
    #[error("fault: {0}")]
    Fault(&'static str),
    /// A plan of faults is refused.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A new event is not a JSON object with a uuid and an RFC 3339 timestamp.
    #[error("not an event: a JSON object with a text `uuid` and an RFC 3339 `timestamp` is needed")]
    NotAnEvent,
}
