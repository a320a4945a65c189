//! What is seen of a reader and its stream at one moment, and how it is kept.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::window::Look as Kept;

use crate::{instant, verdict::looks::Moment};

/// A reader and its stream at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The moment.
    pub at: Timestamp,
    /// Sequence of the stream's oldest message, or one after the last if it is empty.
    pub first: u64,
    /// Sequence of the newest message that the stream ever held.
    pub last: u64,
    /// Sequence up to which the reader is done.
    pub floor: u64,
    /// Sequence of the newest message that it was given; for a sink, the floor.
    pub delivered: u64,
    /// Messages that it was never given.
    pub pending: u64,
    /// Messages that it was given and has not answered for.
    pub ack_pending: u64,
    /// Of these, the ones given more than once.
    pub redelivered: u64,
    /// Messages that it was given and that wait for their time on purpose: duties. They are no part of its lag.
    pub asleep: u64,
    /// Pull requests that wait at the server; `None` for a sink.
    pub waiting: Option<u64>,
    /// Deliveries that may be open at once; `None` for a sink.
    pub max_ack_pending: Option<u64>,
    /// Deliveries that a message has; `None` without limit.
    pub max_deliver: Option<u64>,
    /// What it was given in all; `None` for a sink.
    pub given: Option<Given>,
    /// When its oldest unread message was stored; `None` if nothing is unread, or it is not known.
    pub oldest_at: Option<Timestamp>,
    /// When its position last moved, if the server remembers.
    pub moved_at: Option<Timestamp>,
    /// How long the stream keeps messages; `None` for ever.
    pub max_age: Option<SignedDuration>,
}

/// What a consumer was given in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Deliveries, repeated ones included.
    pub deliveries: u64,
    /// When the consumer was made: the next one of its name counts anew.
    pub since: Timestamp,
}

impl Moment for Look {
    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Look {
    /// Messages that the reader is not done with.
    #[must_use]
    pub const fn lag(&self) -> u64 {
        self.pending + self.ack_pending
    }

    /// How long its oldest unread message has waited.
    #[must_use]
    pub fn age(&self) -> SignedDuration {
        self.oldest_at.map_or(SignedDuration::ZERO, |oldest| self.at.duration_since(oldest).max(SignedDuration::ZERO))
    }

    /// What is to be kept of it.
    #[must_use]
    pub fn keep(&self) -> Kept {
        Kept {
            at_unix_nano: instant::to_unix_nano(self.at),
            first: self.first,
            last: self.last,
            floor: self.floor,
            delivered: self.delivered,
            pending: self.pending,
            ack_pending: self.ack_pending,
            redelivered: self.redelivered,
            asleep: self.asleep,
            waiting: self.waiting,
            max_ack_pending: self.max_ack_pending,
            max_deliver: self.max_deliver,
            deliveries: self.given.map(|given| given.deliveries),
            made_at_unix_nano: instant::optional_to_unix_nano(self.given.map(|given| given.since)),
            oldest_at_unix_nano: instant::optional_to_unix_nano(self.oldest_at),
            moved_at_unix_nano: instant::optional_to_unix_nano(self.moved_at),
            max_age_nano: self.max_age.map_or(0, |age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)),
        }
    }

    /// What was kept. Counts are held to what can be added up.
    #[must_use]
    pub fn recall(kept: &Kept) -> Self {
        let since = instant::from_unix_nano(kept.made_at_unix_nano);
        let count = |messages: u64| messages.min(u64::MAX / 4);
        Self {
            at: instant::from_unix_nano(kept.at_unix_nano),
            first: count(kept.first),
            last: count(kept.last),
            floor: count(kept.floor),
            delivered: count(kept.delivered),
            pending: count(kept.pending),
            ack_pending: count(kept.ack_pending),
            redelivered: count(kept.redelivered),
            asleep: count(kept.asleep),
            waiting: kept.waiting,
            max_ack_pending: kept.max_ack_pending,
            max_deliver: kept.max_deliver,
            given: kept.deliveries.map(|deliveries| Given { deliveries: count(deliveries), since }),
            oldest_at: instant::optional_from_unix_nano(kept.oldest_at_unix_nano),
            moved_at: instant::optional_from_unix_nano(kept.moved_at_unix_nano),
            max_age: (kept.max_age_nano > 0).then(|| SignedDuration::from_nanos(kept.max_age_nano)),
        }
    }
}
