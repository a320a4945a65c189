//! What the values of one field were, as a set that only grows.
//!
//! And what all texts of it had in common, as a set that only shrinks.

use std::sync::LazyLock;

use crate::timestamp::{self, Pattern, Unit, Utc};

/// A set of kinds of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen(u32);

/// What every text so far has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits(u16);

/// Whether a text has a trait.
type Test = fn(&str) -> bool;

/// Up to here a whole number is proposed as `int`: 31 bits with a factor of 2,000 to spare, since samples are not the largest
/// values that will ever come.
const ROOMY_INT: i64 = 1 << 20;

/// 2000-01-01 and 2100-01-01 in seconds since 1970. A number outside is no plausible instant. The four units' ranges do not touch, so
/// a number has at most one unit.
const PLAUSIBLE_SECONDS: std::ops::Range<i64> = 946_684_800..4_102_444_800;

impl Seen {
    pub(super) const BOOLEAN: Self = Self(1);
    pub(super) const TEXT: Self = Self(1 << 1);
    /// A whole number that fits `int` with room to spare.
    pub(super) const INT: Self = Self(1 << 2);
    /// A whole number of 64 bits.
    pub(super) const BIGINT: Self = Self(1 << 3);
    /// A whole number beyond 64 bits.
    pub(super) const BEYOND: Self = Self(1 << 4);
    /// A number with a fraction or an exponent.
    pub(super) const FRACTION: Self = Self(1 << 5);
    /// A number beyond what a double holds.
    pub(super) const UNBOUNDED: Self = Self(1 << 6);
    pub(super) const OBJECT: Self = Self(1 << 7);
    pub(super) const ARRAY: Self = Self(1 << 8);
    pub(super) const RFC3339: Self = Self(1 << 9);
    pub(super) const UNIX: Self = Self(1 << 10);
    pub(super) const UNIX_MS: Self = Self(1 << 11);
    pub(super) const UNIX_US: Self = Self(1 << 12);
    pub(super) const UNIX_NS: Self = Self(1 << 13);
    /// A text or number, not empty, that is no instant.
    pub(super) const NO_INSTANT: Self = Self(1 << 14);
    /// An instant that an event's time cannot be.
    pub(super) const FAR: Self = Self(1 << 15);
    /// A text, not empty, that holds no JSON object.
    pub(super) const NO_EMBEDDED: Self = Self(1 << 16);

    pub(super) const NUMBER: Self =
        Self(Self::INT.0 | Self::BIGINT.0 | Self::BEYOND.0 | Self::FRACTION.0 | Self::UNBOUNDED.0);
    /// The kinds of which a field has one or is mixed.
    const KINDS: Self = Self(Self::BOOLEAN.0 | Self::TEXT.0 | Self::NUMBER.0 | Self::OBJECT.0 | Self::ARRAY.0);

    /// An epoch of any unit.
    pub(super) const EPOCH: Self = Self(Self::UNIX.0 | Self::UNIX_MS.0 | Self::UNIX_US.0 | Self::UNIX_NS.0);

