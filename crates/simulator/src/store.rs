//! One feed of one account: its events, what is visible, and how often each was served.
//!
//! Pages and ledger share one lock, so the ledger counts exactly what pages showed. A page is assembled by copying rendered
//! events, which takes a fraction of a millisecond; the lock is never held across anything that waits.

use jiff::Timestamp;

use crate::{
    cursor::Cursor,
    dataset::Event,
    feed::Version,
    ledger::{DatasetEntry, LedgerEntry},
    selection::{Repeats, Selection, select},
    series::Series,
};

/// A feed as it is served.
#[derive(Debug)]
pub(crate) struct Store {
    series: Series,
    /// How often each event was served, by index.
    served: Vec<u32>,
    /// The most events that were ever visible, in case the clock steps back.
    seen: usize,
    repeats: Repeats,
}

/// A page before it is spelt out: what it holds and where the client then stands.
pub(crate) struct Page {
    selection: Selection,
    pub(crate) cursor: Cursor,
    /// The page is full, so there may be more. As in the real API an empty page may follow.
    pub(crate) has_more: bool,
}

impl Page {
    /// Events on the page, repeats included.
    pub(crate) fn len(&self) -> usize {
        self.selection.indexes.len()
    }
}

impl Store {
    pub(crate) fn new(series: Series, repeats: Repeats) -> Self {
        let served = vec![0; series.len()];
        Self { series, served, seen: 0, repeats }
    }

    /// The page a fresh cursor starts with. Its empty answer moves the cursor to the end, so that later requests need not
    /// look through the past again.
    pub(crate) fn first_page(&mut self, cursor: &Cursor, now: Timestamp) -> Page {
        self.page(cursor, now, true)
    }

    /// The page after a cursor that a client sent back; an empty page returns the same cursor.
    pub(crate) fn next_page(&mut self, cursor: &Cursor, now: Timestamp) -> Page {
        self.page(cursor, now, false)
    }

    /// Appends the page's events, separated by commas.
    pub(crate) fn write(&self, page: &Page, version: Version, out: &mut Vec<u8>) {
        for (number, index) in page.selection.indexes.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            self.series.write(*index, version, out);
        }
    }

    /// Counts the page's events as served.
    pub(crate) fn count(&mut self, page: &Page) {
        for index in &page.selection.indexes {
            self.served[*index] = self.served[*index].saturating_add(1);
        }
    }

    /// Adds events that arrive at the moments they state, yet never before what clients may have seen.
    pub(crate) fn append(&mut self, events: Vec<Event>, now: Timestamp) {
        for event in events {
            let fixed = self.visible(now);
            let index = self.series.insert(event, fixed);
            self.served.insert(index, 0);
        }
    }

    /// Served events from index `from` on, at most `most` of them, and the index after the last one looked at.
    pub(crate) fn ledger(&self, from: usize, most: usize) -> (Vec<LedgerEntry>, usize) {
        let until = self.series.len().min(from.saturating_add(most));
        let entry =
            |index: usize| LedgerEntry { uuid: self.series.uuid(index).into_owned(), served: self.served[index] };
        ((from..until).filter(|index| self.served[*index] > 0).map(entry).collect(), until)
    }

    /// All events from index `from` on, at most `most` of them, and the index after the last.
    pub(crate) fn dataset(&mut self, from: usize, most: usize, now: Timestamp) -> (Vec<DatasetEntry>, usize) {
        let visible = self.visible(now);
        let until = self.series.len().min(from.saturating_add(most));
        let entry = |index: usize| DatasetEntry {
            uuid: self.series.uuid(index).into_owned(),
            timestamp: self.series.timestamp(index),
            arrival: self.series.arrival(index),
            visible: index < visible,
        };
        ((from..until).map(entry).collect(), until)
    }

    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    fn page(&mut self, cursor: &Cursor, now: Timestamp, fresh: bool) -> Page {
        let visible = self.visible(now);
        let from = self.series.index(cursor.position);
        let limit = usize::from(cursor.limit);
        let selection = select(&self.series, from, visible, limit, &cursor.window, self.repeats);
        let mut cursor = *cursor;
        if fresh || !selection.indexes.is_empty() {
            cursor.position = self.series.position(selection.next);
        }
        Page { has_more: selection.indexes.len() == limit, selection, cursor }
    }

    fn visible(&mut self, now: Timestamp) -> usize {
        self.seen = self.seen.max(self.series.arrived(now));
        self.seen
    }
}
