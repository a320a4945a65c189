//! Where a chain stands, and how that is found out after a crash.

use jiff::Timestamp;
use latchkey_contracts::checkpoint::Checkpoint;

use crate::{cursor::Cursor, instant, polling::History};

/// Where a chain stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Stream sequence of its newest page; 0 if there is none.
    pub sequence: u64,
    /// While there is none: the sequence that the newest had; 0 if nothing is known of any.
    pub gone: u64,
    /// Identity of the newest page, if known.
    pub page_id: Option<String>,
    /// The latest time that any event up to and with that page says, of the future too if it was noted; `None`: the chain has stored nothing.
    pub latest_event_at: Option<Timestamp>,
    /// Where to continue; `None`: nothing was ever fetched.
    pub cursor: Option<Cursor>,
    /// While pages may repeat what was stored before a recovery: from which event time on.
    pub recovering_from: Option<Timestamp>,
}

impl Position {
    /// The sequence of the newest page that is known of, whether or not it is there.
    pub(super) fn newest(&self) -> u64 {
        self.sequence.max(self.gone)
    }

    /// Whether this was written when that page was the newest. Where the server has lost pages, another may have the sequence.
    fn is_on_top_of(&self, page: &LastPage) -> bool {
        self.sequence == page.sequence && self.page_id.as_ref().is_none_or(|id| *id == page.page_id)
    }

    pub(super) fn write(&self, checkpoint: &mut Checkpoint) {
        checkpoint.cursor = self.cursor.as_ref().map(|cursor| cursor.as_str().into()).unwrap_or_default();
        checkpoint.page_sequence = self.sequence;
        checkpoint.gone_page_sequence = self.gone;
        checkpoint.page_id = self.page_id.clone().unwrap_or_default();
        checkpoint.latest_event_unix_nano = instant::optional_to_unix_nano(self.latest_event_at);
        checkpoint.recovering_from_unix_nano = instant::optional_to_unix_nano(self.recovering_from);
    }

    /// An unreadable cursor counts as none: the newest page then decides.
    pub(super) fn read(checkpoint: &Checkpoint) -> Self {
        Self {
            sequence: checkpoint.page_sequence,
            gone: checkpoint.gone_page_sequence,
            page_id: Some(checkpoint.page_id.clone()).filter(|id| !id.is_empty()),
            latest_event_at: instant::optional_from_unix_nano(checkpoint.latest_event_unix_nano),
            cursor: checkpoint.cursor.parse().ok(),
            recovering_from: instant::optional_from_unix_nano(checkpoint.recovering_from_unix_nano),
        }
    }
}

/// The newest page of a chain as the stream holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastPage {
    /// Its sequence.
    pub sequence: u64,
    /// The sequence of the chain's page before it; 0 if there was none.
    pub previous_sequence: u64,
    /// Its identity.
    pub page_id: String,
    /// Where to continue after it.
    pub cursor: Cursor,
    /// When it was fetched.
    pub fetched_at: Timestamp,
    /// Whether it brought an event that was not stored before.
    pub has_news: bool,
    /// New events of the chain up to and with it.
    pub events_total: u64,
    /// Event time of the chain's newest event up to and with it, if known.
    pub newest_event_at: Option<Timestamp>,
    /// The latest time that any event up to and with it says, of the future too, if known.
    pub latest_event_at: Option<Timestamp>,
    /// While pages after it may repeat what was stored before a recovery: from which event time on.
    pub recovering_from: Option<Timestamp>,
    /// Recoveries of the chain up to and with it.
    pub recoveries: u32,
}

