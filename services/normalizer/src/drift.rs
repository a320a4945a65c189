//! Says once in the log where events differ from their schema.
//!
//! A field that an API has begun to send is in every event from then on; one line tells what a thousand would. What has been told is
//! kept as a book per log type, which bounds itself; changes beyond its bound are only counted.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use latchkey_contracts::{Chain, LogType};
use latchkey_core::normalize::{
    Drift,
    drift::{Book, Seen},
};

/// What has drifted since the process began, by log type.
#[derive(Default)]
pub(crate) struct Books(Mutex<BTreeMap<LogType, Book>>);

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
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = take_in(books.entry(log_type).or_default(), drift, at);
        drop(books);
        for New { change, path, seen: Seen { count, sample, .. } } in new {
            tracing::info!(source = %chain.source, %log_type, change, path, sample, count, "events differ from their schema");
        }
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
