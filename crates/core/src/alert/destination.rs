//! What is found for alerts about the places where people are told.
//!
//! Judged by what the server keeps of a destination's consumer, so that every alerter judges alike, and one that was just started as
//! well as any other. The alert itself is a notification for its destination too, and one that is never given up: while it
//! waits, the destination has not shown that it works.

use jiff::{SignedDuration, Timestamp};

use super::{Alarm, Finding, Kind, wording};

/// What is found for a destination whose oldest undelivered notification was stored at `waits_since`, `None` if it has them all. It may
/// wait for as long as `patience`; what waited before somebody watched, since `watched_since`, may have waited for an alerter.
#[must_use]
pub fn failing(
    name: &str,
    waits_since: Option<Timestamp>,
    watched_since: Timestamp,
    patience: SignedDuration,
    now: Timestamp,
) -> Finding {
    let Some(since) = waits_since else { return Finding::Clear };
    if now.duration_since(since.max(watched_since)) < patience {
        // On its way for the first time, or refused once more: the next look tells.
        return Finding::Unsure;
    }
    let waited = wording::left(now.duration_since(since));
    Finding::Alarm(Alarm {
        since,
        severity: Kind::DestinationFailing.severity(),
        reason: "".into(),
        summary: format!("{name} does not take notifications: the oldest has waited since {since:.0}, for {waited}."),
        next_step: "See the alerter's log: it says what the destination answers. What waits is tried again.".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::samples::at;

    #[test]
    fn a_destination_fails_while_its_oldest_notification_waits_too_long() {
        let patience = SignedDuration::from_secs(300);
        let find = |waits_since, watched_since| failing("slack", waits_since, at(watched_since), patience, at(1_000));
        assert_eq!(find(None, 0), Finding::Clear);
        assert_eq!(find(Some(at(701)), 0), Finding::Unsure);
        assert_eq!(find(Some(at(100)), 701), Finding::Unsure);
        let Finding::Alarm(alarm) = find(Some(at(400)), 700) else { panic!("five minutes are too long") };
        assert_eq!(alarm.since, at(400));
        let summary =
            "slack does not take notifications: the oldest has waited since 2023-11-14T22:20:00Z, for 10 min.";
        assert_eq!(alarm.summary, summary);
    }
}
