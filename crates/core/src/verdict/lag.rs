//! How far a stream's reader is behind, and whether that is getting better.
//!
//! A reader is a durable consumer, or a sink, which keeps its progress in DELIVERIES and has no consumer. It is looked at on a
//! schedule; the looks of the last ten minutes (the operator may set another span) are its [`Window`], and the verdicts are functions of that. The rules for its
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
//! And of JetStream's own: [`Stuck`], when deliveries are open for too long or [`Repeats`] of what was delivered before, and [`Eviction`], when
//! the stream drops what is unread.
//!
//! A window is kept by all alerters together (bucket WINDOWS), so that a restart forgets nothing and all judge alike. What rules 3 and 4 need
//! reaches further back than a window: the server says since when the position has not moved, and how old the oldest unread message is.

mod kept;
mod look;
mod repeats;

use jiff::{SignedDuration, Timestamp};

use self::repeats::Measure;
pub use self::{
    look::{Given, Look},
    repeats::Repeats,
};
use super::looks::Looks;

/// The least number of looks that rule 5 speaks about.
const LEAST_LOOKS: usize = 5;

/// How long a reader may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long it may stand still while there is work.
    pub stands_still: SignedDuration,
    /// How long a message may wait to be read.
    pub waits: SignedDuration,
    /// How long a loss is an alarm: it does not end by itself, so long enough for somebody to see it.
    pub loss_is_told_for: SignedDuration,
    /// How long looks are kept: what was so within this span is what the rules judge.
    pub window: SignedDuration,
}

impl Patience {
    /// What can be seen within the window for certain, whenever looks are taken.
    #[must_use]
    pub fn seen_for(self) -> SignedDuration {
        self.window * 4 / 5
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            stands_still: SignedDuration::from_mins(5),
            waits: SignedDuration::from_hours(1),
            loss_is_told_for: SignedDuration::from_hours(24),
            window: SignedDuration::from_mins(10),
        }
    }
}

/// The longest between two looks for what both have seen to have been so in between: twice the longest interval.
const SEEN_WITHOUT_A_GAP: SignedDuration = SignedDuration::from_mins(2);

/// How near the eviction of an unread message may come.
const EVICTION_NEAR: SignedDuration = SignedDuration::from_hours(24);

/// The looks at one reader, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    looks: Looks<Look>,
    lost: Option<Lost>,
}

/// Messages that have left the stream unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Most of what is delivered was delivered before.
    Repeats {
        /// Since when it was counted.
        since: Timestamp,
        /// All deliveries since.
        deliveries: u64,
        /// Of these, the repeated ones.
        repeats: u64,
    },
    /// Cannot be said.
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

impl Window {
    /// Takes in a look, and says whether it did: one that is older than the last is left out, since clocks differ and can be set back. Looks
    /// that are older than it by more than `kept` go.
    pub fn add(&mut self, look: Look, kept: SignedDuration) -> bool {
        let before = self.looks.newest().map_or(look.floor, |before| before.floor);
        let is_newest = self.looks.add(look, kept);
        if is_newest {
            self.note_eviction(before, &look);
        }
        is_newest
    }

    /// The looks that are kept.
    #[must_use]
    pub const fn looks(&self) -> &Looks<Look> {
        &self.looks
    }

    /// The newest look.
    #[must_use]
    pub fn newest(&self) -> Option<&Look> {
        self.looks.newest()
    }

    /// Whether there are looks for everything that a window can say.
    #[must_use]
    pub fn is_full(&self, patience: Patience) -> bool {
        self.looks.span() >= patience.seen_for() && self.looks.len() >= LEAST_LOOKS
    }

    /// What is not told any more is not counted with what is lost next.
    pub fn settle(&mut self, loss_is_told_for: SignedDuration, now: Timestamp) {
        if let Some(lost) = self.lost.as_mut().filter(|lost| now.duration_since(lost.at) >= loss_is_told_for) {
            lost.messages = 0;
        }
    }

    /// The server moves the floor of a consumer over what has left the stream, so a loss shows between two looks: the stream begins
    /// behind what was read before. What was read in between, at the very end of its life, counts with it.
    fn note_eviction(&mut self, before: u64, look: &Look) {
        // What was lost has left another stream of this name.
        self.lost = self.lost.filter(|lost| lost.up_to <= look.last);
        let floor = before.min(look.floor);
        let (counted, messages) = self.lost.map_or((0, 0), |lost| (lost.up_to, lost.messages));
        let up_to = look.first.saturating_sub(1);
        let gone = up_to.saturating_sub(floor.max(counted));
        if gone > 0 {
            self.lost = Some(Lost { at: look.at, up_to, messages: messages.saturating_add(gone) });
        }
        // One whose clock was wrong may have seen it in what is the future.
        if let Some(lost) = &mut self.lost {
            lost.at = lost.at.min(look.at);
        }
    }

