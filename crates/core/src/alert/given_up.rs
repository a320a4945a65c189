//! What is found for alerts that the server has given up on delivering messages, or will.
//!
//! No consumer of ours has a limit on deliveries, so this happens to one that somebody has changed or made. The server tells of a message
//! that it gives up once, to whoever listens at that moment, and the message stays unread; so what one alerter hears is kept for all. A
//! limit can be seen at any time, also when nobody has listened.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{alert::alert::Severity, window::GivenUp as Kept};

use super::{Alarm, Finding, Kind};
use crate::{
    instant,
    verdict::lag::{Look, Window},
};

/// Sequences that are remembered, so that a message which several alerters have heard of counts once. Of lower ones none counts any more.
const REMEMBERED: usize = 128;

/// What a consumer was given up for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    messages: u64,
    since: Timestamp,
    last: Timestamp,
    /// The highest sequences in the stream.
    newest: BTreeSet<u64>,
}

impl GivenUp {
    /// Nothing yet.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { messages: 0, since: now, last: now, newest: BTreeSet::new() }
    }

    /// A message. `false` if it is known.
    pub fn add(&mut self, sequence: u64, now: Timestamp) -> bool {
        let is_low = self.newest.len() == REMEMBERED && self.newest.first().is_some_and(|lowest| sequence < *lowest);
        if is_low || !self.newest.insert(sequence) {
            return false;
        }
        if self.newest.len() > REMEMBERED {
            self.newest.pop_first();
        }
        self.messages = self.messages.saturating_add(1);
        self.last = self.last.max(now);
        true
    }

    /// Whether no message has come for so long.
    #[must_use]
    pub fn is_over(&self, settles_after: SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.last) >= settles_after
    }

    /// What is to be kept of it.
    #[must_use]
    pub fn keep(&self) -> Kept {
        Kept {
            messages: self.messages,
            since_unix_nano: instant::to_unix_nano(self.since),
            last_unix_nano: instant::to_unix_nano(self.last),
            newest: self.newest.iter().copied().collect(),
        }
    }

    /// What was kept; `None` if it is nothing.
    #[must_use]
    pub fn recall(kept: &Kept) -> Option<Self> {
        let newest: BTreeSet<_> = kept.newest.iter().rev().take(REMEMBERED).copied().collect();
        (!newest.is_empty()).then(|| Self {
            messages: kept.messages,
            since: instant::from_unix_nano(kept.since_unix_nano),
            last: instant::from_unix_nano(kept.last_unix_nano),
            newest,
        })
    }
}

/// What is found for a consumer of `stream`, where an alarm about messages stands for `settles_after` since the last one. `window` has
/// fresh looks, if there are any.
#[must_use]
pub fn find(
    (stream, consumer): (&str, &str),
    given_up: Option<&GivenUp>,
    window: Option<&Window>,
    settles_after: SignedDuration,
    now: Timestamp,
) -> Finding {
    if let Some(GivenUp { messages, since, newest, .. }) =
        given_up.filter(|given_up| !given_up.is_over(settles_after, now))
    {
        let newest = newest.last().copied().unwrap_or_default();
        return Finding::Alarm(Alarm {
            since: *since,
            severity: Kind::DeliveriesExhausted.severity(),
            reason: "given_up".into(),
            summary: format!(
                "The server has given up on delivering {messages} messages of {stream} to {consumer}, the newest with sequence {newest}."
            ),
            next_step: "Set the consumer's limit on deliveries back to unlimited, and read the messages again: they are still in the stream."
                .into(),
        });
    }
    let Some(window) = window else { return Finding::Unsure };
    let limited = |look: &&Look| look.max_deliver.is_some();
    let since = window.looks().iter().rev().take_while(limited).last();
    let Some((most, since)) = window.newest().and_then(|look| look.max_deliver).zip(since) else {
        return Finding::Clear;
    };
    Finding::Alarm(Alarm {
        since: since.at,
        severity: Severity::Warning,
        reason: "limited".into(),
        summary: format!("The server gives up on delivering a message of {stream} to {consumer} after {most} attempts."),
        next_step: "Find out who has set a limit on the consumer's deliveries, and set it back to unlimited before it is reached.".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::samples::{at, look};

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn given_up(sequences: impl IntoIterator<Item = u64>, now: i64) -> GivenUp {
        let mut given_up = GivenUp::new(at(now));
        for sequence in sequences {
            given_up.add(sequence, at(now));
        }
        given_up
    }

    fn found(given_up: &GivenUp, window: Option<&Window>, now: i64) -> Finding {
        find(("PAGES", "normalizer"), Some(given_up), window, HOUR, at(now))
    }

    #[test]
    fn messages_are_counted_until_none_comes_for_a_while() {
        let mut given_up = given_up([7], 0);
        assert!(given_up.add(9, at(60)));
        let Finding::Alarm(alarm) = found(&given_up, None, 3_659) else { panic!("an hour is not over") };
        let summary =
            "The server has given up on delivering 2 messages of PAGES to normalizer, the newest with sequence 9.";
        assert_eq!((alarm.since, alarm.summary.as_str(), alarm.severity), (at(0), summary, Severity::Critical));
        // Whether there is a limit, nobody has seen.
        assert_eq!(found(&given_up, None, 3_660), Finding::Unsure);
        assert_eq!(found(&given_up, Some(&Window::default()), 3_660), Finding::Clear);
    }

    #[test]
    fn a_limit_is_told_of_before_it_is_reached() {
        let limited = |second| Look { max_deliver: Some(3), ..look(second) };
        let window: Window = [look(0), limited(30), limited(60)].into_iter().collect();
        let Finding::Alarm(alarm) = find(("PAGES", "normalizer"), None, Some(&window), HOUR, at(60)) else {
            panic!("there is a limit")
        };
        assert_eq!((alarm.since, &*alarm.reason, alarm.severity), (at(30), "limited", Severity::Warning));
        assert_eq!(
            alarm.summary,
            "The server gives up on delivering a message of PAGES to normalizer after 3 attempts."
        );
        // What has come of it matters more.
        let Finding::Alarm(alarm) = found(&given_up([7], 0), Some(&window), 60) else {
            panic!("a message is given up")
        };
        assert_eq!((&*alarm.reason, alarm.severity), ("given_up", Severity::Critical));
        let window: Window = [limited(0), look(30)].into_iter().collect();
        assert_eq!(find(("PAGES", "normalizer"), None, Some(&window), HOUR, at(30)), Finding::Clear);
    }

    #[test]
    fn what_several_have_heard_of_counts_once() {
        let mut heard = given_up(1..=10_000, 0);
        assert_eq!(heard.messages, 10_000);
        for sequence in 1..=10_000 {
            assert!(!heard.add(sequence, at(5)), "{sequence}");
        }
        assert_eq!((heard.messages, heard.last, heard.newest.len()), (10_000, at(0), REMEMBERED));
        assert!(heard.add(10_001, at(6)));
        assert_eq!(GivenUp::recall(&heard.keep()), Some(heard));
        assert_eq!(GivenUp::recall(&Kept::default()), None);
    }
}
