//! Requests taken within a stretch of time, counted in slots.
//!
//! What is taken is spent a little later, so a window remembers longer than the stretch it is about; and a slot counts until its last
//! moment has left. Both err to the safe side.

use std::{collections::VecDeque, time::Duration};

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::budget as wire;

use super::GRANT_LIFETIME;

/// Seconds of a minute, in slots of two.
pub(super) type Minute = Window<60, 2>;

/// Seconds of an hour, in slots of a minute.
pub(super) type Hour = Window<3_600, 60>;

/// `LENGTH` and `SLOT` are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window<const LENGTH: u64, const SLOT: u64> {
    /// Slots since 1970.
    newest: i64,
    /// The newest first, without empty ones at the end.
    taken: VecDeque<u32>,
}

impl<const LENGTH: u64, const SLOT: u64> Window<LENGTH, SLOT> {
    /// Slots that may hold what counts: the remembered stretch touches one more than fit into it.
    #[expect(clippy::cast_possible_truncation, reason = "an hour has few slots")]
    const SLOTS: usize = ((LENGTH + GRANT_LIFETIME.as_secs()).div_ceil(SLOT) + 1) as usize;

    /// Goes on to `now`. A clock that is behind ours by less than the window counts in the newest slot; one that is ahead by more
    /// was wrong, and what it wrote is forgotten.
    pub(super) fn turn(&mut self, now: Timestamp) {
        let slot = now.as_second().div_euclid(SLOT.cast_signed());
        let slots = Self::SLOTS.cast_signed() as i64;
        match slot - self.newest {
            passed if passed.abs() >= slots => {
                self.taken.clear();
                self.newest = slot;
            }
            passed if passed > 0 => {
                for _ in 0..passed {
                    self.taken.push_front(0);
                }
                self.newest = slot;
            }
            _ => {}
        }
        self.taken.truncate(Self::SLOTS);
        while self.taken.back() == Some(&0) {
            self.taken.pop_back();
        }
    }

    pub(super) fn taken(&self) -> u32 {
        self.taken.iter().fold(0, |sum, taken| sum.saturating_add(*taken))
    }

    pub(super) fn take(&mut self, requests: u32) {
        match self.taken.front_mut() {
            Some(newest) => *newest = newest.saturating_add(requests),
            None => self.taken.push_front(requests),
        }
    }

    /// How long until fewer than `allowed` are counted.
    pub(super) fn wait(&self, allowed: u32, now: Timestamp) -> Duration {
        let mut left = self.taken();
        for (age, taken) in self.taken.iter().enumerate().rev() {
            if left < allowed {
                break;
            }
            left -= taken;
            if left < allowed {
                let gone = self.newest - age.cast_signed() as i64 + Self::SLOTS.cast_signed() as i64;
                let until = SignedDuration::from_secs(gone * SLOT.cast_signed() - now.as_second());
                return Duration::try_from(until).unwrap_or_default();
            }
        }
        Duration::ZERO
    }

    pub(super) fn read(message: Option<&wire::Window>) -> Self {
        let Some(wire::Window { newest, taken }) = message else { return Self::default() };
        Self { newest: *newest, taken: taken.iter().take(Self::SLOTS).copied().collect() }
    }

    pub(super) fn write(&self) -> wire::Window {
        wire::Window { newest: self.newest, taken: self.taken.iter().copied().collect() }
    }
}