    /// How the reader goes about its work.
    #[must_use]
    pub fn pace(&self, now: Timestamp, patience: Patience) -> Pace {
        let Some(newest) = self.looks.newest() else { return Pace::InsufficientData };
        if self.was_done() {
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
        self.behind_since(now, patience).map_or(Pace::Ok, |since| Pace::Behind { since })
    }

    /// Rules 1, 4 and 5 alone, for a reader whose standing still is another matter: since when it is behind.
    #[must_use]
    pub fn behind_since(&self, now: Timestamp, patience: Patience) -> Option<Timestamp> {
        if self.was_done() {
            return None;
        }
        let oldest_at = self.looks.newest()?.oldest_at;
        oldest_at
            .filter(|oldest| now.duration_since(*oldest) >= patience.waits)
            .or_else(|| self.never_shrinks(patience))
    }

    /// Since when nobody asks for duties though there are some, if for too long. What sleeps is no lag, and who sleeps does not move: so
    /// it is the requests that wait at the server by which those are known who would be there in time.
    #[must_use]
    pub fn unattended_since(&self, now: Timestamp, patience: Patience) -> Option<Timestamp> {
        let newest = self.looks.newest().filter(|look| look.asleep + look.pending > 0)?;
        let is_alone = |look: &&Look| look.waiting == Some(0) && look.given == newest.given;
        let mut alone = self.looks.iter().rev().take_while(is_alone);
        let first = alone.next()?.at;
        // The whole line may have been stopped while nobody looked.
        let since = alone.map(|look| look.at).try_fold(first, |since, at| {
            if since.duration_since(at) <= SEEN_WITHOUT_A_GAP { Ok(at) } else { Err(since) }
        });
        let since = since.unwrap_or_else(|since| since);
        (now.duration_since(since) >= patience.stands_still.min(patience.seen_for())).then_some(since)
    }

    /// Whether nobody asks for duties though there are some, as far as the newest look and the one before can say.
    #[must_use]
    pub fn is_unattended(&self) -> bool {
        let mut newest_first = self.looks.iter().rev();
        newest_first.next().is_some_and(|newest| {
            let is_alone = newest.asleep + newest.pending > 0 && newest.waiting == Some(0);
            is_alone && newest_first.next().is_none_or(|before| before.given == newest.given)
        })
    }

    /// Whether the reader's position has changed within the window.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.looks.pairs().any(|(before, after)| (before.floor, before.delivered) != (after.floor, after.delivered))
    }

    /// When the oldest unread message leaves the stream, if the reader was never done within the window.
    #[must_use]
    pub fn evicts_at(&self) -> Option<Timestamp> {
        let newest = self.looks.newest().filter(|_| !self.was_done())?;
        newest.oldest_at.zip(newest.max_age).and_then(|(oldest, age)| oldest.checked_add(age).ok())
    }

    fn was_done(&self) -> bool {
        self.looks.iter().any(|look| look.lag() == 0)
    }

    /// Whether deliveries are open for too long, or are made again and again.
    #[must_use]
    pub fn stuck(&self, now: Timestamp, patience: Patience) -> Stuck {
        let Some(newest) = self.looks.newest() else { return Stuck::InsufficientData };
        let full = |look: &Look| look.max_ack_pending.is_some_and(|max| look.ack_pending >= max);
        if self.looks.len() > 1 && self.looks.iter().rev().take(2).all(full) {
            return Stuck::AckPending { open: newest.ack_pending };
        }
        let floor = self.floor(newest, now, patience);
        let repeats = self.repeats().map(|repeats| (repeats.measure(), repeats));
        match (floor, repeats) {
            (Stuck::Floor { .. }, _) => floor,
            (_, Some((Measure::Often, Repeats { since, deliveries, repeats }))) => {
                Stuck::Repeats { since, deliveries, repeats }
            }
            (_, Some((Measure::Between, _))) => Stuck::InsufficientData,
            _ => floor,
        }
    }

    /// Whether the oldest open delivery stands.
    fn floor(&self, newest: &Look, now: Timestamp, patience: Patience) -> Stuck {
        if newest.ack_pending == 0 || newest.delivered <= newest.floor {
            return Stuck::No;
        }
        let stands = || self.looks.iter().rev().take_while(|look| look.floor == newest.floor);
        // The first look at which the floor stood where it stands.
        let since = stands().last().unwrap_or(newest);
        if now.duration_since(since.at) < patience.seen_for() {
            let has_moved = stands().count() < self.looks.len();
            return if has_moved || self.is_full(patience) { Stuck::No } else { Stuck::InsufficientData };
        }
        if since.delivered < newest.delivered && newest.redelivered > 0 {
            return Stuck::Floor { since: since.at, sequence: newest.floor + 1 };
        }
        Stuck::No
    }

    /// Whether unread messages leave the stream.
    #[must_use]
    pub fn eviction(&self, now: Timestamp, patience: Patience) -> Eviction {
        let Some(newest) = self.looks.newest() else { return Eviction::InsufficientData };
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
        let (before, after) = self.looks.pairs().find(|(before, after)| after.floor < before.floor)?;
        Some(Pace::SetBack { at: after.at, from: before.floor, to: after.floor })
    }

    /// Since when there was work and the position has not moved; `None` if it has between the last two looks.
    fn still_since(&self) -> Option<Timestamp> {
        let newest = self.looks.newest()?;
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

    fn never_shrinks(&self, patience: Patience) -> Option<Timestamp> {
        let (oldest, newest) = (self.looks.oldest()?, self.looks.newest()?);
        let mut pairs = self.looks.pairs();
        (self.is_full(patience)
            && newest.lag() > oldest.lag()
            && pairs.all(|(before, after)| after.lag() >= before.lag()))
        .then_some(oldest.at)
    }
}

impl FromIterator<Look> for Window {
    fn from_iter<I: IntoIterator<Item = Look>>(looks: I) -> Self {
        let mut window = Self::default();
        for look in looks {
            window.add(look, SignedDuration::MAX);
        }
        window
    }
}

#[cfg(test)]
mod tests;
