//! How patient verdicts are.

use std::sync::Arc;

use jiff::{SignedDuration, tz::TimeZone};

use super::Calendar;

/// The bounds that verdicts apply to a feed, or to a source as a whole. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// When silence is a drop-off; `None` for never.
    pub drop_off: Option<Silence>,
}

/// Which silence is too long.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    pub(super) after: SignedDuration,
    pub(super) first_within: SignedDuration,
    pub(super) calendar: Arc<Calendar>,
    /// Where habits are learned by the hours of the week; `None` if the threshold decides.
    pub(super) hours_of: Option<TimeZone>,
}

/// Bounds of a silence that cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSilence {
    /// A threshold outside its bounds.
    #[error("{0:#} is no threshold for a drop-off: use 15 minutes to 30 days")]
    OutOfBounds(SignedDuration),
    /// More than counts in as many days as are looked back over.
    #[error("{0:#} of business hours never pass: use a shorter threshold or longer hours")]
    Unreachable(SignedDuration),
}

impl Silence {
    /// The shortest silence that can be called a drop-off.
    pub const MIN: SignedDuration = SignedDuration::from_mins(15);

    /// The longest silence that can be waited for.
    pub const MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

    /// The silence that is called a drop-off where nobody has said otherwise.
    pub const DEFAULT: SignedDuration = SignedDuration::from_hours(24);

    /// Silence of more than `after` is a drop-off; so is a feed that has brought nothing `first_within` after its first poll. Of both,
    /// only the time that counts in `calendar` is measured.
    pub fn new(
        after: SignedDuration,
        first_within: SignedDuration,
        calendar: Arc<Calendar>,
    ) -> Result<Self, InvalidSilence> {
        for bound in [after, first_within] {
            if !(Self::MIN..=Self::MAX).contains(&bound) {
                return Err(InvalidSilence::OutOfBounds(bound));
            }
            if calendar.open_in_a_year() <= bound {
                return Err(InvalidSilence::Unreachable(bound));
            }
        }
        Ok(Self { after, first_within, calendar, hours_of: None })
    }

    /// The same, learned by the hours of the week of this time zone; the threshold holds for feeds whose habits say nothing.
    #[must_use]
    pub fn adaptive(self, time_zone: TimeZone) -> Self {
        Self { hours_of: Some(time_zone), ..self }
    }
}

impl Default for Silence {
    fn default() -> Self {
        Self { after: Self::DEFAULT, first_within: Self::DEFAULT, calendar: Arc::default(), hours_of: None }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { drop_off: Some(Silence::default()) }
    }
}

impl Policy {
    /// Where and in which time a feed's habits are to be learned; `None` if they are not.
    #[must_use]
    pub fn habits(&self) -> Option<(&Calendar, &TimeZone)> {
        self.drop_off.as_ref().and_then(|silence| Some((&*silence.calendar, silence.hours_of.as_ref()?)))
    }

    /// Intervals that a poll may be late.
    pub(super) const GRACE_INTERVALS: i32 = 3;

    /// Failures in a row after which even a passing reason is worth an alert.
    pub(super) const PATIENT_FAILURES: u32 = 5;

    /// Time without an answer after which two failures are.
    pub(super) const PATIENT_TIME: SignedDuration = SignedDuration::from_mins(5);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{BusinessHours, calendar::tests::office};

    #[test]
    fn a_threshold_lies_between_a_quarter_of_an_hour_and_thirty_days() {
        let seconds = SignedDuration::from_secs;
        let new = |after, first| Silence::new(after, first, Arc::default());
        for good in [seconds(15 * 60), seconds(30 * 24 * 60 * 60)] {
            assert!(new(good, good).is_ok());
        }
        for bad in [seconds(-1), seconds(0), seconds(15 * 60 - 1), seconds(30 * 24 * 60 * 60 + 1)] {
            assert_eq!(new(bad, Silence::DEFAULT), Err(InvalidSilence::OutOfBounds(bad)));
            assert_eq!(new(Silence::DEFAULT, bad), Err(InvalidSilence::OutOfBounds(bad)));
        }
        assert_eq!(new(Silence::DEFAULT, Silence::DEFAULT), Ok(Silence::default()));
    }

    #[test]
    fn a_threshold_that_business_hours_never_reach_is_refused() {
        let calendar = |minutes: i8| {
            let until = jiff::civil::time(8, minutes, 0, 0);
            let hours = BusinessHours { days: vec![jiff::civil::Weekday::Monday], until, ..office() };
            Arc::new(Calendar::new(Some(hours), vec![]).unwrap())
        };
        // A quarter of an hour a week is thirteen hours a year.
        let day = SignedDuration::from_hours(24);
        assert_eq!(Silence::new(day, day, calendar(15)), Err(InvalidSilence::Unreachable(day)));
        let hour = SignedDuration::from_hours(1);
        assert!(Silence::new(hour, hour, calendar(15)).is_ok());
    }
}
