//! What is learned of feeds, kept over restarts.
//!
//! What was kept longest ago goes first, so that of many none is left out; and so much at once that the most chains there may be are kept
//! within an hour.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Chain, habit::Habit as Kept};

use super::{Board, MAX_CHAINS};
use crate::{instant, verdict::Habit};

/// How often a habit is kept: what is lost of it in between is learned within days.
const KEPT_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// How old a habit of a chain that nobody polls must be to be of nobody: alerters that can read its checkpoint would have kept it anew.
const LEFT_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What is to be done about what is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Keep {
    /// Replaces what is kept of a chain.
    Store(Chain, Box<Kept>),
    /// Removes what is kept of a chain that is gone.
    Remove(Chain),
}

/// What was learned before a board was made.
pub(super) struct Recalled {
    pub(super) habit: Box<Habit>,
    saved_at: Timestamp,
}

impl Board {
    /// Takes in what was learned of a chain before this board was made. To be called before the chain is observed.
    pub fn recall(&mut self, chain: Chain, kept: &Kept) {
        if let Some(habit) = Habit::recall(kept).filter(|_| self.recalled.len() < MAX_CHAINS) {
            let saved_at = instant::from_unix_nano(kept.saved_at_unix_nano);
            self.recalled.insert(chain, Recalled { habit: Box::new(habit), saved_at });
        }
    }

    /// What is to be kept at this moment, each chain's once an hour, and what is kept no longer. `again_in`: when the next question comes.
    pub fn to_keep(&mut self, again_in: SignedDuration, now: Timestamp) -> Vec<Keep> {
        let most = at_once(again_in);
        let is_due = |at: Option<Timestamp>| at.is_none_or(|at| now.duration_since(at) >= KEPT_EVERY);
        let learned = self.chains.values_mut().filter(|entry| entry.habit.is_some() && is_due(entry.kept_at));
        let mut due: Vec<_> = learned.collect();
        if due.len() > most {
            due.select_nth_unstable_by_key(most, |entry| entry.kept_at);
            due.truncate(most);
        }
        let gone = self.unlearned.split_off(self.unlearned.len().saturating_sub(most));
        let mut keep: Vec<_> = gone.into_iter().map(Keep::Remove).collect();
        for entry in due {
            let Some(habit) = &entry.habit else { continue };
            entry.kept_at = Some(now);
            let chain = entry.window.chain.clone();
            let kept = Box::new(habit.keep(&chain, now));
            keep.push(Keep::Store(chain, kept));
        }
        keep
    }

    /// Nothing of the chain is to be kept.
    pub(super) fn unlearn(&mut self, chain: Chain) {
        self.recalled.remove(&chain);
        // Of what finds no room, what is kept is found left over by whoever starts next.
        if self.unlearned.len() < MAX_CHAINS {
            self.unlearned.push(chain);
        }
    }

    /// Every chain that there was has been observed: what was recalled of others is of nobody.
    pub(super) fn forget_recalled(&mut self, now: Timestamp) {
        for (chain, recalled) in std::mem::take(&mut self.recalled) {
            if now.duration_since(recalled.saved_at) >= LEFT_AFTER {
                self.unlearn(chain);
            }
        }
    }
}

