//! What tests compare a collector's output with: which events exist, which were served and how often, what was asked.
//!
//! The counts themselves live beside the events (twelve bytes each); here are the shapes in which they leave the simulator, and
//! the bounded log of requests.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{feed::Feed, limits::Spent};

/// An event that was served at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// The event's uuid, or the one its appender gave for it.
    pub uuid: String,
    /// On how many places of how many pages it was served, in total.
    pub served: u32,
    /// When it was served first, to the second, by the simulator's clock.
    pub first_served: Timestamp,
    /// When it was served last, to the second.
    pub last_served: Timestamp,
}

/// How often one event was served, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) times: u32,
    /// Seconds since the store was opened.
    first: u32,
    last: u32,
}

impl Count {
    /// Counts the event once more, so many seconds after the store was opened.
    pub(crate) fn add(&mut self, second: u32) {
        if self.times == 0 {
            self.first = second;
        }
        self.last = second;
        self.times = self.times.saturating_add(1);
    }

    /// The entry of an event that was served.
    pub(crate) fn entry(self, uuid: String, opened: Timestamp) -> LedgerEntry {
        let moment = |second: u32| {
            let seconds = SignedDuration::from_secs(opened.as_second() + i64::from(second));
            Timestamp::UNIX_EPOCH.saturating_add(seconds).expect("a duration without calendar units always applies")
        };
        LedgerEntry { uuid, served: self.times, first_served: moment(self.first), last_served: moment(self.last) }
    }
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
    /// On how many places of how many pages it was served, in total.
    pub served: u32,
}

/// A request that was answered, or left without an answer by a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// Counted from 1 over all requests, also those that the log has forgotten.
    pub number: u64,
    /// When it was decided on, by the simulator's clock.
    pub at: Timestamp,
    /// The account its token belongs to, if it had a valid one.
    pub account: Option<String>,
    /// The feed it asked for, if it had a valid token and asked for one.
    pub feed: Option<Feed>,
    /// What it asked for.
    pub kind: RequestKind,
    /// Method and path, at most 256 characters of it.
    pub endpoint: String,
    /// The status it was answered with; 0 if it was left without one.
    pub status: u16,
    /// Names of the faults that struck it.
    pub faults: Vec<&'static str>,
    /// Events in the answer that a client may take, repeats included.
    pub events: usize,
    /// What the budget of its account or token has spent with it, if it had a valid token.
    pub spent: Option<Spent>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// What the token may read.
    Introspection,
    /// A page from a moment on.
    Reset,
    /// The page after a cursor.
    Cursor,
    /// A path or body that the API does not know.
    Unknown,
}

/// Requests the log keeps; older ones are forgotten.
pub const MAX_REQUESTS_KEPT: usize = 10_000;

/// The latest requests.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    latest: VecDeque<RequestRecord>,
    /// Requests ever logged.
    total: u64,
}

impl RequestLog {
    /// Logs a request, and gives it its number.
    pub(crate) fn push(&mut self, record: RequestRecord) {
        if self.latest.len() == MAX_REQUESTS_KEPT {
            self.latest.pop_front();
        }
        self.total += 1;
        self.latest.push_back(RequestRecord { number: self.total, ..record });
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> Vec<RequestRecord> {
        self.latest.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_forgets_the_oldest() {
        let mut log = RequestLog::default();
        for events in 0..MAX_REQUESTS_KEPT + 5 {
            log.push(RequestRecord {
                number: 0,
                at: Timestamp::UNIX_EPOCH,
                account: None,
                feed: None,
                kind: RequestKind::Unknown,
                endpoint: String::new(),
                status: 200,
                faults: Vec::new(),
                events,
                spent: None,
            });
        }
        let kept = log.all();
        assert_eq!((kept.len(), kept[0].events, kept[0].number), (MAX_REQUESTS_KEPT, 5, 6));
    }
}
