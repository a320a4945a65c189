//! Reads and writes instants as events carry them.
//!
//! Stricter than most readers of RFC 3339, because Panther is: upper-case `T` and `Z`, a zone always, no leap second. Fractions keep
//! nanoseconds; finer digits are cut off. Nothing here goes through floating point.

mod pattern;

use jiff::{SignedDuration, Timestamp, civil, tz::Offset};

pub use pattern::{MAX_PATTERN_BYTES, Pattern, PatternError};

/// 1970-01-01T00:00:00Z.
const EPOCH: civil::DateTime = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Digits after the decimal point that an instant keeps.
const NANO_DIGITS: usize = 9;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// The digits of each number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [DIGITS[number / 10], DIGITS[number % 10]];
        number += 1;
    }
    pairs
};

const DIGITS: &[u8; 10] = b"0123456789";

/// The unit in which an epoch timestamp counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds; the only one that may have a fraction.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// An instant as events carry it: in UTC, in the years 0 to 9999, for which RFC 3339 has a form.
///
/// [`Timestamp`] ends a day before the year 9999 does, and many programs write "never" as the last second of that year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(civil::DateTime);

impl Utc {
    /// The instant of a date and a time of day at `offset`.
    fn of(datetime: civil::DateTime, offset: Offset) -> Option<Self> {
        let utc = if offset.seconds() == 0 {
            datetime
        } else {
            datetime.checked_sub(SignedDuration::from_secs(offset.seconds().into())).ok()?
        };
        (utc.year() >= 0).then_some(Self(utc))
    }

    /// The instant that lies `duration` behind this one.
    fn checked_add(self, duration: SignedDuration) -> Option<Self> {
        Self::of(self.0.checked_add(duration).ok()?, Offset::UTC)
    }

    /// For who computes with it; `None` in the last 26 hours of 9999.
    #[must_use]
    pub fn to_timestamp(self) -> Option<Timestamp> {
        Offset::UTC.to_timestamp(self.0).ok()
    }
}

/// Reads `2023-03-15T16:32:50.123456789Z` or the same with an offset such as `+02:00`.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Utc> {
    let (head, rest) = text.as_bytes().split_first_chunk()?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] = head else {
        return None;
    };
    let year = 100 * i16::from(pair(y1, y2)?) + i16::from(pair(y3, y4)?);
    let date = civil::Date::new(year, pair(m1, m2)?, pair(d1, d2)?).ok()?;
    let (nanos, zone) = fraction(rest)?;
    let second = pair(s1, s2).filter(|second| *second < 60)?;
    let time = civil::Time::new(pair(h1, h2)?, pair(n1, n2)?, second, nanos).ok()?;
    Utc::of(date.to_datetime(time), offset(zone)?)
}

/// Reads a count of `unit` since 1970-01-01T00:00:00Z, in plain decimal digits.
#[must_use]
pub fn parse_unix(text: &str, unit: Unit) -> Option<Utc> {
    let (negative, magnitude) = text.strip_prefix('-').map_or((false, text), |magnitude| (true, magnitude));
    let (whole, part) = magnitude.split_once('.').map_or((magnitude, None), |(whole, part)| (whole, Some(part)));
    if whole.is_empty() || !whole.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (scale, part) = match unit {
        Unit::Seconds => (NANOS_PER_SECOND, part),
        Unit::Millis => (1_000_000, part.map(|_| "")),
        Unit::Micros => (1_000, part.map(|_| "")),
        Unit::Nanos => (1, part.map(|_| "")),
    };
    let part = match part {
        Some(part) => i128::from(nanos(part.as_bytes())?),
        None => 0,
    };
    let nanos = whole.parse::<i128>().ok()?.checked_mul(scale)?.checked_add(part)?;
    let nanos = if negative { -nanos } else { nanos };
    let second = i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).ok()?;
    let part = i32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).ok()?;
    Utc(EPOCH).checked_add(SignedDuration::new(second, part))
}

/// Reads what [`write_rfc3339`] writes, and no other form of RFC 3339.
#[must_use]
pub fn parse_written(text: &str) -> Option<Utc> {
    const LENGTH: usize = "2023-03-15T16:32:50.123456789Z".len();
    if text.len() == LENGTH && text.ends_with('Z') { parse_rfc3339(text) } else { None }
}

/// Appends `2023-03-15T16:32:50.123456789Z`: the form of declared timestamp fields.
pub fn write_rfc3339(out: &mut Vec<u8>, instant: Utc) {
    write(out, instant.0, b'T');
    out.push(b'Z');
}

