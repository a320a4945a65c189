//! When people work: days, office hours, weekends, and how late an event reaches 1Password.
//!
//! A drop-off detector can only be tried on data that has a rhythm, and a completeness check only on data that arrives late.

use jiff::{Timestamp, tz::Offset};

use crate::{instant::later, random::Random};

pub(crate) const SECOND: i64 = 1_000_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Share of activity per local hour.
const HOURS: [(u64, i64); 24] = [
    (2, 0),
    (1, 1),
    (1, 2),
    (1, 3),
    (1, 4),
    (3, 5),
    (10, 6),
    (30, 7),
    (80, 8),
    (130, 9),
    (120, 10),
    (110, 11),
    (70, 12),
    (100, 13),
    (115, 14),
    (105, 15),
    (90, 16),
    (55, 17),
    (25, 18),
    (15, 19),
    (14, 20),
    (12, 21),
    (8, 22),
    (4, 23),
];

/// A day in UTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day {
    /// Days since 1970; seeds the day's events.
    pub(crate) number: u64,
    start: Timestamp,
    pub(crate) weekend: bool,
}

/// The days whose local activity, anywhere, can fall between the two moments, late arrivals included.
pub(crate) fn days(from: Timestamp, until: Timestamp) -> impl Iterator<Item = Day> {
    let day_of = |at: Timestamp| at.as_second().div_euclid(DAY_SECONDS);
    (day_of(from) - 1..=day_of(until) + 1).filter_map(|number| {
        Some(Day {
            number: u64::try_from(number).ok()?,
            start: Timestamp::from_second(number * DAY_SECONDS).ok()?,
            // 1970 began on a Thursday.
            weekend: (number + 3).rem_euclid(7) >= 5,
        })
    })
}

impl Day {
    /// How much happens, compared with a working day.
    pub(crate) fn busyness(&self) -> f64 {
        if self.weekend { 0.08 } else { 1.0 }
    }

    /// A moment of this day where the clocks show this offset.
    pub(crate) fn moment(&self, random: &mut Random, local: Offset) -> Timestamp {
        let hour = *random.weighted(&HOURS);
        let wall = hour * HOUR + random.span(HOUR);
        later(self.start, wall - i64::from(local.seconds()) * SECOND)
    }
}

/// Sign-ins and changes are made online: they arrive within half a minute.
pub(crate) fn prompt(random: &mut Random) -> i64 {
    SECOND / 5 + random.span(30 * SECOND)
}

/// Item usages are sent when the app syncs next: mostly soon, sometimes much later, within a day at most.
pub(crate) fn at_next_sync(random: &mut Random) -> i64 {
    let most = *random.weighted(&[(70, 20 * SECOND), (24, 30 * MINUTE), (6, 24 * HOUR - SECOND)]);
    SECOND / 5 + random.span(most)
}
