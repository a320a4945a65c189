//! Whether most chains fail for one cause, which is then one alert and not one per chain.
//!
//! Two causes can be common: the way to 1Password (or to NATS) is broken, so chains are *refused* for reasons that are nobody's own;
//! or the fetchers are gone, so chains are *dead*. Each has three stages:
//!
//! - **forming**: at least two chains and 60 % of those that can be judged fail so. Chains' own alerts of that cause wait, because
//!   chains are polled at different moments and the first to fail would be told of before the cause is seen.
//! - **standing**: forming, and half of the failing ones have failed for long enough to be worth an alert of their own. Raised.
//! - **over**: fewer than 30 % fail so. Until then a standing cause stands, so that one which lifts slowly is not told of twice.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{ChainWindow, Poll, Watch};

/// Chains that it takes to speak of a common cause.
const MIN_CHAINS: usize = 2;

/// Shares of the judged chains, in per cent.
const ENTER: usize = 60;
const EXIT: usize = 30;

/// Reasons of a refusal that are no source's own.
const COMMON: [&str; 10] = [
    "timeout",
    "connect",
    "dns",
    "tls",
    "body",
    "server_error",
    "malformed",
    "bus_unavailable",
    "stream_full",
    "no_room",
];

/// How far a common cause has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// There is none.
    None,
    /// Many chains fail; not yet for long.
    Forming,
    /// Most chains fail.
    Standing,
}

/// A cause that chains have in common, or the lack of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// How far it has come.
    pub stage: Stage,
    /// Chains that fail so.
    pub failing: usize,
    /// Chains that can be judged.
    pub of: usize,
    /// Since when the first of them has failed; `None` if none does.
    pub since: Option<Timestamp>,
    /// The most frequent reason; empty for chains that are dead.
    pub reason: String,
}

/// What all chains show at one moment.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    judged: usize,
    refused: Failing,
    reasons: BTreeMap<&'static str, usize>,
    late: Failing,
}

#[derive(Clone, Debug, Default)]
struct Failing {
    chains: usize,
    lasting: usize,
    since: Option<Timestamp>,
}

/// Whether a refusal for this reason may have a cause in common with others.
#[must_use]
pub fn is_common(reason: &str) -> bool {
    COMMON.contains(&reason)
}

/// Whether so many chains of all that there are may be one cause, or what is left of one.
#[must_use]
pub const fn is_shared(failing: usize, of: usize) -> bool {
    failing > 0 && failing * 100 >= of * EXIT
}

impl Tally {
    /// Counts a chain that is watched so.
    pub fn add(&mut self, window: &ChainWindow, poll: &Poll, watch: Watch, now: Timestamp) {
        match poll {
            Poll::Unknown | Poll::Off => return,
            Poll::Dead { since } => self.late.count(true, *since),
            Poll::Refused(refusal) => {
                if let Some(reason) = COMMON.into_iter().find(|reason| *reason == refusal.reason) {
                    self.refused.count(refusal.lasting, refusal.since);
                    *self.reasons.entry(reason).or_default() += 1;
                }
            }
            Poll::Quiet | Poll::Active => {}
        }
        self.judged += 1;
        // Half of the grace tells a chain that is on its way to be called dead, wherever it stands in its interval.
        if !matches!(poll, Poll::Dead { .. }) && now.duration_since(window.next_poll_at) > half(watch.grace_of(window))
        {
            self.late.count(false, window.next_poll_at);
        }
    }

    /// The cause of refusals; `raised` says whether the alert about it is.
    #[must_use]
    pub fn refusals(&self, raised: bool) -> Cause {
        let most = self.reasons.iter().max_by_key(|(_, count)| **count);
        self.refused.cause(self.judged, raised, most.map_or("", |(reason, _)| reason))
    }

    /// The cause of deaths; `raised` says whether the alert about it is.
    #[must_use]
    pub fn deaths(&self, raised: bool) -> Cause {
        self.late.cause(self.judged, raised, "")
    }
}

impl Failing {
    fn count(&mut self, lasting: bool, since: Timestamp) {
        self.chains += 1;
        self.lasting += usize::from(lasting);
        self.since = Some(self.since.map_or(since, |earlier| earlier.min(since)));
    }

    fn cause(&self, of: usize, raised: bool, reason: &str) -> Cause {
        let share = |per_cent: usize| self.chains * 100 >= of * per_cent && self.chains >= MIN_CHAINS;
        let stage = if raised && share(EXIT) || share(ENTER) && self.lasting * 2 >= self.chains {
            Stage::Standing
        } else if share(ENTER) {
            Stage::Forming
        } else {
            Stage::None
        };
        Cause { stage, failing: self.chains, of, since: self.since, reason: reason.into() }
    }
}

fn half(duration: SignedDuration) -> SignedDuration {
    duration / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{
        poll,
        samples::{at, refused, window},
    };

    /// A chain that is fine, refused for a moment, refused for long, refused for a reason of its own, late, dead, or unseen.
    fn tally(chains: &str) -> Tally {
        let mut tally = Tally::default();
        for letter in chains.chars() {
            let (window, watched_since, now) = match letter {
                '.' => (window(), 0, 650),
                'r' => (refused("timeout", 1), 0, 650),
                'R' => (refused("server_error", 5), 0, 650),
                'o' => (refused("unauthorized", 5), 0, 650),
                'l' => (window(), 0, 660 + 91),
                'D' => (window(), 0, 660 + 181),
                '?' => (window(), 9_000, 9_000),
                _ => unreachable!("no such chain"),
            };
            let watch = Watch::since(at(watched_since));
            tally.add(&window, &poll(&window, watch, at(now)), watch, at(now));
        }
        tally
    }

    fn check(chains: &str, raised: bool, refusals: Stage, deaths: Stage) {
        let tally = tally(chains);
        assert_eq!(tally.refusals(raised).stage, refusals, "refusals of {chains}, raised: {raised}");
        assert_eq!(tally.deaths(raised).stage, deaths, "deaths of {chains}, raised: {raised}");
    }

    #[test]
    fn entry_and_exit() {
        use Stage::{Forming, None, Standing};
        for (chains, refusals, deaths) in [
            ("", None, None),
            (".", None, None),
            // One chain has nothing in common with itself.
            ("R", None, None),
            ("D", None, None),
            ("rr", Forming, None),
            ("RR", Standing, None),
            ("Rr", Standing, None),
            ("Rrr", Forming, None),
            ("RRR..", Standing, None),
            ("RR..", None, None),
            // A source's own fault is no common cause.
            ("ooo", None, None),
            ("ooRR", None, None),
            ("ll", None, Forming),
            ("Dlll", None, Forming),
            ("DDll", None, Standing),
            ("DDD..", None, Standing),
            // What cannot be judged does not count.
            ("RR???", Standing, None),
            ("?????", None, None),
        ] {
            check(chains, false, refusals, deaths);
        }
        // Once raised, it takes fewer to keep it.
        check("RR....", true, Standing, None);
        check("rr....", true, Standing, None);
        check("RR.....", true, None, None);
        check("DD....", true, None, Standing);
        check("DD.....", true, None, None);
    }

    #[test]
    fn a_cause_says_how_many_and_since_when() {
        let cause = tally("RRr.").refusals(false);
        let expect =
            Cause { stage: Stage::Standing, failing: 3, of: 4, since: Some(at(540)), reason: "server_error".into() };
        assert_eq!(cause, expect);
    }
}
