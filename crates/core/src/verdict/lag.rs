//! How far a stream's reader is behind, and whether that is getting better.
//!
//! A reader is a durable consumer, or a sink, which keeps its progress in DELIVERIES and has no consumer. It is looked at on a
//! schedule; the looks of the last ten minutes are its [`Window`], and the verdicts are functions of that. The rules for its
//! [`Pace`] are Burrow's, the first that applies:
//!
//! 0. There is no look: **insufficient data**.
//! 1. At some look of the window nothing was unread: **ok**.
//! 2. The position has gone back within the window: **set back**.
//! 3. There was work, and nothing has moved for five minutes (the operator may set another span): **stopped** if nobody pulls, else **stalled**.
//! 4. The oldest unread message has waited for an hour (or another span): **behind**.
//! 5. The position moves, and the lag has not shrunk between any two looks of a full window: **behind**.
//! 6. Otherwise **ok**.
//!
//! And of JetStream's own: [`Stuck`], when deliveries are open for too long, and [`Eviction`], when the stream drops what is unread.
//!
//! A window begins empty when an alerter starts. What rules 3 and 4 need does not depend on it: the server says since when the
//! position has not moved, and how old the oldest unread message is. So only rule 5, a warning, waits for a window to fill.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// How long a look is kept.
pub const KEPT: SignedDuration = SignedDuration::from_mins(10);

/// The most looks that are kept, whatever their schedule.
const MAX_LOOKS: usize = 120;

/// The span of looks, and their least number, that rule 5 speaks about.
const FULL: (SignedDuration, usize) = (SignedDuration::from_mins(8), 5);

/// How long a reader may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long it may stand still while there is work.
    pub stands_still: SignedDuration,
    /// How long a message may wait to be read.
    pub waits: SignedDuration,
    /// How long a loss is an alarm: it does not end by itself, so long enough for somebody to see it.
    pub loss_is_told_for: SignedDuration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            stands_still: SignedDuration::from_mins(5),
            waits: SignedDuration::from_hours(1),
            loss_is_told_for: SignedDuration::from_hours(24),
        }
    }
}

/// How long the oldest delivery may be open while others are answered: within the window, so that it can be seen.
const FLOOR_STANDS: SignedDuration = SignedDuration::from_mins(8);

/// How near the eviction of an unread message may come.
const EVICTION_NEAR: SignedDuration = SignedDuration::from_hours(24);

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
    /// Pull requests that wait at the server; `None` for a sink.
    pub waiting: Option<u64>,
    /// Deliveries that may be open at once; `None` for a sink.
    pub max_ack_pending: Option<u64>,
    /// When its oldest unread message was stored; `None` if nothing is unread, or it is not known.
    pub oldest_at: Option<Timestamp>,
    /// When its position last moved, if the server remembers.
    pub moved_at: Option<Timestamp>,
    /// How long the stream keeps messages; `None` for ever.
    pub max_age: Option<SignedDuration>,
}

/// The looks at one reader, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Window {
    looks: VecDeque<Look>,
    lost: Option<Lost>,
}

/// Messages that have left the stream unread.
#[derive(Clone, Copy, Debug)]
struct Lost {
    /// When the last of them were missed.
    at: Timestamp,
    /// The last one's sequence.
    up_to: u64,
    /// How many.
    messages: u64,
}

/// How a reader goes about its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It keeps up, or gets better.
    Ok,
    /// Rules 4 and 5.
    Behind {
        /// The oldest unread message's time, or the beginning of the window.
        since: Timestamp,
    },
    /// Rule 3: somebody pulls, and nothing is done.
    Stalled {
        /// When it last moved.
        since: Timestamp,
    },
    /// Rule 3: nobody pulls.
    Stopped {
        /// When it last moved.
        since: Timestamp,
    },
    /// Rule 2.
    SetBack {
        /// When that was seen.
        at: Timestamp,
        /// The position before.
        from: u64,
        /// And after.
        to: u64,
    },
    /// Rule 0.
    InsufficientData,
}

/// Deliveries that are never answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// None.
    No,
    /// The server hands out no more until some are.
    AckPending {
        /// How many are open.
        open: u64,
    },
    /// The oldest one stands, while others have been answered since.
    Floor {
        /// Since when at least.
        since: Timestamp,
        /// Its sequence.
        sequence: u64,
    },
    /// Cannot be said yet.
    InsufficientData,
}

/// Messages that leave the stream before they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// None does, nor soon will.
    No,
    /// The oldest unread one will.
    Near {
        /// When.
        at: Timestamp,
    },
    /// Some have.
    Evicted {
        /// When that was seen.
        at: Timestamp,
        /// At most how many.
        messages: u64,
    },
    /// Cannot be said.
    InsufficientData,
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
}

impl Window {
    /// Takes in a look. One that is older than the last is left out: clocks can be set back.
    pub fn add(&mut self, look: Look) {
        if self.looks.back().is_some_and(|last| look.at <= last.at) {
            return;
        }
        self.note_eviction(&look);
        self.looks.push_back(look);
        while self.looks.len() > MAX_LOOKS
            || self.looks.front().is_some_and(|first| look.at.duration_since(first.at) > KEPT)
        {
            self.looks.pop_front();
        }
    }

