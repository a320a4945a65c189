//! Why a forwarder cannot go on, for a while or for good.

use latchkey_bus::Publication;
use latchkey_core::delivery;

use crate::store;

/// What stopped a delivery.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// JetStream.
    #[error(transparent)]
    Bus(#[from] latchkey_bus::Error),
    /// The stored progress and the stream do not fit together.
    #[error(transparent)]
    Progress(#[from] delivery::Error),
    /// The output.
    #[error(transparent)]
    Write(#[from] store::WriteError),
    /// Plan or commit may or may not be stored.
    #[error("the sink's progress could not be stored: {0:?}")]
    Unconfirmed(Publication),
}

impl Error {
    /// Whether trying again may help. Trying again always begins with reading what is stored, so it is always safe. An output's
    /// refusals count too: permissions and quotas are repaired while a forwarder waits, and giving up would help nobody.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Bus(error) => error.is_transient(),
            Self::Progress(_) => false,
            Self::Write(_) | Self::Unconfirmed(_) => true,
        }
    }
}
