//! Which events a page holds: a window over the order of arrival, cut at the limit, with repeats mixed in.
//!
//! The choice depends on the cursor and the events alone, so asking again with the same cursor gives the same page.

use std::collections::BTreeSet;

use crate::{
    cursor::Window,
    random::{Random, share},
    series::Series,
};

/// How far back a repeat inside a page may reach, in events.
const NEAR: usize = 20;

/// How far back a repeat across pages may reach, in events.
const FAR: usize = 1500;

/// Events chosen for a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Indexes in the order in which the page shows them.
    pub(crate) indexes: Vec<usize>,
    /// Where the following page starts.
    pub(crate) next: usize,
}

/// How often the API shows an event again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeats {
    /// Share of events followed by a repeat, 0 to 1.
    pub(crate) rate: f64,
    pub(crate) reach: Reach,
    pub(crate) seed: u64,
}

/// Which event is shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The event itself, or one of those before it, on whatever page.
    Anywhere,
    /// One of the same page.
    Page,
    /// One of the pages before.
    Earlier,
}

impl Repeats {
    /// The event shown again after this one, on a page that starts at `from`.
    fn after(self, index: usize, from: usize) -> Option<usize> {
        if self.rate <= 0.0 {
            return None;
        }
        let mut random = Random::of(&[self.seed, index as u64]);
        if share(random.next()) >= self.rate {
            return None;
        }
        match self.reach {
            Reach::Anywhere => {
                let back = *random.weighted(&[(2, 0), (3, NEAR), (5, FAR)]);
                Some(index.saturating_sub(random.index(back + 1)))
            }
            Reach::Page => Some(index - random.index(NEAR.min(index - from) + 1)),
            Reach::Earlier => Some(from.checked_sub(1)?.saturating_sub(random.index(FAR))),
        }
    }
}

/// What a page is chosen from.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) series: &'a Series,
    /// Indexes of events that were moved to another place.
    pub(crate) moved: &'a BTreeSet<usize>,
    /// The first event considered, and the first that is not visible.
    pub(crate) from: usize,
    pub(crate) visible: usize,
    pub(crate) window: &'a Window,
}

/// Chooses at most `limit` events.
pub(crate) fn select(choice: Choice<'_>, limit: usize, repeats: Repeats) -> Selection {
    let Choice { series, moved, from, visible, window } = choice;
    let shown = |index: usize| {
        window.holds(series.timestamp(index), series.arrival(index)) && (moved.is_empty() || !moved.contains(&index))
    };
    let mut indexes = Vec::with_capacity(limit.min(visible.saturating_sub(from)));
    let mut next = from;
    while next < visible && indexes.len() < limit {
        let index = next;
        next += 1;
        if !shown(index) {
            continue;
        }
        indexes.push(index);
        let repeat = repeats.after(index, from).filter(|_| indexes.len() < limit);
        indexes.extend(repeat.filter(|earlier| shown(*earlier)));
    }
    Selection { indexes, next }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        cursor::Axis,
        dataset::{Company, bulk::Bulk},
        feed::Feed,
    };

    const ALWAYS: Window = Window { start: Timestamp::MIN, end: None, axis: Axis::Event };
    const NEVER: Repeats = Repeats { rate: 0.0, reach: Reach::Anywhere, seed: 0 };

    fn page(
        series: &Series,
        from: usize,
        visible: usize,
        limit: usize,
        window: &Window,
        repeats: Repeats,
    ) -> Selection {
        select(Choice { series, moved: &BTreeSet::new(), from, visible, window }, limit, repeats)
    }

    fn series() -> Series {
        let until = "2026-11-01T00:00:00Z".parse().unwrap();
        Series::new(Some(Bulk::new(Feed::ItemUsages, &Company::found(1, false), 5000, until)), Vec::new())
    }

    #[test]
    fn pages_follow_one_another_without_gap_or_overlap() {
        let series = series();
        let first = page(&series, 0, 1500, 1000, &ALWAYS, NEVER);
        assert_eq!((first.indexes.len(), first.next), (1000, 1000));
        let second = page(&series, first.next, 1500, 1000, &ALWAYS, NEVER);
        assert_eq!(second.indexes, (1000..1500).collect::<Vec<_>>());
    }

    #[test]
    fn a_window_takes_its_start_and_leaves_its_end() {
        let series = series();
        let window = Window { start: series.timestamp(10), end: Some(series.timestamp(20)), axis: Axis::Event };
        let selection = page(&series, 0, 5000, 1000, &window, NEVER);
        assert_eq!(selection, Selection { indexes: (10..20).collect(), next: 5000 });
    }

    #[test]
    fn repeats_add_to_the_events_and_never_exceed_the_limit() {
        let series = series();
        let repeats = Repeats { rate: 0.3, reach: Reach::Anywhere, seed: 5 };
        let (mut shown, mut from, mut inside, mut across) = (Vec::new(), 0, 0, 0);
        while from < 5000 {
            let page = page(&series, from, 5000, 100, &ALWAYS, repeats);
            assert!(page.indexes.len() <= 100);
            let distinct: BTreeSet<_> = page.indexes.iter().copied().collect();
            inside += page.indexes.len() - distinct.len();
            across += distinct.iter().filter(|index| **index < from).count();
            shown.extend(page.indexes);
            from = page.next;
        }
        let distinct: BTreeSet<_> = shown.iter().copied().collect();
        assert_eq!(distinct, (0..5000).collect());
        assert!(inside > 100 && across > 100, "{inside} inside, {across} across");
        assert!((6000..7000).contains(&shown.len()), "{}", shown.len());
    }
    #[test]
    fn the_reach_of_repeats_is_kept() {
        let series = series();
        for (reach, from, inside) in [(Reach::Page, 200, true), (Reach::Earlier, 200, false)] {
            let repeats = Repeats { rate: 0.5, reach, seed: 5 };
            let indexes = page(&series, from, 5000, 100, &ALWAYS, repeats).indexes;
            let mut next = from;
            let mut doubles = 0;
            for index in indexes {
                if index == next {
                    next += 1;
                } else {
                    doubles += 1;
                    assert_eq!(index >= from, inside, "{index}");
                }
            }
            assert!(doubles > 20, "{doubles}");
        }
        let earlier = Repeats { rate: 1.0, reach: Reach::Earlier, seed: 5 };
        assert_eq!(page(&series, 0, 50, 100, &ALWAYS, earlier).indexes.len(), 50, "nothing is earlier than the first");
    }

    #[test]
    fn moved_events_are_passed_over() {
        let (series, moved) = (series(), BTreeSet::from([1, 3]));
        let choice = Choice { series: &series, moved: &moved, from: 0, visible: 5, window: &ALWAYS };
        assert_eq!(select(choice, 100, NEVER).indexes, [0, 2, 4]);
    }
}
