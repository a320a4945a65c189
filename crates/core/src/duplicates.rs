//! Which items of a page this chain has stored before.
//!
//! 1Password's API repeats events: inside a page, across pages, after a reset. The fetcher marks the repeated items in the page's own
//! message, so they are removed once and atomically for everyone behind. The memory is a bounded window over the chain's newest
//! pages; a new owner of the chain rebuilds it by walking the pages back.
//!
//! A chain that is read again from a point in time repeats everything from there on, which may be more than the usual window holds. For as
//! long as that lasts its window is a wide one.

use std::{collections::VecDeque, hash::BuildHasher};

use foldhash::quality::FixedState;
use hashbrown::HashSet;
use jiff::SignedDuration;

use crate::page::ItemView;

/// Events remembered per chain: those of twenty full pages.
pub const MAX_UUIDS: usize = 20_000;

/// Events remembered of a chain that is read again, when the reading begins: some 8 MB.
pub const MAX_UUIDS_RECALLED: usize = 200_000;

/// Of the newest uuids, so many travel with a page now and then, so that a new owner of a chain of small pages need not walk back through
/// thousands of them: 32 KB.
pub const MAX_RECENT: usize = 2_048;

/// A new owner walks back over so much time at least, unless a page on the way carries all that there was.
pub const WALKED_BACK: SignedDuration = SignedDuration::from_mins(4);

/// A uuid as 128 bits that tell it from all others: 1Password draws uuids at random, and no two of a billion billion share these.
///
/// The texts themselves would be most of a fetcher's memory, and thousands come and go with each page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

/// Bytes of a fingerprint on the wire.
const LENGTH: usize = size_of::<u128>();

/// The uuids of one page's items, without repetitions.
pub type Uuids = Vec<Fingerprint>;

/// What a page brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// Indexes of repeated items, ascending.
    pub duplicates: Vec<u32>,
    /// Uuids not seen before, to be remembered once the page is stored.
    pub fresh: Uuids,
    /// Items that are not marked, those without a readable uuid included.
    pub new_items: u32,
}

/// The newest uuids of a chain.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// The oldest first.
    order: VecDeque<Fingerprint>,
    known: HashSet<Fingerprint, foldhash::fast::RandomState>,
    /// How many of them the newest page has brought.
    newest: usize,
    breadth: Breadth,
}

/// How much a window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Breadth {
    /// For a chain that goes on from page to page.
    #[default]
    Usual,
    /// For a chain that is read again. What comes meanwhile finds as much room as what was recalled.
    Wide,
    /// For one that somebody else has begun to read again: what has come meanwhile is recalled beside what that one recalled.
    WideAgain,
}

impl Breadth {
    /// Uuids that a walk back may gather.
    pub(crate) const fn recalled(self) -> usize {
        match self {
            Self::Usual => MAX_UUIDS,
            Self::Wide => MAX_UUIDS_RECALLED,
            Self::WideAgain => 2 * MAX_UUIDS_RECALLED,
        }
    }

    /// Uuids that are kept.
    const fn kept(self) -> usize {
        match self {
            Self::Usual => MAX_UUIDS,
            Self::Wide => 2 * MAX_UUIDS_RECALLED,
            Self::WideAgain => 3 * MAX_UUIDS_RECALLED,
        }
    }
}

impl Fingerprint {
    /// The same for the same text, in every process.
    #[must_use]
    pub fn of(uuid: &str) -> Self {
        let half = |seed| u128::from(FixedState::with_seed(seed).hash_one(uuid));
        Self(half(1) << 64 | half(2))
    }
}

impl Window {
    /// An empty window.
    #[must_use]
    pub fn new(breadth: Breadth) -> Self {
        Self { breadth, ..Self::default() }
    }

    /// Forgets what only a wide window holds.
    pub fn narrow(&mut self) {
        self.breadth = Breadth::Usual;
        self.forget_the_oldest();
        self.known.shrink_to_fit();
        self.order.shrink_to_fit();
    }

    /// Marks the items that the window knows or that stand earlier in the same page.
    ///
    /// An item without a readable uuid is never marked: nothing can be said about it, so validation must see it.
    #[must_use]
    pub fn mark(&self, items: &[ItemView<'_>]) -> Marked {
        let mut marked = Marked::default();
        let mut here: HashSet<Fingerprint, _> =
            HashSet::with_capacity_and_hasher(items.len(), foldhash::fast::RandomState::default());
        for (index, item) in (0..).zip(items) {
            match item.uuid.as_deref().map(Fingerprint::of) {
                Some(uuid) if self.known.contains(&uuid) || !here.insert(uuid) => marked.duplicates.push(index),
                Some(uuid) => {
                    marked.fresh.push(uuid);
                    marked.new_items += 1;
                }
                None => marked.new_items += 1,
            }
        }
        marked
    }

    /// Remembers a stored page as the chain's newest.
    pub fn remember(&mut self, fresh: Uuids) {
        self.newest = fresh.len();
        self.known.extend(fresh.iter().copied());
        self.order.extend(fresh);
        self.forget_the_oldest();
    }

    /// Remembers a stored page as older than all the window holds. Returns whether there was room for it.
    pub fn recall(&mut self, older: Uuids) -> bool {
        let unknown: Uuids = older.into_iter().filter(|uuid| !self.known.contains(uuid)).collect();
        if self.known.len() + unknown.len() > self.breadth.recalled() {
            return false;
        }
        self.known.extend(unknown.iter().copied());
        for uuid in unknown.into_iter().rev() {
            self.order.push_front(uuid);
        }
        true
    }

    /// The newest uuids, [`MAX_RECENT`] at most, as a page carries them: those that were stored before it.
    #[must_use]
    pub fn recent(&self) -> Vec<u8> {
        let skipped = self.order.len().saturating_sub(MAX_RECENT);
        self.order.iter().skip(skipped).flat_map(|uuid| uuid.0.to_be_bytes()).collect()
    }

    /// Remembers what a page carries as older than all the window holds. Returns whether that may be all there was.
    pub fn recall_recent(&mut self, recent: &[u8]) -> bool {
        let (uuids, _) = recent.as_chunks::<LENGTH>();
        self.recall(uuids.iter().map(|uuid| Fingerprint(u128::from_be_bytes(*uuid))).collect());
        uuids.len() < MAX_RECENT
    }

    /// How many uuids it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The newest page always stays, however large.
    fn forget_the_oldest(&mut self) {
        let too_many = self.order.len().saturating_sub(self.breadth.kept().max(self.newest));
        for uuid in self.order.drain(..too_many) {
            self.known.remove(&uuid);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;

    fn items<'a>(uuids: &[&'a str]) -> Vec<ItemView<'a>> {
        uuids
            .iter()
            .map(|uuid| ItemView { raw: b"{}", uuid: (!uuid.is_empty()).then_some(Cow::Borrowed(*uuid)) })
            .collect()
    }