    /// The newest look.
    #[must_use]
    pub fn newest(&self) -> Option<&Look> {
        self.looks.back()
    }

    /// The server moves the floor of a consumer over what has left the stream, so a loss shows between two looks: the stream begins
    /// behind what was read before. What was read in between, at the very end of its life, counts with it.
    fn note_eviction(&mut self, look: &Look) {
        let floor = self.looks.back().map_or(look.floor, |before| before.floor.min(look.floor));
        let (counted, messages) = self.lost.map_or((0, 0), |lost| (lost.up_to, lost.messages));
        let up_to = look.first.saturating_sub(1);
        let gone = up_to.saturating_sub(floor.max(counted));
        if gone > 0 {
            self.lost = Some(Lost { at: look.at, up_to, messages: messages + gone });
        }
    }

    /// How the reader goes about its work.
    #[must_use]
    pub fn pace(&self, now: Timestamp, patience: Patience) -> Pace {
        let Some(newest) = self.looks.back() else { return Pace::InsufficientData };
        if self.looks.iter().any(|look| look.lag() == 0) {
            return Pace::Ok;
        }
        if let Some(set_back) = self.set_back() {
            return set_back;
        }
        if let Some(since) = self.still_since()
            && now.duration_since(since) >= patience.stands_still
        {
            // Deliveries that a dead process has left open prove nothing.
            let pulls = newest.waiting.is_some_and(|waiting| waiting > 0);
            return if pulls { Pace::Stalled { since } } else { Pace::Stopped { since } };
        }
        if let Some(since) = newest.oldest_at.filter(|oldest| now.duration_since(*oldest) >= patience.waits) {
            return Pace::Behind { since };
        }
        match self.never_shrinks() {
            Some(since) => Pace::Behind { since },
            None => Pace::Ok,
        }
    }

    /// Whether deliveries are open for too long.
    #[must_use]
    pub fn stuck(&self, now: Timestamp) -> Stuck {
        let Some(newest) = self.looks.back() else { return Stuck::InsufficientData };
        let full = |look: &Look| look.max_ack_pending.is_some_and(|max| look.ack_pending >= max);
        if self.looks.len() > 1 && self.looks.iter().rev().take(2).all(full) {
            return Stuck::AckPending { open: newest.ack_pending };
        }
        if newest.ack_pending == 0 || newest.delivered <= newest.floor {
            return Stuck::No;
        }
        // The first look at which the floor stood where it stands.
        let since = self.looks.iter().rev().take_while(|look| look.floor == newest.floor).last();
        let Some(since) = since.filter(|since| now.duration_since(since.at) >= FLOOR_STANDS) else {
            return if self.looks.len() > 1 { Stuck::No } else { Stuck::InsufficientData };
        };
        if since.delivered < newest.delivered && newest.redelivered > 0 {
            return Stuck::Floor { since: since.at, sequence: newest.floor + 1 };
        }
        Stuck::No
    }

    /// Whether unread messages leave the stream.
    #[must_use]
    pub fn eviction(&self, now: Timestamp, patience: Patience) -> Eviction {
        let Some(newest) = self.looks.back() else { return Eviction::InsufficientData };
        if let Some(lost) = self.lost.filter(|lost| now.duration_since(lost.at) < patience.loss_is_told_for) {
            return Eviction::Evicted { at: lost.at, messages: lost.messages };
        }
        let end = newest.oldest_at.zip(newest.max_age).and_then(|(oldest, age)| oldest.checked_add(age).ok());
        match end {
            Some(at) if at.duration_since(now) <= EVICTION_NEAR => Eviction::Near { at },
            _ => Eviction::No,
        }
    }

    fn set_back(&self) -> Option<Pace> {
        let mut pairs = self.looks.iter().zip(self.looks.iter().skip(1));
        let (before, after) = pairs.find(|(before, after)| after.floor < before.floor)?;
        Some(Pace::SetBack { at: after.at, from: before.floor, to: after.floor })
    }

    /// Since when there was work and the position has not moved; `None` if it has between the last two looks.
    fn still_since(&self) -> Option<Timestamp> {
        let newest = self.looks.back()?;
        let position = (newest.floor, newest.delivered);
        let moved = self.looks.iter().rev().take_while(|look| (look.floor, look.delivered) == position).last()?;
        // What the server remembers reaches further back than the window, and so does the age of what waits.
        let since = moved.at.min(newest.moved_at.unwrap_or(moved.at));
        match newest.oldest_at {
            // It had nothing to do before.
            Some(oldest) => Some(since.max(oldest)),
            None => Some(moved.at),
        }
    }

    fn never_shrinks(&self) -> Option<Timestamp> {
        let (oldest, newest) = (self.looks.front()?, self.looks.back()?);
        let full = newest.at.duration_since(oldest.at) >= FULL.0 && self.looks.len() >= FULL.1;
        let mut pairs = self.looks.iter().zip(self.looks.iter().skip(1));
        (full && newest.lag() > oldest.lag() && pairs.all(|(before, after)| after.lag() >= before.lag()))
            .then_some(oldest.at)
    }
}

#[cfg(test)]
mod tests;
