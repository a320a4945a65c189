//! Events that a test adds to a feed while it runs.

use jiff::Timestamp;
use serde::Deserialize;

use crate::{dataset::Event, error::Error, json::Rendered};

/// An event to append, byte for byte as it shall be served.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Under which name the ledger counts it; usually the `uuid` in the JSON.
    pub uuid: String,
    /// The event time by which windows choose it; usually the `timestamp` in the JSON.
    pub timestamp: Timestamp,
    /// When the server has it; at once if absent. Never earlier than now.
    pub arrival: Option<Timestamp>,
    /// One JSON value. Nothing checks it, so that malformed events can be served too.
    pub json: String,
}

impl NewEvent {
    /// A well-formed event that arrives at once: uuid and timestamp are read from the JSON.
    pub fn from_json(json: impl Into<String>) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Stated {
            uuid: String,
            timestamp: Timestamp,
        }
        let json = json.into();
        let stated: Stated = serde_json::from_str(&json).map_err(|_| Error::NotAnEvent)?;
        Ok(Self { uuid: stated.uuid, timestamp: stated.timestamp, arrival: None, json })
    }

    /// The same event arriving at another moment.
    #[must_use]
    pub fn arriving(self, at: Timestamp) -> Self {
        Self { arrival: Some(at), ..self }
    }

    pub(crate) fn placed(self, now: Timestamp) -> Event {
        Event {
            uuid: self.uuid.into(),
            timestamp: self.timestamp,
            arrival: self.arrival.map_or(now, |arrival| arrival.max(now)),
            body: Rendered::verbatim(&self.json),
        }
    }
}

/// The body may hold names and addresses and stays out of debug output.
impl std::fmt::Debug for NewEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewEvent")
            .field("uuid", &self.uuid)
            .field("timestamp", &self.timestamp)
            .field("arrival", &self.arrival)
            .finish_non_exhaustive()
    }
}
