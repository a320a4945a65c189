//! Feeds that grow by themselves: events arrive at a rate, and some arrive long after they happened.
//!
//! Nothing runs in the background. Events come into being when somebody looks, up to the moment of the look, so the clock alone
//! decides what has arrived and a clock that runs faster gives more events; what the nth event is depends on the seed alone.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    dataset::{Company, Event, live as draw},
    feed::Feed,
    instant::later,
    random::Random,
};

/// Most events that arrive at a live feed; then it grows no more.
pub const MAX_LIVE_EVENTS: u64 = 1_000_000;

/// Events arrive no faster than this on each feed, in events a minute.
pub const MAX_LIVE_RATE: f64 = 600_000.0;

/// Longest lateness: the Events API keeps 120 days.
pub const MAX_LATENESS: Duration = Duration::from_hours(120 * 24);

/// How a feed grows while the simulator runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Live {
    /// Events that arrive in a minute of the simulator's clock on each feed, above 0 to [`MAX_LIVE_RATE`].
    pub per_minute: f64,
    /// Share of events that arrive late, 0 to 1; the others arrive within half a minute.
    pub late_share: f64,
    /// Shortest lateness of those.
    pub late_from: Duration,
    /// Longest lateness of those, up to [`MAX_LATENESS`]. Between the two all are equally likely.
    pub late_to: Duration,
}

impl Live {
    /// So many events a minute, of which one in fifty arrives between two hours and three days late.
    #[must_use]
    pub const fn new(per_minute: f64) -> Self {
        let (late_from, late_to) = (Duration::from_hours(2), Duration::from_hours(72));
        Self { per_minute, late_share: 0.02, late_from, late_to }
    }

    /// The bound that this configuration breaks, if it breaks one.
    pub(crate) fn broken_bound(&self) -> Option<&'static str> {
        if !(self.per_minute > 0.0 && self.per_minute <= MAX_LIVE_RATE) {
            return Some("a live rate must be above 0 and at most 600,000 a minute");
        }
        if !(0.0..=1.0).contains(&self.late_share) {
            return Some("the late share must be 0 to 1");
        }
        if self.late_from > self.late_to || self.late_to > MAX_LATENESS {
            return Some("lateness must go upwards and be 120 days at most");
        }
        None
    }
}

/// The arrivals of one feed.
#[derive(Debug)]
pub(crate) struct Arrivals {
    live: Live,
    company: Arc<Company>,
    feed: Feed,
    /// When the next event arrives.
    next: Timestamp,
    /// How many have arrived.
    number: u64,
}

impl Arrivals {
    pub(crate) fn new(live: Live, company: Arc<Company>, feed: Feed, from: Timestamp) -> Self {
        let mut arrivals = Self { live, company, feed, next: from, number: 0 };
        arrivals.next = later(from, arrivals.gap(&mut arrivals.random()));
        arrivals
    }

    /// The events that have arrived by now and were not given out yet, in order of arrival.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        while self.next <= now && self.number < MAX_LIVE_EVENTS {
            let mut random = self.random();
            let gap = self.gap(&mut random);
            let happened = later(self.next, -self.lateness(&mut random));
            events.push(draw(self.feed, &self.company, &mut random, happened).arriving(self.next));
            self.next = later(self.next, gap);
            self.number += 1;
        }
        events
    }

    fn random(&self) -> Random {
        Random::of(&[LIVE, self.company.seed, u64::from(self.feed.code()), self.number])
    }

    /// Nanoseconds to the next arrival: half to one and a half times the mean.
    fn gap(&self, random: &mut Random) -> i64 {
        nanoseconds(SignedDuration::from_mins(1).mul_f64((0.5 + random.share()) / self.live.per_minute))
    }

    fn lateness(&self, random: &mut Random) -> i64 {
        if random.share() >= self.live.late_share {
            return random.span(nanoseconds(SignedDuration::from_secs(30)));
        }
        let bound = |duration: Duration| nanoseconds(SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX));
        let (from, to) = (bound(self.live.late_from), bound(self.live.late_to));
        from + random.span(to - from + 1)
    }
}

/// All durations here are far below the 292 years that this holds.
fn nanoseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Keeps these draws apart from those of histories and samples.
const LIVE: u64 = u64::MAX - 5;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn arrivals(live: Live) -> Arrivals {
        Arrivals::new(live, Arc::new(Company::found(1, false)), Feed::ItemUsages, at(1_000_000_000))
    }

    fn lateness(event: &Event) -> SignedDuration {
        event.arrival.duration_since(event.timestamp)
    }

    #[test]
    fn events_arrive_at_their_rate_and_a_share_is_late() {
        let live = Live { late_share: 0.1, ..Live::new(60.0) };
        let events = arrivals(live).due(at(1_000_003_600));
        assert!((3500..3700).contains(&events.len()), "{}", events.len());
        assert!(events.is_sorted_by_key(|event| event.arrival));
        let (late, prompt): (Vec<_>, Vec<_>) =
            events.iter().partition(|event| lateness(event) > SignedDuration::from_mins(1));
        assert!((250..470).contains(&late.len()), "{}", late.len());
        let (from, to) = (SignedDuration::from_hours(2), SignedDuration::from_hours(72) + SignedDuration::from_secs(1));
        assert!(late.iter().all(|event| (from..=to).contains(&lateness(event))));
        assert!(prompt.iter().all(|event| lateness(event) <= SignedDuration::from_secs(31)));
        let distinct: BTreeSet<&str> = events.iter().map(|event| &*event.uuid).collect();
        assert_eq!(distinct.len(), events.len());
    }

    #[test]
    fn looking_often_gives_the_same_as_looking_once() {
        let texts = |events: Vec<Event>| -> Vec<_> {
            events.into_iter().map(|event| (event.uuid, event.timestamp, event.arrival)).collect()
        };
        let once = texts(arrivals(Live::new(30.0)).due(at(1_000_000_600)));
        let mut often = arrivals(Live::new(30.0));
        let seen = (0..=600).flat_map(|second| often.due(at(1_000_000_000 + second)));
        assert_eq!(texts(seen.collect()), once);
        assert!(often.due(at(1_000_000_600)).is_empty());
    }

    #[test]
    fn bounds_are_checked() {
        let hour = Duration::from_hours(1);
        let check = |live: Live, fine: bool| assert_eq!(live.broken_bound().is_none(), fine, "{live:?}");
        check(Live::new(1.0), true);
        check(Live::new(0.0), false);
        check(Live::new(f64::NAN), false);
        check(Live { late_share: 1.1, ..Live::new(1.0) }, false);
        check(Live { late_from: hour, late_to: Duration::ZERO, ..Live::new(1.0) }, false);
        check(Live { late_from: hour, late_to: hour, ..Live::new(1.0) }, true);
        check(Live { late_to: MAX_LATENESS + hour, ..Live::new(1.0) }, false);
    }
}
