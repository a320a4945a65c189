//! Moments as 1Password writes them: RFC 3339 with a varying number of fraction digits, in UTC or with an offset.
//!
//! Collectors have lost events by assuming three digits, or `Z`; the data set therefore uses all of them. Bulk data needs
//! one fixed width instead, so that a moment can be written over another in place.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp, tz::Offset};

use crate::random::Random;

/// Length of [`fixed`]'s answer.
pub(crate) const FIXED_LENGTH: usize = 30;

/// How a moment is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelling {
    /// Fraction digits, 0 to 9.
    pub(crate) digits: u32,
    pub(crate) offset: Offset,
}

impl Spelling {
    /// Nine digits in UTC: always [`FIXED_LENGTH`] bytes.
    pub(crate) const FIXED: Self = Self { digits: 9, offset: Offset::UTC };

    /// Mostly nine digits and `Z`, sometimes fewer digits or a local offset.
    pub(crate) fn drawn(random: &mut Random, local: Offset) -> Self {
        let digits = *random.weighted(&[(60, 9), (15, 6), (10, 8), (5, 7), (4, 3), (3, 0), (1, 1), (1, 2), (1, 5)]);
        let offset = if random.chance(40) { local } else { Offset::UTC };
        Self { digits, offset }
    }

    /// The moment cut to what this spelling can say, so that text and value agree.
    pub(crate) fn cut(self, at: Timestamp) -> Timestamp {
        let unit = 10_i32.pow(9 - self.digits);
        let excess = at.subsec_nanosecond().rem_euclid(unit);
        later(at, -i64::from(excess))
    }

    pub(crate) fn write(self, at: Timestamp) -> String {
        let civil = self.offset.to_datetime(at);
        let mut text = String::with_capacity(35);
        let written = write!(
            text,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            civil.year(),
            civil.month(),
            civil.day(),
            civil.hour(),
            civil.minute(),
            civil.second()
        );
        written.expect("writing to a String does not fail");
        if self.digits > 0 {
            let width = usize::try_from(self.digits).expect("at most nine");
            let fraction = format!("{:09}", civil.subsec_nanosecond());
            text.push('.');
            text.push_str(&fraction[..width]);
        }
        let minutes = self.offset.seconds() / 60;
        if minutes == 0 {
            text.push('Z');
        } else {
            let sign = if minutes < 0 { '-' } else { '+' };
            write!(text, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
                .expect("writing to a String does not fail");
        }
        text
    }
}

/// The moment with nine fraction digits in UTC, without allocating: bulk pages write a thousand of them.
pub(crate) fn fixed(at: Timestamp) -> [u8; FIXED_LENGTH] {
    let civil = Offset::UTC.to_datetime(at);
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    put(&mut text[0..4], i32::from(civil.year()));
    put(&mut text[5..7], i32::from(civil.month()));
    put(&mut text[8..10], i32::from(civil.day()));
    put(&mut text[11..13], i32::from(civil.hour()));
    put(&mut text[14..16], i32::from(civil.minute()));
    put(&mut text[17..19], i32::from(civil.second()));
    put(&mut text[20..29], civil.subsec_nanosecond());
    text
}

/// The moment this many nanoseconds later; the ends of time hold it.
pub(crate) fn later(at: Timestamp, nanoseconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_nanos(nanoseconds))
        .expect("a duration without calendar units always applies")
}

fn put(slot: &mut [u8], number: i32) {
    let mut left = number.unsigned_abs();
    for digit in slot.iter_mut().rev() {
        *digit = b'0' + u8::try_from(left % 10).expect("one digit");
        left /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn spellings_say_what_they_cut_to() {
        let moment = at("2026-03-04T05:06:07.123456789Z");
        let berlin = Offset::constant(1);
        let check = |digits, offset, text: &str| {
            let spelling = Spelling { digits, offset };
            let cut = spelling.cut(moment);
            assert_eq!(spelling.write(cut), text);
            assert_eq!(at(text), cut);
        };
        check(9, Offset::UTC, "2026-03-04T05:06:07.123456789Z");
        check(8, Offset::UTC, "2026-03-04T05:06:07.12345678Z");
        check(3, berlin, "2026-03-04T06:06:07.123+01:00");
        check(0, Offset::constant(-5), "2026-03-04T00:06:07-05:00");
    }

    #[test]
    fn the_fixed_spelling_agrees_with_the_general_one() {
        for text in ["2026-03-04T05:06:07.000000009Z", "1999-12-31T23:59:59.999999999Z"] {
            assert_eq!(std::str::from_utf8(&fixed(at(text))), Ok(text));
            assert_eq!(Spelling::FIXED.write(at(text)), text);
        }
    }
}
