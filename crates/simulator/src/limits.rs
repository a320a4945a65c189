//! Rate limits as 1Password documents them: so many requests a minute and an hour, per account.

use jiff::{SignedDuration, Timestamp};

/// Limits on an account's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests in a minute.
    pub per_minute: u32,
    /// Requests in an hour.
    pub per_hour: u32,
    /// Whether a refusal says when to come back. 1Password does not document that it does.
    pub retry_after: bool,
}

impl Default for RateLimits {
    /// The documented limits: 600 a minute and 30,000 an hour.
    fn default() -> Self {
        Self { per_minute: 600, per_hour: 30_000, retry_after: true }
    }
}

/// Counts one account's requests in fixed windows, each of which begins with the first request in it.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    limits: Option<RateLimits>,
    minute: Window,
    hour: Window,
}

/// A refusal, with the seconds to wait if the limits say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) retry_after: Option<u64>,
}

#[derive(Debug, Default)]
struct Window {
    ends: Option<Timestamp>,
    count: u32,
}

impl Limiter {
    pub(crate) fn new(limits: Option<RateLimits>) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Counts a request, or refuses it. A refused request does not count.
    pub(crate) fn admit(&mut self, now: Timestamp) -> Result<(), Refused> {
        let Some(limits) = self.limits else { return Ok(()) };
        self.minute.turn(now, SignedDuration::from_mins(1));
        self.hour.turn(now, SignedDuration::from_hours(1));
        for (window, most) in [(&self.hour, limits.per_hour), (&self.minute, limits.per_minute)] {
            if window.count >= most {
                return Err(Refused { retry_after: limits.retry_after.then(|| window.left(now)) });
            }
        }
        self.minute.count += 1;
        self.hour.count += 1;
        Ok(())
    }
}

impl Window {
    fn turn(&mut self, now: Timestamp, length: SignedDuration) {
        if self.ends.is_none_or(|ends| now >= ends) {
            let ends = now.saturating_add(length).expect("a duration without calendar units always applies");
            *self = Self { ends: Some(ends), count: 0 };
        }
    }

    /// Whole seconds until the window ends, at least one.
    fn left(&self, now: Timestamp) -> u64 {
        let seconds = self.ends.map_or(0, |ends| ends.duration_since(now).as_secs());
        seconds.max(0).unsigned_abs() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_full_minute_refuses_until_it_ends() {
        let mut limiter = Limiter::new(Some(RateLimits { per_minute: 2, per_hour: 3, retry_after: true }));
        assert_eq!(limiter.admit(at(100)), Ok(()));
        assert_eq!(limiter.admit(at(110)), Ok(()));
        assert_eq!(limiter.admit(at(120)), Err(Refused { retry_after: Some(41) }));
        assert_eq!(limiter.admit(at(160)), Ok(()));
        assert_eq!(limiter.admit(at(161)), Err(Refused { retry_after: Some(3540) }), "the hour is full");
        assert_eq!(limiter.admit(at(3700)), Ok(()));
    }

    #[test]
    fn without_limits_everything_passes() {
        let mut limiter = Limiter::new(None);
        assert!((0..10_000).all(|_| limiter.admit(at(0)).is_ok()));
    }
}
