//! One account, ready to be polled.

use std::time::Duration;

use jiff::Timestamp;
use latchkey_contracts::{Chain, Feed, SourceId};
use latchkey_core::{
    backoff::Backoff,
    cursor::Cursor,
    polling::{Policy, Request},
};
use latchkey_events_api::{Client, PageRequest};

/// Pauses after failures that may heal by themselves: from a second to five minutes.
const TRANSIENT: Backoff = backoff(Duration::from_secs(1), Duration::from_mins(5));

/// Pauses after failures that need somebody's help.
const PERMANENT: Backoff = backoff(Duration::from_secs(30), Duration::from_mins(10));

const fn backoff(first: Duration, longest: Duration) -> Backoff {
    match Backoff::new(first, longest) {
        Ok(backoff) => backoff,
        Err(_) => panic!("the pauses ascend"),
    }
}

/// One account.
pub(crate) struct Source {
    pub(crate) id: SourceId,
    pub(crate) label: String,
    pub(crate) client: Client,
    pub(crate) feeds: Vec<Feed>,
    pub(crate) start: Timestamp,
    pub(crate) poll_interval: Duration,
    pub(crate) page_limit: u32,
}

impl Source {
    pub(crate) fn chains(&self) -> impl Iterator<Item = Chain> {
        self.feeds.iter().map(|feed| Chain { source: self.id.clone(), feed: *feed })
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy { poll_interval: self.poll_interval, start: self.start, transient: TRANSIENT, permanent: PERMANENT }
    }

    pub(crate) fn page_request(&self, request: &Request) -> PageRequest {
        match request {
            Request::From(start) => PageRequest::Reset { limit: self.page_limit, start: *start, end: None },
            Request::After(cursor) => PageRequest::Continue { cursor: Cursor::clone(cursor) },
        }
    }
}
