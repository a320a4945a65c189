//! Says once in the log which fields the schemas do not know.
//!
//! A field that an API has begun to send is in every event from then on; one line tells what a thousand would.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use latchkey_contracts::Chain;
use latchkey_core::normalize::Drift;

/// How many fields a process remembers having named; further ones are only counted.
const MAX_KNOWN: usize = 1_000;

/// The fields that have been named.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashSet<(&'static str, String)>>);

impl Known {
    pub(crate) fn note(&self, chain: &Chain, drift: &Drift) {
        if drift.paths.is_empty() {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for path in drift.paths.keys() {
            let field = (chain.feed.as_str(), path.clone());
            if known.len() < MAX_KNOWN && known.insert(field) {
                tracing::info!(source = %chain.source, feed = %chain.feed, path, "a field that the schema does not declare");
            }
        }
    }
}
