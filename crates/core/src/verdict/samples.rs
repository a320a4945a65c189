//! Windows for table tests, in seconds on one time line.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Chain, Feed};

use super::{
    ChainWindow, Outcome,
    lag::{Given, Look},
};

/// How long looks are kept by default.
pub(crate) const KEPT: SignedDuration = SignedDuration::from_mins(10);

/// The moment `seconds` into the time line.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// A chain polled every 60 s since 0, last at 600, quietly; its last event came at 300.
pub(crate) fn window() -> ChainWindow {
    ChainWindow {
        chain: Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages },
        source_label: "Acme".into(),
        polled_at: at(600),
        next_poll_at: at(660),
        first_polled_at: at(0),
        last_success_at: Some(at(600)),
        last_arrival_at: Some(at(300)),
        consecutive_failures: 0,
        outcome: Outcome::Quiet,
        events_total: 0,
        token_expires_at: None,
        clock_skew: None,
        position_at: None,
        host: String::new(),
        token_fault: None,
    }
}

/// The same chain, refused for `failures` turns since 600.
pub(crate) fn refused(reason: &str, failures: u32) -> ChainWindow {
    ChainWindow {
        last_success_at: Some(at(540)),
        consecutive_failures: failures,
        outcome: Outcome::Refused { reason: reason.into(), http_status: None, detail: "why".into() },
        ..window()
    }
}

/// A consumer at work: 100 messages stored, up to 90 done, five open, five never given, somebody pulls.
pub(crate) fn look(second: i64) -> Look {
    Look {
        at: at(second),
        first: 1,
        last: 100,
        floor: 90,
        delivered: 95,
        pending: 5,
        ack_pending: 5,
        redelivered: 0,
        asleep: 0,
        waiting: Some(1),
        max_ack_pending: Some(256),
        max_deliver: None,
        given: Some(Given { deliveries: 95, since: at(-9_000) }),
        oldest_at: Some(at(second - 10)),
        moved_at: Some(at(second - 1)),
        max_age: Some(SignedDuration::from_hours(7 * 24)),
    }
}
