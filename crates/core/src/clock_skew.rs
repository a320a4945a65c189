//! How far our clock is from another's, 1Password's or NATS's, by the times of its answers.
//!
//! An answer was made at some moment between asking and receiving, and a date says the second and not more. The median of several says it to
//! half a second, and one server of many whose clock is wrong does not move it.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// Answers that count: enough for a median, few enough to follow a clock that is set right.
const MAX_SAMPLES: usize = 9;

/// An answer that took longer says too little.
const SLOWEST: SignedDuration = SignedDuration::from_secs(10);

/// The latest differences.
#[derive(Clone, Debug, Default)]
pub struct ClockSkew(VecDeque<SignedDuration>);

impl ClockSkew {
    /// Takes the date of an answer, a whole second, and our time before and after it.
    pub fn answered(&mut self, date: Timestamp, asked_at: Timestamp, now: Timestamp) {
        let middle = date.saturating_add(SignedDuration::from_millis(500)).unwrap_or(date);
        self.told(middle, asked_at, now);
    }

    /// Takes the moment at which an answer was made, and our time before and after it.
    pub fn told(&mut self, moment: Timestamp, asked_at: Timestamp, now: Timestamp) {
        let took = now.duration_since(asked_at);
        // A clock that was set meanwhile says nothing.
        if took.is_negative() || took > SLOWEST {
            return;
        }
        if self.0.len() == MAX_SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(asked_at.duration_since(moment).saturating_add(took / 2));
    }

    /// How far our clock is ahead; `None` without an answer.
    #[must_use]
    pub fn median(&self) -> Option<SignedDuration> {
        let mut sorted: Vec<_> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    fn median(answers: &[(i64, i64, i64)]) -> Option<i128> {
        let mut skew = ClockSkew::default();
        for (date, asked_at, now) in answers {
            skew.answered(at(*date), at(*asked_at), at(*now));
        }
        skew.median().map(|skew| skew.as_millis())
    }

    #[test]
    fn the_middle_of_request_and_second_is_compared() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[(0, 500, 500)]), Some(0));
        assert_eq!(median(&[(0, 5_000, 6_000)]), Some(5_000));
        assert_eq!(median(&[(60_000, 400, 600)]), Some(-60_000));
    }

    #[test]
    fn a_moment_is_compared_as_it_is() {
        let mut skew = ClockSkew::default();
        skew.told(at(0), at(-100), at(300));
        assert_eq!(skew.median().map(|skew| skew.as_millis()), Some(100));
    }

    #[test]
    fn one_wrong_clock_and_slow_answers_do_not_count() {
        assert_eq!(median(&[(0, 500, 500), (1_000_000, 500, 500), (0, 500, 500)]), Some(0));
        assert_eq!(median(&[(0, 0, 10_001), (0, 900, 400)]), None);
    }

    #[test]
    fn a_clock_that_is_set_right_is_believed_soon() {
        let wrong = [(0, 100_500, 100_500); 20];
        let right = [(0, 500, 500); 5];
        assert_eq!(median(&[&wrong[..], &right[..]].concat()), Some(0));
    }
}
