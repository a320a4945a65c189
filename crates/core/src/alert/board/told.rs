//! What others tell the board of: refused and drifting events, audits, and messages that the server has given up.

use jiff::Timestamp;
use latchkey_contracts::{Chain, drift::Drift, reread::Reread};

use super::{Board, MAX_CHAINS};
use crate::{
    alert::{completeness::Audited, drift::Drifting, given_up::GivenUp},
    verdict::rejections::Batch,
};

/// The most consumers of which given-up messages are counted: ours, and as many of other people's as anybody has.
const MAX_CONSUMERS: usize = 1_000;

impl Board {
    /// Takes in what validation refused of a chain.
    pub fn refuse(&mut self, chain: &Chain, batch: &Batch) {
        if self.refused.len() < MAX_CHAINS || self.refused.contains_key(chain) {
            // Of a chain that is not known yet, nothing counts as having arrived but what was refused.
            let events_total = self.chains.get(chain).map_or(u64::MAX, |entry| entry.window.events_total);
            self.refused.entry(chain.clone()).or_default().add(batch, events_total);
        }
    }

    /// Takes in a normalizer's report of how a chain's events differ from their schema.
    pub fn drift(&mut self, chain: &Chain, report: &Drift) {
        if let Some(drifting) = self.drifting.get_mut(chain) {
            drifting.add(report);
        } else if self.drifting.len() < MAX_CHAINS {
            self.drifting.insert(chain.clone(), Drifting::new(report));
        }
    }

    /// Takes in how far a chain's audits are and what they have found.
    pub fn audited(&mut self, chain: &Chain, reread: &Reread) {
        if self.audits.len() < MAX_CHAINS || self.audits.contains_key(chain) {
            self.audits.insert(chain.clone(), Audited::read(reread));
        }
    }

    /// Takes in that the server has given up on delivering a message of `stream` to a consumer.
    pub fn give_up(&mut self, consumer: &str, stream: &str, sequence: u64, now: Timestamp) {
        if let Some(given_up) = self.given_up.get_mut(consumer) {
            given_up.add(sequence, now);
        } else if self.given_up.len() < MAX_CONSUMERS {
            self.given_up.insert(consumer.into(), GivenUp::new(stream, sequence, now));
        }
    }

    /// Forgets what is over.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.refused.retain(|_, hour| {
            hour.forget(now);
            !hour.is_empty()
        });
        // Whoever is given up again later begins anew.
        let settles_after = self.timing.settles_after;
        self.given_up.retain(|_, given_up| !given_up.is_over(settles_after, now));
        for drifting in self.drifting.values_mut() {
            drifting.forget(self.timing.settles_after, now);
        }
    }
}
