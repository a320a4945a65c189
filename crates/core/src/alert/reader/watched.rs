//! A reader of a stream as all alerters keep it: what it is, how it was seen, whether it is there, and what the server has given up of it.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::window::{Missing as KeptMissing, Reader as Kept, reader::Role as KeptRole};

use crate::{
    alert::{Kind, given_up::GivenUp},
    instant,
    verdict::{
        lag::{Look, Window},
        looks::{Looks, Moment},
    },
};

/// What reads a stream, and so what can be wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A durable consumer whose messages are answered for when they are done.
    #[default]
    Consumer,
    /// A sink, which keeps its progress in DELIVERIES and has no consumer.
    Sink,
    /// The fetchers' consumer. Each chain's task is always open there, asleep in a delayed nak, so its lag is what was never handed out.
    /// What it would read again are duties, and they do not leave their stream.
    Duties,
    /// The consumer of a destination of alerts. It has one delivery open at a time, and that it stands still is told of as its
    /// destination's failure; that it is not there is told of as of any other.
    Destination,
}

impl Role {
    /// The kinds of alerts that there are about one in this role.
    #[must_use]
    pub const fn kinds(self) -> &'static [Kind] {
        use Kind::{ReaderBehind, ReaderSetBack, ReaderStopped, ReaderStuck, UnreadEvicted};
        match self {
            Self::Consumer | Self::Sink => &[ReaderStopped, ReaderBehind, ReaderStuck, ReaderSetBack, UnreadEvicted],
            Self::Duties => &[ReaderStopped, ReaderBehind],
            Self::Destination => &[ReaderStopped, ReaderSetBack, UnreadEvicted],
        }
    }

    const fn keep(self) -> KeptRole {
        match self {
            Self::Consumer => KeptRole::Consumer,
            Self::Sink => KeptRole::Sink,
            Self::Duties => KeptRole::Duties,
            Self::Destination => KeptRole::Destination,
        }
    }

    const fn recall(kept: KeptRole) -> Self {
        match kept {
            KeptRole::Unspecified | KeptRole::Consumer => Self::Consumer,
            KeptRole::Sink => Self::Sink,
            KeptRole::Duties => Self::Duties,
            KeptRole::Destination => Self::Destination,
        }
    }
}

/// What is known of one reader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// What it is.
    pub role: Role,
    /// How it was seen; without a look for another program's consumer.
    pub window: Window,
    /// What was given up of it.
    pub given_up: Option<GivenUp>,
    /// Set while it does not exist.
    pub missing: Option<Missing>,
}

/// A consumer that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// When that was first seen.
    pub since: Timestamp,
    /// And when last.
    pub at: Timestamp,
}

impl Moment for Missing {
    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Watched {
    /// Takes in a look, and says whether it did. Looks that are older than it by more than `kept` go.
    pub fn look(&mut self, look: Look, kept: SignedDuration) -> bool {
        let was_missing = self.missing.take().is_some();
        self.window.add(look, kept) || was_missing
    }

    /// Somebody has looked, and it does not exist.
    pub fn miss(&mut self, now: Timestamp) {
        let since = self.missing.map_or(now, |missing| missing.since.min(now));
        self.missing = Some(Missing { since, at: now });
    }

    /// Whether it is time for somebody who looks at this interval.
    #[must_use]
    pub fn is_due(&self, every: SignedDuration, now: Timestamp) -> bool {
        let misses: Looks<_> = self.missing.into_iter().collect();
        self.window.looks().are_due(every, now) && misses.are_due(every, now)
    }

    /// Since when it does not exist, if that was seen lately and more than once: whoever reads with it may have just made it anew.
    #[must_use]
    pub fn missing_since(&self, within: SignedDuration, now: Timestamp) -> Option<Timestamp> {
        let missing = self.missing.filter(|missing| missing.at > missing.since)?;
        [missing].into_iter().collect::<Looks<_>>().are_fresh(within, now).then_some(missing.since)
    }

    /// When somebody last looked at it, whether or not it was there.
    #[must_use]
    pub fn looked_at(&self) -> Option<Timestamp> {
        let seen_at = self.window.newest().map(|look| look.at);
        seen_at.max(self.missing.map(|missing| missing.at))
    }

    /// Whether nothing is known of it: so it is kept when it is taken out of use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.window.looks().is_empty() && self.given_up.is_none() && self.missing.is_none()
    }

