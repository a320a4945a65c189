//! Whether a chain is polled.
//!
//! The rules, the first that applies:
//! 1. The next poll is overdue by more than the grace: **dead** if the chain has been watched all that time, else **unknown**. A
//!    watcher that has just started, or was cut off, sees old checkpoints before it can see new ones.
//! 2. The last turn failed: **refused**. It lasts if the reason does not pass by itself, or after five failures in a row, or after
//!    two with no answer for five minutes.
//! 3. The feed is not polled on purpose: **off**.
//! 4. The last turn brought events, or is behind: **active**.
//! 5. Otherwise **quiet**.
//!
//! The grace is three of the chain's own intervals (from its last poll to its next), and at least as long as the operator says: two minutes
//! unless set otherwise.

use jiff::{SignedDuration, Timestamp};

use super::{ChainWindow, Outcome, Policy};

/// How chains are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Since when without a gap.
    pub since: Timestamp,
    /// The least that a poll may be late before its chain is called dead.
    pub grace: SignedDuration,
}

impl Watch {
    /// The grace unless somebody says otherwise: more than clocks differ and a restart takes.
    pub const GRACE: SignedDuration = SignedDuration::from_mins(2);

    /// Since this moment, with the usual grace.
    #[must_use]
    pub const fn since(since: Timestamp) -> Self {
        Self { since, grace: Self::GRACE }
    }

    pub(super) fn grace_of(self, window: &ChainWindow) -> SignedDuration {
        let interval = window.next_poll_at.duration_since(window.polled_at);
        interval.checked_mul(Policy::GRACE_INTERVALS).unwrap_or(SignedDuration::MAX).max(self.grace)
    }
}

/// What is said of a chain's polling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Its last proof is old, and nobody has watched long enough to say what that means.
    Unknown,
    /// Nobody polls it.
    Dead {
        /// When its next poll was due.
        since: Timestamp,
    },
    /// It is polled and there is no answer that could be used.
    Refused(Refusal),
    /// It is not polled on purpose: the token is not made for the feed.
    Off,
    /// It is polled and there was nothing new.
    Quiet,
    /// It is polled and there were events.
    Active,
}

/// Why and how long a chain is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word.
    pub reason: String,
    /// The answer's status, if there was one.
    pub http_status: Option<u32>,
    /// What the operator should know.
    pub detail: String,
    /// The last good answer, or the first poll if there was none: the chain has been refused since then at most.
    pub since: Timestamp,
    /// Whether it is more than a hiccup.
    pub lasting: bool,
}

/// Reasons that often pass by themselves.
const PASSING: [&str; 9] =
    ["timeout", "connect", "dns", "body", "rate_limited", "server_error", "malformed", "bus_unavailable", "no_room"];

impl Poll {
    /// The verdict's stable word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Dead { .. } => "dead",
            Self::Refused(_) => "refused",
            Self::Off => "off",
            Self::Quiet => "quiet",
            Self::Active => "active",
        }
    }

    /// Whether the chain's silence says something about its source: somebody asks, and is answered.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        matches!(self, Self::Quiet | Self::Active)
    }

    /// Every verdict's word.
    pub const WORDS: [&str; 5] = ["unknown", "dead", "refused", "quiet", "active"];
}

/// Judges whether a chain is polled.
#[must_use]
pub fn poll(window: &ChainWindow, watch: Watch, now: Timestamp) -> Poll {
    let grace = watch.grace_of(window);
    if late(window.next_poll_at, now) > grace {
        return if late(watch.since, now) > grace { Poll::Dead { since: window.next_poll_at } } else { Poll::Unknown };
    }
    match &window.outcome {
        Outcome::Refused { reason, http_status, detail } => Poll::Refused(Refusal {
            reason: reason.clone(),
            http_status: *http_status,
            detail: detail.clone(),
            since: window.unanswered_since(),
            lasting: lasts(window, reason, now),
        }),
        Outcome::Off | Outcome::Removed => Poll::Off,
        Outcome::Active => Poll::Active,
        Outcome::Quiet => Poll::Quiet,
    }
}

fn lasts(window: &ChainWindow, reason: &str, now: Timestamp) -> bool {
    let failures = window.consecutive_failures;
    !PASSING.contains(&reason)
        || failures >= Policy::PATIENT_FAILURES
        || (failures >= 2 && late(window.unanswered_since(), now) >= Policy::PATIENT_TIME)
}

fn late(due: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(due)
}

#[cfg(test)]
mod tests;