/// How many are kept at once: half as many again as the most chains there may be need.
fn at_once(again_in: SignedDuration) -> usize {
    let each = KEPT_EVERY.as_millis() / again_in.as_millis().max(1);
    let most = (MAX_CHAINS * 3 / 2) / usize::try_from(each).unwrap_or(1).max(1);
    most.clamp(1, MAX_CHAINS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use latchkey_contracts::{
        Feed,
        topology::{HABITS, Limits},
    };

    use super::*;
    use crate::{
        alert::board::{Policies, SourcePolicies, Timing},
        verdict::{
            ChainWindow, Outcome, Policy, Silence,
            samples::{at, window},
        },
    };

    fn chain(number: usize) -> Chain {
        Chain { source: format!("source-{number:02}").parse().unwrap(), feed: Feed::ItemUsages }
    }

    fn board(chains: usize) -> Board {
        let adaptive = Policy { drop_off: Some(Silence::default().adaptive(jiff::tz::TimeZone::UTC)) };
        let feeds = std::array::from_fn(|_| adaptive.clone());
        let everybody = SourcePolicies { feeds, ..SourcePolicies::default() };
        let mut board = Board::new(Policies { everybody, ..Policies::default() }, Timing::default(), at(0));
        for number in 0..chains {
            assert!(board.observe(ChainWindow { chain: chain(number), ..window() }));
        }
        board
    }

    fn kept(board: &mut Board, again_in: SignedDuration, now: i64) -> (Vec<Chain>, Vec<Chain>) {
        let (mut stored, mut removed) = (Vec::new(), Vec::new());
        for keep in board.to_keep(again_in, at(now)) {
            match keep {
                Keep::Store(chain, _) => stored.push(chain),
                Keep::Remove(chain) => removed.push(chain),
            }
        }
        (stored, removed)
    }

    #[test]
    fn none_of_many_is_left_out() {
        // Four at once, every tenth of a second, and forty chains: as a board that has far more than it can keep within the hour.
        let (mut board, tick) = (board(40), SignedDuration::from_millis(100));
        assert_eq!(at_once(tick), 4);
        let mut times: BTreeMap<Chain, usize> = BTreeMap::new();
        for round in 0..20 {
            let (stored, _) = kept(&mut board, tick, round * 3_600);
            assert_eq!(stored.len(), 4);
            for chain in stored {
                *times.entry(chain).or_default() += 1;
            }
        }
        assert_eq!((times.len(), times.values().all(|times| *times == 2)), (40, true), "{times:?}");
    }

    #[test]
    fn the_most_chains_are_kept_within_an_hour_whatever_the_tick() {
        for millis in [100, 5_000, 60_000] {
            let tick = SignedDuration::from_millis(millis);
            let ticks = usize::try_from(KEPT_EVERY.as_millis() / i128::from(millis)).unwrap();
            assert!(at_once(tick) * ticks >= MAX_CHAINS, "{tick:#}");
        }
        let (mut board, tick) = (board(3), SignedDuration::from_secs(5));
        assert_eq!(kept(&mut board, tick, 0).0.len(), 3);
        assert_eq!(kept(&mut board, tick, 3_599).0.len(), 0);
        assert_eq!(kept(&mut board, tick, 3_600).0.len(), 3);
    }

    #[test]
    fn nothing_is_kept_of_chains_that_are_gone() {
        let (mut board, tick) = (board(2), SignedDuration::from_secs(5));
        let learned = |saved| Habit::default().keep(&chain(0), at(saved));
        board.recall(chain(7), &learned(-24 * 3_600));
        // Somebody who can read its checkpoint keeps it.
        board.recall(chain(8), &learned(-24 * 3_600 + 1));
        board.observe(ChainWindow { chain: chain(1), outcome: Outcome::Removed, ..window() });
        let _ = board.sweep(at(0));
        assert_eq!(kept(&mut board, tick, 0), (vec![chain(0)], vec![chain(1), chain(7)]));
        assert_eq!(kept(&mut board, tick, 1), (vec![], vec![]));
    }

    #[test]
    fn the_bucket_has_room_for_the_most_chains() {
        let kept = Habit::default().keep(&chain(0), at(0));
        // A name of 64 characters in message and subject, the numbers of a habit, and what the server writes around it.
        let message = kept.arrived.len() + kept.seen.len() + 2 * (64 + 32) + 128 + 64;
        let size = i64::try_from(message * MAX_CHAINS).unwrap();
        assert!(size <= Limits::default().max_bytes / HABITS.divisor, "{size} bytes");
    }
}
