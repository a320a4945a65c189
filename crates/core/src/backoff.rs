//! How long to wait before trying again: exponential, capped, with full jitter.
//!
//! A pure function of the attempt. Full jitter (anything between nothing and the ceiling) spreads a fleet that failed together;
//! see Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

use std::time::Duration;

/// A schedule of pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

/// A schedule that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a backoff needs 0 < first <= longest")]
pub struct InvalidBackoff;

impl Backoff {
    /// Pauses that start at `first` and double up to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Result<Self, InvalidBackoff> {
        if first.is_zero() || first.as_nanos() > longest.as_nanos() {
            return Err(InvalidBackoff);
        }
        Ok(Self { first, longest })
    }

    /// The pause after the `failures`-th failure in a row (1 is the first), `jitter` being uniform in `[0, 1)`.
    ///
    /// Never below an eighth of the ceiling, so that even an unlucky draw is a pause.
    #[must_use]
    pub fn pause(&self, failures: u32, jitter: f64) -> Duration {
        const FLOOR: f64 = 1.0 / 8.0;
        self.ceiling(failures).mul_f64(FLOOR + (1.0 - FLOOR) * jitter.clamp(0.0, 1.0))
    }

    /// The longest pause after the `failures`-th failure in a row.
    #[must_use]
    pub fn ceiling(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.checked_mul(1 << doublings).unwrap_or(self.longest).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn ceilings_double_up_to_the_longest() {
        let backoff = Backoff::new(seconds(1), seconds(300)).unwrap();
        let ceilings: Vec<_> = [0, 1, 2, 3, 9, 10, u32::MAX].map(|failures| backoff.ceiling(failures).as_secs()).into();
        assert_eq!(ceilings, [1, 1, 2, 4, 256, 300, 300]);
    }

    #[test]
    fn jitter_stays_between_floor_and_ceiling() {
        let backoff = Backoff::new(seconds(8), seconds(300)).unwrap();
        assert_eq!(backoff.pause(1, 0.0), seconds(1));
        assert_eq!(backoff.pause(1, 1.0), seconds(8));
        assert_eq!(backoff.pause(1, f64::INFINITY), seconds(8));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Backoff::new(seconds(0), seconds(1)), Err(InvalidBackoff));
        assert_eq!(Backoff::new(seconds(2), seconds(1)), Err(InvalidBackoff));
    }
}
