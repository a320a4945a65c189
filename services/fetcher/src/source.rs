//! One account, ready to be polled.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Feed, SourceId};
use latchkey_core::{
    clock_skew::ClockSkew,
    cursor::Cursor,
    feed::{Definition, Paging},
    polling::{Circumstances, Policy, Request},
};
use latchkey_events_api::PageRequest;

use crate::access::Access;

/// One account.
pub(crate) struct Source {
    pub(crate) id: SourceId,
    pub(crate) label: String,
    pub(crate) access: Access,
    pub(crate) clock_skew: Mutex<ClockSkew>,
    pub(crate) start: Timestamp,
    pub(crate) poll_interval: Duration,
    pub(crate) page_limit: u32,
}

impl Source {
    pub(crate) fn policy(&self, feed: Feed) -> Policy {
        let overlaps = Definition::of(feed).paging == Paging::PageToken;
        Policy { overlaps, ..Policy::new(self.poll_interval, self.start, self.page_limit) }
    }

    /// Takes the date of an answer, and our time before and after it.
    pub(crate) fn answered(&self, date: Timestamp, asked_at: Timestamp, now: Timestamp) -> Option<SignedDuration> {
        let mut skew = self.clock_skew.lock().unwrap_or_else(PoisonError::into_inner);
        skew.answered(date, asked_at, now);
        skew.median()
    }

    /// What its checkpoints say of it.
    pub(crate) fn circumstances(&self) -> Circumstances {
        let pass = self.access.pass();
        Circumstances {
            source_label: self.label.clone(),
            token_fault: self.access.token_fault(),
            token_expires_at: pass.expires_at,
            host: pass.client.endpoint().host().to_owned(),
            clock_skew: self.clock_skew.lock().unwrap_or_else(PoisonError::into_inner).median(),
        }
    }

    pub(crate) fn page_request(request: &Request) -> PageRequest {
        match request {
            Request::From { start, limit } => PageRequest::Reset { limit: *limit, start: *start, end: None },
            Request::After(cursor) => PageRequest::Continue { cursor: Cursor::clone(cursor) },
        }
    }
}
