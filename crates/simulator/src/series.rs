//! All events of one feed, in order of arrival, addressed by index.
//!
//! A series is a computed part (bulk data, possibly empty) followed by a stored part that can grow. Everything above works
//! on indexes and does not know which part it reads.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::{
    cursor::Position,
    dataset::{Event, bulk::Bulk},
    feed::Version,
};

/// The events of a feed, sorted by arrival.
#[derive(Debug, Default)]
pub(crate) struct Series {
    bulk: Option<Bulk>,
    stored: Vec<Event>,
}

impl Series {
    /// `stored` must be sorted by arrival and arrive after the computed events.
    pub(crate) fn new(bulk: Option<Bulk>, stored: Vec<Event>) -> Self {
        Self { bulk, stored }
    }

    pub(crate) fn len(&self) -> usize {
        self.computed() + self.stored.len()
    }

    pub(crate) fn uuid(&self, index: usize) -> Cow<'_, str> {
        match self.at(index) {
            Place::Computed(bulk) => bulk.uuid(index).iter().map(|byte| char::from(*byte)).collect::<String>().into(),
            Place::Stored(event) => (*event.uuid).into(),
        }
    }

    pub(crate) fn timestamp(&self, index: usize) -> Timestamp {
        match self.at(index) {
            Place::Computed(bulk) => bulk.timestamp(index),
            Place::Stored(event) => event.timestamp,
        }
    }

    pub(crate) fn arrival(&self, index: usize) -> Timestamp {
        match self.at(index) {
            Place::Computed(bulk) => bulk.arrival(index),
            Place::Stored(event) => event.arrival,
        }
    }

    /// Appends the event's JSON.
    pub(crate) fn write(&self, index: usize, version: Version, out: &mut Vec<u8>) {
        match self.at(index) {
            Place::Computed(bulk) => bulk.write(index, version, out),
            Place::Stored(event) => event.body.write(version, out),
        }
    }

    /// The event itself, unless it is computed.
    pub(crate) fn stored(&self, index: usize) -> Option<&Event> {
        match self.at(index) {
            Place::Computed(_) => None,
            Place::Stored(event) => Some(event),
        }
    }

    /// How many events have arrived by this moment.
    pub(crate) fn arrived(&self, by: Timestamp) -> usize {
        self.partition(|arrival| arrival <= by)
    }

    /// Adds an event behind all that arrived no later than it, and behind the first `fixed` ones in any case. Returns its
    /// index.
    pub(crate) fn insert(&mut self, mut event: Event, fixed: usize) -> usize {
        let computed = self.computed();
        let fixed = fixed.max(computed);
        if let Some(last) = fixed.checked_sub(1) {
            event.arrival = event.arrival.max(self.arrival(last));
        }
        let index = self.arrived(event.arrival).max(fixed);
        self.stored.insert(index - computed, event);
        index
    }

    /// The position of a client that has seen the first `index` events.
    pub(crate) fn position(&self, index: usize) -> Position {
        let Some(last) = index.checked_sub(1) else { return Position::START };
        let arrival = self.arrival(last);
        let first = self.partition(|other| other < arrival);
        Position { arrival, seen: (index - first) as u64 }
    }

    /// How many events lie before a position.
    pub(crate) fn index(&self, position: Position) -> usize {
        let first = self.partition(|arrival| arrival < position.arrival);
        let same = self.arrived(position.arrival) - first;
        first + usize::try_from(position.seen).map_or(same, |seen| seen.min(same))
    }

    fn computed(&self) -> usize {
        self.bulk.as_ref().map_or(0, Bulk::len)
    }

    fn at(&self, index: usize) -> Place<'_> {
        match &self.bulk {
            Some(bulk) if index < bulk.len() => Place::Computed(bulk),
            bulk => Place::Stored(&self.stored[index - bulk.as_ref().map_or(0, Bulk::len)]),
        }
    }

    /// The first index whose arrival does not fit; those that fit come first.
    fn partition(&self, fits: impl Fn(Timestamp) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if fits(self.arrival(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

enum Place<'a> {
    Computed(&'a Bulk),
    Stored(&'a Event),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dataset::{Company, sample},
        feed::Feed,
        instant::later,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn arriving(second: i64) -> Event {
        sample(Feed::AuditEvents, &Company::found(1, false), at(second), 1, second.unsigned_abs()).remove(0)
    }

    fn series(seconds: &[i64]) -> Series {
        Series::new(None, seconds.iter().map(|second| arriving(*second)).collect())
    }

    #[test]
    fn every_index_survives_as_a_position() {
        let series = series(&[10, 20, 20, 20, 30]);
        for index in 0..=series.len() {
            assert_eq!(series.index(series.position(index)), index);
        }
    }

    #[test]
    fn a_position_means_the_same_in_a_longer_history() {
        let position = series(&[20, 20, 30]).position(2);
        assert_eq!(series(&[5, 10, 20, 20, 30, 40]).index(position), 4);
    }

    #[test]
    fn an_insertion_never_lands_before_what_clients_may_have_seen() {
        let mut series = series(&[10, 20, 30]);
        assert_eq!(series.insert(arriving(5), 2), 2);
        assert_eq!(series.arrival(2), at(20));
        assert_eq!(series.insert(arriving(40), 2), 4);
        assert_eq!(series.arrived(at(20)), 3);
    }

    #[test]
    fn stored_events_follow_computed_ones() {
        let company = Company::found(1, false);
        let bulk = Bulk::new(Feed::AuditEvents, &company, 100, at(1000));
        let mut series = Series::new(Some(bulk), Vec::new());
        assert_eq!(series.insert(arriving(1), 0), 100);
        assert_eq!(series.arrival(100), at(1000));
        assert_eq!(series.insert(arriving(2000), 0), 101);
        assert_eq!(series.arrived(later(at(2000), -1)), 101);
        assert_eq!(series.position(101), Position { arrival: at(1000), seen: 2 });
    }
}
