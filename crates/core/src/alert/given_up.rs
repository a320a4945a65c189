//! What is found for alerts that the server has given up on delivering messages.
//!
//! No consumer of ours has a limit on deliveries, so this happens to one that somebody has changed or made. The server tells of it once,
//! to whoever listens at that moment, and a message that it has given up stays unread.

use jiff::{SignedDuration, Timestamp};

use super::{Alarm, Finding, Kind};

/// What a consumer was given up for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    stream: String,
    /// Its sequence in the stream.
    newest: u64,
    messages: u64,
    since: Timestamp,
    last: Timestamp,
}

impl GivenUp {
    /// The first message of a consumer.
    #[must_use]
    pub fn new(stream: &str, sequence: u64, now: Timestamp) -> Self {
        Self { stream: stream.into(), newest: sequence, messages: 1, since: now, last: now }
    }

    /// A further one.
    pub fn add(&mut self, sequence: u64, now: Timestamp) {
        self.newest = sequence;
        self.messages += 1;
        self.last = self.last.max(now);
    }

    /// Whether no message has come for so long.
    #[must_use]
    pub fn is_over(&self, settles_after: SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.last) >= settles_after
    }

    /// What is found for the consumer of this name, where an alarm stands for `settles_after` since the last message.
    #[must_use]
    pub fn find(&self, consumer: &str, settles_after: SignedDuration, now: Timestamp) -> Finding {
        if self.is_over(settles_after, now) {
            return Finding::Clear;
        }
        let Self { stream, newest, messages, since, .. } = self;
        Finding::Alarm(Alarm {
            since: *since,
            severity: Kind::DeliveriesExhausted.severity(),
            reason: "".into(),
            summary: format!(
                "The server has given up on delivering {messages} messages of {stream} to {consumer}, the newest with sequence {newest}."
            ),
            next_step: "Set the consumer's limit on deliveries back to unlimited, and read the messages again: they are still in the stream."
                .into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::samples::at;

    #[test]
    fn messages_are_counted_until_none_comes_for_a_while() {
        let hour = SignedDuration::from_hours(1);
        let mut given_up = GivenUp::new("PAGES", 7, at(0));
        given_up.add(9, at(60));
        let Finding::Alarm(alarm) = given_up.find("normalizer", hour, at(3_659)) else { panic!("an hour is not over") };
        let summary =
            "The server has given up on delivering 2 messages of PAGES to normalizer, the newest with sequence 9.";
        assert_eq!((alarm.since, alarm.summary.as_str()), (at(0), summary));
        assert_eq!(given_up.find("normalizer", hour, at(3_660)), Finding::Clear);
    }
}
