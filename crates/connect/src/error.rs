//! What can go wrong between here and a Connect server.

use latchkey_core::lookup::import;

/// Why there is no answer, or no table.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error("the Connect server's address {0}")]
    Address(&'static str),
    /// The client cannot be set up.
    #[error("the client cannot be set up: {0}")]
    Setup(&'static str),
    /// Status 401 or 403.
    #[error("the Connect server refuses the token ({0})")]
    Refused(u16),
    /// Any other status than 200, redirects included: following one could carry the token elsewhere.
    #[error("the answer has an unexpected status ({0})")]
    Status(u16),
    /// No full answer within the time-outs.
    #[error("no full answer in time")]
    Timeout,
    /// No connection, or a broken one.
    #[error("no connection, or it broke off")]
    Connection,
    /// The answer exceeds the bound.
    #[error("the answer exceeds {0} bytes")]
    TooLarge(usize),
    /// The answer is not what the API promises.
    #[error("the answer is not a list as the Connect API has it")]
    Malformed,
    /// The token sees no vault. Taken at its word, this would mark every item as deleted.
    #[error("the token sees no vault")]
    NoVaults,
    /// The lists make no table.
    #[error(transparent)]
    Import(#[from] import::Error),
}

impl Error {
    /// Whether the same request may well succeed later, without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout | Self::Connection | Self::Malformed => true,
            Self::Status(status) => *status == 429 || *status >= 500,
            Self::Address(_)
            | Self::Setup(_)
            | Self::Refused(_)
            | Self::TooLarge(_)
            | Self::NoVaults
            | Self::Import(_) => false,
        }
    }
}
