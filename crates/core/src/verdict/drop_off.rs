//! Whether a source has fallen silent.
//!
//! The rules, the first that applies:
//! 1. Nobody has said what silence is too long: **insufficient data**.
//! 2. The chain is dead, refused or unknown: **insufficient data**. What nobody asks for cannot be missed.
//! 3. The last arrival (or, if nothing ever arrived, the first poll) is longer ago than the threshold: **alarm**.
//! 4. Something has arrived: **ok**.
//! 5. Otherwise **insufficient data**.

use jiff::Timestamp;

use super::{ChainWindow, Policy, Poll};

/// What is said of a chain's silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropOff {
    /// Events arrive.
    Ok,
    /// They should and do not.
    Alarm {
        /// The last arrival, or the first poll if there was none.
        since: Timestamp,
    },
    /// Cannot be said.
    InsufficientData,
}

/// Judges a chain's silence by the time of its last arrival.
#[must_use]
pub fn drop_off(window: &ChainWindow, poll: &Poll, now: Timestamp, policy: &Policy) -> DropOff {
    let Some(threshold) = policy.drop_off_after else { return DropOff::InsufficientData };
    if !matches!(poll, Poll::Quiet | Poll::Active) {
        return DropOff::InsufficientData;
    }
    let since = window.last_arrival_at.unwrap_or(window.first_polled_at);
    if now.duration_since(since) > threshold {
        DropOff::Alarm { since }
    } else if window.last_arrival_at.is_some() {
        DropOff::Ok
    } else {
        DropOff::InsufficientData
    }
}

#[cfg(test)]
mod tests;
