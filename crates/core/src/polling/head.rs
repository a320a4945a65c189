//! Where a chain stands in the middle of a turn, for when its pages are gone.
//!
//! A turn stores page after page, and its checkpoint at its end. Who takes the chain over from a fetcher that died reads the newest page, as
//! long as pages are kept. A head says the same and is kept for ever, but it has no part in the fence: it is written beside the pages, and the
//! server may keep it and lose the page, in a power cut say. So it counts only where the chain has no page, and where the page it speaks of
//! has certainly been stored: retention removes the oldest first, so whatever has a lower sequence than all that is kept was there.

use jiff::Timestamp;
use latchkey_contracts::{Chain, checkpoint::Checkpoint};

use super::{History, Position, report};

/// A head as the server holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// When it was stored, by the server's clock.
    pub at: Timestamp,
    /// Where the chain stood.
    pub position: Position,
    /// What was known of its past.
    pub history: History,
}

impl Head {
    /// Reads a head that was stored at this time.
    #[must_use]
    pub fn read(at: Timestamp, message: &Checkpoint) -> Self {
        let (position, history) = report::read(message);
        Self { at, position, history }
    }

    /// Whether this head knows of a later page than the chain's checkpoint does, whichever was written first.
    #[must_use]
    pub fn outranks(&self, checkpoint: Option<&(Position, History)>) -> bool {
        self.position.sequence > checkpoint.map_or(0, |(position, _)| position.newest())
    }

    /// Whether the page that this speaks of was stored and has been removed with all that is older. `first` is the sequence of the oldest page
    /// of any chain that is kept, in a stream that was `created` then: in an earlier one the page had another's sequence.
    #[must_use]
    pub fn is_behind(&self, first: u64, created: Timestamp) -> bool {
        self.position.sequence < first && self.at >= created
    }
}

/// The message of a head.
pub(super) fn write(chain: &Chain, position: &Position, history: &History) -> Checkpoint {
    let mut head =
        Checkpoint { source: chain.source.to_string(), feed: chain.feed.to_string(), ..Checkpoint::default() };
    position.write(&mut head);
    history.write(&mut head);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sequence: u64, at: i64) -> Head {
        let position = Position { sequence, ..Position::default() };
        Head { at: Timestamp::from_second(at).unwrap(), position, history: History::default() }
    }

    #[test]
    fn a_head_counts_if_its_turn_has_left_no_checkpoint() {
        let check = |sequence, checkpoint: Option<(u64, u64)>, expect| {
            let checkpoint = checkpoint
                .map(|(sequence, gone)| (Position { sequence, gone, ..Position::default() }, History::default()));
            assert_eq!(head(sequence, 10).outranks(checkpoint.as_ref()), expect, "{sequence} {checkpoint:?}");
        };
        // The chain's very first turn.
        check(5, None, true);
        check(0, None, false);
        check(5, Some((0, 0)), true);
        check(5, Some((3, 0)), true);
        // The turn went on to its end.
        check(5, Some((5, 0)), false);
        check(5, Some((7, 0)), false);
        // So did a turn after the pages were gone.
        check(5, Some((0, 5)), false);
        check(5, Some((0, 4)), true);
    }

    #[test]
    fn a_head_counts_if_its_page_has_left_the_stream_and_not_if_it_was_lost() {
        let created = |at| Timestamp::from_second(at).unwrap();
        for (first, expect) in [(6, true), (500, true), (5, false), (1, false), (0, false)] {
            assert_eq!(head(5, 10).is_behind(first, created(1)), expect, "{first}");
        }
        assert!(!head(5, 10).is_behind(500, created(11)), "the stream was made anew");
    }
}
