//! How old a table's data may be.

use std::time::Duration;

/// What a table's age says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// As young as it should be, or nobody said how young that is.
    Fresh,
    /// Older than its period; not yet a cause for alarm.
    Late,
    /// So old that somebody should know.
    Stale {
        /// By how much it is too old.
        by: Duration,
    },
}

/// Judges the age of a table's data. `refresh` is [`super::Definition::refresh`]: how often new data are expected, and at which age
/// they are a cause for alarm, if ever.
#[must_use]
pub fn staleness(age: Duration, refresh: Option<(Duration, Option<Duration>)>) -> Staleness {
    match refresh {
        Some((_, Some(alarm))) if age > alarm => Staleness::Stale { by: age.saturating_sub(alarm) },
        Some((period, _)) if age > period => Staleness::Late,
        _ => Staleness::Fresh,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_its_verdict() {
        let hours = |hours: u64| Duration::from_hours(hours);
        for (age, refresh, expect) in [
            (hours(1_000), None, Staleness::Fresh),
            (hours(1), Some((hours(1), Some(hours(3)))), Staleness::Fresh),
            (hours(2), Some((hours(1), Some(hours(3)))), Staleness::Late),
            (hours(3), Some((hours(1), Some(hours(3)))), Staleness::Late),
            (hours(5), Some((hours(1), Some(hours(3)))), Staleness::Stale { by: hours(2) }),
            (hours(5), Some((hours(1), None)), Staleness::Late),
        ] {
            assert_eq!(staleness(age, refresh), expect, "{age:?} {refresh:?}");
        }
    }
}
