//! What the alerter knows: every chain's newest window, and the last transition of each of its alerts.
//!
//! Decides and does nothing else: [`Board::step`] names the one next thing to do for an alert, the watcher does it and reports
//! back. What is known of an alert may be out of date, since other alerters write as well: the expected sequence catches that when
//! something is written, and knowledge that has grown old is read again, for the case where another alerter raised an alert and
//! went away.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Chain, alert::Alert};
use latchkey_core::{
    alert::{self, Finding, Kind},
    verdict::{self, ChainWindow, Judgement, Policy},
};

/// The most chains that are watched: what the shared list of polling duties can hold.
pub(crate) const MAX_CHAINS: usize = 100_000;

/// How long the last transition of an alert is believed without reading it again.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_mins(10);

pub(crate) struct Board {
    policy: Policy,
    watched_since: Timestamp,
    chains: HashMap<Chain, Entry>,
}

struct Entry {
    window: ChainWindow,
    known: [Option<Known>; Kind::ALL.len()],
}

/// The last transition of an alert.
pub(crate) struct Known {
    /// Sequence in ALERTS; 0 if there is none.
    pub(crate) sequence: u64,
    /// The transition; `None` if there is none or it cannot be read.
    pub(crate) last: Option<Alert>,
    /// When it was read or written.
    pub(crate) at: Timestamp,
}

/// The one next thing to do for an alert.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// All is as it should be.
    Rest,
    /// Read its last transition.
    Read,
    /// Publish this one onto it.
    Publish {
        /// The transition.
        alert: Alert,
        /// The sequence it follows.
        expected: u64,
    },
}

impl Board {
    pub(crate) fn new(policy: Policy, now: Timestamp) -> Self {
        Self { policy, watched_since: now, chains: HashMap::new() }
    }

    /// There was a gap in watching: what looks overdue may be only unseen.
    pub(crate) fn watch_anew(&mut self, now: Timestamp) {
        self.watched_since = now;
    }

    /// Takes in a chain's newest window. `false` if there is no room for another chain.
    pub(crate) fn observe(&mut self, window: ChainWindow) -> bool {
        if let Some(entry) = self.chains.get_mut(&window.chain) {
            entry.window = window;
        } else if self.chains.len() < MAX_CHAINS {
            self.chains.insert(window.chain.clone(), Entry { window, known: [const { None }; Kind::ALL.len()] });
        } else {
            return false;
        }
        true
    }

    /// Every chain.
    pub(crate) fn chains(&self) -> Vec<Chain> {
        self.chains.keys().cloned().collect()
    }

    /// What is said of a chain; `None` for one that was never observed.
    pub(crate) fn judge(&self, chain: &Chain, now: Timestamp) -> Option<Judgement> {
        let entry = self.chains.get(chain)?;
        Some(verdict::judge(&entry.window, self.watched_since, now, &self.policy))
    }

    /// What to do next for a chain's alert of `kind`, given what is said of the chain.
    pub(crate) fn step(&self, chain: &Chain, kind: Kind, judgement: &Judgement, now: Timestamp) -> Step {
        let Some(entry) = self.chains.get(chain) else { return Step::Rest };
        if alert::find(kind, judgement) == Finding::Unsure {
            return Step::Rest;
        }
        match &entry.known[kind as usize] {
            Some(known) if now.duration_since(known.at) < BELIEVED_FOR => {
                match alert::transition(known.last.as_ref(), kind, &entry.window, judgement, now) {
                    Some(alert) => Step::Publish { alert, expected: known.sequence },
                    None => Step::Rest,
                }
            }
            _ => Step::Read,
        }
    }

    /// The last transition of an alert has been read or written.
    pub(crate) fn learn(&mut self, chain: &Chain, kind: Kind, known: Known) {
        if let Some(entry) = self.chains.get_mut(chain) {
            entry.known[kind as usize] = Some(known);
        }
    }

    /// What is known of an alert is wrong.
    pub(crate) fn forget(&mut self, chain: &Chain, kind: Kind) {
        if let Some(entry) = self.chains.get_mut(chain) {
            entry.known[kind as usize] = None;
        }
    }
}

#[cfg(test)]
mod tests;
