//! What an object is called and what it holds.
//!
//! A name is made of the plan and of what all its events share, so writing a plan again writes the same names. The epoch in it
//! keeps a new life of the stream, which counts from 1 again, away from the objects of the old one.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::Plan;

const NANOS_PER_DAY: i64 = 86_400 * 1_000_000_000;

/// How objects are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Each object is one zstd frame.
    Zstd,
}

/// A compression that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no compression: none or zstd")]
pub struct UnknownCompression(pub String);

impl Compression {
    /// Its name in configuration and plans.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zstd => "zstd",
        }
    }

    /// How the names of its objects end.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => ".ndjson",
            Self::Zstd => ".ndjson.zst",
        }
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(text: &str) -> Result<Self, UnknownCompression> {
        [Self::None, Self::Zstd]
            .into_iter()
            .find(|compression| compression.as_str() == text)
            .ok_or_else(|| UnknownCompression(text.into()))
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One object to write, before compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// `<log type>/<YYYY-MM-DD of the events, UTC>/<first>-<last>.<epoch>.ndjson`, with `.zst` if compressed; the sequences have
    /// twenty digits, so names sort as the stream does.
    pub name: String,
    /// One JSON object per line, in the stream's order.
    pub content: Vec<Bytes>,
    /// Bytes of `content`.
    pub bytes: u64,
    /// Lines.
    pub events: u64,
}

/// What tells one life of a stream from the next: its creation time in seconds, as hex.
#[must_use]
pub fn epoch(created: Timestamp) -> String {
    format!("{:x}", created.as_second())
}

/// The day of an event, counted from 1970-01-01 in UTC.
pub(super) const fn day(event_time_unix_nano: i64) -> i64 {
    event_time_unix_nano.div_euclid(NANOS_PER_DAY)
}

pub(super) fn name(log_type: &str, day: i64, plan: &Plan, epoch: &str) -> String {
    let midnight = Timestamp::from_nanosecond(i128::from(day) * i128::from(NANOS_PER_DAY))
        .expect("64 bits of nanoseconds lie between the years 1677 and 2262");
    let date = TimeZone::UTC.to_datetime(midnight).date();
    let (first, last, suffix) = (plan.first, plan.last, plan.compression.suffix());
    format!("{}/{date}/{first:020}-{last:020}.{epoch}{suffix}", folder(log_type))
}

/// A log type as one folder's name. The stream is ours and log types are plain words; this keeps whatever else might stand there
/// from leaving the output's root.
fn folder(log_type: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = log_type.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if name.trim_matches('.').is_empty() { "unknown".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(log_type: &str, time: i64, compression: Compression) -> String {
        name(log_type, day(time), &Plan { first: 7, last: 1234, compression }, "692202fd")
    }

    #[test]
    fn names_carry_type_date_range_and_epoch() {
        assert_eq!(
            name_of("OnePassword.SignInAttempt", 1_700_000_000_000_000_000, Compression::None),
            "OnePassword.SignInAttempt/2023-11-14/00000000000000000007-00000000000000001234.692202fd.ndjson"
        );
        assert!(name_of("a", -1, Compression::Zstd).starts_with("a/1969-12-31/"));
        assert!(name_of("a", -1, Compression::Zstd).ends_with(".692202fd.ndjson.zst"));
        assert!(name_of("a", i64::MIN, Compression::None).starts_with("a/1677-09-21/"));
        assert!(name_of("a", i64::MAX, Compression::None).starts_with("a/2262-04-11/"));
    }

    #[test]
    fn no_log_type_leaves_the_root() {
        for (bad, folder) in [("../..", ".._.."), ("..", "unknown"), ("", "unknown"), ("/etc", "_etc"), ("a/b", "a_b")]
        {
            assert_eq!(name_of(bad, 0, Compression::None).split('/').next(), Some(folder));
        }
    }

    #[test]
    fn an_epoch_is_a_second() {
        assert_eq!(epoch(Timestamp::from_nanosecond(0x6922_02fd_i128 * 1_000_000_000 + 999).unwrap()), "692202fd");
    }
}
