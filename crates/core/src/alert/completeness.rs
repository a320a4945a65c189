//! What is found for alerts that an audit has met events which polling had not brought.
//!
//! An audit's state remembers the newest window in which anything was missing, and the newest in which nothing was; so an alerter that
//! was away learns of both. A window is finished only when everything missing in it is delivered, so there is nothing worse to tell of. The alert
//! stands until a later window is complete, and for an hour at least (the operator may set another span).

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::reread::Reread;

use super::{Alarm, Finding, Kind, wording};
use crate::{instant, verdict::ChainWindow};

/// What the audits of a chain have found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audited {
    missing_at: Option<Timestamp>,
    complete_at: Option<Timestamp>,
    missing: u64,
}

impl Audited {
    /// Reads an audit's state.
    #[must_use]
    pub fn read(reread: &Reread) -> Self {
        Self {
            missing_at: instant::optional_from_unix_nano(reread.missing_at_unix_nano),
            complete_at: instant::optional_from_unix_nano(reread.complete_at_unix_nano),
            missing: reread.last_missing.unwrap_or_default().missing,
        }
    }

    /// What is found for the chain: its newest window, and for how long an alarm stands at least.
    #[must_use]
    pub fn find(&self, window: &ChainWindow, settles_after: SignedDuration, now: Timestamp) -> Finding {
        let Some(since) = self.missing_at else { return Finding::Clear };
        if self.complete_at > Some(since) && now.duration_since(since) >= settles_after {
            return Finding::Clear;
        }
        let (chain, missing) = (wording::chain(window), self.missing);
        Finding::Alarm(Alarm {
            since,
            severity: Kind::EventsMissed.severity(),
            reason: "".into(),
            summary: format!(
                "An audit of {chain} at {since:.0} found {missing} events that polling had not brought; they are delivered."
            ),
            next_step:
                "Find out why: see the feed's recoveries in its checkpoint, and report it to 1Password with the time."
                    .into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::reread::Found;

    use super::*;
    use crate::verdict::samples::{at, window};

    fn find(missing_at: i64, complete_at: i64, now: i64) -> String {
        let nanos = |second: i64| if second == 0 { 0 } else { instant::to_unix_nano(at(second)) };
        let reread = Reread {
            missing_at_unix_nano: nanos(missing_at),
            complete_at_unix_nano: nanos(complete_at),
            last_missing: Some(Found { missing: 3, repaired: 3, ..Found::default() }),
            ..Reread::default()
        };
        match Audited::read(&reread).find(&window(), SignedDuration::from_hours(1), at(now)) {
            Finding::Alarm(alarm) => format!("{:?} {}", alarm.severity, alarm.summary),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_was_missing_is_told_until_a_window_is_complete() {
        let told = "Warning An audit of item_usages of Acme at 2023-11-14T22:13:30Z found 3 events that polling had not \
                    brought; they are delivered.";
        assert_eq!(find(0, 0, 100), "Clear");
        assert_eq!(find(0, 50, 100), "Clear");
        assert_eq!(find(10, 0, 100), told);
        assert_eq!(find(10, 0, 90_000), told);
        assert_eq!(find(10, 5, 90_000), told);
        // Whoever looks seldom sees it too.
        assert_eq!(find(10, 20, 3_609), told);
        assert_eq!(find(10, 20, 3_610), "Clear");
    }
}
