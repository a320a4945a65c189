//! Where a chain stands, and how that is found out after a crash.

use crate::{cursor::Cursor, polling::History};

/// Where a chain stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Stream sequence of its newest page; 0 if there is none.
    pub sequence: u64,
    /// Identity of that page, if known.
    pub page_id: Option<String>,
    /// Where to continue; `None`: nothing was ever fetched.
    pub cursor: Option<Cursor>,
}

/// The newest page of a chain as the stream holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastPage {
    /// Its sequence.
    pub sequence: u64,
    /// Its identity.
    pub page_id: String,
    /// Where to continue after it.
    pub cursor: Cursor,
    /// When it was fetched.
    pub fetched_at: jiff::Timestamp,
    /// Whether it brought an event that was not stored before.
    pub has_news: bool,
    /// New events of the chain up to and with it.
    pub events_total: u64,
}

/// Joins what the two streams say.
///
/// The checkpoint's cursor counts only if it was written on top of the newest page, or if retention has removed that page: then no
/// page has a higher sequence. Otherwise the newest page counts, since its cursor came with it.
pub(super) fn recover(last_page: Option<LastPage>, checkpoint: Option<(Position, History)>) -> (Position, History) {
    let (checkpoint, history) = checkpoint.unwrap_or_default();
    match last_page {
        Some(page) if page.sequence > checkpoint.sequence => (
            Position { sequence: page.sequence, page_id: Some(page.page_id), cursor: Some(page.cursor) },
            history.with_page(page.fetched_at, page.has_news, page.events_total),
        ),
        Some(page) => (
            Position {
                sequence: page.sequence,
                page_id: Some(page.page_id),
                cursor: checkpoint.cursor.or(Some(page.cursor)),
            },
            history,
        ),
        // The subject is empty, so the next page goes onto sequence 0 whatever the chain once had.
        None => (Position { sequence: 0, page_id: None, cursor: checkpoint.cursor }, history),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sequence: u64, cursor: &str) -> LastPage {
        LastPage {
            sequence,
            page_id: format!("page {sequence}"),
            cursor: cursor.parse().unwrap(),
            fetched_at: jiff::Timestamp::UNIX_EPOCH,
            has_news: true,
            events_total: 7,
        }
    }

    fn checkpoint(sequence: u64, cursor: &str) -> (Position, History) {
        (Position { sequence, page_id: None, cursor: cursor.parse().ok() }, History::default())
    }

    #[test]
    fn the_newer_of_page_and_checkpoint_counts() {
        let check = |last_page, checkpoint, sequence, cursor: Option<&str>| {
            let (position, _) = recover(last_page, checkpoint);
            assert_eq!((position.sequence, position.cursor.as_ref().map(Cursor::as_str)), (sequence, cursor));
        };
        check(None, None, 0, None);
        check(None, Some(checkpoint(0, "c")), 0, Some("c"));
        check(Some(page(5, "p")), None, 5, Some("p"));
        // A crash after the page and before the checkpoint.
        check(Some(page(5, "p")), Some(checkpoint(3, "c")), 5, Some("p"));
        // Empty pages after page 5 moved the cursor on.
        check(Some(page(5, "p")), Some(checkpoint(5, "c")), 5, Some("c"));
        // A checkpoint that never had a cursor.
        check(Some(page(5, "p")), Some(checkpoint(5, "")), 5, Some("p"));
        // Retention removed page 5.
        check(None, Some(checkpoint(5, "c")), 0, Some("c"));
    }

    #[test]
    fn a_page_without_checkpoint_counts_in_the_history() {
        let (_, history) = recover(Some(page(5, "p")), Some(checkpoint(3, "c")));
        assert_eq!(history.events_total, 7);
        assert_eq!(history.last_arrival_at, Some(jiff::Timestamp::UNIX_EPOCH));
    }
}
