//! What a collector lost, doubled, or cannot have from here: its uuids beside what exists and what was served.
//!
//! An event may be lost in two ways, and they point to different mistakes. *Lost*: it was served and is not there, so it was
//! dropped after it came. *Missed*: it was visible and never served, so it was never asked for, as happens to late events when
//! a collector keeps a time instead of a cursor; with a collector that is still at work it may just not have come yet.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::ledger::DatasetEntry;

/// Uuids named of each kind; all of them are counted.
pub const MAX_NAMED: usize = 20;

/// The outcome of a comparison. Nothing is wrong if `lost`, `missed`, `doubled` and `unknown` are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Distinct events served.
    pub served: usize,
    /// Uuids given, doubles included.
    pub given: usize,
    /// Served and not given.
    pub lost: Named,
    /// Visible and never served, and not given.
    pub missed: Named,
    /// Given more than once.
    pub doubled: Named,
    /// Given, and no event that a client could have had.
    pub unknown: Named,
}

/// Some uuids by name, all by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// How many there are.
    pub count: usize,
    /// The first of them, [`MAX_NAMED`] at most.
    pub first: Vec<String>,
}

impl Named {
    fn add(&mut self, uuid: &str) {
        self.count += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(uuid.to_owned());
        }
    }
}

impl Comparison {
    /// Whether everything visible is there exactly once, and nothing else.
    #[must_use]
    pub fn agrees(&self) -> bool {
        [&self.lost, &self.missed, &self.doubled, &self.unknown].into_iter().all(|named| named.count == 0)
    }
}

/// A collector's uuids, counted, from which the events are ticked off.
#[derive(Debug, Default)]
pub(crate) struct Ticking {
    given: HashMap<Box<str>, Given>,
    outcome: Comparison,
}

#[derive(Debug, Default)]
struct Given {
    times: u32,
    exists: bool,
}

impl Ticking {
    /// Takes the uuids, one on each line: bare, or as the `uuid` of a JSON object.
    pub(crate) fn of(lines: &str) -> Self {
        let mut ticking = Self::default();
        for uuid in lines.lines().filter_map(uuid_of) {
            ticking.outcome.given += 1;
            let given = ticking.given.entry(uuid.into_boxed_str()).or_default();
            given.times = given.times.saturating_add(1);
        }
        ticking
    }

    /// Ticks off an event that exists.
    pub(crate) fn tick(&mut self, event: &DatasetEntry) {
        let outcome = &mut self.outcome;
        outcome.served += usize::from(event.served > 0);
        // Served before a clock stepped back, it could be had all the same.
        let obtainable = event.visible || event.served > 0;
        match self.given.get_mut(event.uuid.as_str()).filter(|_| obtainable) {
            Some(given) => given.exists = true,
            None if event.served > 0 => outcome.lost.add(&event.uuid),
            None if event.visible => outcome.missed.add(&event.uuid),
            None => {}
        }
    }

    /// The outcome, once all events are ticked off.
    pub(crate) fn finish(self) -> Comparison {
        let Self { given, mut outcome } = self;
        let mut given: Vec<_> = given.into_iter().collect();
        given.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (uuid, given) in given {
            if !given.exists {
                outcome.unknown.add(&uuid);
            }
            if given.times > 1 {
                outcome.doubled.add(&uuid);
            }
        }
        outcome
    }
}

/// The uuid on a line; blank lines have none.
fn uuid_of(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Record {
        uuid: String,
    }
    let line = line.trim();
    if line.starts_with('{') {
        // A record that cannot be read is told by its text: it is no event of ours.
        return Some(serde_json::from_str(line).map_or_else(|_| line.to_owned(), |record: Record| record.uuid));
    }
    (!line.is_empty()).then(|| line.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn compare(lines: &str, events: &[(&str, bool, u32)]) -> [Vec<String>; 4] {
        let mut ticking = Ticking::of(lines);
        for (uuid, visible, served) in events {
            let (timestamp, arrival) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
            ticking.tick(&DatasetEntry {
                uuid: (*uuid).into(),
                timestamp,
                arrival,
                visible: *visible,
                served: *served,
            });
        }
        let outcome = ticking.finish();
        [outcome.lost, outcome.missed, outcome.doubled, outcome.unknown].map(|named| named.first)
    }

    #[test]
    fn each_event_falls_where_it_belongs() {
        let events = [("A", true, 1), ("B", true, 2), ("C", true, 0), ("D", false, 0)];
        let check = |lines: &str, expect: [&[&str]; 4]| assert_eq!(compare(lines, &events), expect, "{lines}");
        check("A\nB\nC\n", [&[], &[], &[], &[]]);
        check("A\n\n\"B\"\r\n{\"x\":1,\"uuid\":\"C\"}", [&[], &[], &[], &[]]);
        check("A", [&["B"], &["C"], &[], &[]]);
        check("A\nA\nB\nC\nX\nX", [&[], &[], &["A", "X"], &["X"]]);
        check("A\nB\nC\nD", [&[], &[], &[], &["D"]]);
        check("{\"id\":1}", [&["A", "B"], &["C"], &[], &["{\"id\":1}"]]);
    }

    #[test]
    fn all_are_counted_and_some_are_named() {
        let lines: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let outcome = Ticking::of(&lines.join("\n")).finish();
        assert_eq!((outcome.unknown.count, outcome.unknown.first.len(), outcome.agrees()), (100, MAX_NAMED, false));
        assert!(Ticking::of("").finish().agrees());
    }
}
