//! Chance by seed.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// The same throws for the same seed.
pub(crate) struct Dice(StdRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// From 0 to below 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0.random()
    }

    /// From 0 to below `end`.
    pub(crate) fn below(&mut self, end: i64) -> i64 {
        self.0.random_range(0..end)
    }

    /// A time until the next of independent events, rounded down.
    #[expect(clippy::cast_possible_truncation, reason = "means are minutes, and no throw is 40 means away")]
    pub(crate) fn exponential(&mut self, mean: f64) -> i64 {
        (-mean * (1.0 - self.fraction()).ln()) as i64
    }

    /// A number of independent events: thrown until their chance is used up, so only for small means.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        let (end, mut chance, mut number) = ((-mean).exp(), self.fraction(), 0);
        while chance > end {
            chance *= self.fraction();
            number += 1;
        }
        number
    }
}
