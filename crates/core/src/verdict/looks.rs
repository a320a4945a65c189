//! Looks at one thing over a span of time, whoever has taken them.
//!
//! Several alerters look at the same things and keep in one place what they see, so that each judges by the looks of all and looks only
//! when nobody else just has. A look has the time at which NATS has answered, by the clock of the server that leads the stream, and whoever
//! asks how old it is brings `now` to that clock. Where another server leads it from then on, clocks that differ cost a look or some.

use std::collections::{VecDeque, vec_deque};

use jiff::{SignedDuration, Timestamp};

/// The most looks that are kept, whatever their schedule.
pub const MAX_LOOKS: usize = 120;

/// How far clocks of servers may be apart. What seems to be from later has the time of one that is wrong.
const APART: SignedDuration = SignedDuration::from_mins(1);

/// What was seen at one moment.
pub trait Moment {
    /// The moment.
    fn at(&self) -> Timestamp;
}

/// Looks, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looks<L>(VecDeque<L>);

impl<L> Default for Looks<L> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<L: Moment> Looks<L> {
    /// Takes in a look, and says whether it did: one that is not later than the last is left out. Looks that are older than it by more than
    /// `kept` go.
    pub fn add(&mut self, look: L, kept: SignedDuration) -> bool {
        let at = look.at();
        while self.newest().is_some_and(|last| is_ahead(last, at)) {
            self.0.pop_back();
        }
        if self.newest().is_some_and(|last| last.at() >= at) {
            return false;
        }
        self.0.push_back(look);
        while self.oldest().is_some_and(|first| at.duration_since(first.at()) > kept) {
            self.0.pop_front();
        }
        if self.0.len() > MAX_LOOKS {
            self.thin_out();
        }
        true
    }

    /// Leaves out the look that is nearest to its neighbours: the others reach as far back, however often somebody looks.
    fn thin_out(&mut self) {
        let gap = |index: &usize| self.0[index + 1].at().duration_since(self.0[index - 1].at());
        if let Some(index) = (1..self.0.len() - 1).min_by_key(gap) {
            self.0.remove(index);
        }
    }

    /// Whether it is time for somebody who looks at this interval: nobody has looked within half of it.
    #[must_use]
    pub fn are_due(&self, every: SignedDuration, now: Timestamp) -> bool {
        self.newest().is_none_or(|last| now.duration_since(last.at()) >= every / 2 || is_ahead(last, now))
    }

    /// Whether the newest look says how things are and not how they were.
    #[must_use]
    pub fn are_fresh(&self, within: SignedDuration, now: Timestamp) -> bool {
        self.newest().is_some_and(|last| now.duration_since(last.at()) <= within && !is_ahead(last, now))
    }

    /// The newest.
    #[must_use]
    pub fn newest(&self) -> Option<&L> {
        self.0.back()
    }

    /// The oldest.
    #[must_use]
    pub fn oldest(&self) -> Option<&L> {
        self.0.front()
    }

    /// All of them.
    #[must_use]
    pub fn iter(&self) -> vec_deque::Iter<'_, L> {
        self.0.iter()
    }

    /// Each with the one after it.
    pub fn pairs(&self) -> impl Iterator<Item = (&L, &L)> {
        self.iter().zip(self.iter().skip(1))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How long they reach from the first to the last.
    #[must_use]
    pub fn span(&self) -> SignedDuration {
        let ends = self.oldest().zip(self.newest());
        ends.map_or(SignedDuration::ZERO, |(oldest, newest)| newest.at().duration_since(oldest.at()))
    }
}

/// Of any age: for looks that somebody has kept.
impl<L: Moment> FromIterator<L> for Looks<L> {
    fn from_iter<I: IntoIterator<Item = L>>(all: I) -> Self {
        let mut looks = Self::default();
        for look in all {
            looks.add(look, SignedDuration::MAX);
        }
        looks
    }
}

impl<'a, L> IntoIterator for &'a Looks<L> {
    type Item = &'a L;
    type IntoIter = vec_deque::Iter<'a, L>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

fn is_ahead(look: &impl Moment, now: Timestamp) -> bool {
    look.at().duration_since(now) > APART
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::samples::{KEPT, at};

    impl Moment for i64 {
        fn at(&self) -> Timestamp {
            at(*self)
        }
    }

    fn looks(moments: impl IntoIterator<Item = i64>) -> Looks<i64> {
        moments.into_iter().collect()
    }

    fn check(looks: &Looks<i64>, expect: &[i64]) {
        assert_eq!(looks.iter().copied().collect::<Vec<_>>(), expect);
    }

    fn kept(moments: impl IntoIterator<Item = i64>) -> Looks<i64> {
        let mut looks = Looks::default();
        for moment in moments {
            looks.add(moment, KEPT);
        }
        looks
    }

    #[test]
    fn they_are_bounded_in_time_and_number() {
        let mut many = kept(0..1_000);
        assert_eq!((many.len(), many.newest()), (MAX_LOOKS, Some(&999)));
        many.add(9_000, KEPT);
        check(&many, &[9_000]);
        check(&kept([0, 30, 600, 631]), &[600, 631]);
        check(&looks([0, 30, 600, 631]), &[0, 30, 600, 631]);
    }

    #[test]
    fn they_reach_as_far_back_however_often_somebody_looks() {
        for every in [1, 2, 4, 5, 6, 30, 60] {
            for until in [1_200, 1_799, 3_601] {
                let all = kept((0..=until).step_by(every));
                let (span, gaps) = (all.span(), all.pairs().map(|(before, after)| after - before));
                assert!(all.len() <= MAX_LOOKS && span <= KEPT, "every {every} s: {all:?}");
                assert!(span >= SignedDuration::from_mins(9), "every {every} s: {all:?}");
                assert!(
                    gaps.max()
                        <= Some(60.min(2 * i64::try_from(every.max(6)).unwrap()).max(i64::try_from(every).unwrap())),
                    "every {every} s: {all:?}"
                );
            }
        }
    }

    #[test]
    fn one_that_is_a_little_late_is_left_out() {
        check(&looks([0, 30, 28, 30, 60]), &[0, 30, 60]);
    }

    #[test]
    fn one_of_a_clock_that_was_wrong_gives_way() {
        check(&kept([0, 86_400, 30]), &[30]);
        check(&looks([0, 100, 39, 70]), &[0, 39, 70]);
    }

    #[test]
    fn one_who_looks_leaves_it_to_another_who_just_has() {
        let every = SignedDuration::from_secs(30);
        assert!(looks([]).are_due(every, at(0)));
        for (now, expect) in [(-61, true), (-60, false), (-1, false), (0, false), (14, false), (15, true), (99, true)] {
            assert_eq!(looks([0]).are_due(every, at(now)), expect, "{now}");
        }
    }

    #[test]
    fn what_nobody_has_watched_is_not_fresh() {
        let within = SignedDuration::from_secs(95);
        assert!(!looks([]).are_fresh(within, at(0)));
        for (now, expect) in [(-61, false), (-60, true), (0, true), (95, true), (96, false)] {
            assert_eq!(looks([0]).are_fresh(within, at(now)), expect, "{now}");
        }
    }
}
