//! What is told of a chain's drift to whoever watches: little enough for a message a minute, and nothing that could mean a person.
//!
//! Several normalizers meet a chain's drift, and whoever watches should not have to remember what each of them said. So a report is joined
//! with the one that is there, and the newest is all that is known.
//!
//! Keys of an object that is used as a map may be addresses or names, so a part of a path shows only if it looks like a field's name.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};
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

/// What was not met for as long is over: met again, it begins anew, and until then it gives up its room first.
const OVER_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// The drift of one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    span: Span,
    /// By kind, what matters most first, and path.
    changes: BTreeMap<(Reverse<i32>, String), Met>,
    others: u64,
}

/// When something was first and last met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: Timestamp,
    last: Timestamp,
}

/// How one change was met.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Met {
    span: Span,
    count: u64,
    /// The first value's type and length.
    sample: String,
}

impl Span {
    const fn at(at: Timestamp) -> Self {
        Self { first: at, last: at }
    }

    fn of_wire(first: i64, last: i64) -> Self {
        Self { first: instant::from_unix_nano(first), last: instant::from_unix_nano(last) }
    }

    /// Both, in whatever order they come; the later one alone if the earlier was over by then.
    fn join(&mut self, other: Self) {
        let (earlier, later) = if self.last <= other.last { (*self, other) } else { (other, *self) };
        let over = later.first.duration_since(earlier.last) >= OVER_AFTER;
        self.first = if over { later.first } else { earlier.first.min(later.first) };
        self.last = later.last;
    }
}

impl Met {
    fn join(&mut self, other: Self) {
        self.span.join(other.span);
        self.count = self.count.saturating_add(other.count);
        if self.sample.is_empty() {
            self.sample = other.sample;
        }
    }
}

impl Report {
    /// One that begins with the drift of a page normalized at `at`.
    #[must_use]
    pub fn new(drift: &Drift, at: Timestamp) -> Self {
        let mut report = Self { span: Span::at(at), changes: BTreeMap::new(), others: 0 };
        report.add(drift, at);
        report
    }

    /// The one that a message carries; `None` for one that says nothing, such as the mark of a value that was deleted.
    #[must_use]
    pub fn read(message: &Message) -> Option<Self> {
        let of_all = (message.first_unix_nano, message.last_unix_nano);
        let read = |change: &Change| {
            // Writers that knew no times of changes meant those of all.
            let (first, last) = match (change.first_unix_nano, change.last_unix_nano) {
                (0, 0) => of_all,
                own => own,
            };
            let met = Met { span: Span::of_wire(first, last), count: change.count, sample: change.sample.clone() };
            ((Reverse(change.kind), change.path.clone()), met)
        };
        (message.last_unix_nano != 0).then(|| Self {
            span: Span::of_wire(of_all.0, of_all.1),
            changes: message.changes.iter().map(read).collect(),
            others: message.others,
        })
    }

    /// Takes in the drift of a page normalized at `at`.
    pub fn add(&mut self, drift: &Drift, at: Timestamp) {
        self.span.join(Span::at(at));
        self.others = self.others.saturating_add(drift.others);
        let fields = drift.paths.iter().map(|(path, seen)| (Kind::Field, path, seen));
        let values = drift.values.iter().map(|((path, _), seen)| (Kind::Value, path, seen));
        let types = drift.types.iter().map(|(path, seen)| (Kind::Type, path, seen));
        for (kind, path, Seen { count, sample, .. }) in fields.chain(values).chain(types) {
            let met = Met { span: Span::at(at), count: *count, sample: sample.clone() };
            self.note((Reverse(kind.into()), shown(path)), met);
        }
        self.fit();
    }

    /// Takes in another report of the same chain.
    pub fn join(&mut self, other: Self) {
        self.span.join(other.span);
        self.others = self.others.saturating_add(other.others);
        for (change, met) in other.changes {
            self.note(change, met);
        }
        self.fit();
    }

    fn note(&mut self, change: (Reverse<i32>, String), met: Met) {
        match self.changes.get_mut(&change) {
            Some(known) => known.join(met),
            None => _ = self.changes.insert(change, met),
        }
    }

    /// Leaves what there is room for. What goes is only counted: first what is over, then what matters least, then what came last; so what
    /// is named does not change with each report.
    fn fit(&mut self) {
        if self.changes.len() <= MAX_REPORTED_CHANGES {
            return;
        }
        let newest = self.span.last;
        let mut ranked: Vec<_> = std::mem::take(&mut self.changes).into_iter().collect();
        ranked.sort_by_key(|((kind, _), met)| {
            (newest.duration_since(met.span.last) >= OVER_AFTER, *kind, met.span.first)
        });
        for (_, met) in ranked.drain(MAX_REPORTED_CHANGES..) {
            self.others = self.others.saturating_add(met.count);
        }
        self.changes = ranked.into_iter().collect();
    }