    /// Takes in messages that the server has given up. What is over by then begins anew. `false` if all of them are known.
    pub fn give_up(
        &mut self,
        sequences: impl Iterator<Item = u64>,
        settles_after: SignedDuration,
        now: Timestamp,
    ) -> bool {
        let standing = self.given_up.take().filter(|given_up| !given_up.is_over(settles_after, now));
        let given_up = self.given_up.insert(standing.unwrap_or_else(|| GivenUp::new(now)));
        // In their order: of one that is lower than what is remembered nobody knows whether it was counted.
        sequences.filter(|sequence| given_up.add(*sequence, now)).count() > 0
    }

    /// What is to be kept of a reader of this name.
    #[must_use]
    pub fn keep(&self, name: &str) -> Kept {
        let (looks, lost) = self.window.keep();
        let given_up = self.given_up.as_ref().map(GivenUp::keep);
        let missing = self.missing.map(|missing| KeptMissing {
            since_unix_nano: instant::to_unix_nano(missing.since),
            at_unix_nano: instant::to_unix_nano(missing.at),
        });
        Kept { name: name.into(), role: self.role.keep().into(), looks, lost, given_up, missing }
    }

    /// What was kept.
    #[must_use]
    pub fn recall(kept: &Kept) -> Self {
        Self {
            role: Role::recall(kept.role()),
            window: Window::recall(&kept.looks, kept.lost.as_ref()),
            given_up: kept.given_up.as_ref().and_then(GivenUp::recall),
            missing: kept.missing.as_ref().map(|missing| Missing {
                since: instant::from_unix_nano(missing.since_unix_nano),
                at: instant::from_unix_nano(missing.at_unix_nano),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{
        lag::{Look, Patience},
        samples::{at, look},
    };

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    #[test]
    fn what_is_kept_is_recalled() {
        for role in [Role::Consumer, Role::Sink, Role::Duties, Role::Destination] {
            let window = [look(0), Look { first: 96, ..look(30) }].into_iter().collect();
            let mut watched = Watched { role, window, ..Watched::default() };
            watched.miss(at(31));
            assert!(watched.give_up([7, 8].into_iter(), HOUR, at(30)));
            assert!(!watched.give_up([8].into_iter(), HOUR, at(31)));
            assert_eq!(Watched::recall(&watched.keep("normalizer")), watched);
        }
    }

    #[test]
    fn one_that_is_missing_is_so_when_it_was_seen_twice_and_until_it_is_there() {
        let (within, every) = (SignedDuration::from_secs(95), SignedDuration::from_secs(30));
        let mut watched = Watched::default();
        assert!(watched.is_due(every, at(0)));
        watched.miss(at(0));
        assert_eq!((watched.is_due(every, at(14)), watched.is_due(every, at(15))), (false, true));
        assert_eq!(watched.missing_since(within, at(1)), None);
        watched.miss(at(30));
        assert_eq!(watched.missing_since(within, at(125)), Some(at(0)));
        // Nobody has looked since.
        assert_eq!(watched.missing_since(within, at(126)), None);
        assert!(watched.look(look(60), Patience::default().window));
        assert_eq!(watched.missing_since(within, at(61)), None);
    }

    #[test]
    fn what_is_over_begins_anew() {
        let mut watched = Watched::default();
        watched.give_up([7].into_iter(), HOUR, at(0));
        assert!(watched.give_up([7].into_iter(), HOUR, at(3_600)));
        let mut anew = Watched::default();
        anew.give_up([7].into_iter(), HOUR, at(3_600));
        assert_eq!(watched, anew);
    }
}