/// Joins what the two streams say.
///
/// The checkpoint's cursor counts only if it was written on top of the newest page, or if retention has removed that page. Otherwise the
/// newest page counts, since its cursor came with it: also if it is older than the one that the checkpoint knows of. Retention removes the
/// oldest first, so the server has lost that one, in a power cut say, and what it brought is to be fetched again.
#[must_use]
pub fn recover(last_page: Option<LastPage>, checkpoint: Option<(Position, History)>) -> (Position, History) {
    let (checkpoint, history) = checkpoint.unwrap_or_default();
    match last_page {
        Some(page) if checkpoint.is_on_top_of(&page) => (
            Position {
                sequence: page.sequence,
                gone: 0,
                page_id: Some(page.page_id),
                latest_event_at: page.latest_event_at,
                cursor: checkpoint.cursor.or(Some(page.cursor)),
                recovering_from: checkpoint.recovering_from,
            },
            history,
        ),
        Some(page) => {
            let history = if page.sequence > checkpoint.sequence { history } else { history.not_caught_up() };
            let position = Position {
                sequence: page.sequence,
                gone: 0,
                page_id: Some(page.page_id.clone()),
                latest_event_at: page.latest_event_at,
                cursor: Some(page.cursor.clone()),
                recovering_from: page.recovering_from,
            };
            (position, history.with_page(&page))
        }
        // The subject is empty, so the next page goes onto sequence 0 whatever the chain once had.
        None => {
            // What another version has noted says nothing of clocks that were ahead.
            let latest_event_at = checkpoint.latest_event_at.or(history.reached());
            let gone = checkpoint.newest();
            (Position { sequence: 0, gone, page_id: None, latest_event_at, ..checkpoint }, history)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polling::Recovery;

    fn page(sequence: u64, cursor: &str) -> LastPage {
        LastPage {
            sequence,
            previous_sequence: sequence - 1,
            page_id: format!("page {sequence}"),
            cursor: cursor.parse().unwrap(),
            fetched_at: Timestamp::UNIX_EPOCH,
            has_news: true,
            events_total: 7,
            newest_event_at: Timestamp::from_second(5).ok(),
            latest_event_at: Timestamp::from_second(9).ok(),
            recovering_from: None,
            recoveries: 1,
        }
    }

    fn checkpoint(sequence: u64, cursor: &str) -> (Position, History) {
        (Position { sequence, cursor: cursor.parse().ok(), ..Position::default() }, History::default())
    }

    fn of_page(sequence: u64, id: &str) -> (Position, History) {
        let (position, history) = checkpoint(sequence, "c");
        (Position { page_id: Some(id.into()), ..position }, history)
    }

    #[test]
    fn a_chain_that_has_lost_pages_is_not_known_to_have_stood_at_the_feeds_end() {
        let caught_up_at = Timestamp::from_second(8).ok();
        for (sequence, id, expect) in
            [(3, "page 3", caught_up_at), (5, "page 5", caught_up_at), (5, "other", None), (7, "page 7", None)]
        {
            let (position, history) = of_page(sequence, id);
            let checkpoint = (position, History { caught_up_at, events_total: 50, ..history });
            let (_, history) = recover(Some(page(5, "p")), Some(checkpoint));
            assert_eq!(history.caught_up_at, expect, "{sequence} {id}");
            assert_eq!(history.events_total, if id == "page 5" { 50 } else { 7 }, "{sequence} {id}");
        }
    }

    #[test]
    fn the_newer_of_page_and_checkpoint_counts() {
        let check = |last_page: Option<LastPage>, checkpoint, sequence, cursor: Option<&str>| {
            let (position, _) = recover(last_page, checkpoint);
            assert_eq!((position.sequence, position.cursor.as_ref().map(Cursor::as_str)), (sequence, cursor));
            position
        };
        check(None, None, 0, None);
        check(None, Some(checkpoint(0, "c")), 0, Some("c"));
        check(Some(page(5, "p")), None, 5, Some("p"));
        // A crash after the page and before the checkpoint.
        check(Some(page(5, "p")), Some(checkpoint(3, "c")), 5, Some("p"));
        // Empty pages after page 5 moved the cursor on.
        check(Some(page(5, "p")), Some(checkpoint(5, "c")), 5, Some("c"));
        // The server has lost what came after page 5; and what has come in its place since is another page.
        check(Some(page(5, "p")), Some(checkpoint(7, "c")), 5, Some("p"));
        check(Some(page(5, "p")), Some(of_page(5, "other")), 5, Some("p"));
        check(Some(page(5, "p")), Some(of_page(5, "page 5")), 5, Some("c"));
        // A checkpoint that never had a cursor.
        check(Some(page(5, "p")), Some(checkpoint(5, "")), 5, Some("p"));
        // Retention removed page 5.
        let emptied = check(None, Some(checkpoint(5, "c")), 0, Some("c"));
        assert_eq!((emptied.gone, emptied.newest()), (5, 5));
        let still = check(None, Some((emptied.clone(), History::default())), 0, Some("c"));
        assert_eq!(still.gone, 5);
        let filled = check(Some(page(9, "p")), Some((emptied, History::default())), 9, Some("p"));
        assert_eq!((filled.gone, filled.newest()), (0, 9));
    }

    #[test]
    fn a_chain_without_pages_knows_how_far_it_has_stored() {
        let second = |second| Timestamp::from_second(second).ok();
        let check = |latest: Option<i64>, newest: Option<i64>, events_total, expect: Option<i64>| {
            let history = History {
                newest_event_at: newest.and_then(second),
                last_success_at: second(8),
                events_total,
                ..History::default()
            };
            let noted = Position { latest_event_at: latest.and_then(second), ..Position::default() };
            let (position, _) = recover(None, Some((noted, history)));
            assert_eq!(position.latest_event_at, expect.and_then(second));
        };
        check(Some(9), Some(5), 7, Some(9));
        check(None, Some(5), 7, Some(5));
        check(None, None, 7, Some(8));
        check(None, None, 0, None);
    }

    #[test]
    fn a_recovery_whose_checkpoint_was_never_written_passes_by_all_it_may_have() {
        let second = |second| Timestamp::from_second(second).unwrap();
        for (recovering_from, latest, to) in [(None, 9, 20), (None, 30, 30), (Some(25), 30, 25), (Some(4), 30, 20)] {
            let page = LastPage {
                fetched_at: second(20),
                latest_event_at: Some(second(latest)),
                recovering_from: recovering_from.map(second),
                ..page(5, "p")
            };
            let (_, history) = recover(Some(page), Some(checkpoint(3, "c")));
            assert_eq!(history.passed_by.unwrap().to, second(to), "{recovering_from:?} {latest}");
        }
    }

    #[test]
    fn a_page_without_checkpoint_counts_in_the_history() {
        let (_, history) = recover(Some(page(5, "p")), Some(checkpoint(3, "c")));
        assert_eq!(history.events_total, 7);
        assert_eq!(history.last_arrival_at, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(history.newest_event_at, Timestamp::from_second(5).ok());
        let recovery = Recovery { at: Timestamp::UNIX_EPOCH, from: Timestamp::UNIX_EPOCH, reason: "unknown".into() };
        assert_eq!((history.recoveries, history.last_recovery), (1, Some(recovery)));
    }
}
