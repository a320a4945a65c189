//! What others tell the board of: refused and drifting events, and audits.

use jiff::Timestamp;
use latchkey_contracts::{Chain, drift::Drift, reread::Reread};

use super::{Board, MAX_CHAINS};
use crate::{
    alert::{completeness::Audited, drift::Drifting},
    verdict::rejections::Batch,
};

impl Board {
    /// Takes in what validation refused of a chain.
    pub fn refuse(&mut self, chain: &Chain, batch: &Batch) {
        if self.refused.len() < MAX_CHAINS || self.refused.contains_key(chain) {
            // Of a chain that is not known yet, nothing counts as having arrived but what was refused.
            let events_total = self.chains.get(chain).map_or(u64::MAX, |entry| entry.window.events_total);
            self.refused.entry(chain.clone()).or_default().add(batch, events_total);
        }
    }

    /// Takes in what is known of how a chain's events differ from their schema, in the place of what was known before.
    pub fn drift(&mut self, chain: &Chain, report: &Drift) {
        if self.drifting.len() >= MAX_CHAINS && !self.drifting.contains_key(chain) {
            return;
        }
        let mut drifting = Drifting::read(report, self.timing.settles_after);
        let before = self.drifting.get(chain).and_then(Drifting::arrived_at);
        let newest = self.chains.get(chain).and_then(|entry| entry.window.last_arrival_at);
        for arrival in before.into_iter().chain(newest) {
            drifting.arrived(arrival);
        }
        self.drifting.insert(chain.clone(), drifting);
    }

    /// Takes in how far a chain's audits are and what they have found.
    pub fn audited(&mut self, chain: &Chain, reread: &Reread) {
        if self.audits.len() < MAX_CHAINS || self.audits.contains_key(chain) {
            self.audits.insert(chain.clone(), Audited::read(reread));
        }
    }

    /// Forgets what is over.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.refused.retain(|_, hour| {
            hour.forget(now);
            !hour.is_empty()
        });
    }
}
