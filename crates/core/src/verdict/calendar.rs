//! Which time counts when silence is measured.
//!
//! A company that works from eight to six on weekdays is silent every night, and a threshold wide enough for a weekend says nothing
//! for days. So a silence is measured in the hours in which events are to be expected: time outside business hours, on holidays and
//! within maintenance does not count. The time zone is a value that the caller has looked up.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

/// The most days that a silence is looked back over. Every threshold that can be reached is reached well before.
pub(super) const MAX_DAYS: i32 = 400;

/// When events are to be expected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {
    hours: Option<BusinessHours>,
    maintenance: Vec<Maintenance>,
}

/// Hours of the day on some days of the week, but for holidays.
#[derive(Clone, Debug, PartialEq)]
pub struct BusinessHours {
    /// Where the hours are those of the wall clock.
    pub time_zone: TimeZone,
    /// Days of the week with business.
    pub days: Vec<Weekday>,
    /// When a day's business begins.
    pub from: Time,
    /// When it ends; midnight, or anything not after `from`, is the end of the day.
    pub until: Time,
    /// Dates without business.
    pub holidays: Vec<Date>,
}

/// A span in which nothing is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

/// A calendar in which no time counts, or that cannot be looked through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCalendar {
    /// No day of the week has business.
    #[error("business hours need at least one day of the week")]
    NoDays,
    /// A maintenance window that ends before it begins.
    #[error("the maintenance window from {from} ends before it begins, at {until}")]
    Backwards {
        /// Its beginning.
        from: Timestamp,
        /// Its end.
        until: Timestamp,
    },
    /// More than can be looked through for every chain.
    #[error("{0} are too many: at most {MAX_MAINTENANCE} maintenance windows and {MAX_HOLIDAYS} holidays")]
    TooMany(usize),
}

/// The most maintenance windows of one calendar: each is looked at for every silent chain.
pub const MAX_MAINTENANCE: usize = 200;

/// The most holidays of one calendar: twenty a year for fifty years.
pub const MAX_HOLIDAYS: usize = 1_000;

impl Calendar {
    /// A calendar with these hours, or all hours, but for the maintenance windows.
    pub fn new(hours: Option<BusinessHours>, mut maintenance: Vec<Maintenance>) -> Result<Self, InvalidCalendar> {
        if let Some(hours) = &hours {
            if hours.days.is_empty() {
                return Err(InvalidCalendar::NoDays);
            }
            if hours.holidays.len() > MAX_HOLIDAYS {
                return Err(InvalidCalendar::TooMany(hours.holidays.len()));
            }
        }
        if maintenance.len() > MAX_MAINTENANCE {
            return Err(InvalidCalendar::TooMany(maintenance.len()));
        }
        if let Some(Maintenance { from, until }) = maintenance.iter().find(|window| window.until < window.from) {
            return Err(InvalidCalendar::Backwards { from: *from, until: *until });
        }
        maintenance.sort_unstable_by_key(|window| (window.from, window.until));
        Ok(Self { hours, maintenance: merged(maintenance) })
    }

    /// Whether `now` lies in a maintenance window.
    #[must_use]
    pub fn in_maintenance(&self, now: Timestamp) -> bool {
        self.maintenance.iter().any(|window| window.from <= now && now < window.until)
    }

    /// Whether the time at `now` counts.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        let moment = now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        !self.in_maintenance(now) && self.spans(now, moment).next().is_some()
    }

    /// Whether more time than `threshold` counts between two moments.
    #[must_use]
    pub fn exceeds(&self, threshold: SignedDuration, since: Timestamp, now: Timestamp) -> bool {
        // What counts is never more than what has passed: this answers for nearly every chain.
        if now.duration_since(since) <= threshold {
            return false;
        }
        let mut counted = SignedDuration::ZERO;
        self.spans(since, now).any(|(from, until)| {
            counted += self.outside_maintenance(from, until);
            counted > threshold
        })
    }

    /// The time that counts between two moments, of which at most the last 400 days are looked at.
    #[must_use]
    pub fn counted(&self, since: Timestamp, now: Timestamp) -> SignedDuration {
        self.spans(since, now)
            .fold(SignedDuration::ZERO, |counted, (from, until)| counted + self.outside_maintenance(from, until))
    }

    /// The time that counts in a year, as far as days of the week and hours say.
    pub(super) fn open_in_a_year(&self) -> SignedDuration {
        let Some(hours) = &self.hours else { return SignedDuration::MAX };
        let day = if hours.until > hours.from {
            hours.from.duration_until(hours.until)
        } else {
            SignedDuration::from_hours(24) - Time::midnight().duration_until(hours.from)
        };
        let days = i32::try_from(hours.days.len()).unwrap_or(7).min(7);
        day * (days * 52)
    }

    /// Spans of business between two moments, ascending.
    fn spans(&self, since: Timestamp, now: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let earliest = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(MAX_DAYS)));
        let since = since.max(earliest.unwrap_or(since));
        let whole = self.hours.is_none().then_some((since, now));
        let days = self.hours.iter().flat_map(move |hours| hours.spans(since, now));
        whole.into_iter().chain(days).filter(|(from, until)| from < until)
    }

    fn outside_maintenance(&self, from: Timestamp, until: Timestamp) -> SignedDuration {
        let overlaps = self
            .maintenance
            .iter()
            .map(|window| until.min(window.until).duration_since(from.max(window.from)).max(SignedDuration::ZERO));
        until.duration_since(from) - overlaps.fold(SignedDuration::ZERO, |sum, overlap| sum + overlap)
    }
}

impl BusinessHours {
    fn spans(&self, since: Timestamp, now: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let first = self.time_zone.to_datetime(since).date();
        let last = self.time_zone.to_datetime(now).date();
        let days = first.series(jiff::Span::new().days(1)).take_while(move |day| *day <= last);
        days.filter(|day| self.days.contains(&day.weekday()) && !self.holidays.contains(day)).filter_map(move |day| {
            let from = self.moment(day, self.from)?;
            let until = if self.until > self.from {
                self.moment(day, self.until)?
            } else {
                self.moment(day.tomorrow().ok()?, Time::midnight())?
            };
            Some((from.max(since), until.min(now)))
        })
    }

    /// An hour that a change of the clocks skips or repeats counts once, from its earlier reading.
    fn moment(&self, day: Date, time: Time) -> Option<Timestamp> {
        self.time_zone.to_timestamp(day.to_datetime(time)).ok()
    }
}

/// Windows that overlap count once.
fn merged(sorted: Vec<Maintenance>) -> Vec<Maintenance> {
    let mut merged: Vec<Maintenance> = Vec::with_capacity(sorted.len());
    for window in sorted {
        match merged.last_mut() {
            Some(last) if window.from <= last.until => last.until = last.until.max(window.until),
            _ => merged.push(window),
        }
    }
    merged
}

#[cfg(test)]
pub(super) mod tests;
