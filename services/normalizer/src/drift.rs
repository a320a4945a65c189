//! Says where events differ from their schema: once in the log, and to the alerters for as long as it goes on.
//!
//! A field that an API has begun to send is in every event from then on; one line tells what a thousand would. What has been told is
//! kept as a book per log type, which bounds itself; changes beyond its bound are only counted. Alerters are told by a report per chain,
//! which gathers what was met until it is taken.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use latchkey_contracts::{Chain, LogType};
use latchkey_core::normalize::{
    Drift,
    drift::{Book, Report, Seen, shown},
};
use tokio::sync::Notify;

/// The most chains with a report that waits: some 10 KB each. What finds no room is in the log and the metrics, and is met again.
const MAX_REPORTS: usize = 10_000;

/// What has drifted since the process began, by log type, and since the last reports, by chain.
#[derive(Default)]
pub(crate) struct Books {
    told: Mutex<BTreeMap<LogType, Book>>,
    reports: Mutex<BTreeMap<Chain, Report>>,
    reported: Notify,
}

/// A change that no page before has had.
#[derive(Debug, PartialEq, Eq)]
struct New<'d> {
    change: &'static str,
    path: &'d str,
    seen: &'d Seen,
}

impl Books {
    /// Takes in the drift of a page normalized at `at`.
    pub(crate) fn note(&self, chain: &Chain, drift: &Drift, at: Timestamp) {
        if drift.is_empty() {
            return;
        }
        let log_type = chain.feed.log_type();
        self.report(chain, drift, at);
        let mut books = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let new = take_in(books.entry(log_type).or_default(), drift, at);
        drop(books);
        for New { change, path, seen: Seen { count, sample, .. } } in new {
            let path = shown(path);
            tracing::info!(source = %chain.source, %log_type, change, path, sample, count, "events differ from their schema");
        }
    }

    fn report(&self, chain: &Chain, drift: &Drift, at: Timestamp) {
        self.put_back([(chain.clone(), Report::new(drift, at))]);
    }

    /// Takes in reports, also those that could not be told: they wait for the next time.
    pub(crate) fn put_back(&self, untold: impl IntoIterator<Item = (Chain, Report)>) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        for (chain, report) in untold {
            let full = reports.len() >= MAX_REPORTS;
            match reports.entry(chain) {
                Entry::Occupied(mut entry) => entry.get_mut().join(report),
                Entry::Vacant(entry) if !full => _ = entry.insert(report),
                Entry::Vacant(_) => {}
            }
        }
        self.reported.notify_one();
    }

    /// Waits until there is something to tell to alerters.
    pub(crate) async fn reported(&self) {
        self.reported.notified().await;
    }

    /// What is to be told to alerters; from here on, reports begin anew.
    pub(crate) fn take_reports(&self) -> BTreeMap<Chain, Report> {
        std::mem::take(&mut *self.reports.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Adds a page's drift to a book; what of it is new there.
fn take_in<'d>(book: &mut Book, drift: &'d Drift, at: Timestamp) -> Vec<New<'d>> {
    let fields = drift.paths.iter().filter(|(path, _)| !book.paths.contains_key(*path));
    let types = drift.types.iter().filter(|(path, _)| !book.types.contains_key(*path));
    let values = drift.values.iter().filter(|(value, _)| !book.values.contains_key(*value));
    // Values stay untold, also those that look like words.
    let mut new: Vec<_> = fields
        .map(|(path, seen)| New { change: "field", path, seen })
        .chain(types.map(|(path, seen)| New { change: "type", path, seen }))
        .chain(values.map(|((path, _), seen)| New { change: "value", path, seen }))
        .collect();
    let named = book.len();
    book.add(drift, at);
    // What found no room in the book would be told again with each page.
    if book.len() - named < new.len() {
        new.clear();
    }
    new
}

#[cfg(test)]
mod tests {
    use latchkey_core::normalize::drift::MAX_BOOK_CHANGES;

    use super::*;

    fn drift(fields: &[String], values: &[&str]) -> Drift {
        let seen = || Seen { count: 2, sample: "string of 3 bytes".into(), ..Seen::default() };
        Drift {
            paths: fields.iter().map(|path| (path.clone(), seen())).collect(),
            values: values.iter().map(|value| (("$.action".into(), Some((*value).into())), seen())).collect(),
            ..Drift::default()
        }
    }

    fn told(book: &mut Book, drift: &Drift) -> Vec<String> {
        let new = take_in(book, drift, Timestamp::UNIX_EPOCH);
        new.iter().map(|new| format!("{} {} {} × {}", new.change, new.path, new.seen.count, new.seen.sample)).collect()
    }

    #[test]
    fn alerters_are_told_of_what_has_drifted_since_they_were_told() {
        let books = Books::default();
        let chain = Chain { source: "acme".parse().unwrap(), feed: latchkey_contracts::Feed::ItemUsages };
        books.note(&chain, &Drift::default(), Timestamp::UNIX_EPOCH);
        assert!(books.take_reports().is_empty());
        for _ in 0..2 {
            books.note(&chain, &drift(&["$.zone".into()], &[]), Timestamp::UNIX_EPOCH);
        }
        let report = books.take_reports().remove(&chain).unwrap().message(&chain);
        assert_eq!(report.changes[0].count, 4);
        assert!(books.take_reports().is_empty());
        // What could not be told comes with what is met meanwhile.
        books.note(&chain, &drift(&["$.zone".into()], &[]), Timestamp::UNIX_EPOCH);
        let untold = books.take_reports();
        books.note(&chain, &drift(&["$.mood".into()], &[]), Timestamp::UNIX_EPOCH);
        books.put_back(untold);
        let report = books.take_reports().remove(&chain).unwrap().message(&chain);
        let paths: Vec<_> = report.changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["$.mood", "$.zone"]);
    }

    #[test]
    fn what_drifts_is_told_once_and_without_its_value() {
        let mut book = Book::default();
        let page = drift(&["$.zone".into()], &["burn"]);
        let expect = ["field $.zone 2 × string of 3 bytes", "value $.action 2 × string of 3 bytes"];
        assert_eq!(told(&mut book, &page), expect);
        assert!(told(&mut book, &page).is_empty());
        assert_eq!(told(&mut book, &drift(&["$.zone".into()], &["bury"])), expect[1..]);
        assert_eq!(book.paths["$.zone"].seen.count, 6);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_not_told() {
        let mut book = Book::default();
        let paths: Vec<_> = (0..MAX_BOOK_CHANGES).map(|index| format!("$.map.k{index}")).collect();
        assert_eq!(told(&mut book, &drift(&paths, &[])).len(), MAX_BOOK_CHANGES);
        assert!(told(&mut book, &drift(&["$.more".into()], &[])).is_empty());
        assert_eq!((book.len(), book.others), (MAX_BOOK_CHANGES, 2));
    }
}
