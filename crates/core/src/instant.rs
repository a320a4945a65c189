//! Instants on the wire: nanoseconds since 1970-01-01T00:00:00Z as a signed 64-bit number, 0 for "never".
//!
//! The range is the years 1678 to 2262; what lies outside is pressed to its ends.

use jiff::Timestamp;

/// The wire's form of an instant.
#[must_use]
pub fn to_unix_nano(instant: Timestamp) -> i64 {
    i64::try_from(instant.as_nanosecond()).unwrap_or(if instant < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}

/// The wire's form of an instant that may be absent.
#[must_use]
pub fn optional_to_unix_nano(instant: Option<Timestamp>) -> i64 {
    instant.map_or(0, to_unix_nano)
}

/// The instant of the wire's form.
#[must_use]
pub fn from_unix_nano(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).expect("64 bits of nanoseconds lie inside the range of Timestamp")
}

/// The instant of the wire's form, `None` for 0.
#[must_use]
pub fn optional_from_unix_nano(nanoseconds: i64) -> Option<Timestamp> {
    (nanoseconds != 0).then(|| from_unix_nano(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_survive_the_wire() {
        for nanoseconds in [i64::MIN, -1, 1, 1_700_000_000_123_456_789, i64::MAX] {
            assert_eq!(to_unix_nano(from_unix_nano(nanoseconds)), nanoseconds);
        }
        assert_eq!(to_unix_nano(Timestamp::MAX), i64::MAX);
        assert_eq!(optional_from_unix_nano(0), None);
    }
}