/// Appends `2023-03-15 16:32:50.123456789`, UTC: the form of `p_` fields, as in Panther's tables.
pub fn write_panther(out: &mut Vec<u8>, timestamp: Timestamp) {
    write(out, Offset::UTC.to_datetime(timestamp), b' ');
}

/// Nanoseconds since 1970-01-01T00:00:00Z; `None` outside 1677-09-21 … 2262-04-11, which 64 bits cannot hold.
#[must_use]
pub fn unix_nano(timestamp: Timestamp) -> Option<i64> {
    i64::try_from(timestamp.as_nanosecond()).ok()
}

fn write(out: &mut Vec<u8>, datetime: civil::DateTime, separator: u8) {
    let year = u32::from(datetime.year().unsigned_abs());
    let [month, day] = [datetime.month(), datetime.day()].map(i8::unsigned_abs);
    let [hour, minute, second] = [datetime.hour(), datetime.minute(), datetime.second()].map(i8::unsigned_abs);
    let nanos = datetime.subsec_nanosecond().unsigned_abs();
    let mut text = *b"0000-00-00T00:00:00.000000000";
    text[10] = separator;
    for (at, number) in [(5, month), (8, day), (11, hour), (14, minute), (17, second)] {
        put(&mut text, at, number.into());
    }
    let pairs =
        [(0, year / 100), (2, year), (21, nanos / 1_000_000), (23, nanos / 10_000), (25, nanos / 100), (27, nanos)];
    for (at, number) in pairs {
        put(&mut text, at, number);
    }
    text[20] = PAIRS[nanos as usize / 100_000_000][1];
    out.extend_from_slice(&text);
}

/// Writes the last two digits of a number.
#[inline]
fn put(text: &mut [u8; 29], at: usize, number: u32) {
    text[at..at + 2].copy_from_slice(&PAIRS[number as usize % 100]);
}

fn small(number: u32) -> Option<i8> {
    i8::try_from(number).ok()
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number: u32, byte| number.checked_mul(10)?.checked_add(digit(*byte)?.into()))
}

#[inline]
fn pair(tens: u8, ones: u8) -> Option<i8> {
    i8::try_from(10 * digit(tens)? + digit(ones)?).ok()
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    byte.checked_sub(b'0').filter(|digit| *digit < 10)
}

/// Splits what follows the seconds into nanoseconds and the zone.
fn fraction(rest: &[u8]) -> Option<(i32, &[u8])> {
    let Some(rest) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some((nanos(&rest[..length])?, &rest[length..]))
}

/// The decimal digits of a fraction of a second in nanoseconds.
fn nanos(fraction: &[u8]) -> Option<i32> {
    let (kept, cut) = fraction.split_at(fraction.len().min(NANO_DIGITS));
    if kept.is_empty() || !cut.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let missing = [b'0'; NANO_DIGITS];
    let mut digits = kept.iter().chain(&missing[kept.len()..]);
    digits.try_fold(0, |nanos, byte| Some(10 * nanos + i32::from(digit(*byte)?)))
}

