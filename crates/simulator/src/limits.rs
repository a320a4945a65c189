//! Budgets as 1Password documents them: so many requests a minute and an hour. Whether they hold for a token or for all tokens
//! of an account is not documented, so both can be had.
//!
//! Requests are counted with or without limits, because how near a collector came to its budget is worth knowing.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// Limits on an account's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests in a minute.
    pub per_minute: u32,
    /// Requests in an hour.
    pub per_hour: u32,
    /// Whether a refusal says when to come back. 1Password does not document that it does.
    pub retry_after: bool,
    /// Whether each token has a budget of its own; otherwise all tokens of the account share one.
    pub per_token: bool,
}

impl Default for RateLimits {
    /// The documented limits, 600 a minute and 30,000 an hour, for the account.
    fn default() -> Self {
        Self { per_minute: 600, per_hour: 30_000, retry_after: true, per_token: false }
    }
}

/// What is spent of a budget, this request included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// Requests in the minute that runs.
    pub minute: u32,
    /// Requests in the hour that runs.
    pub hour: u32,
}

/// Counts one account's requests in fixed windows, each of which begins with the first request in it.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    limits: Option<RateLimits>,
    shared: Budget,
    /// By the token's identifier; there are no more than tokens were issued.
    own: HashMap<String, Budget>,
}

/// A refusal, with the seconds to wait if the limits say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) retry_after: Option<u64>,
    pub(crate) spent: Spent,
}

#[derive(Debug, Default)]
struct Budget {
    minute: Window,
    hour: Window,
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

    /// Counts a request with this token, or refuses it. A refused request does not count.
    pub(crate) fn admit(&mut self, token: &str, now: Timestamp) -> Result<Spent, Refused> {
        let limits = self.limits;
        let budget = self.budget(token);
        budget.minute.turn(now, SignedDuration::from_mins(1));
        budget.hour.turn(now, SignedDuration::from_hours(1));
        if let Some(limits) = limits {
            for (window, most) in [(&budget.hour, limits.per_hour), (&budget.minute, limits.per_minute)] {
                if window.count >= most {
                    let retry_after = limits.retry_after.then(|| window.left(now));
                    return Err(Refused { retry_after, spent: budget.spent() });
                }
            }
        }
        budget.minute.count += 1;
        budget.hour.count += 1;
        Ok(budget.spent())
    }

    fn budget(&mut self, token: &str) -> &mut Budget {
        if !self.limits.is_some_and(|limits| limits.per_token) {
            return &mut self.shared;
        }
        if !self.own.contains_key(token) {
            self.own.insert(token.to_owned(), Budget::default());
        }
        self.own.get_mut(token).expect("it is there, or was put there")
    }
}

impl Budget {
    fn spent(&self) -> Spent {
        Spent { minute: self.minute.count, hour: self.hour.count }
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

    const TIGHT: RateLimits = RateLimits { per_minute: 2, per_hour: 3, retry_after: true, per_token: false };

    #[test]
    fn a_full_minute_refuses_until_it_ends() {
        let mut limiter = Limiter::new(Some(TIGHT));
        let mut check = |second, expect: Result<(u32, u32), u64>| {
            let outcome = limiter.admit("a", at(second));
            let seen = outcome.map(|spent| (spent.minute, spent.hour)).map_err(|refused| refused.retry_after.unwrap());
            assert_eq!(seen, expect, "at {second}");
        };
        check(100, Ok((1, 1)));
        check(110, Ok((2, 2)));
        check(120, Err(41));
        check(160, Ok((1, 3)));
        check(161, Err(3540));
        check(3700, Ok((1, 1)));
    }

    #[test]
    fn tokens_share_a_budget_or_have_their_own() {
        for per_token in [false, true] {
            let mut limiter = Limiter::new(Some(RateLimits { per_token, ..TIGHT }));
            assert!(limiter.admit("a", at(0)).is_ok() && limiter.admit("a", at(0)).is_ok());
            assert_eq!(limiter.admit("b", at(0)).is_ok(), per_token);
            assert!(limiter.admit("a", at(0)).is_err());
        }
    }

    #[test]
    fn without_limits_everything_passes_and_is_counted() {
        let mut limiter = Limiter::new(None);
        assert!((1..=10_000).all(|count| limiter.admit("a", at(0)) == Ok(Spent { minute: count, hour: count })));
    }
}