    fn uuids(texts: &[&str]) -> Uuids {
        texts.iter().map(|text| Fingerprint::of(text)).collect()
    }

    #[test]
    fn repeats_inside_and_across_pages_are_marked() {
        let mut window = Window::default();
        let first = window.mark(&items(&["a", "b", "a", ""]));
        assert_eq!(first, Marked { duplicates: vec![2], fresh: uuids(&["a", "b"]), new_items: 3 });
        window.remember(first.fresh);
        let second = window.mark(&items(&["b", "c", ""]));
        assert_eq!(second, Marked { duplicates: vec![0], fresh: uuids(&["c"]), new_items: 2 });
    }

    #[test]
    fn a_page_that_was_not_stored_leaves_no_trace() {
        let window = Window::default();
        let _ = window.mark(&items(&["a"]));
        assert_eq!(window.mark(&items(&["a"])).duplicates, Vec::<u32>::new());
    }

    #[test]
    fn the_oldest_pages_are_forgotten() {
        let mut window = Window::default();
        for page in 0..=MAX_UUIDS {
            window.remember(uuids(&[&page.to_string()]));
        }
        assert_eq!(window.len(), MAX_UUIDS);
        assert_eq!(window.mark(&items(&["0", "1"])).duplicates, [1]);
    }

    #[test]
    fn the_newest_uuids_travel_with_a_page() {
        let mut lived = Window::default();
        for page in 0..=MAX_RECENT {
            lived.remember(uuids(&[&page.to_string()]));
        }
        let recent = lived.recent();
        assert_eq!(recent.len(), MAX_RECENT * LENGTH);
        let mut rebuilt = Window::default();
        assert!(rebuilt.recall(uuids(&["newest"])));
        rebuilt.recall_recent(&recent);
        assert_eq!(rebuilt.mark(&items(&["newest", "0", "1", &MAX_RECENT.to_string()])).duplicates, [0, 2, 3]);
        // What is no list of them adds nothing.
        let before = rebuilt.len();
        rebuilt.recall_recent(b"short");
        assert_eq!(rebuilt.len(), before);
    }

    #[test]
    fn a_wide_window_holds_more_until_it_is_narrowed() {
        let mut window = Window::new(Breadth::Wide);
        let page = |number: usize| (0..1_000).map(|n| Fingerprint::of(&format!("{number} {n}"))).collect::<Uuids>();
        let recalled = (0..1_000).take_while(|number| window.recall(page(*number))).count();
        assert_eq!(recalled, MAX_UUIDS_RECALLED / 1_000);
        // Somebody else who goes on with the reading finds as much again.
        let mut again = Window::new(Breadth::WideAgain);
        assert_eq!((0..1_000).take_while(|number| again.recall(page(*number))).count(), 2 * recalled);
        for number in 0..recalled {
            window.remember(page(1_000 + number));
        }
        // The newest of what was recalled is still there.
        assert_eq!(window.len(), 2 * MAX_UUIDS_RECALLED);
        window.narrow();
        assert_eq!(window.len(), MAX_UUIDS);
        let newest = format!("{} 999", 1_000 + recalled - 1);
        assert_eq!(window.mark(&items(&[&newest, "0 0"])).duplicates, [0]);
    }

    proptest! {
        /// Walking back over the stored pages gives a window that marks as the one that saw them stored.
        #[test]
        fn a_rebuilt_window_marks_alike(pages in prop::collection::vec(prop::collection::vec("[a-e]{1,2}", 0..6), 0..12)) {
            let mut lived = Window::default();
            let mut stored = Vec::new();
            for page in &pages {
                let texts: Vec<&str> = page.iter().map(String::as_str).collect();
                let marked = lived.mark(&items(&texts));
                stored.push(marked.fresh.clone());
                lived.remember(marked.fresh);
            }
            let mut rebuilt = Window::default();
            for page in stored.into_iter().rev() {
                if !rebuilt.recall(page) { break; }
            }
            for text in ["a", "b", "ab", "cd", "e"] {
                prop_assert_eq!(lived.mark(&items(&[text])), rebuilt.mark(&items(&[text])));
            }
        }
    }
}
