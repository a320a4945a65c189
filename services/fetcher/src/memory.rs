//! What a process remembers of its chains between turns.
//!
//! Only to save reading it again: everything here can be rebuilt from the streams, and is when a page is refused. So the oldest
//! windows are dropped without a thought when all together pass the bound.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use latchkey_contracts::Chain;
use latchkey_core::duplicates::Window;

/// Uuids in all windows of the process together: about 100 MB.
const MAX_UUIDS: usize = 2_000_000;

/// One chain, as its last turn left it.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) window: Option<Remembered>,
}

/// A window together with the newest page it knows.
#[derive(Default)]
pub(crate) struct Remembered {
    pub(crate) sequence: u64,
    pub(crate) window: Window,
}

#[derive(Default)]
struct Shelf {
    chains: HashMap<Chain, (u64, Memory)>,
    uuids: usize,
    clock: u64,
}

/// The memories of all chains.
#[derive(Default)]
pub(crate) struct Memories(Mutex<Shelf>);

impl Memories {
    /// Takes a chain's memory out; it comes back by [`Memories::keep`] if the turn ends well.
    pub(crate) fn take(&self, chain: &Chain) -> Memory {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, memory) = shelf.chains.remove(chain).unwrap_or_default();
        shelf.uuids -= memory.size();
        memory
    }

    pub(crate) fn keep(&self, chain: Chain, memory: Memory) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.clock += 1;
        shelf.uuids += memory.size();
        let used_at = shelf.clock;
        shelf.chains.insert(chain, (used_at, memory));
        while shelf.uuids > MAX_UUIDS && shelf.forget_oldest_window() {}
    }
}

impl Shelf {
    fn forget_oldest_window(&mut self) -> bool {
        let with_window = self.chains.values_mut().filter(|(_, memory)| memory.window.is_some());
        let Some((_, memory)) = with_window.min_by_key(|(used_at, _)| *used_at) else { return false };
        self.uuids -= memory.size();
        memory.window = None;
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
        Memory { window: Some(Remembered { sequence: 1, window }) }
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
}
