//! The set of pages whose events a sink has delivered.
//!
//! The normalizer's messages can come twice: a page is normalized again if its acknowledgement is lost, and beyond the stream's
//! duplicate window nothing else notices. The identity of a message is its page's sequence and its part, and pages arrive nearly
//! in order, so a list of intervals stays as short as the number of pages being worked on at once. Sequences begin again when stream
//! PAGES is created anew, so the set belongs to one life of it.

use std::collections::{BTreeMap, BTreeSet};

use latchkey_contracts::delivery::{PageInterval, PagePart};

/// Intervals kept at most: as many as there can be gaps, which come from pages in work or handed back (`NORMALIZER.max_ack_pending`). A few
/// are usual; all of them are 96 KiB on the wire.
pub const MAX_INTERVALS: usize = 4096;

/// Parts of incomplete pages kept at most; 64 KiB on the wire.
pub const MAX_PARTS: usize = 4096;

/// Which pages, and which parts of incomplete pages, are delivered.
///
/// Beyond its bounds it forgets the oldest pages. A page forgotten might be delivered again if it is also repeated; the other
/// choice, to close gaps, might lose a page that comes late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageSet {
    /// Complete pages, both ends included: ascending, disjoint, never touching.
    whole: Vec<(u64, u64)>,
    parts: BTreeMap<u64, BTreeSet<u32>>,
    epoch: String,
}

/// Intervals that are not ascending and disjoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("page intervals are not ascending and disjoint")]
pub struct InvalidPages;

impl PageSet {
    /// Turns to the life of stream PAGES that a batch belongs to. Nothing of another life is delivered.
    pub fn turn_to(&mut self, epoch: &str) {
        if self.epoch != epoch {
            *self = Self { epoch: epoch.into(), ..Self::default() };
        }
    }

    /// The life of stream PAGES it belongs to.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Whether this part of this page is delivered.
    #[must_use]
    pub fn contains(&self, page: u64, part: u32) -> bool {
        self.contains_page(page) || self.parts.get(&page).is_some_and(|parts| parts.contains(&part))
    }

    /// Adds a part of a page that has `part_count` of them; `false` if it was there. The page is complete with its last part.
    pub fn insert(&mut self, page: u64, part: u32, part_count: u32) -> bool {
        if self.contains(page, part) {
            return false;
        }
        if part_count > 1 {
            let parts = self.parts.entry(page).or_default();
            parts.insert(part);
            if parts.len() < part_count as usize {
                self.forget();
                return true;
            }
            self.parts.remove(&page);
        }
        self.insert_page(page);
        self.forget();
        true
    }

    /// The complete pages, as the contract lists them.
    #[must_use]
    pub fn intervals(&self) -> Vec<PageInterval> {
        self.whole.iter().map(|&(first, last)| PageInterval { first, last }).collect()
    }

    /// The parts of incomplete pages, as the contract lists them.
    #[must_use]
    pub fn parts(&self) -> Vec<PagePart> {
        let pages = self.parts.iter();
        pages
            .flat_map(|(&page_sequence, parts)| parts.iter().map(move |&part| PagePart { page_sequence, part }))
            .collect()
    }

    /// Reads a set back from the contract's lists.
    pub fn read(intervals: &[PageInterval], parts: &[PagePart], epoch: String) -> Result<Self, InvalidPages> {
        let whole: Vec<_> = intervals.iter().map(|interval| (interval.first, interval.last)).collect();
        let ordered = whole.iter().all(|(first, last)| first <= last)
            && whole.windows(2).all(|pair| pair[0].1.checked_add(1).is_some_and(|next| next < pair[1].0));
        if !ordered {
            return Err(InvalidPages);
        }
        let mut set = Self { whole, parts: BTreeMap::new(), epoch };
        for part in parts {
            set.parts.entry(part.page_sequence).or_default().insert(part.part);
        }
        Ok(set)
    }

    fn contains_page(&self, page: u64) -> bool {
        let after = self.whole.partition_point(|&(first, _)| first <= page);
        after > 0 && page <= self.whole[after - 1].1
    }

