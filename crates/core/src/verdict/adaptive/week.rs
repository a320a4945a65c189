//! In which share of its slots each hour of the week has arrivals.
//!
//! Two counters an hour of the week. Twelve weeks fill them; then both are halved, so that what was before fades and new habits show
//! within a season. An hour that has been seen twice says little by itself: a share leans on that of the same hour of all days,
//! which leans on that of the whole week, each with the weight of a few slots.

use jiff::{Timestamp, tz::TimeZone};

const HOURS: usize = 7 * 24;

const SLOTS_PER_HOUR: f32 = 12.0;

/// Slots seen of an hour after which its past is halved: those of twelve weeks.
const FULL: u8 = 12 * 12;

/// Slots' worth of belief in what the hours around say. More would put a part of each working day into the weekend.
const BELIEF: f32 = 1.0;

/// The largest share: even where something has always arrived, one silent slot is not proof.
const SURE: f32 = 0.95;

/// An hour of the week, from Monday's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hour(usize);

impl Hour {
    /// The hour on the wall clock.
    pub(super) fn of(at: Timestamp, time_zone: &TimeZone) -> Self {
        let local = time_zone.to_datetime(at);
        let (day, hour) = (local.weekday().to_monday_zero_offset(), local.hour());
        Self(usize::from(day.unsigned_abs()) * 24 + usize::from(hour.unsigned_abs()))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Week {
    arrived: [u8; HOURS],
    seen: [u8; HOURS],
}

impl Default for Week {
    fn default() -> Self {
        Self { arrived: [0; HOURS], seen: [0; HOURS] }
    }
}

impl Week {
    /// Counts a slot of this hour.
    pub(super) fn count(&mut self, Hour(hour): Hour, arrived: bool) {
        let (arrivals, seen) = (&mut self.arrived[hour], &mut self.seen[hour]);
        if *seen >= FULL {
            // Rounded down: what is rare is forgotten rather than expected.
            (*arrivals, *seen) = (*arrivals / 2, *seen / 2);
        }
        *arrivals += u8::from(arrived);
        *seen += 1;
    }

    /// Slots with arrivals, and slots seen, of each hour.
    pub(super) fn bytes(&self) -> (&[u8], &[u8]) {
        (&self.arrived, &self.seen)
    }

    /// The week with these counts; `None` if they are none of a week.
    pub(super) fn of_bytes(arrived: &[u8], seen: &[u8]) -> Option<Self> {
        let week = Self { arrived: arrived.try_into().ok()?, seen: seen.try_into().ok()? };
        let mut hours = week.arrived.iter().zip(&week.seen);
        hours.all(|(arrived, seen)| arrived <= seen && *seen <= FULL).then_some(week)
    }

    /// What one silent slot of this hour weighs: −ln of its chance.
    pub(super) fn weight(&self, Hour(hour): Hour) -> f32 {
        let day_hour = hour % 24;
        let overall = share(self.sum(0..HOURS), 0.0);
        let daily = share(self.sum((day_hour..HOURS).step_by(24)), overall);
        weight(share(self.sum(hour..=hour), daily))
    }

    /// The weight of a silent week, and the slots of a week that have arrivals.
    pub(super) fn whole(&self) -> (f32, f32) {
        let overall = share(self.sum(0..HOURS), 0.0);
        let (mut whole, mut arrivals) = (0.0, 0.0);
        for day_hour in 0..24 {
            let daily = share(self.sum((day_hour..HOURS).step_by(24)), overall);
            for hour in (day_hour..HOURS).step_by(24) {
                let share = share(self.sum(hour..=hour), daily);
                whole += weight(share) * SLOTS_PER_HOUR;
                arrivals += share * SLOTS_PER_HOUR;
            }
        }
        (whole, arrivals)
    }

    fn sum(&self, hours: impl Iterator<Item = usize>) -> (f32, f32) {
        // At most 168 times 144: fits.
        let add = |(arrived, seen): (u16, u16), hour: usize| {
            (arrived + u16::from(self.arrived[hour]), seen + u16::from(self.seen[hour]))
        };
        let (arrived, seen) = hours.fold((0, 0), add);
        (f32::from(arrived), f32::from(seen))
    }
}

/// The share of slots with arrivals, which is `believed` where nothing was seen.
fn share((arrived, seen): (f32, f32), believed: f32) -> f32 {
    (arrived + BELIEF * believed) / (seen + BELIEF)
}

fn weight(share: f32) -> f32 {
    -(-share.min(SURE)).ln_1p()
}
