//! How patient verdicts are.

use jiff::SignedDuration;

/// The bounds that verdicts apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) drop_off_after: Option<SignedDuration>,
}

/// A drop-off threshold outside its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:#} is no threshold for a drop-off: use 15 minutes to 30 days")]
pub struct InvalidThreshold(pub SignedDuration);

impl Policy {
    /// The shortest silence that can be called a drop-off.
    pub const MIN_DROP_OFF: SignedDuration = SignedDuration::from_mins(15);

    /// The longest silence that can be waited for.
    pub const MAX_DROP_OFF: SignedDuration = SignedDuration::from_hours(30 * 24);

    /// The silence that is called a drop-off where nobody has said otherwise.
    pub const DEFAULT_DROP_OFF: SignedDuration = SignedDuration::from_hours(24);

    /// The least that a poll may be late before its chain is called dead: more than clocks differ and a restart takes.
    pub(super) const MIN_GRACE: SignedDuration = SignedDuration::from_mins(2);

    /// Intervals that a poll may be late.
    pub(super) const GRACE_INTERVALS: i32 = 3;

    /// Failures in a row after which even a passing reason is worth an alert.
    pub(super) const PATIENT_FAILURES: u32 = 5;

    /// Time without an answer after which two failures are.
    pub(super) const PATIENT_TIME: SignedDuration = SignedDuration::from_mins(5);

    /// A policy that calls silence beyond `drop_off_after` a drop-off; `None` never does.
    pub fn new(drop_off_after: Option<SignedDuration>) -> Result<Self, InvalidThreshold> {
        match drop_off_after {
            Some(after) if after < Self::MIN_DROP_OFF || after > Self::MAX_DROP_OFF => Err(InvalidThreshold(after)),
            drop_off_after => Ok(Self { drop_off_after }),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { drop_off_after: Some(Self::DEFAULT_DROP_OFF) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_lies_between_a_quarter_of_an_hour_and_thirty_days() {
        let seconds = SignedDuration::from_secs;
        for good in [seconds(15 * 60), seconds(30 * 24 * 60 * 60)] {
            assert!(Policy::new(Some(good)).is_ok());
        }
        for bad in [seconds(-1), seconds(0), seconds(15 * 60 - 1), seconds(30 * 24 * 60 * 60 + 1)] {
            assert_eq!(Policy::new(Some(bad)), Err(InvalidThreshold(bad)));
        }
        assert_eq!(Policy::new(Some(Policy::DEFAULT_DROP_OFF)), Ok(Policy::default()));
    }
}
