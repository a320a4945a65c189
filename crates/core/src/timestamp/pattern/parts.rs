//! What a text says about an instant, part by part, and the instant that follows.

use jiff::{SignedDuration, civil, tz::Offset};

use super::{
    super::{Utc, digits, nanos, parse_unix, small},
    Fraction, Piece, Unit, Width,
};

/// Zones that a text may name: Greenwich, and those of RFC 5322, section 4.3. Other names stand for several zones each, and a
/// guess would move the event by hours.
const ZONES: [(&str, i8); 12] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("Z", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// How much of a name stands for it.
const ABBREVIATION: usize = 3;

/// The first year of the century that a year of two digits belongs to (POSIX: 69 is 1969, 68 is 2068).
const PIVOT: u32 = 69;

/// What has been read so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    epoch: Option<Utc>,
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: Option<u32>,
    hour_of_half: Option<u32>,
    afternoon: bool,
    minute: u32,
    second: u32,
    nanos: i32,
    offset: Option<Offset>,
    zone: Option<Offset>,
}

impl Parts {
    /// Reads `piece` at the beginning of `text`; what follows it.
    pub(super) fn take<'t>(&mut self, piece: &Piece, text: &'t str) -> Option<&'t str> {
        match piece {
            Piece::Text(literal) => text.strip_prefix(literal.as_str()),
            Piece::Number(unit, width) => {
                let (number, rest) = number(text, *width)?;
                self.set(*unit, number);
                Some(rest)
            }
            Piece::Epoch => {
                let sign = usize::from(text.starts_with('-'));
                let (count, rest) = text.split_at(sign + leading_digits(&text[sign..]));
                self.epoch = Some(parse_unix(count, super::super::Unit::Seconds)?);
                Some(rest)
            }
            Piece::Fraction(kind) => self.fraction(*kind, text),
            Piece::MonthName => {
                let (index, rest) = name(text, &MONTHS)?;
                self.month = Some(index + 1);
                Some(rest)
            }
            Piece::DayName => name(text, &DAYS).map(|(_, rest)| rest),
            Piece::Half => {
                let half = text.get(..2)?;
                self.afternoon = half.eq_ignore_ascii_case("PM");
                (self.afternoon || half.eq_ignore_ascii_case("AM")).then(|| &text[2..])
            }
            Piece::Offset => {
                let (offset, rest) = offset(text)?;
                self.offset = Some(offset);
                Some(rest)
            }
            Piece::Zone => {
                let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
                let (word, rest) = text.split_at(letters);
                let (_, hours) = ZONES.iter().find(|(name, _)| *name == word)?;
                self.zone = Some(Offset::constant(*hours));
                Some(rest)
            }
        }
    }

    /// The instant, unless there is none such, like 30 February.
    pub(super) fn instant(self) -> Option<Utc> {
        let Some(year) = self.year else {
            return self.epoch?.checked_add(SignedDuration::from_nanos(self.nanos.into()));
        };
        let year = i16::try_from(year).ok()?;
        let date = match self.day_of_year {
            Some(day) => {
                civil::Date::new(year, 1, 1).ok()?.with().day_of_year(i16::try_from(day).ok()?).build().ok()?
            }
            None => civil::Date::new(year, small(self.month.unwrap_or(1))?, small(self.day.unwrap_or(1))?).ok()?,
        };
        let hour = match (self.hour, self.hour_of_half) {
            (Some(hour), _) => hour,
            (None, Some(hour @ 1..=12)) => hour % 12 + if self.afternoon { 12 } else { 0 },
            (None, Some(_)) => return None,
            (None, None) => 0,
        };
        let time = civil::Time::new(small(hour)?, small(self.minute)?, small(self.second)?, self.nanos).ok()?;
        Utc::of(date.to_datetime(time), self.offset.or(self.zone).unwrap_or(Offset::UTC))
    }

    fn set(&mut self, unit: Unit, number: u32) {
        match unit {
            Unit::Year => self.year = Some(number),
            Unit::YearOfCentury => self.year = Some(if number < PIVOT { 2000 + number } else { 1900 + number }),
            Unit::Month => self.month = Some(number),
            Unit::Day => self.day = Some(number),
            Unit::DayOfYear => self.day_of_year = Some(number),
            Unit::Hour => self.hour = Some(number),
            Unit::HourOfHalf => self.hour_of_half = Some(number),
            Unit::Minute => self.minute = number,
            Unit::Second => self.second = number,
        }
    }

    fn fraction<'t>(&mut self, kind: Fraction, text: &'t str) -> Option<&'t str> {
        let (text, count) = match kind {
            Fraction::Any => (text, leading_digits(text)),
            Fraction::Exactly(count) => (text, leading_digits(text).min(count)),
            Fraction::Optional => match text.strip_prefix(['.', ',']) {
                Some(after) if leading_digits(after) > 0 => (after, leading_digits(after)),
                _ => return Some(text),
            },
        };
        if matches!(kind, Fraction::Exactly(wanted) if wanted != count) {
            return None;
        }
        self.nanos = nanos(&text.as_bytes()[..count])?;
        Some(&text[count..])
    }
}

fn number(text: &str, width: Width) -> Option<(u32, &str)> {
    let (skip, least, most) = match width {
        Width::Exactly(count) => (0, count, count),
        Width::UpTo(count) => (0, 1, count),
        Width::Padded(count) => {
            let spaces = text.bytes().take(count - 1).take_while(|byte| *byte == b' ').count();
            (spaces, 1, count - spaces)
        }
    };
    let count = leading_digits(&text[skip..]).min(most);
    if count < least {
        return None;
    }
    let (number, rest) = text[skip..].split_at(count);
    Some((digits(number.as_bytes())?, rest))
}

/// Where the name at the beginning stands in the list, upper and lower case alike.
fn name<'t>(text: &'t str, names: &[&str]) -> Option<(u32, &'t str)> {
    let begins = |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let (index, name) = (0..).zip(names).find(|(_, name)| begins(&name[..ABBREVIATION]))?;
    let length = if begins(name) { name.len() } else { ABBREVIATION };
    Some((index, &text[length..]))
}

fn offset(text: &str) -> Option<(Offset, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((Offset::UTC, rest));
    }
    let negative = text.starts_with('-');
    let rest = text.strip_prefix(['+', '-'])?;
    let (hours, rest) = number(rest, Width::Exactly(2))?;
    let with_colon = rest.strip_prefix(':').and_then(|rest| number(rest, Width::Exactly(2)));
    let (minutes, rest) = with_colon.or_else(|| number(rest, Width::Exactly(2))).unwrap_or((0, rest));
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    Some((Offset::from_seconds(if negative { -seconds } else { seconds }).ok()?, rest))
}

fn leading_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}
