//! What tests compare a collector's output with: which events exist, which were served and how often, what was asked.
//!
//! The counts themselves live beside the events (four bytes each); here are the shapes in which they leave the simulator, and
//! the bounded log of requests.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;

/// An event that was served at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// The event's uuid, or the one its appender gave for it.
    pub uuid: String,
    /// On how many places of how many pages it was served, in total.
    pub served: u32,
}

/// An event that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatasetEntry {
    /// The event's uuid, or the one its appender gave for it.
    pub uuid: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// When the server has it.
    pub arrival: Timestamp,
    /// Whether the server shows it already.
    pub visible: bool,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// When it was answered, by the simulator's clock.
    pub at: Timestamp,
    /// The account its token belongs to, if it had a valid one.
    pub account: Option<String>,
    /// Method and path, at most 256 characters of it.
    pub endpoint: String,
    /// The status it was answered with.
    pub status: u16,
    /// Events in the answer, repeats included.
    pub events: usize,
}

/// Requests the log keeps; older ones are forgotten.
pub const MAX_REQUESTS_KEPT: usize = 10_000;

/// The latest requests.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(VecDeque<RequestRecord>);

impl RequestLog {
    pub(crate) fn push(&mut self, record: RequestRecord) {
        if self.0.len() == MAX_REQUESTS_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(record);
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> Vec<RequestRecord> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_forgets_the_oldest() {
        let mut log = RequestLog::default();
        for events in 0..MAX_REQUESTS_KEPT + 5 {
            let at = Timestamp::UNIX_EPOCH;
            log.push(RequestRecord { at, account: None, endpoint: String::new(), status: 200, events });
        }
        let kept = log.all();
        assert_eq!((kept.len(), kept[0].events), (MAX_REQUESTS_KEPT, 5));
    }
}
