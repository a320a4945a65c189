//! A habit as it is kept over restarts.
//!
//! What is read was written by an alerter, maybe of another version: numbers that no habit has are refused as a whole, and the feed is
//! learned anew.

use jiff::Timestamp;
use latchkey_contracts::{Chain, habit::Habit as Kept};

use super::{Gaps, Habit, LEARNED, SLOTS_PER_WEEK, Week};
use crate::instant;

impl Habit {
    /// What is to be kept of the chain's habit.
    #[must_use]
    pub fn keep(&self, chain: &Chain, now: Timestamp) -> Kept {
        let (arrived, seen) = self.week.bytes();
        let (gap_sum, gap_squares, gap_heaviest) = self.gaps.numbers();
        Kept {
            source: chain.source.to_string(),
            feed: chain.feed.to_string(),
            saved_at_unix_nano: instant::to_unix_nano(now),
            arrived: arrived.to_vec().into(),
            seen: seen.to_vec().into(),
            slots_seen: self.seen,
            until_older: self.until_older,
            next_slot: self.next,
            arrival_unix_nano: instant::optional_to_unix_nano(self.arrival),
            weight: self.weight,
            source_weight: self.source_weight,
            gap_sum,
            gap_squares,
            gap_heaviest,
        }
    }

    /// The habit that was kept; `None` if it is none.
    #[must_use]
    pub fn recall(kept: &Kept) -> Option<Self> {
        let weights = [kept.weight, kept.source_weight];
        let is_sound = kept.slots_seen <= LEARNED
            && (1..=SLOTS_PER_WEEK).contains(&kept.until_older)
            && weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        let mut habit = Self {
            week: Week::of_bytes(&kept.arrived, &kept.seen)?,
            gaps: Gaps::of_numbers(kept.gap_sum, kept.gap_squares, kept.gap_heaviest)?,
            seen: kept.slots_seen,
            until_older: kept.until_older,
            next: kept.next_slot,
            arrival: instant::optional_from_unix_nano(kept.arrival_unix_nano),
            weight: kept.weight,
            source_weight: kept.source_weight,
            ..Self::default()
        };
        habit.weigh();
        is_sound.then_some(habit)
    }
}
