//! One feed of one account: its events, what is visible, and how often each was served.
//!
//! Pages and ledger share one lock, so the ledger counts exactly what pages showed. A page is assembled by copying rendered
//! events, which takes a fraction of a millisecond; the lock is never held across anything that waits.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    cursor::Cursor,
    dataset::Event,
    fault::{PageFaults, Shape},
    feed::Version,
    json::widen,
    ledger::{Count, DatasetEntry, LedgerEntry},
    live::Arrivals,
    random::{Random, share},
    selection::{Choice, Reach, Repeats, Selection, select},
    series::Series,
};

/// A feed as it is served.
#[derive(Debug)]
pub(crate) struct Store {
    series: Series,
    /// How often each event was served, by index.
    served: Vec<Count>,
    opened: Timestamp,
    /// What still arrives by itself.
    arrivals: Option<Arrivals>,
    /// Indexes of events that a fault has moved behind later ones, where they lie once more.
    moved: BTreeSet<usize>,
    /// The most events that were ever visible, in case the clock steps back.
    seen: usize,
    repeats: Repeats,
    last: Option<Step>,
}

/// How a chain came from one cursor to the next: what it takes to show a page again.
#[derive(Clone, Copy, Debug)]
struct Step {
    from: Cursor,
    to: Cursor,
    fresh: bool,
    visible: usize,
}

/// A page before it is spelt out: what it holds and where the client then stands.
pub(crate) struct Page {
    selection: Selection,
    pub(crate) cursor: Cursor,
    /// The page is full, so there may be more. As in the real API an empty page may follow.
    pub(crate) has_more: bool,
    faults: PageFaults,
}

impl Page {
    /// Events on the page, repeats included.
    pub(crate) fn len(&self) -> usize {
        self.selection.indexes.len()
    }

    pub(crate) fn shape(&self) -> Shape {
        self.faults.shape
    }

    /// Which events the page counts as served when it was.
    pub(crate) fn into_indexes(self) -> Vec<usize> {
        self.selection.indexes
    }
}

impl Store {
    pub(crate) fn new(series: Series, arrivals: Option<Arrivals>, repeats: Repeats, opened: Timestamp) -> Self {
        let served = vec![Count::default(); series.len()];
        Self { series, served, opened, arrivals, moved: BTreeSet::new(), seen: 0, repeats, last: None }
    }

    /// The page a cursor leads to. If the cursor is `fresh`, an empty answer moves it to the end, so that later requests need
    /// not look through the past again; an empty page after a cursor that a client sent back returns that cursor.
    pub(crate) fn page(&mut self, cursor: &Cursor, fresh: bool, faults: PageFaults, now: Timestamp) -> Page {
        let visible = self.visible(now);
        let step = Step { from: *cursor, to: *cursor, fresh, visible };
        let asked_again = faults.shape == Shape::SameAgain && !fresh;
        let again = self.last.filter(|last| asked_again && last.to == *cursor);
        let mut page = self.follow(again.unwrap_or(step), faults);
        match faults.shape {
            Shape::Empty => {
                page.selection.indexes.clear();
                (page.cursor, page.has_more) = (*cursor, true);
            }
            Shape::NullItems => page.cursor = *cursor,
            Shape::RepeatedCursor if page.len() > 0 => (page.cursor, page.has_more) = (*cursor, true),
            Shape::Whole | Shape::SameAgain if again.is_none() && page.len() > 0 => {
                self.last = Some(Step { to: page.cursor, ..step });
            }
            Shape::Whole | Shape::RepeatedCursor | Shape::SameAgain | Shape::NoHasMore | Shape::NoCursor => {}
        }
        if let Some((share, by)) = faults.late {
            self.hold_back(&mut page, share, by, now);
        }
        if faults.skipped > 0.0 {
            let drawn = |index: usize| share(Random::of(&[SKIPPED, self.repeats.seed, index as u64]).next());
            page.selection.indexes.retain(|index| drawn(*index) >= faults.skipped);
        }
        if faults.shuffled {
            Random::of(&[SHUFFLE, self.repeats.seed, page.selection.next as u64]).shuffle(&mut page.selection.indexes);
        }
        page
    }

