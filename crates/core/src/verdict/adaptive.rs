//! Learned silence: how long a feed may be quiet, by what it has been like at this hour of the week.
//!
//! A timer that is right at noon is wrong at midnight. So silence is not measured in hours but in what it has missed: time since the
//! last arrival is cut into *slots* of five minutes, and each silent slot weighs −ln(1 − p), where p is the share of slots of its hour
//! of the week in which something used to arrive. If slots were independent, the chance of a silence of weight w would be exp(−w),
//! whatever the hour, so one bound on the weight fits nights and rush hours alike. They are not quite: people come in bursts, and take
//! holidays. The module `gaps` therefore learns how heavy the silences of this feed are that ended by themselves, and the bound follows from that.
//!
//! Arrivals are counted by the slot and not by the event, so a thousand events at once are one arrival. Only what is known counts:
//! a slot is silent when a later poll has reached the feed's end and brought nothing, and a slot outside the policy's calendar
//! is neither silent nor anything else.

mod gaps;
mod kept;
mod week;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use self::{
    gaps::Gaps,
    week::{Hour, Week},
};
use super::{Calendar, ChainWindow};

/// The grain of time: short enough to notice within half an hour, longer than most intervals between polls.
pub const SLOT: SignedDuration = SignedDuration::from_mins(5);

const SLOT_SECONDS: i64 = SLOT.as_secs();

const SLOTS_PER_WEEK: u32 = 7 * 24 * 12;

/// Slots that must have been seen before anything is said: two of each hour of the week.
const LEARNED: u32 = 2 * SLOTS_PER_WEEK;

/// Slots of which a late poll may leave open when their events came: then only the last of them had any. More, and nobody looked.
const UNCERTAIN: i64 = 12;

/// The most slots that are looked through at once: who was away for longer than a week begins a new silence.
const MAX_SLOTS: i64 = 7 * 24 * 12;

/// What is known of a feed's habits, and of its silence. 440 bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Habit {
    week: Week,
    gaps: Gaps,
    /// Slots seen, up to what is needed.
    seen: u32,
    /// Slots until the habits are a week older.
    until_older: u32,
    /// The first slot that is not accounted for; `None` before the first observation.
    next: Option<i64>,
    arrival: Option<Timestamp>,
    /// What the silence since the feed's own last arrival weighs.
    weight: f32,
    /// What it weighs since the source's.
    source_weight: f32,
    /// Follows from `week` and `gaps`; kept, because silence is judged far more often than slots end.
    bound: f32,
    monitorable: bool,
}

/// What a habit says of a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {
    /// Nothing yet: too little was seen.
    Learning,
    /// Nothing ever: so little arrives that a week without anything is no surprise. Not monitorable statistically.
    Sparse,
    /// It is usual.
    Usual,
    /// It is not: in as many slots something used to arrive.
    Unusual {
        /// Arrivals to be expected in such a time, one in a slot at most.
        expected: u32,
    },
}

impl Default for Habit {
    fn default() -> Self {
        Self {
            week: Week::default(),
            gaps: Gaps::default(),
            seen: 0,
            until_older: SLOTS_PER_WEEK,
            next: None,
            arrival: None,
            weight: 0.0,
            source_weight: 0.0,
            bound: f32::INFINITY,
            monitorable: false,
        }
    }
}

impl Habit {
    /// Takes in the chain's newest window, for a policy that counts the time of `calendar` and has its hours in `time_zone`.
    pub fn observe(&mut self, window: &ChainWindow, calendar: &Calendar, time_zone: &TimeZone) {
        let Some(answered) = window.last_success_at else { return };
        let ended = slot_of(answered);
        let Some(next) = self.next else {
            // The slot in which watching begins is seen in part.
            self.next = Some(ended + 1);
            self.arrival = window.last_arrival_at;
            return;
        };
        if let Some(at) = window.last_arrival_at.filter(|at| Some(*at) > self.arrival) {
            if slot_of(at) - next > UNCERTAIN {
                self.next = Some(slot_of(at));
            } else {
                self.account(slot_of(at).min(ended), calendar, time_zone);
                self.end_silence();
            }
            (self.weight, self.source_weight) = (0.0, 0.0);
            self.arrival = Some(at);
        }
        self.account(ended, calendar, time_zone);
    }

    /// Another feed of the same source has brought something.
    pub fn sibling_arrived(&mut self) {
        self.source_weight = 0.0;
    }

    /// The share of what must be seen before anything is said, in per cent.
    #[must_use]
    pub fn learned(&self) -> u32 {
        self.seen * 100 / LEARNED
    }

    /// What is said of the silence since the feed's last arrival.
    #[must_use]
    pub fn silent(&self) -> Silent {
        self.judge(self.weight)
    }

    /// What is said of the silence since the last arrival of all the source's feeds. A source brings at least what this feed brings,
    /// so what is unusual of the one is so of the other.
    #[must_use]
    pub fn source_silent(&self) -> Silent {
        self.judge(self.source_weight)
    }

    fn judge(&self, weight: f32) -> Silent {
        if self.seen < LEARNED {
            Silent::Learning
        } else if !self.monitorable {
            Silent::Sparse
        } else if weight <= self.bound {
            Silent::Usual
        } else {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number for people")]
            let expected = weight as u32;
            Silent::Unusual { expected }
        }
    }

    /// What ends a silence tells how long they get, once its weight is more than a guess.
    fn end_silence(&mut self) {
        if self.seen >= SLOTS_PER_WEEK && self.weight > 0.0 {
            // What was an alarm is not to become usual at once.
            self.gaps.add(self.weight.min(self.bound));
        }
    }

    /// Accounts for the slots before `end`, of which only that of the last arrival had any.
    fn account(&mut self, end: i64, calendar: &Calendar, time_zone: &TimeZone) {
        let Some(next) = self.next.filter(|next| *next < end) else { return };
        let arrival = self.arrival.map(slot_of);
        for slot in next.max(end - MAX_SLOTS)..end {
            let begin = Timestamp::from_second(slot * SLOT_SECONDS).unwrap_or(Timestamp::MAX);
            if calendar.is_open(begin) {
                self.count(Hour::of(begin, time_zone), arrival == Some(slot));
            }
        }
        self.next = Some(end);
        self.weigh();
    }

    /// What follows from week and gaps.
    fn weigh(&mut self) {
        let (weight, arrivals) = self.week.whole();
        self.bound = self.gaps.bound(arrivals);
        self.monitorable = self.bound <= weight;
    }

    fn count(&mut self, hour: Hour, arrived: bool) {
        if !arrived {
            let weight = self.week.weight(hour);
            self.weight += weight;
            self.source_weight += weight;
        }
        self.week.count(hour, arrived);
        self.seen = (self.seen + 1).min(LEARNED);
        self.until_older -= 1;
        if self.until_older == 0 {
            self.until_older = SLOTS_PER_WEEK;
            self.gaps.age();
        }
    }
}

/// The number of the slot that holds a moment, counted from 1970.
fn slot_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SLOT_SECONDS)
}

#[cfg(test)]
mod tests;