    /// Adds a page that is in no interval, joining what it touches.
    fn insert_page(&mut self, page: u64) {
        let after = self.whole.partition_point(|&(first, _)| first < page);
        let joins_before = after > 0 && self.whole[after - 1].1 + 1 == page;
        let joins_after = after < self.whole.len() && page + 1 == self.whole[after].0;
        match (joins_before, joins_after) {
            (true, true) => {
                self.whole[after - 1].1 = self.whole[after].1;
                self.whole.remove(after);
            }
            (true, false) => self.whole[after - 1].1 = page,
            (false, true) => self.whole[after].0 = page,
            (false, false) => self.whole.insert(after, (page, page)),
        }
    }

    fn forget(&mut self) {
        if self.whole.len() > MAX_INTERVALS {
            self.whole.remove(0);
        }
        while self.parts.values().map(BTreeSet::len).sum::<usize>() > MAX_PARTS {
            self.parts.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Few pages and parts, so that repeats, joins and completions are frequent. The number of parts depends on the page.
    fn arrivals() -> impl Strategy<Value = Vec<(u64, u32, u32)>> {
        let arrival = (1_u64..40, 0_u32..3).prop_map(|(page, part)| {
            let part_count = u32::try_from(page % 3).unwrap() + 1;
            (page, part % part_count, part_count)
        });
        proptest::collection::vec(arrival, 0..200)
    }

    proptest! {
        #[test]
        fn it_is_a_set(arrivals in arrivals()) {
            let mut naive = HashSet::new();
            let mut set = PageSet::default();
            for &(page, part, part_count) in &arrivals {
                prop_assert_eq!(set.insert(page, part, part_count), naive.insert((page, part)));
            }
            for page in 0..41 {
                for part in 0..3 {
                    let whole = page % 3 + 1 == (0..3).filter(|part| naive.contains(&(page, *part))).count() as u64;
                    prop_assert_eq!(set.contains(page, part), whole || naive.contains(&(page, part)));
                }
            }
        }

        #[test]
        fn it_survives_the_wire_in_canonical_form(arrivals in arrivals()) {
            let mut set = PageSet::default();
            for &(page, part, part_count) in &arrivals {
                set.insert(page, part, part_count);
            }
            prop_assert_eq!(PageSet::read(&set.intervals(), &set.parts(), set.epoch().into()), Ok(set.clone()));
        }
    }

    #[test]
    fn intervals_that_cannot_be_are_refused() {
        let read = |pairs: &[(u64, u64)]| {
            let intervals: Vec<_> = pairs.iter().map(|&(first, last)| PageInterval { first, last }).collect();
            PageSet::read(&intervals, &[], String::new())
        };
        assert!(read(&[(1, 3), (5, 5)]).is_ok());
        for bad in [[(3, 1), (5, 5)], [(1, 3), (3, 5)], [(1, 3), (4, 5)], [(5, 5), (1, 3)], [(1, u64::MAX), (4, 5)]] {
            assert_eq!(read(&bad), Err(InvalidPages), "{bad:?}");
        }
    }

    #[test]
    fn another_life_of_the_stream_begins_with_nothing() {
        let mut set = PageSet::default();
        set.turn_to("a");
        assert!(set.insert(1, 0, 1));
        set.turn_to("a");
        assert!(!set.insert(1, 0, 1));
        set.turn_to("b");
        assert!(set.insert(1, 0, 1), "the page of a new stream was taken for one of the old");
        assert_eq!(set.epoch(), "b");
    }

    #[test]
    fn beyond_its_bounds_it_forgets_the_oldest_and_invents_nothing() {
        let mut set = PageSet::default();
        for page in 1..=MAX_INTERVALS as u64 + 1 {
            set.insert(page * 2, 0, 1);
        }
        assert_eq!(set.intervals().len(), MAX_INTERVALS);
        assert!(!set.contains(2, 0) && set.contains(4, 0));
        assert!(!set.contains(5, 0), "a gap was closed");
        for page in 0..=MAX_PARTS as u64 {
            set.insert(page * 2 + 1, 0, 2);
        }
        assert_eq!(set.parts().len(), MAX_PARTS);
        assert!(!set.contains(1, 0) && set.contains(3, 0));
    }
}