fn offset(zone: &[u8]) -> Option<Offset> {
    if zone == b"Z" {
        return Some(Offset::UTC);
    }
    let [sign @ (b'+' | b'-'), hours @ .., b':', _, _] = zone else { return None };
    let hours = digits(hours).filter(|value| hours.len() == 2 && *value < 24)?;
    let minutes = digits(&zone[4..]).filter(|value| *value < 60)?;
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    Offset::from_seconds(if *sign == b'-' { -seconds } else { seconds }).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rfc3339(instant: Utc) -> String {
        let mut out = Vec::new();
        write_rfc3339(&mut out, instant);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rfc3339_is_read_strictly_and_written_in_utc_with_nanoseconds() {
        for (text, expect) in [
            ("2023-03-15T16:32:50Z", Some("2023-03-15T16:32:50.000000000Z")),
            ("2023-03-15T16:32:50.1Z", Some("2023-03-15T16:32:50.100000000Z")),
            ("2023-03-15T16:32:50.12345678Z", Some("2023-03-15T16:32:50.123456780Z")),
            ("2023-03-15T16:32:50.123456789Z", Some("2023-03-15T16:32:50.123456789Z")),
            ("2023-03-15T16:32:50.1234567899Z", Some("2023-03-15T16:32:50.123456789Z")),
            ("2023-03-15T16:32:50+02:00", Some("2023-03-15T14:32:50.000000000Z")),
            ("2023-03-15T00:32:50-23:59", Some("2023-03-16T00:31:50.000000000Z")),
            ("2024-02-29T00:00:00Z", Some("2024-02-29T00:00:00.000000000Z")),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00.000000000Z")),
            ("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00.000000000Z")),
            ("0000-01-01T00:00:00+01:00", None),
            ("9999-12-31T23:59:59.999999999Z", Some("9999-12-31T23:59:59.999999999Z")),
            ("9999-12-31T23:59:59-00:01", None),
            ("2023-02-29T00:00:00Z", None),
            ("2023-13-15T16:32:50Z", None),
            ("2023-03-15T24:00:00Z", None),
            ("2023-03-15T16:32:60Z", None),
            ("2023-03-15T16:32:50", None),
            ("2023-03-15t16:32:50Z", None),
            ("2023-03-15T16:32:50z", None),
            ("2023-03-15 16:32:50Z", None),
            ("2023-03-15T16:32:50.Z", None),
            ("2023-03-15T16:32:50,5Z", None),
            ("2023-03-15T16:32:50+0200", None),
            ("2023-03-15T16:32:50+2:00", None),
            ("2023-03-15T16:32:50+24:00", None),
            ("2023-03-15T16:32:50+02:60", None),
            ("2023-03-15T16:32Z", None),
            ("2023-03-15", None),
            ("+023-03-15T16:32:50Z", None),
            ("2023-03-15T16:32:50Z ", None),
            ("", None),
        ] {
            assert_eq!(parse_rfc3339(text).map(rfc3339).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn epochs_are_read_exactly() {
        for (text, unit, expect) in [
            ("1678897970", Unit::Seconds, Some("2023-03-15T16:32:50.000000000Z")),
            ("1678897970.123456789", Unit::Seconds, Some("2023-03-15T16:32:50.123456789Z")),
            ("-0.5", Unit::Seconds, Some("1969-12-31T23:59:59.500000000Z")),
            ("1678897970123", Unit::Millis, Some("2023-03-15T16:32:50.123000000Z")),
            ("1678897970123456", Unit::Micros, Some("2023-03-15T16:32:50.123456000Z")),
            ("1678897970123456789", Unit::Nanos, Some("2023-03-15T16:32:50.123456789Z")),
            ("1678897970123.5", Unit::Millis, None),
            ("1678897970.", Unit::Seconds, None),
            ("-62167219200", Unit::Seconds, Some("0000-01-01T00:00:00.000000000Z")),
            ("-62167219201", Unit::Seconds, None),
            ("253402300799", Unit::Seconds, Some("9999-12-31T23:59:59.000000000Z")),
            ("253402300800", Unit::Seconds, None),
            ("1e9", Unit::Seconds, None),
            ("+5", Unit::Seconds, None),
            (" 5", Unit::Seconds, None),
            ("", Unit::Seconds, None),
            ("99999999999999999999999999999999999999999", Unit::Nanos, None),
            ("999999999999999", Unit::Seconds, None),
        ] {
            assert_eq!(parse_unix(text, unit).map(rfc3339).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn p_fields_have_the_form_of_panthers_tables() {
        let mut out = Vec::new();
        write_panther(&mut out, "2023-03-15T16:32:50.01Z".parse().unwrap());
        assert_eq!(out, b"2023-03-15 16:32:50.010000000");
    }

    #[test]
    fn what_64_bits_cannot_hold_is_said() {
        assert_eq!(unix_nano("0001-01-01T00:00:00Z".parse().unwrap()), None);
        assert_eq!(unix_nano("1970-01-01T00:00:01.000000002Z".parse().unwrap()), Some(1_000_000_002));
    }

    proptest! {
        #[test]
        fn every_instant_survives_writing_and_reading(nano in any::<i64>()) {
            let instant = parse_unix(&nano.to_string(), Unit::Nanos).unwrap();
            let text = rfc3339(instant);
            prop_assert_eq!(parse_rfc3339(&text), Some(instant));
            // An implementation that is not ours agrees.
            let timestamp = Timestamp::from_nanosecond(i128::from(nano)).unwrap();
            prop_assert_eq!(text.parse::<Timestamp>().unwrap(), timestamp);
            prop_assert_eq!(instant.to_timestamp(), Some(timestamp));
        }
    }
}