    /// Appends the page's items, separated by commas.
    pub(crate) fn write(&self, page: &Page, version: Version, out: &mut Vec<u8>) {
        let indexes = &page.selection.indexes;
        for (number, index) in indexes.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            let start = out.len();
            self.series.write(*index, version, out);
            if version == Version::V3 && out.pop_if(|last| *last == b'}').is_some() {
                let arrival = self.series.arrival(*index);
                out.extend_from_slice(format!(r#","insert_time":"{arrival}"}}"#).as_bytes());
            }
            if page.faults.item_bytes > 0 {
                widen(out, start, page.faults.item_bytes, *index as u64);
            }
            if let Some(item) = page.faults.bad_item.filter(|_| number == indexes.len() / 2) {
                out.push(b',');
                out.extend_from_slice(item.json().as_bytes());
            }
        }
    }

    /// Counts events as served.
    pub(crate) fn count(&mut self, indexes: &[usize], now: Timestamp) {
        let seconds = (now.as_second() - self.opened.as_second()).max(0);
        let second = u32::try_from(seconds).unwrap_or(u32::MAX);
        for index in indexes {
            self.served[*index].add(second);
        }
    }

    /// Adds events that arrive at the moments they state, yet never before what clients may have seen.
    pub(crate) fn append(&mut self, events: Vec<Event>, now: Timestamp) {
        for event in events {
            let fixed = self.visible(now);
            self.insert(event, fixed);
        }
    }

    /// Served events from index `from` on, at most `most` of them, and the index after the last one looked at.
    pub(crate) fn ledger(&self, from: usize, most: usize) -> (Vec<LedgerEntry>, usize) {
        let until = self.series.len().min(from.saturating_add(most));
        let entry = |index: usize| self.served[index].entry(self.series.uuid(index).into_owned(), self.opened);
        ((from..until).filter(|index| self.served[*index].times > 0).map(entry).collect(), until)
    }

    /// All events from index `from` on, at most `most` of them, and the index after the last one looked at.
    pub(crate) fn dataset(&mut self, from: usize, most: usize, now: Timestamp) -> (Vec<DatasetEntry>, usize) {
        let visible = self.visible(now);
        let until = self.series.len().min(from.saturating_add(most));
        let entry = |index: usize| DatasetEntry {
            uuid: self.series.uuid(index).into_owned(),
            timestamp: self.series.timestamp(index),
            arrival: self.series.arrival(index),
            visible: index < visible,
            served: self.served[index].times,
        };
        ((from..until).filter(|index| !self.moved.contains(index)).map(entry).collect(), until)
    }

    /// Events of the feed, visible or not.
    pub(crate) fn len(&mut self, now: Timestamp) -> usize {
        self.visible(now);
        self.series.len()
    }

    fn follow(&self, step: Step, faults: PageFaults) -> Page {
        let Step { from: mut cursor, fresh, visible, .. } = step;
        // A bad item takes a place on the page.
        let limit = (usize::from(cursor.limit) - usize::from(faults.bad_item.is_some())).max(1);
        let repeats = match faults.doubled {
            None => self.repeats,
            Some((rate, across)) => {
                Repeats { rate, reach: if across { Reach::Earlier } else { Reach::Page }, seed: self.repeats.seed }
            }
        };
        let from = self.series.index(cursor.position);
        let choice = Choice { series: &self.series, moved: &self.moved, from, visible, window: &cursor.window };
        let selection = select(choice, limit, repeats);
        if fresh || !selection.indexes.is_empty() {
            cursor.position = self.series.position(selection.next);
        }
        Page { has_more: selection.indexes.len() == limit, selection, cursor, faults }
    }

    /// Takes a share of the page's events off the page and lets them arrive later.
    fn hold_back(&mut self, page: &mut Page, share_late: f64, by: Duration, now: Timestamp) {
        let later = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        let arrival = now.saturating_add(later).expect("a duration without calendar units always applies");
        let mut late = Vec::new();
        let distinct: BTreeSet<usize> = page.selection.indexes.iter().copied().collect();
        for index in distinct {
            let drawn = share(Random::of(&[LATE, self.repeats.seed, index as u64]).next()) < share_late;
            let unseen = self.served[index].times == 0;
            if let Some(event) = self.series.stored(index).filter(|_| drawn && unseen) {
                late.push(event.clone().arriving(arrival));
                self.moved.insert(index);
            }
        }
        page.selection.indexes.retain(|index| !self.moved.contains(index));
        self.append(late, now);
    }

    fn insert(&mut self, event: Event, fixed: usize) {
        let index = self.series.insert(event, fixed);
        self.served.insert(index, Count::default());
    }

    /// How many events clients may see.
    fn visible(&mut self, now: Timestamp) -> usize {
        for event in self.arrivals.as_mut().map_or_else(Vec::new, |arrivals| arrivals.due(now)) {
            self.insert(event, self.seen);
        }
        self.seen = self.seen.max(self.series.arrived(now));
        self.seen
    }
}

/// Keep the draws of these purposes apart from those of repeats.
const SHUFFLE: u64 = 1;
const LATE: u64 = 2;
const SKIPPED: u64 = 3;
