//! What is told of a chain's drift to whoever watches: little enough for a message a minute, and nothing that could mean a person.
//!
//! Keys of an object that is used as a map may be addresses or names, so a part of a path shows only if it looks like a field's name.

use std::collections::{BTreeMap, btree_map::Entry};

use jiff::Timestamp;
use latchkey_contracts::{
    Chain,
    drift::{Change, Drift as Message, change::Kind},
};

use super::{Drift, Seen, is_word};
use crate::instant;

/// The most changes that a report names.
pub const MAX_REPORTED_CHANGES: usize = 32;

/// The longest path that is shown, in bytes.
const MAX_PATH_BYTES: usize = 200;

/// The drift of one chain since the report before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    first: Timestamp,
    last: Timestamp,
    /// By kind and path: how often, and the first value's type and length.
    changes: BTreeMap<(i32, String), (u64, String)>,
    others: u64,
}

impl Report {
    /// One that begins with the drift of a page normalized at `at`.
    #[must_use]
    pub fn new(drift: &Drift, at: Timestamp) -> Self {
        let mut report = Self { first: at, last: at, changes: BTreeMap::new(), others: 0 };
        report.add(drift, at);
        report
    }

    /// Takes in the drift of a page normalized at `at`.
    pub fn add(&mut self, drift: &Drift, at: Timestamp) {
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.others += drift.others;
        for (path, seen) in &drift.paths {
            self.note(Kind::Field, path, seen);
        }
        for ((path, _), seen) in &drift.values {
            self.note(Kind::Value, path, seen);
        }
        for (path, seen) in &drift.types {
            self.note(Kind::Type, path, seen);
        }
    }

    fn note(&mut self, kind: Kind, path: &str, seen: &Seen) {
        let full = self.changes.len() >= MAX_REPORTED_CHANGES;
        match self.changes.entry((kind.into(), shown(path))) {
            Entry::Occupied(mut entry) => entry.get_mut().0 += seen.count,
            Entry::Vacant(_) if full => self.others += seen.count,
            Entry::Vacant(entry) => _ = entry.insert((seen.count, seen.sample.clone())),
        }
    }

    /// The message about `chain`.
    #[must_use]
    pub fn message(self, chain: &Chain) -> Message {
        let change = |((kind, path), (count, sample))| Change { kind, path, sample, count };
        Message {
            source: chain.source.to_string(),
            feed: chain.feed.to_string(),
            log_type: chain.feed.log_type().to_string(),
            first_unix_nano: instant::to_unix_nano(self.first),
            last_unix_nano: instant::to_unix_nano(self.last),
            changes: self.changes.into_iter().map(change).collect(),
            others: self.others,
        }
    }
}

/// The path without what may be somebody's data: of a key only what looks like the name of a field.
#[must_use]
pub fn shown(path: &str) -> String {
    let (mut shown, mut rest) = (String::new(), path);
    while !rest.is_empty() {
        let (step, behind) = rest.split_at(first_step(rest));
        shown += match step.strip_prefix('.') {
            Some(name) if is_word(name.trim_start_matches('_')) => step,
            None if matches!(step, "$" | "[*]") => step,
            // The number of an element.
            None if step.starts_with('[') && !step.starts_with("['") => "",
            _ => ".*",
        };
        rest = behind;
    }
    shown.truncate(shown.floor_char_boundary(MAX_PATH_BYTES));
    shown
}

/// Where the first step of a path ends: `.name`, `['any name']`, `[*]` or `[7]`.
fn first_step(path: &str) -> usize {
    let Some(quoted) = path.strip_prefix("['") else {
        let inside = path.char_indices().skip(1);
        let next = match path.strip_prefix('[') {
            Some(_) => inside.map(|(at, char)| (at + 1, char == ']')).find(|(_, ends)| *ends),
            None => inside.map(|(at, char)| (at, matches!(char, '.' | '['))).find(|(_, ends)| *ends),
        };
        return next.map_or(path.len(), |(at, _)| at);
    };
    // Quotes inside are escaped, and so are backslashes. Behind the bracket a name that was cut has a mark.
    let mut escaped = false;
    let end = quoted.find(|char| {
        let ends = char == '\'' && !escaped;
        escaped = char == '\\' && !escaped;
        ends
    });
    let Some(end) = end else { return path.len() };
    let behind = quoted[end..].strip_prefix("']").unwrap_or_default();
    path.len() - behind.strip_prefix('…').unwrap_or(behind).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(count: u64) -> Seen {
        Seen { count, sample: "string of 3 bytes".into(), ..Seen::default() }
    }

    fn fields(paths: impl IntoIterator<Item = String>) -> Drift {
        Drift { paths: paths.into_iter().map(|path| (path, seen(2))).collect(), ..Drift::default() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn pages_come_together_in_one_report() {
        let mut drift = fields(["$.zone".into()]);
        drift.values.insert(("$.action".into(), Some("burn".into())), seen(1));
        drift.values.insert(("$.action".into(), None), seen(1));
        drift.types.insert("$.count".into(), seen(1));
        let mut report = Report::new(&drift, at(20));
        report.add(&fields(["$.zone".into()]), at(10));
        let chain = Chain { source: "acme".parse().unwrap(), feed: latchkey_contracts::Feed::ItemUsages };
        let message = report.message(&chain);
        assert_eq!((message.first_unix_nano, message.last_unix_nano), (10_000_000_000, 20_000_000_000));
        assert_eq!(message.log_type, "OnePassword.ItemUsage");
        let told: Vec<_> =
            message.changes.iter().map(|change| (change.kind(), change.path.as_str(), change.count)).collect();
        assert_eq!(told, [(Kind::Field, "$.zone", 4), (Kind::Value, "$.action", 2), (Kind::Type, "$.count", 1)]);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let paths = (0..MAX_REPORTED_CHANGES + 3).map(|index| format!("$.map.k{index}"));
        let report = Report::new(&fields(paths), at(0));
        assert_eq!((report.changes.len(), report.others), (MAX_REPORTED_CHANGES, 6));
    }

    #[test]
    fn a_path_shows_names_of_fields_only() {
        for (path, expect) in [
            ("$", "$"),
            ("$.location.timezone", "$.location.timezone"),
            ("$.tags[*].color", "$.tags[*].color"),
            ("$.ada@example.com", "$.*.com"),
            ("$.by_user.192.0.2.1.count", "$.by_user.*.*.*.*.count"),
            ("$.vaults.A7K2M9Q4X1B6C3.name", "$.vaults.*.name"),
            ("$['ada@example.com'].last_seen", "$.*.last_seen"),
            (r"$['ada.lovelace\'].smith@example.com'][*].x", "$.*[*].x"),
            (r"$['a\\'].b", "$.*.b"),
            ("$['ada.lovelace of a very long name']….b", "$.*.b"),
            ("$['never closed", "$.*"),
            ("$.Zoë._id", "$.*._id"),
            ("$.a[3]", "$.a"),
        ] {
            assert_eq!(shown(path), expect);
        }
        assert_eq!(shown(&format!("$.{}", "ab.".repeat(400))).len(), MAX_PATH_BYTES);
    }
}
