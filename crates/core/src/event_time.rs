//! When the events of a page happened, as far as the fetcher needs to know.
//!
//! A chain that has to be read again from a point in time needs the time of its newest event. Pages pass by the thousand, so the time is
//! looked for and not parsed out: in valid JSON the bytes `"timestamp"` with both quotes stand only where that very text is a value of its
//! own, since a quote inside a text is escaped.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use memchr::memmem::Finder;

use crate::{feed::Definition, page::ItemView, timestamp};

static KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"timestamp\""));

/// The time of the newest item that happened before `now`; `None` if no item has one that can be read.
///
/// A device whose clock is ahead sends events from the future. They do not count: they would move the point from which a chain is read
/// again past events that have not come yet.
#[must_use]
pub fn newest(items: &[ItemView<'_>], now: Timestamp) -> Option<Timestamp> {
    items.iter().filter_map(|item| of(item.raw)).filter(|time| *time <= now).max()
}

/// How far a device's clock may be ahead for its events to be recognised wherever they are looked for.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(26);

/// The latest time that any item says, of the future too, but no more than [`AHEAD`] of `now`; `None` if no item has one that can be read.
///
/// Who looks for stored events of some time must not stop before a page that has such an event.
#[must_use]
pub fn latest(items: &[ItemView<'_>], now: Timestamp) -> Option<Timestamp> {
    let most = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
    items.iter().filter_map(|item| of(item.raw)).max().map(|latest| latest.min(most))
}

/// The time of one item, if it has one that can be read.
#[must_use]
pub fn of(item: &[u8]) -> Option<Timestamp> {
    under(&KEY, item)
}

/// By which time of its events a feed is asked: when they happened, or when 1Password had them.
#[derive(Clone, Debug)]
pub struct Asked(Option<Finder<'static>>);

impl Asked {
    /// As the feed's definition says.
    #[must_use]
    pub fn by(definition: &Definition) -> Self {
        let key = definition.answer.inserted_at.as_ref().map(|key| format!("\"{key}\""));
        Self(key.map(|key| Finder::new(&key).into_owned()))
    }

    /// That time of one item. One that does not say when 1Password had it was there after it happened.
    #[must_use]
    pub fn time(&self, item: &[u8]) -> Option<Timestamp> {
        self.0.as_ref().and_then(|key| under(key, item)).or_else(|| of(item))
    }
}

/// The same for another key, which `key` finds with its quotes.
fn under(key: &Finder<'_>, item: &[u8]) -> Option<Timestamp> {
    key.find_iter(item).find_map(|at| {
        let value = item[at + key.needle().len()..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let text = value.strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', text)?;
        timestamp::parse_rfc3339(str::from_utf8(&text[..end]).ok()?)?.to_timestamp()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(items: &[&str], expect: Option<&str>) {
        let items: Vec<_> = items.iter().map(|raw| ItemView { raw: raw.as_bytes(), uuid: None }).collect();
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        assert_eq!(newest(&items, now), expect.map(|time| time.parse().unwrap()), "{items:?}");
    }

    #[test]
    fn the_newest_of_all_orders_and_spellings_counts() {
        check(&[], None);
        check(
            &[r#"{"timestamp":"2026-01-02T00:00:00Z"}"#, r#"{"timestamp":"2026-01-01T00:00:00Z"}"#],
            Some("2026-01-02T00:00:00Z"),
        );
        check(&[r#"{"uuid":"A", "timestamp" : "2026-01-02T03:00:00.5+02:00"}"#], Some("2026-01-02T01:00:00.5Z"));
    }

    #[test]
    fn the_future_and_nonsense_do_not_count() {
        check(
            &[r#"{"timestamp":"2026-06-01T00:00:01Z"}"#, r#"{"timestamp":"2026-01-01T00:00:00Z"}"#],
            Some("2026-01-01T00:00:00Z"),
        );
        for item in [
            r#"{"timestamp":null}"#,
            r#"{"timestamp":3}"#,
            r#"{"timestamp":"soon"}"#,
            r#"{"timestamp":"2026"#,
            "{}",
            "null",
        ] {
            check(&[item], None);
        }
    }

    #[test]
    fn the_latest_is_of_the_future_too_within_bounds() {
        let check = |times: &[&str], expect: Option<&str>| {
            let raw: Vec<String> = times.iter().map(|time| format!(r#"{{"timestamp":"{time}"}}"#)).collect();
            let items: Vec<_> = raw.iter().map(|raw| ItemView { raw: raw.as_bytes(), uuid: None }).collect();
            let now = "2026-06-01T00:00:00Z".parse().unwrap();
            assert_eq!(latest(&items, now), expect.map(|time| time.parse().unwrap()), "{times:?}");
        };
        check(&["2026-05-01T00:00:00Z", "soon"], Some("2026-05-01T00:00:00Z"));
        check(&["2026-06-01T20:00:00Z", "2026-05-01T00:00:00Z"], Some("2026-06-01T20:00:00Z"));
        check(&["2027-01-01T00:00:00Z"], Some("2026-06-02T02:00:00Z"));
        check(&["soon"], None);
    }

    #[test]
    fn a_text_that_looks_like_a_time_is_none() {
        check(
            &[r#"{"aux_info":"\"timestamp\":\"2026-03-01T00:00:00Z\"","timestamp":"2026-01-01T00:00:00Z"}"#],
            Some("2026-01-01T00:00:00Z"),
        );
        check(&[r#"{"name":"timestamp","timestamp":"2026-01-01T00:00:00Z"}"#], Some("2026-01-01T00:00:00Z"));
    }
}
