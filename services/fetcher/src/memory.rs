//! What a process remembers of its chains between turns.
//!
//! Only to save reading it again: everything here can be rebuilt from the streams, and is when a page is refused. So the oldest
//! windows are dropped without a thought when all together pass the bound, and so are chains. A chain that nobody polls any more is
//! forgotten with its source.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use latchkey_contracts::Chain;
use latchkey_core::{
    duplicates::Window,
    polling::{History, Position},
};

/// Uuids in all windows of the process together: some 70 MB.
const MAX_UUIDS: usize = 1_500_000;

/// Chains remembered: three times as many as one fetcher was measured with, at less than a kilobyte each beside their windows.
const MAX_CHAINS: usize = 100_000;

/// How long a chain's place is gone on from until the streams are read again all the same: what an audit has added to the chain shows in
/// its checkpoint by then. Far below the days that pages are kept.
const READ_AGAIN: Duration = Duration::from_mins(10);

/// One chain, as its last turn left it.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) place: Option<Place>,
    pub(crate) window: Option<Remembered>,
    /// Whether the turn took long.
    pub(crate) is_slow: bool,
    /// When the next is due.
    pub(crate) due: Option<Instant>,
}

/// What a chain's last turn says about the next.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) is_slow: bool,
    pub(crate) due: Option<Instant>,
}

/// One delivery of a chain's task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handout {
    /// The task's sequence: another one if it was published anew.
    pub(crate) sequence: u64,
    /// Counted by the server over all fetchers.
    pub(crate) number: u64,
}

/// Where a turn ended.
pub(crate) struct Place {
    pub(crate) last: (Position, History),
    /// The delivery that the turn was made for.
    handout: Handout,
    until: Instant,
}

impl Place {
    /// `before`: what the turn began with, if it did not read the streams.
    pub(crate) fn new(last: (Position, History), handout: Handout, before: Option<Instant>) -> Self {
        Self { last, handout, until: before.unwrap_or_else(|| Instant::now() + READ_AGAIN) }
    }

    /// Until when it counts, if nobody has had the chain since: then this delivery is the next of the same task.
    pub(crate) fn serves(&self, handout: Handout, now: Instant) -> Option<Instant> {
        let next = self.handout.sequence == handout.sequence && self.handout.number + 1 == handout.number;
        (next && now < self.until).then_some(self.until)
    }
}

/// A window together with the newest page it knows.
#[derive(Default)]
pub(crate) struct Remembered {
    pub(crate) sequence: u64,
    pub(crate) window: Window,
    /// Pages since one carried the newest uuids.
    pub(crate) since_carried: u32,
    /// For a wide window: from which event time on it is to recognise what comes again.
    pub(crate) from: Option<Timestamp>,
}

impl Remembered {
    /// Whether it is of the newest page, and wide enough for a chain that is read again from `from` on.
    pub(crate) fn serves(&self, sequence: u64, from: Option<Timestamp>) -> bool {
        let wide_enough = from.is_none_or(|from| self.from.is_some_and(|covers| covers <= from));
        self.sequence == sequence && wide_enough
    }

    /// Gives the memory of a recovery back once it is over.
    pub(crate) fn narrow_after(&mut self, from: Option<Timestamp>) {
        if from.is_none() && self.from.take().is_some() {
            self.window.narrow();
        }
    }
}

#[derive(Default)]
struct Shelf {
    /// Behind pointers: a table that grows has as much room again for what it does not hold.
    chains: HashMap<Chain, (u64, Box<Memory>)>,
    /// Chains with a window that remembers something, the least recently used first.
    with_window: BTreeMap<u64, Chain>,
    uuids: usize,
    clock: u64,
}

/// The memories of all chains.
#[derive(Default)]
pub(crate) struct Memories(Mutex<Shelf>);

impl Memories {
    /// What is remembered of a chain's last turn; `None`: this process has not polled it.
    pub(crate) fn recall(&self, chain: &Chain) -> Option<Known> {
        let shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.chains.get(chain).map(|(_, memory)| Known { is_slow: memory.is_slow, due: memory.due })
    }

    /// Forgets a chain that is not to be polled any more.
    pub(crate) fn forget(&self, chain: &Chain) {
        drop(self.take(chain));
    }

    /// Takes a chain's memory out; it comes back by [`Memories::keep`] if the turn ends well.
    pub(crate) fn take(&self, chain: &Chain) -> Memory {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.remove(chain)
    }

    pub(crate) fn keep(&self, chain: Chain, mut memory: Memory) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two turns may overlap when a task was replaced.
        shelf.remove(&chain);
        if memory.size() == 0 {
            memory.window = None;
        }
        shelf.clock += 1;
        shelf.uuids += memory.size();
        let used_at = shelf.clock;
        if memory.window.is_some() {
            shelf.with_window.insert(used_at, chain.clone());
        }
        shelf.chains.insert(chain, (used_at, Box::new(memory)));
        if shelf.chains.len() > MAX_CHAINS {
            shelf.forget_oldest_chains();
        }
        while shelf.uuids > MAX_UUIDS && shelf.forget_oldest_window() {}
    }
}

