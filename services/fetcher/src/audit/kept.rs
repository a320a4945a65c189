//! What was found of spans that are not read to their ends, from one turn to the next.
//!
//! A span of a busy chain takes many turns to be read, and looking through the chain's pages for it costs more than all the rest. Who
//! has it still need only look through the pages that came since. Nothing is lost with it: it is gathered again.

use std::sync::{Mutex, PoisonError};

use latchkey_contracts::Chain;
use latchkey_core::audit::Span;

use super::stored::Stored;

/// Spans that are kept: as many as may be at work, so that all together are some 160 MB at worst.
const MAX_KEPT: usize = super::HEAVY_AT_ONCE;

/// The spans, the one kept last at the end.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<(Chain, &'static str, Stored)>>);

impl Kept {
    /// Takes out what is kept of a chain's reading of this kind, if it is of this very span.
    pub(super) fn take(&self, chain: &Chain, kind: &'static str, span: Span) -> Option<Stored> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, word, _)| of == chain && *word == kind)?;
        let (_, _, stored) = kept.remove(at);
        (stored.known.span() == span).then_some(stored)
    }

    /// Keeps it until the next turn, or until others take its room.
    pub(super) fn keep(&self, chain: Chain, kind: &'static str, stored: Stored) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == MAX_KEPT {
            drop(kept.remove(0));
        }
        kept.push((chain, kind, stored));
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use latchkey_contracts::Feed;

    use super::*;

    fn chain(name: &str) -> Chain {
        Chain { source: name.parse().unwrap(), feed: Feed::ItemUsages }
    }

    fn span(to: i64) -> Span {
        Span { from: Timestamp::UNIX_EPOCH, to: Timestamp::from_second(to).unwrap() }
    }

    #[test]
    fn a_span_is_taken_up_by_the_reading_it_was_found_for() {
        let kept = Kept::default();
        let keep = |name: &str| kept.keep(chain(name), "audit", Stored::nothing(span(5)));
        let takes = |name: &str, kind, to| kept.take(&chain(name), kind, span(to)).is_some();
        keep("acme");
        assert!(!takes("acme", "backfill", 5) && takes("acme", "audit", 5));
        assert!(!takes("acme", "audit", 5), "it is taken out");
        keep("acme");
        assert!(!takes("acme", "audit", 6), "another span says nothing about this one");
        (0..=MAX_KEPT).for_each(|number| keep(&format!("acme-{number}")));
        assert!(!takes("acme-0", "audit", 5), "the oldest makes room");
        assert!((1..=MAX_KEPT).all(|number| takes(&format!("acme-{number}"), "audit", 5)));
    }
}