    /// The message about `chain`.
    #[must_use]
    pub fn message(self, chain: &Chain) -> Message {
        let change = |((Reverse(kind), path), met): ((Reverse<i32>, String), Met)| Change {
            kind,
            path,
            sample: met.sample,
            count: met.count,
            first_unix_nano: instant::to_unix_nano(met.span.first),
            last_unix_nano: instant::to_unix_nano(met.span.last),
        };
        Message {
            source: chain.source.to_string(),
            feed: chain.feed.to_string(),
            log_type: chain.feed.log_type().to_string(),
            first_unix_nano: instant::to_unix_nano(self.span.first),
            last_unix_nano: instant::to_unix_nano(self.span.last),
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

    fn chain() -> Chain {
        Chain { source: "acme".parse().unwrap(), feed: latchkey_contracts::Feed::ItemUsages }
    }

    /// The message's changes, and when each was first and last met.
    fn told(report: &Report) -> Vec<(Kind, String, u64, i64, i64)> {
        let second = |nano: i64| nano / 1_000_000_000;
        let change = |change: Change| {
            let (first, last) = (second(change.first_unix_nano), second(change.last_unix_nano));
            (change.kind(), change.path, change.count, first, last)
        };
        report.clone().message(&chain()).changes.into_iter().map(change).collect()
    }

    #[test]
    fn pages_come_together_in_one_report() {
        let mut drift = fields(["$.zone".into()]);
        drift.values.insert(("$.action".into(), Some("burn".into())), seen(1));
        drift.values.insert(("$.action".into(), None), seen(1));
        drift.types.insert("$.count".into(), seen(1));
        let mut report = Report::new(&drift, at(20));
        report.add(&fields(["$.zone".into()]), at(10));
        let message = report.clone().message(&chain());
        assert_eq!((message.first_unix_nano, message.last_unix_nano), (10_000_000_000, 20_000_000_000));
        assert_eq!(message.log_type, "OnePassword.ItemUsage");
        let expect = [
            (Kind::Type, "$.count".into(), 1, 20, 20),
            (Kind::Value, "$.action".into(), 2, 20, 20),
            (Kind::Field, "$.zone".into(), 4, 10, 20),
        ];
        assert_eq!(told(&report), expect);
    }

    #[test]
    fn reports_of_several_normalizers_are_one_whatever_their_order() {
        let (mut one, mut other) =
            (Report::new(&fields(["$.a".into(), "$.b".into()]), at(5)), Report::new(&fields(["$.b".into()]), at(65)));
        one.join(Report::new(&fields(["$.c".into()]), at(40)));
        let (read, earlier) = (|report: Report| Report::read(&report.message(&chain())).unwrap(), one.clone());
        let mut joined = read(one);
        joined.join(other.clone());
        other.join(earlier);
        assert_eq!(read(other), joined);
        let expect = [
            (Kind::Field, "$.a".into(), 2, 5, 5),
            (Kind::Field, "$.b".into(), 4, 5, 65),
            (Kind::Field, "$.c".into(), 2, 40, 40),
        ];
        assert_eq!(told(&joined), expect);
        // What is met again after it was over begins anew.
        joined.join(Report::new(&fields(["$.b".into()]), at(65 + 3_600)));
        assert_eq!(joined.span, Span::at(at(3_665)));
        assert_eq!(told(&joined)[1], (Kind::Field, "$.b".into(), 6, 3_665, 3_665));
    }

    #[test]
    fn what_says_nothing_is_no_report() {
        assert_eq!(Report::read(&Message::default()), None);
        // As an older writer says it.
        let change = Change { kind: Kind::Field.into(), path: "$.a".into(), count: 3, ..Change::default() };
        let (first_unix_nano, last_unix_nano) = (1_000_000_000, 2_000_000_000);
        let message = Message { first_unix_nano, last_unix_nano, changes: vec![change], ..Message::default() };
        assert_eq!(told(&Report::read(&message).unwrap()), [(Kind::Field, "$.a".into(), 3, 1, 2)]);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let keys = |count| (0..count).map(|index| format!("$.map.k{index:02}"));
        let mut report = Report::new(&fields(keys(MAX_REPORTED_CHANGES + 3)), at(0));
        assert_eq!((report.changes.len(), report.others), (MAX_REPORTED_CHANGES, 6));
        // What matters more takes the place of what matters less, and what came first keeps it.
        let mut more = fields(["$.new".into()]);
        more.types.insert("$.count".into(), seen(1));
        report.add(&more, at(60));
        let paths: Vec<_> = told(&report).into_iter().map(|(_, path, ..)| path).collect();
        assert_eq!(paths, std::iter::once("$.count".to_owned()).chain(keys(31)).collect::<Vec<_>>());
        assert_eq!(report.others, 6 + 4);
        // What is over makes room, whatever it mattered.
        report.add(&fields(keys(31).chain(["$.new".into()])), at(3_700));
        assert!(told(&report).iter().all(|(kind, ..)| *kind == Kind::Field) && report.others == 11);
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
