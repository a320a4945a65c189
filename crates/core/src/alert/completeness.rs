//! What is found for alerts that an audit has met events which polling had not brought.
//!
//! An audit's state remembers the newest window in which anything was missing, and the newest in which nothing was; so an alerter that
//! was away learns of both. The alert stands until a later window is complete, and for an hour at least (the operator may set another span).

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{
    alert::alert::Severity,
    reread::{Found, Reread},
};

use super::{Alarm, Finding, Kind, wording};
use crate::{instant, verdict::ChainWindow};

/// What the audits of a chain have found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audited {
    missing_at: Option<Timestamp>,
    complete_at: Option<Timestamp>,
    missing: u64,
    repaired: u64,
}

impl Audited {
    /// Reads an audit's state.
    #[must_use]
    pub fn read(reread: &Reread) -> Self {
        let Found { missing, repaired, .. } = reread.last_missing.unwrap_or_default();
        Self {
            missing_at: instant::optional_from_unix_nano(reread.missing_at_unix_nano),
            complete_at: instant::optional_from_unix_nano(reread.complete_at_unix_nano),
            missing,
            repaired,
        }
    }

    /// What is found for the chain: its newest window, and for how long an alarm stands at least.
    #[must_use]
    pub fn find(&self, window: &ChainWindow, settles_after: SignedDuration, now: Timestamp) -> Finding {
        let Some(since) = self.missing_at else { return Finding::Clear };
        if self.complete_at > Some(since) && now.duration_since(since) >= settles_after {
            return Finding::Clear;
        }
        let Self { missing, repaired, .. } = *self;
        let (chain, left) = (wording::chain(window), missing.saturating_sub(repaired));
        let (severity, reason, rest, next_step) = if left == 0 {
            let step =
                "Find out why: see the feed's recoveries in its checkpoint, and report it to 1Password with the time.";
            (Kind::EventsMissed.severity(), "delivered", "they are delivered".to_owned(), step)
        } else {
            let step = "Order them: `latchkey backfill` with the time of the audit's window.";
            (Severity::Critical, "not_delivered", format!("{left} of them are not delivered"), step)
        };
        Finding::Alarm(Alarm {
            since,
            severity,
            reason: reason.into(),
            summary: format!(
                "An audit of {chain} at {since:.0} found {missing} events that polling had not brought; {rest}."
            ),
            next_step: next_step.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::samples::{at, window};

    fn find(missing_at: i64, complete_at: i64, repaired: u64, now: i64) -> String {
        let nanos = |second: i64| if second == 0 { 0 } else { instant::to_unix_nano(at(second)) };
        let reread = Reread {
            missing_at_unix_nano: nanos(missing_at),
            complete_at_unix_nano: nanos(complete_at),
            last_missing: Some(Found { missing: 3, repaired, ..Found::default() }),
            ..Reread::default()
        };
        match Audited::read(&reread).find(&window(), SignedDuration::from_hours(1), at(now)) {
            Finding::Alarm(alarm) => format!("{:?} {} {}", alarm.severity, alarm.reason, alarm.summary),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_was_missing_is_told_until_a_window_is_complete() {
        let told = "Warning delivered An audit of item_usages of Acme at 2023-11-14T22:13:30Z found 3 events that polling had not \
                    brought; they are delivered.";
        assert_eq!(find(0, 0, 0, 100), "Clear");
        assert_eq!(find(0, 50, 0, 100), "Clear");
        assert_eq!(find(10, 0, 3, 100), told);
        assert_eq!(find(10, 0, 3, 90_000), told);
        assert_eq!(find(10, 5, 3, 90_000), told);
        // Whoever looks seldom sees it too.
        assert_eq!(find(10, 20, 3, 3_609), told);
        assert_eq!(find(10, 20, 3, 3_610), "Clear");
        assert!(find(10, 0, 1, 100).starts_with("Critical not_delivered"));
        assert!(find(10, 0, 1, 100).ends_with("2 of them are not delivered."));
    }
}
