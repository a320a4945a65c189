//! What is found for alerts that an audit has met events which polling had not brought.
//!
//! An audit's state remembers the newest window in which anything was missing, and the newest in which nothing was; so an alerter that
//! was away learns of both. A window is finished only when everything missing in it is delivered. The alert stands until a later window is
//! complete, and for an hour at least (the operator may set another span).
//!
//! A window that cannot be finished, because what is missing cannot be read or stored, says why in the audit's state for as long as that
//! lasts: that matters more than what was delivered before.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::reread::Reread;

use super::{Alarm, Finding, Kind, wording};
use crate::{audit::Obstacle, instant, verdict::ChainWindow};

/// How long polling may be faster each time before it counts: an audit tries every half minute, and mostly gets through.
const CONTENDED_FOR: SignedDuration = SignedDuration::from_mins(5);

/// What the audits of a chain have found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audited {
    missing_at: Option<Timestamp>,
    complete_at: Option<Timestamp>,
    missing: u64,
    /// Why what it has come upon cannot be delivered, and since when.
    obstacle: Option<(Obstacle, Timestamp)>,
}

impl Audited {
    /// Reads an audit's state.
    #[must_use]
    pub fn read(reread: &Reread) -> Self {
        let since = instant::optional_from_unix_nano(reread.trouble_since_unix_nano);
        Self {
            missing_at: instant::optional_from_unix_nano(reread.missing_at_unix_nano),
            complete_at: instant::optional_from_unix_nano(reread.complete_at_unix_nano),
            missing: reread.last_missing.unwrap_or_default().missing,
            obstacle: Obstacle::read(&reread.trouble).zip(since),
        }
    }

    /// What is found for the chain: its newest window, and for how long an alarm stands at least.
    #[must_use]
    pub fn find(&self, window: &ChainWindow, settles_after: SignedDuration, now: Timestamp) -> Finding {
        if let Some((obstacle, since)) = self.obstacle
            && (obstacle.is_lasting() || now.duration_since(since) >= CONTENDED_FOR)
        {
            return undelivered(window, obstacle, since);
        }
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

fn undelivered(window: &ChainWindow, obstacle: Obstacle, since: Timestamp) -> Finding {
    let (why, next_step) = match obstacle {
        Obstacle::StreamFull => (
            "stream PAGES is full",
            "Give stream PAGES more room, or find out why its readers do not keep up: the audit tries again every half minute.",
        ),
        Obstacle::PageTooLarge => (
            "a single one exceeds max_payload of nats-server",
            "Raise max_payload of nats-server; 8 MB is enough. The audit tries again every half minute.",
        ),
        Obstacle::TooLarge => (
            "a single one is larger than any should be",
            "Report it to 1Password, with the feed and the time. The audit tries again every half minute.",
        ),
        Obstacle::Contended => (
            "polling stores pages faster",
            "Wait until polling has caught up: the audit tries again every half minute.",
        ),
    };
    let chain = wording::chain(window);
    let what = match obstacle {
        Obstacle::TooLarge => "has come upon events that it cannot read since",
        _ => "has found events that polling had not brought, and cannot store them since",
    };
    Finding::Alarm(Alarm {
        since,
        severity: Kind::EventsMissed.severity(),
        reason: obstacle.word().into(),
        summary: format!("An audit of {chain} {what} {since:.0}: {why}."),
        next_step: next_step.into(),
    })
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::reread::Found;

    use super::*;
    use crate::verdict::samples::{at, window};

    fn nanos(second: i64) -> i64 {
        if second == 0 { 0 } else { instant::to_unix_nano(at(second)) }
    }

    fn audited(missing_at: i64, complete_at: i64) -> Reread {
        Reread {
            missing_at_unix_nano: nanos(missing_at),
            complete_at_unix_nano: nanos(complete_at),
            last_missing: Some(Found { missing: 3, repaired: 3, ..Found::default() }),
            ..Reread::default()
        }
    }

    fn told(reread: &Reread, now: i64) -> String {
        match Audited::read(reread).find(&window(), SignedDuration::from_hours(1), at(now)) {
            Finding::Alarm(alarm) => format!("{:?} {}", alarm.severity, alarm.summary),
            other => format!("{other:?}"),
        }
    }

    fn find(missing_at: i64, complete_at: i64, now: i64) -> String {
        told(&audited(missing_at, complete_at), now)
    }

    #[test]
    fn what_cannot_be_stored_is_told_while_that_lasts() {
        let in_trouble = |trouble: &str, now| {
            let reread = Reread { trouble: trouble.into(), trouble_since_unix_nano: nanos(40), ..audited(10, 20) };
            told(&reread, now)
        };
        let expect = |why: &str| {
            format!(
                "Warning An audit of item_usages of Acme has found events that polling had not brought, and cannot store them since \
                 2023-11-14T22:14:00Z: {why}."
            )
        };
        assert_eq!(in_trouble("stream_full", 40), expect("stream PAGES is full"));
        assert_eq!(in_trouble("stream_full", 90_000), expect("stream PAGES is full"));
        assert_eq!(in_trouble("page_too_large", 40), expect("a single one exceeds max_payload of nats-server"));
        assert_eq!(in_trouble("contended", 340), expect("polling stores pages faster"));
        assert_eq!(
            in_trouble("too_large", 40),
            "Warning An audit of item_usages of Acme has come upon events that it cannot read since 2023-11-14T22:14:00Z: a single \
             one is larger than any should be."
        );
        // Mostly it gets through.
        assert_eq!(in_trouble("contended", 339), find(10, 20, 339));
        // Trouble that hides no obstacle: whoever writes the state keeps those.
        assert_eq!(in_trouble("timeout", 90_000), "Clear");
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
