//! Which events a page holds: a window over the order of arrival, cut at the limit, with repeats mixed in.
//!
//! The choice depends on the cursor and the events alone, so asking again with the same cursor gives the same page.

use crate::{
    cursor::Window,
    random::{Random, share},
    series::Series,
};

/// How far back a repeat across pages may reach, in events.
const REACH: usize = 1500;

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
    pub(crate) seed: u64,
}

impl Repeats {
    /// The event shown again after this one: itself, one of the same page, or an earlier page's.
    fn after(self, index: usize) -> Option<usize> {
        if self.rate <= 0.0 {
            return None;
        }
        let mut random = Random::of(&[self.seed, index as u64]);
        if share(random.next()) >= self.rate {
            return None;
        }
        let back = *random.weighted(&[(2, 0), (3, 20), (5, REACH)]);
        Some(index.saturating_sub(random.index(back + 1)))
    }
}

/// Chooses at most `limit` of the events from index `from` to `visible`.
pub(crate) fn select(
    series: &Series,
    from: usize,
    visible: usize,
    limit: usize,
    window: &Window,
    repeats: Repeats,
) -> Selection {
    let mut indexes = Vec::with_capacity(limit.min(visible.saturating_sub(from)));
    let mut next = from;
    while next < visible && indexes.len() < limit {
        let index = next;
        next += 1;
        if !window.holds(series.timestamp(index)) {
            continue;
        }
        indexes.push(index);
        let repeat = repeats.after(index).filter(|_| indexes.len() < limit);
        indexes.extend(repeat.filter(|earlier| window.holds(series.timestamp(*earlier))));
    }
    Selection { indexes, next }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;

    use super::*;
    use crate::{
        dataset::{Company, bulk::Bulk},
        feed::Feed,
    };

    const ALWAYS: Window = Window { start: Timestamp::MIN, end: None };
    const NEVER: Repeats = Repeats { rate: 0.0, seed: 0 };

    fn series() -> Series {
        let until = "2026-11-01T00:00:00Z".parse().unwrap();
        Series::new(Some(Bulk::new(Feed::ItemUsages, &Company::found(1, false), 5000, until)), Vec::new())
    }

    #[test]
    fn pages_follow_one_another_without_gap_or_overlap() {
        let series = series();
        let first = select(&series, 0, 1500, 1000, &ALWAYS, NEVER);
        assert_eq!((first.indexes.len(), first.next), (1000, 1000));
        let second = select(&series, first.next, 1500, 1000, &ALWAYS, NEVER);
        assert_eq!(second.indexes, (1000..1500).collect::<Vec<_>>());
    }

    #[test]
    fn a_window_takes_its_start_and_leaves_its_end() {
        let series = series();
        let window = Window { start: series.timestamp(10), end: Some(series.timestamp(20)) };
        let selection = select(&series, 0, 5000, 1000, &window, NEVER);
        assert_eq!(selection, Selection { indexes: (10..20).collect(), next: 5000 });
    }

    #[test]
    fn repeats_add_to_the_events_and_never_exceed_the_limit() {
        let series = series();
        let repeats = Repeats { rate: 0.3, seed: 5 };
        let (mut shown, mut from, mut inside, mut across) = (Vec::new(), 0, 0, 0);
        while from < 5000 {
            let page = select(&series, from, 5000, 100, &ALWAYS, repeats);
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
}
