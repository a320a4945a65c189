//! When a rule of a plan strikes: a pure function of how often it was asked, how long ago the plan began, and a draw.
//!
//! All conditions must hold. Requests are counted for each rule, account and endpoint apart, so that one chain's traffic does
//! not decide over another's, and a schedule means the same however many accounts there are.

use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact;
use serde::{Deserialize, Serialize};

/// When a rule strikes. Always by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Share of the requests it strikes, 0 to 1; the plan's seed decides which.
    pub rate: f64,
    /// The first request it may strike, counted from 1.
    pub nth: u64,
    /// From there, only each so-manieth request.
    pub every: u64,
    /// How often it strikes at most; until the plan is changed if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How long after the plan began it may strike first, by the simulator's clock.
    #[serde(with = "compact::required")]
    pub after: Duration,
    /// How long after the plan began it strikes no more.
    #[serde(with = "compact::optional", skip_serializing_if = "Option::is_none")]
    pub until: Option<Duration>,
}

impl Default for When {
    fn default() -> Self {
        Self { rate: 1.0, nth: 1, every: 1, times: None, after: Duration::ZERO, until: None }
    }
}

impl When {
    /// Only the nth request, counted from 1.
    #[must_use]
    pub fn only(nth: u64) -> Self {
        Self { nth, times: Some(1), ..Self::default() }
    }

    /// The first so many requests.
    #[must_use]
    pub fn first(times: u64) -> Self {
        Self { times: Some(times), ..Self::default() }
    }

    /// A share of the requests, 0 to 1.
    #[must_use]
    pub fn rate(rate: f64) -> Self {
        Self { rate, ..Self::default() }
    }

    /// The bound that this schedule breaks, if it breaks one.
    pub(crate) fn broken_bound(&self) -> Option<&'static str> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Some("a rate must be 0 to 1");
        }
        if self.nth == 0 || self.every == 0 {
            return Some("requests are counted from 1");
        }
        if self.until.is_some_and(|until| until <= self.after) {
            return Some("`until` must lie behind `after`");
        }
        None
    }
}

/// How often a rule was asked and struck on one endpoint of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) asked: u64,
    pub(crate) struck: u64,
}

impl Progress {
    /// Counts a request and says whether the rule strikes it. `draw` is a number in `[0, 1)`.
    pub(crate) fn ask(&mut self, when: &When, since: Duration, draw: f64) -> bool {
        self.asked += 1;
        let due = when.times.is_none_or(|times| self.struck < times)
            && self.asked >= when.nth
            && (self.asked - when.nth).is_multiple_of(when.every)
            && since >= when.after
            && when.until.is_none_or(|until| since < until)
            && draw < when.rate;
        self.struck += u64::from(due);
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The numbers of those of the first 20 requests that a schedule strikes, one request a second.
    fn struck(when: &When) -> Vec<u64> {
        let mut progress = Progress::default();
        (1..=20).filter(|number| progress.ask(when, Duration::from_secs(*number), 0.5)).collect()
    }

    #[test]
    fn each_condition_alone_and_together() {
        let always = When::default;
        let check = |when: When, expect: &[u64]| assert_eq!(struck(&when), expect, "{when:?}");
        check(always(), &(1..=20).collect::<Vec<_>>());
        check(When::only(3), &[3]);
        check(When::first(2), &[1, 2]);
        check(When { nth: 18, ..always() }, &[18, 19, 20]);
        check(When { every: 7, ..always() }, &[1, 8, 15]);
        check(When { nth: 4, every: 5, times: Some(2), ..always() }, &[4, 9]);
        check(When { after: Duration::from_secs(5), until: Some(Duration::from_secs(8)), ..always() }, &[5, 6, 7]);
        check(When { after: Duration::from_secs(18), times: Some(2), ..always() }, &[18, 19]);
        check(When::rate(0.5), &[]);
        check(When::rate(0.6), &(1..=20).collect::<Vec<_>>());
    }

    fn any_when() -> impl Strategy<Value = When> {
        let moments = (0..200_u64, prop::option::of(1..200_u64));
        (0.0..=1.0, 1..50_u64, 1..10_u64, prop::option::of(0..20_u64), moments).prop_map(
            |(rate, nth, every, times, (after, lasting))| When {
                rate,
                nth,
                every,
                times,
                after: Duration::from_secs(after),
                until: lasting.map(|lasting| Duration::from_secs(after + lasting)),
            },
        )
    }

    proptest! {
        #[test]
        fn a_schedule_keeps_every_promise(when in any_when(), draws in prop::collection::vec(0.0..1.0, 1..300)) {
            prop_assert_eq!(when.broken_bound(), None);
            let mut progress = Progress::default();
            let mut struck = 0;
            for (second, draw) in (0_u64..).zip(&draws) {
                if !progress.ask(&when, Duration::from_secs(second), *draw) {
                    continue;
                }
                struck += 1;
                let number = second + 1;
                prop_assert!(number >= when.nth && (number - when.nth).is_multiple_of(when.every));
                prop_assert!(Duration::from_secs(second) >= when.after);
                prop_assert!(when.until.is_none_or(|until| Duration::from_secs(second) < until));
                prop_assert!(*draw < when.rate);
            }
            prop_assert!(when.times.is_none_or(|times| struck <= times));
            prop_assert_eq!(progress, Progress { asked: draws.len() as u64, struck });
        }

        #[test]
        fn every_due_request_is_struck_while_strikes_are_left(when in any_when()) {
            let when = When { rate: 1.0, after: Duration::ZERO, until: None, ..when };
            let mut progress = Progress::default();
            let asked = when.nth + 20 * when.every;
            let struck = (0..asked).filter(|_| progress.ask(&when, Duration::ZERO, 0.0)).count() as u64;
            prop_assert_eq!(struck, when.times.map_or(21, |times| times.min(21)));
        }
    }
}
