//! What does not change during a turn: intervals, beginnings, pauses.

use std::time::Duration;

use jiff::Timestamp;

use crate::backoff::Backoff;

/// What does not change during a turn.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Pause between two polls that reach the feed's end.
    pub poll_interval: Duration,
    /// Where a chain begins that has never been polled.
    pub start: Timestamp,
    /// Events per page, where a request says how many.
    pub page_limit: u32,
    /// Whether every poll brings again what the last one ended with. Such pages are not stored again.
    pub overlaps: bool,
    /// Pauses after failures that may heal by themselves.
    pub transient: Backoff,
    /// Pauses after failures that need somebody's help.
    pub permanent: Backoff,
    /// Pauses while the limit of the hour is used up and the API does not say for how long.
    pub hourly: Backoff,
}

impl Policy {
    /// From a second to five minutes.
    pub const TRANSIENT: Backoff = backoff(Duration::from_secs(1), Duration::from_mins(5));

    /// From half a minute to ten.
    pub const PERMANENT: Backoff = backoff(Duration::from_secs(30), Duration::from_mins(10));

    /// Long, since a request that is refused may count as well; short enough to lose little of the next hour.
    pub const HOURLY: Backoff = backoff(Duration::from_mins(5), Duration::from_mins(15));

    /// The usual pauses.
    #[must_use]
    pub const fn new(poll_interval: Duration, start: Timestamp, page_limit: u32) -> Self {
        Self {
            poll_interval,
            start,
            page_limit,
            overlaps: false,
            transient: Self::TRANSIENT,
            permanent: Self::PERMANENT,
            hourly: Self::HOURLY,
        }
    }
}

const fn backoff(first: Duration, longest: Duration) -> Backoff {
    match Backoff::new(first, longest) {
        Ok(backoff) => backoff,
        Err(_) => panic!("the pauses ascend"),
    }
}
