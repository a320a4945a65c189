//! Requests, pages and failures as the polling machine, the client and the stream have them.

use latchkey_contracts::page::{RawPage, ResetCursor, raw_page};
use latchkey_core::{
    instant,
    look_back::latest_event_up_to,
    polling::{Failure, LastPage},
};
use latchkey_events_api as events_api;

/// A stored page as the machine sees it.
pub(crate) fn last_page_of(sequence: u64, page: &RawPage) -> Result<LastPage, latchkey_bus::Error> {
    Ok(LastPage {
        sequence,
        previous_sequence: page.previous_sequence,
        page_id: page.page_id.clone(),
        cursor: page.next_cursor.parse().map_err(|_| latchkey_bus::Error::unreadable_page(sequence))?,
        fetched_at: instant::from_unix_nano(page.fetched_at_unix_nano),
        // What only an audit found says nothing of whether polling brings what happens.
        has_news: page.item_count as usize > page.duplicates.len()
            && !matches!(page.request, Some(raw_page::Request::Repair(_))),
        events_total: page.events_total,
        newest_event_at: instant::optional_from_unix_nano(page.newest_event_unix_nano),
        latest_event_at: Some(latest_event_up_to(page)),
        recovering_from: instant::optional_from_unix_nano(page.recovering_from_unix_nano),
        recoveries: page.recoveries,
    })
}

/// A request as a stored page tells of it.
pub(super) fn request(request: &events_api::PageRequest) -> raw_page::Request {
    match request {
        events_api::PageRequest::Reset { limit, start, .. } => {
            raw_page::Request::Reset(ResetCursor { limit: *limit, start_unix_nano: instant::to_unix_nano(*start) })
        }
        events_api::PageRequest::Continue { cursor } => raw_page::Request::Cursor(cursor.as_str().into()),
    }
}

/// What a turn makes of an answer that is no page.
pub(super) fn failure(error: &events_api::Error) -> Failure {
    Failure {
        reason: error.reason(),
        http_status: error.http_status().unwrap_or_default(),
        retry_after: error.retry_after(),
        transient: error.is_transient(),
        detail: format!("{error}; {}", error.next_step()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// Pages of other versions do not note the latest time; what is stored after them must not fall behind it.
    #[test]
    fn a_page_always_says_what_nothing_up_to_it_is_later_than() {
        let latest = |latest, newest| {
            let page = RawPage {
                next_cursor: "c".into(),
                fetched_at_unix_nano: 9,
                newest_event_unix_nano: newest,
                latest_event_unix_nano: latest,
                ..RawPage::default()
            };
            last_page_of(1, &page).unwrap().latest_event_at.map(Timestamp::as_nanosecond)
        };
        assert_eq!([latest(12, 5), latest(0, 5), latest(0, 0)], [12, 5, 9].map(Some));
    }
}
