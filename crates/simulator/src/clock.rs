//! The machine's clock, read in this one place.

use jiff::Timestamp;

/// The time of day.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the simulator's only reading of the machine's clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
