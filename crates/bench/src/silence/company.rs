//! What a made-up company does with its account.

use anyhow::Result;
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Weekday, date},
    tz::TimeZone,
};

use crate::dice::Dice;

/// Of the year that is counted.
pub(super) const HOLIDAYS: [Date; 10] = [
    date(2026, 4, 3),
    date(2026, 4, 6),
    date(2026, 5, 1),
    date(2026, 5, 14),
    date(2026, 5, 25),
    date(2026, 6, 4),
    date(2026, 12, 25),
    date(2027, 1, 1),
    date(2027, 1, 6),
    date(2026, 10, 2),
];

/// Around Christmas half of the people are away.
const CHRISTMAS: (Date, Date) = (date(2026, 12, 24), date(2027, 1, 6));

/// Events of a sitting, on average, and the time between two of them.
const SITTING: f64 = 5.0;
const BETWEEN_SECONDS: f64 = 120.0;

/// Berlin's rules, as of this century.
pub(super) fn time_zone() -> Result<TimeZone> {
    Ok(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3")?)
}

/// One feed: when its events come, in order.
pub(super) struct Company {
    begin: Timestamp,
    length: SignedDuration,
    events: Vec<i64>,
}

impl Company {
    /// A company with about so many events a week.
    pub(super) fn new(seed: u64, per_week: u32, begin: Timestamp, length: SignedDuration) -> Result<Self> {
        let zone = time_zone()?;
        let mut dice = Dice::new(seed);
        let sittings = f64::from(per_week) / SITTING / USUAL_WEEK;
        let mut events = Vec::new();
        for minute in 0..length.as_mins() {
            let at = begin + SignedDuration::from_mins(minute);
            for _ in 0..dice.poisson(sittings * activity(&zone, at) / 60.0) {
                let mut second = at.as_second() + dice.below(60);
                loop {
                    events.push(second);
                    if dice.fraction() < 1.0 / SITTING {
                        break;
                    }
                    second += dice.exponential(BETWEEN_SECONDS);
                }
            }
        }
        events.sort_unstable();
        Ok(Self { begin, length, events })
    }

    /// Events that come by each poll.
    pub(super) fn by_poll(&self, interval: SignedDuration) -> impl Iterator<Item = usize> {
        let mut rest = self.events.as_slice();
        let polls = self.length.as_secs() / interval.as_secs();
        (1..=polls).map(move |poll| {
            let now = self.begin.as_second() + poll * interval.as_secs();
            let (come, later) = rest.split_at(rest.partition_point(|second| *second <= now));
            rest = later;
            come.len()
        })
    }
}

/// What all hours of a week without holidays add up to.
const USUAL_WEEK: f64 = 5.0 * (10.0 + 5.0 * 0.1 + 9.0 * 0.01) + 2.0 * (12.0 * 0.05 + 12.0 * 0.01);

/// Whether the office works.
pub(super) fn is_at_work(zone: &TimeZone, at: Timestamp) -> bool {
    activity(zone, at) >= 0.5
}

/// How much is done in an hour, next to one at the office.
fn activity(zone: &TimeZone, at: Timestamp) -> f64 {
    let local = zone.to_datetime(at);
    let is_free = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday) || HOLIDAYS.contains(&local.date());
    let usual = match (is_free, local.hour()) {
        (true, 9..21) => 0.05,
        (false, 8..18) => 1.0,
        (false, 18..23) => 0.1,
        _ => 0.01,
    };
    let is_christmas = (CHRISTMAS.0..=CHRISTMAS.1).contains(&local.date());
    if is_christmas { usual / 2.0 } else { usual }
}
