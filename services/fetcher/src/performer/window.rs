//! What a chain recognises when the API sends it again, in memory or rebuilt from the chain's pages.

use jiff::{SignedDuration, Timestamp};
use latchkey_core::{
    duplicates::{Breadth, Window},
    look_back::{LookBack, MAX_PAGES},
    polling::{Input, Turn},
};
use latchkey_runtime::clock;

use super::Performer;
use crate::{
    history::{self, Recalled},
    memory::Remembered,
};

impl Performer<'_> {
    /// What could be recognised if the API sent it again; it stays in memory for the pages to come.
    pub(super) async fn look_back(&mut self, from: Timestamp, turn: &Turn) -> Input {
        let sequence = turn.sequence();
        let back = LookBack::new(self.chain.feed, from, clock::now(), turn.reached(), Breadth::Wide, MAX_PAGES);
        match history::wide(self.bus, sequence, back).await {
            Ok(Recalled { window, covered, .. }) => {
                self.memory.window = Some(wide(sequence, window, from.max(enough_for(covered))));
                self.metrics.began_again(self.chain);
                tracing::warn!(
                    source = %self.chain.source, feed = %self.chain.feed, %from, %covered,
                    "the chain cannot go on from its cursor: it is read again from a point in time"
                );
                Input::LookedBack { covered }
            }
            Err(error) => self.bus_failed(&error),
        }
    }

    /// The chain's window up to its newest page, rebuilt by walking the pages back if this process does not have it. `None`: a recovery is
    /// under way, and what it was to recognise is not kept any more.
    pub(super) async fn window(&mut self, turn: &Turn) -> Result<Option<&Remembered>, latchkey_bus::Error> {
        let (sequence, from) = (turn.sequence(), turn.recovering_from());
        let mut kept = self.memory.window.take();
        if let Some(remembered) = kept.as_mut().filter(|remembered| remembered.sequence != sequence)
            && history::without_backfill(self.bus, sequence).await? == remembered.sequence
        {
            remembered.sequence = sequence;
        }
        let kept = kept.filter(|remembered| remembered.serves(sequence, from));
        let mut remembered = match (kept, from) {
            (Some(remembered), _) => remembered,
            (None, None) => {
                let (window, since_carried) = history::usual(self.bus, sequence).await?;
                Remembered { sequence, window, since_carried, from }
            }
            (None, Some(from)) => {
                let reached = turn.reached();
                let back = LookBack::new(self.chain.feed, from, from, reached, Breadth::WideAgain, 2 * MAX_PAGES);
                let Recalled { window, covered, is_cut } = history::wide(self.bus, sequence, back).await?;
                if is_cut && enough_for(covered) > from {
                    return Ok(None);
                }
                wide(sequence, window, from)
            }
        };
        remembered.narrow_after(from);
        Ok(Some(self.memory.window.insert(remembered)))
    }
}

/// Where a reading may begin for which what is remembered from `covered` on is enough: one that is paged by tokens begins behind that point.
fn enough_for(covered: Timestamp) -> Timestamp {
    covered.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN)
}

/// The window of a chain that is read again. Its next page carries the newest uuids.
fn wide(sequence: u64, window: Window, from: Timestamp) -> Remembered {
    Remembered { sequence, window, since_carried: history::RECENT_EVERY, from: Some(from) }
}