impl Shelf {
    fn remove(&mut self, chain: &Chain) -> Memory {
        let Some((used_at, memory)) = self.chains.remove(chain) else { return Memory::default() };
        self.with_window.remove(&used_at);
        self.uuids -= memory.size();
        *memory
    }

    /// A tenth of them at once, since finding the oldest looks at all.
    fn forget_oldest_chains(&mut self) {
        let mut used: Vec<u64> = self.chains.values().map(|(used_at, _)| *used_at).collect();
        let tenth = used.len() / 10;
        let (_, newest_of_them, _) = used.select_nth_unstable(tenth);
        let newest_of_them = *newest_of_them;
        let old: Vec<Chain> = self
            .chains
            .iter()
            .filter(|(_, (used_at, _))| *used_at < newest_of_them)
            .map(|(chain, _)| chain.clone())
            .collect();
        for chain in old {
            drop(self.remove(&chain));
        }
    }

    fn forget_oldest_window(&mut self) -> bool {
        let Some((_, chain)) = self.with_window.pop_first() else { return false };
        if let Some((_, memory)) = self.chains.get_mut(&chain) {
            self.uuids -= memory.size();
            memory.window = None;
        }
        true
    }
}

impl Memory {
    fn size(&self) -> usize {
        self.window.as_ref().map_or(0, |remembered| remembered.window.len())
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::Feed;
    use latchkey_core::duplicates::Fingerprint;

    use super::*;

    fn chain(name: &str) -> Chain {
        Chain { source: name.parse().unwrap(), feed: Feed::ItemUsages }
    }

    fn memory(uuids: usize) -> Memory {
        let mut window = Window::default();
        window.remember((0..uuids).map(|n| Fingerprint::of(&n.to_string())).collect());
        Memory { window: Some(Remembered { sequence: 1, window, ..Remembered::default() }), ..Memory::default() }
    }

    #[test]
    fn a_window_serves_the_recovery_it_was_made_for() {
        let second = |second| Timestamp::from_second(second).ok();
        let remembered = |from| Remembered { sequence: 7, from, ..Remembered::default() };
        for (from, sequence, wanted, serves) in [
            (None, 7, None, true),
            (None, 8, None, false),
            (None, 7, second(5), false),
            (second(5), 7, second(5), true),
            (second(5), 7, second(4), false),
            (second(5), 7, None, true),
        ] {
            assert_eq!(remembered(from).serves(sequence, wanted), serves, "{from:?} {sequence} {wanted:?}");
        }
    }

    #[test]
    fn a_place_serves_the_next_delivery_alone() {
        let handout = |sequence, number| Handout { sequence, number };
        let place = Place::new(Default::default(), handout(3, 8), None);
        let now = Instant::now();
        for (next, now, serves) in [
            (handout(3, 9), now, true),
            (handout(3, 10), now, false),
            (handout(3, 8), now, false),
            (handout(4, 9), now, false),
            (handout(3, 9), now + READ_AGAIN * 2, false),
        ] {
            assert_eq!(place.serves(next, now).is_some(), serves, "{next:?}");
        }
        let until = place.serves(handout(3, 9), now);
        assert_eq!(
            Place::new(Default::default(), handout(3, 9), until).until,
            place.until,
            "going on does not prolong it"
        );
    }

    #[test]
    fn the_oldest_windows_go_first() {
        let memories = Memories::default();
        let third = MAX_UUIDS / 3;
        for name in ["a", "b", "c", "d"] {
            memories.keep(chain(name), memory(third));
        }
        assert!(memories.take(&chain("a")).window.is_none());
        for name in ["b", "c", "d"] {
            assert!(memories.take(&chain(name)).window.is_some(), "{name}");
        }
        assert_eq!(memories.0.lock().unwrap().uuids, 0);
    }

    #[test]
    fn the_oldest_chains_go_when_there_are_too_many() {
        let memories = Memories::default();
        for number in 0..=MAX_CHAINS {
            memories.keep(chain(&format!("acme-{number}")), Memory::default());
        }
        assert_eq!(memories.0.lock().unwrap().chains.len(), MAX_CHAINS + 1 - MAX_CHAINS / 10);
        let knows = |number: usize| memories.recall(&chain(&format!("acme-{number}"))).is_some();
        assert!(!knows(0) && !knows(MAX_CHAINS / 10 - 1) && knows(MAX_CHAINS / 10) && knows(MAX_CHAINS));
    }

    #[test]
    fn a_chain_that_is_forgotten_leaves_nothing() {
        let memories = Memories::default();
        memories.keep(chain("a"), memory(5));
        memories.forget(&chain("a"));
        memories.forget(&chain("b"));
        let shelf = memories.0.lock().unwrap();
        assert_eq!((shelf.chains.len(), shelf.with_window.len(), shelf.uuids), (0, 0, 0));
    }
}