    /// In the order in which they are tried, here and by who reads the schema: a value has the first that reads it.
    pub(super) const FORMATS: [(Self, &'static str); 13] = [
        (Self::RFC3339, "rfc3339"),
        (Self::UNIX, "unix"),
        (Self::UNIX_MS, "unix_ms"),
        (Self::UNIX_US, "unix_us"),
        (Self::UNIX_NS, "unix_ns"),
        (Self(1 << 17), "%Y-%m-%d %H:%M:%S"),
        (Self(1 << 18), "%Y-%m-%d %H:%M:%S.%f"),
        (Self(1 << 19), "%Y-%m-%dT%H:%M:%S"),
        (Self(1 << 20), "%Y-%m-%dT%H:%M:%S.%f"),
        (Self(1 << 21), "%Y-%m-%dT%H:%M:%S%z"),
        (Self(1 << 22), "%Y-%m-%dT%H:%M:%S.%f%z"),
        (Self(1 << 23), "%Y-%m-%d %H:%M:%S %z"),
        (Self(1 << 24), "%d/%b/%Y:%H:%M:%S %z"),
    ];

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether anything of `other` was seen.
    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether values were seen, and all of them are of `kind`.
    pub(super) fn is_only(self, kind: Self) -> bool {
        self.has(kind) && !self.has(Self(Self::KINDS.0 & !kind.0))
    }

    pub(super) fn number(&mut self, literal: &str) {
        self.add(match literal.parse::<i64>() {
            Ok(number) if number.checked_abs().is_some_and(|size| size <= ROOMY_INT) => Self::INT,
            Ok(_) => Self::BIGINT,
            Err(_) if literal.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => Self::BEYOND,
            Err(_) => Self::FRACTION,
        });
        if !literal.parse::<f64>().is_ok_and(f64::is_finite) {
            self.add(Self::UNBOUNDED);
        }
        self.instant(literal, false);
    }

    /// `text` is not empty.
    pub(super) fn text(&mut self, text: &str) {
        self.add(Self::TEXT);
        self.instant(text, true);
    }

    fn instant(&mut self, text: &str, quoted: bool) {
        let rfc3339 = if quoted { timestamp::parse_rfc3339(text) } else { None };
        let found = rfc3339.map(|instant| (Self::RFC3339, instant)).or_else(|| epoch(text));
        let found = found.or_else(|| if quoted { by_pattern(text) } else { None });
        self.add(found.map_or(Self::NO_INSTANT, |(format, _)| format));
        let near = |instant: Utc| instant.to_timestamp().and_then(timestamp::unix_nano);
        if found.is_some_and(|(_, instant)| near(instant).is_none()) {
            self.add(Self::FAR);
        }
    }
}

/// The one unit in which `text` is an instant of our time.
fn epoch(text: &str) -> Option<(Seen, Utc)> {
    let units = [
        (Seen::UNIX, Unit::Seconds),
        (Seen::UNIX_MS, Unit::Millis),
        (Seen::UNIX_US, Unit::Micros),
        (Seen::UNIX_NS, Unit::Nanos),
    ];
    units.into_iter().find_map(|(format, unit)| {
        let instant = timestamp::parse_unix(text, unit)?;
        PLAUSIBLE_SECONDS.contains(&instant.to_timestamp()?.as_second()).then_some((format, instant))
    })
}

/// The patterns of [`Seen::FORMATS`].
static PATTERNS: LazyLock<Vec<(Seen, Pattern)>> = LazyLock::new(|| {
    let patterns = Seen::FORMATS.iter().filter(|(_, name)| name.starts_with('%'));
    patterns.map(|(seen, name)| (*seen, Pattern::from_strftime(name).expect("a fixed pattern"))).collect()
});

/// Lengths of texts of these patterns: others need not be tried.
const PATTERN_LENGTHS: std::ops::RangeInclusive<usize> = 19..=40;

fn by_pattern(text: &str) -> Option<(Seen, Utc)> {
    if !PATTERN_LENGTHS.contains(&text.len()) || !text.starts_with(|unit: char| unit.is_ascii_digit()) {
        return None;
    }
    PATTERNS.iter().find_map(|(format, pattern)| Some((*format, pattern.read(text)?)))
}

impl Traits {
    pub(super) const IP: Self = Self(1);
    pub(super) const EMAIL: Self = Self(1 << 1);
    pub(super) const URL: Self = Self(1 << 2);
    pub(super) const MD5: Self = Self(1 << 3);
    pub(super) const SHA1: Self = Self(1 << 4);
    pub(super) const SHA256: Self = Self(1 << 5);
    pub(super) const ARN: Self = Self(1 << 6);
    pub(super) const MAC: Self = Self(1 << 7);
    pub(super) const TWELVE_DIGITS: Self = Self(1 << 8);

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// `text` is not empty.
    pub(super) fn narrow(&mut self, text: &str) {
        let text = text.trim();
        let tests: [(Self, Test); 9] = [
            (Self::IP, |text| text.parse::<std::net::IpAddr>().is_ok()),
            (Self::EMAIL, is_email),
            (Self::URL, is_url),
            (Self::MD5, |text| is_hex(text, 32)),
            (Self::SHA1, |text| is_hex(text, 40)),
            (Self::SHA256, |text| is_hex(text, 64)),
            (Self::ARN, |text| text.starts_with("arn:") && text.split(':').count() >= 6),
            (Self::MAC, is_mac),
            (Self::TWELVE_DIGITS, |text| text.len() == 12 && text.bytes().all(|digit| digit.is_ascii_digit())),
        ];
        for (trait_, test) in tests {
            if self.has(trait_) && !test(text) {
                self.0 &= !trait_.0;
            }
        }
    }
}

impl Default for Traits {
    fn default() -> Self {
        Self(u16::MAX)
    }
}

/// One `@` with something before it and a domain with a dot behind it.
fn is_email(text: &str) -> bool {
    let spaced = text.contains(|unit: char| unit.is_whitespace() || unit.is_control());
    text.split_once('@').is_some_and(|(local, domain)| {
        let dotted = domain.split_once('.').is_some_and(|(name, rest)| !name.is_empty() && !rest.is_empty());
        !spaced && !local.is_empty() && dotted && !domain.contains(['@', '/'])
    })
}

/// `scheme://host`
fn is_url(text: &str) -> bool {
    let scheme = |scheme: &str| {
        scheme.starts_with(|unit: char| unit.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    text.split_once("://").is_some_and(|(before, after)| scheme(before) && !after.is_empty())
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Six pairs of hex digits between colons or hyphens.
fn is_mac(text: &str) -> bool {
    let pairs = |separator: char| text.split(separator).filter(|pair| is_hex(pair, 2)).count() == 6;
    text.len() == 17 && (pairs(':') || pairs('-'))
}
