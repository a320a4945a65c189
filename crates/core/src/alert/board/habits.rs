//! What is learned of feeds, kept over restarts.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Chain, habit::Habit as Kept};

use super::{Board, MAX_CHAINS};
use crate::verdict::Habit;

/// How often a habit is kept: what is lost of it in between is learned within days.
const KEPT_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// The most that are kept at once: thirty thousand within half an hour of ticks.
const AT_ONCE: usize = 100;

impl Board {
    /// Takes in what was learned of a chain before this board was made. To be called before the chain is observed.
    pub fn recall(&mut self, chain: Chain, kept: &Kept) {
        if let Some(habit) = Habit::recall(kept).filter(|_| self.recalled.len() < MAX_CHAINS) {
            self.recalled.insert(chain, Box::new(habit));
        }
    }

    /// What is to be kept at this moment: of some chains, each once an hour.
    pub fn to_keep(&mut self, now: Timestamp) -> Vec<(Chain, Kept)> {
        let is_due = |at: Option<Timestamp>| at.is_none_or(|at| now.duration_since(at) >= KEPT_EVERY);
        let mut kept = Vec::new();
        for (chain, entry) in self.chains.iter_mut().filter(|(_, entry)| is_due(entry.kept_at)) {
            let Some(habit) = &entry.habit else { continue };
            entry.kept_at = Some(now);
            kept.push((chain.clone(), habit.keep(chain, now)));
            if kept.len() == AT_ONCE {
                break;
            }
        }
        kept
    }
}
