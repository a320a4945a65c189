//! Whether a feed, or a source as a whole, has fallen silent.
//!
//! The rules for a feed, the first that applies:
//! 1. Nobody has said what silence is too long: **insufficient data**.
//! 2. The chain is dead, refused, off or unknown: **insufficient data**. What nobody asks for cannot be missed.
//! 3. Nothing has arrived since the first poll: **alarm** if that is longer ago than a first arrival may take, else **insufficient
//!    data**.
//! 4. The last arrival is longer ago than the threshold: **alarm**.
//! 5. Otherwise **ok**.
//!
//! A source's silence is that of its least silent feed; feeds that are off do not count. Its rules:
//! 1. As for a feed.
//! 2. Some feed's last arrival lies within the threshold: **ok**, whatever is said of the others.
//! 3. Some chain is dead, refused or unknown: **insufficient data**, for it may hold what is missed.
//! 4. and 5. As 3 and 4 for a feed, with the newest arrival and the oldest first poll of all.
//!
//! How long ago something is, is measured in the time that counts in the policy's calendar.
//!
//! Where the policy is adaptive, rule 4 asks the feed's [`Habit`] and not the threshold, and of a source all its feeds' habits: a
//! source is silent if what it has missed since its newest arrival is unusual for one of them. A habit of a feed with too few arrivals to
//! tell has no say, nor has one that is still learning; where none has, the threshold holds. Below it, learning is **insufficient data**
//! until something arrives: the alert may be one that habits raised before this watcher began.

use jiff::Timestamp;
use latchkey_contracts::Feed;

use super::{
    ChainWindow, Policy, Poll,
    adaptive::{Habit, Silent},
    policy::Silence,
};

/// What is said of a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropOff {
    /// Events arrive.
    Ok,
    /// They have arrived, and do not any more.
    Alarm {
        /// The last arrival.
        since: Timestamp,
    },
    /// They have arrived, and at these hours of the week they would have again.
    Unusual {
        /// The last arrival.
        since: Timestamp,
        /// Five-minute slots with arrivals that the silence would otherwise have had.
        expected: u32,
    },
    /// They have never arrived.
    NeverBegan {
        /// The first poll.
        since: Timestamp,
    },
    /// Cannot be said.
    InsufficientData,
}

impl DropOff {
    /// Whether it is a silence that should not be.
    #[must_use]
    pub const fn is_alarm(self) -> bool {
        matches!(self, Self::Alarm { .. } | Self::Unusual { .. } | Self::NeverBegan { .. })
    }
}

/// Judges a feed's silence by the time of its last arrival, or by its habits if the policy is adaptive.
#[must_use]
pub fn drop_off(window: &ChainWindow, habit: Option<&Habit>, poll: &Poll, now: Timestamp, policy: &Policy) -> DropOff {
    let Some(silence) = &policy.drop_off else { return DropOff::InsufficientData };
    if !poll.is_answered() {
        return DropOff::InsufficientData;
    }
    let said = silence.ask(habit.into_iter().map(Habit::silent));
    silence.judge(window.last_arrival_at, window.first_polled_at, said, now)
}

/// Judges the silence of a source by what its feeds show.
#[must_use]
pub fn source_drop_off<'a>(
    feeds: impl IntoIterator<Item = (&'a ChainWindow, Option<&'a Habit>, &'a Poll)>,
    now: Timestamp,
    policy: &Policy,
) -> DropOff {
    let Some(silence) = &policy.drop_off else { return DropOff::InsufficientData };
    let (mut last_arrival, mut first_poll, mut all_answered) = (None, None, true);
    let mut habits = [None; Feed::ALL.len()];
    for (window, habit, poll) in feeds.into_iter().filter(|(_, _, poll)| **poll != Poll::Off) {
        last_arrival = last_arrival.max(window.last_arrival_at);
        first_poll = Some(first_poll.map_or(window.first_polled_at, |at: Timestamp| at.min(window.first_polled_at)));
        all_answered &= poll.is_answered();
        habits[window.chain.feed as usize] = habit;
    }
    let Some(first_poll) = first_poll else { return DropOff::InsufficientData };
    let said = silence.ask(habits.into_iter().flatten().map(Habit::source_silent));
    match silence.judge(last_arrival, first_poll, said, now) {
        alarm if alarm.is_alarm() && !all_answered => DropOff::InsufficientData,
        verdict => verdict,
    }
}

impl Silence {
    /// What the habits say.
    fn ask(&self, habits: impl Iterator<Item = Silent>) -> Said {
        if self.hours_of.is_none() {
            return Said::Nothing;
        }
        let said = habits.map(|silent| match silent {
            Silent::Sparse => Said::Nothing,
            Silent::Learning => Said::NotYet,
            Silent::Usual => Said::Usual,
            Silent::Unusual { expected } => Said::Unusual(expected),
        });
        said.max().unwrap_or(Said::Nothing)
    }

    fn judge(&self, last_arrival: Option<Timestamp>, first_poll: Timestamp, said: Said, now: Timestamp) -> DropOff {
        let Some(since) = last_arrival else {
            return if self.calendar.exceeds(self.first_within, first_poll, now) {
                DropOff::NeverBegan { since: first_poll }
            } else {
                DropOff::InsufficientData
            };
        };
        match said {
            Said::Unusual(expected) => DropOff::Unusual { since, expected },
            Said::Nothing | Said::NotYet if self.calendar.exceeds(self.after, since, now) => DropOff::Alarm { since },
            Said::NotYet if now.duration_since(since) > Self::MIN => DropOff::InsufficientData,
            Said::Nothing | Said::NotYet | Said::Usual => DropOff::Ok,
        }
    }
}

/// What habits say of a silence; what comes later outweighs what comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Nothing,
    NotYet,
    Usual,
    /// With so many arrivals missed.
    Unusual(u32),
}

#[cfg(test)]
mod tests;
