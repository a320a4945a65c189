//! How long until events of a chain stop coming or are lost.
//!
//! Two clocks run at 1Password: a token ends at a time that it names itself, and events are kept for 120 days, so a chain whose cursor
//! stays behind that loses them. What is unread has come since the chain last stood at the feed's end: only that is proven, and a quiet feed
//! that is polled stands there all the time.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::alert::alert::Severity;

use super::{ChainWindow, Policy};
use crate::polling::TokenFault;

/// How long 1Password keeps events.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(120 * 24);

/// Which clock runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The token's.
    Token,
    /// The API's retention.
    Retention,
}

/// The time at which the first of them runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Risk {
    /// Which one.
    pub clock: Clock,
    /// When.
    pub at: Timestamp,
    /// From when on it matters.
    pub warned_at: Timestamp,
    /// How much it matters by now; `None` while there is time.
    pub severity: Option<Severity>,
}

impl Clock {
    /// The clock's stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token_expiry",
            Self::Retention => "retention",
        }
    }

    /// Time left below which it is worth a warning, and below which it is critical.
    const fn patience(self) -> (SignedDuration, SignedDuration) {
        match self {
            // A new token takes an administrator, and a change window.
            Self::Token => (SignedDuration::from_hours(14 * 24), SignedDuration::from_hours(2 * 24)),
            // Three months behind is never on purpose, and catching up takes days.
            Self::Retention => (SignedDuration::from_hours(30 * 24), SignedDuration::from_hours(7 * 24)),
        }
    }

    fn risk(self, at: Timestamp, now: Timestamp) -> Risk {
        let left = at.duration_since(now);
        let (warning, critical) = self.patience();
        let severity = match left {
            left if left <= critical => Some(Severity::Critical),
            left if left <= warning => Some(Severity::Warning),
            _ => None,
        };
        let warned_at = at.saturating_sub(warning).unwrap_or(Timestamp::MIN);
        Risk { clock: self, at, warned_at, severity }
    }
}

/// The clock that matters most, and of two that matter alike the one that runs out first; `None` if nothing is known of either.
#[must_use]
pub fn risk(window: &ChainWindow, now: Timestamp) -> Option<Risk> {
    ends(window).map(|(clock, at)| clock.risk(at, now)).max_by_key(|risk| (risk.severity, std::cmp::Reverse(risk.at)))
}

/// When the first clock runs out, whether or not that is soon; `None` if nothing is known of either.
#[must_use]
pub fn ends_at(window: &ChainWindow) -> Option<Timestamp> {
    ends(window).map(|(_, at)| at).min()
}

fn ends(window: &ChainWindow) -> impl Iterator<Item = (Clock, Timestamp)> {
    let retention = window.position_at.map(|at| at.saturating_add(RETENTION).unwrap_or(Timestamp::MAX));
    let token = window.token_expires_at.map(|at| (Clock::Token, at));
    token.into_iter().chain(retention.map(|at| (Clock::Retention, at)))
}

/// A newer token that cannot be used, while an older one is in use: what somebody has meant to replace ends some day, and events with it.
/// Whether it is more than the moment between two files.
#[must_use]
pub fn unusable_token(window: &ChainWindow, now: Timestamp) -> Option<(&TokenFault, bool)> {
    let fault = window.token_fault.as_ref()?;
    Some((fault, now.duration_since(fault.since) >= Policy::PATIENT_TIME))
}

/// Whether a newer token that could not be used at that moment may still be unusable for some: of several fetchers one may read it and another
/// not, and they take turns. A few polls without fault show that none is left.
#[must_use]
pub fn is_fault_recent(window: &ChainWindow, seen_at: Timestamp, now: Timestamp) -> bool {
    let interval = window.next_poll_at.duration_since(window.polled_at);
    now.duration_since(seen_at) < Policy::PATIENT_TIME.max(interval.saturating_mul(TURNS))
}

/// Turns without fault after which a newer token is taken to be usable for every fetcher.
const TURNS: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::samples::{at, window};

    const DAY: i64 = 24 * 60 * 60;

    /// With the days left on each clock.
    fn check(token: Option<i64>, retention: Option<i64>, expect: Option<(Clock, i64, Option<Severity>)>) {
        let window = ChainWindow {
            token_expires_at: token.map(|days| at(days * DAY)),
            position_at: retention.map(|days| at((days - 120) * DAY)),
            ..window()
        };
        let found = risk(&window, at(0)).map(|risk| (risk.clock, risk.at, risk.severity));
        let expect = expect.map(|(clock, days, severity)| (clock, at(days * DAY), severity));
        assert_eq!(found, expect, "token {token:?}, retention {retention:?}");
        // What matters most need not be what comes first.
        let least = token.into_iter().chain(retention).min();
        assert_eq!(ends_at(&window), least.map(|days| at(days * DAY)), "token {token:?}, retention {retention:?}");
    }

    #[test]
    fn the_least_time_that_matters() {
        use Clock::{Retention, Token};
        use Severity::{Critical, Warning};
        for (token, retention, expect) in [
            (None, None, None),
            (Some(15), None, Some((Token, 15, None))),
            (Some(14), None, Some((Token, 14, Some(Warning)))),
            (Some(2), None, Some((Token, 2, Some(Critical)))),
            (Some(-1), None, Some((Token, -1, Some(Critical)))),
            (None, Some(119), Some((Retention, 119, None))),
            (None, Some(31), Some((Retention, 31, None))),
            (None, Some(30), Some((Retention, 30, Some(Warning)))),
            (None, Some(7), Some((Retention, 7, Some(Critical)))),
            (Some(60), Some(119), Some((Token, 60, None))),
            (Some(15), Some(25), Some((Retention, 25, Some(Warning)))),
            (Some(10), Some(25), Some((Token, 10, Some(Warning)))),
            (Some(3), Some(6), Some((Retention, 6, Some(Critical)))),
        ] {
            check(token, retention, expect);
        }
    }
}
