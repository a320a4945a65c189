//! A chain's stored pages from the newest back: what it would recognise if it were read again from a point in time.
//!
//! Whoever reads the stream hands page after page to a [`LookBack`], which says where the next one is. Where a feed is asked by event time
//! the point is one, and the pages' own notes of the latest time that any event says tell when no older page can matter; where it is asked by insertion
//! time ([`crate::page_token`]) the places that the pages lead to say it. An event that arrived late is old by the one and new by the other.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{
    Feed,
    page::{RawPage, raw_page},
};

use crate::{
    body,
    duplicates::{Breadth, Uuids, Window},
    feed::{Definition, Paging},
    instant, page,
    page_token::Place,
};

/// Pages that are looked at: more than a page every minute for the whole overlap of a recovery.
pub const MAX_PAGES: u32 = 4_096;

/// A walk back over a chain's pages.
#[derive(Debug)]
pub struct LookBack {
    feed: Feed,
    from: Timestamp,
    window: Window,
    /// No event that is left out is later.
    bound: Option<Timestamp>,
    pages: u32,
    most: u32,
    is_over: bool,
}

impl LookBack {
    /// Begins at a chain's newest page. Wanted is everything from `from` on. `reached`: nothing stored is later, by the time that the feed is
    /// asked by, whether or not its page is still there; `None`: nothing was ever stored.
    /// `most` is how many pages are looked at at most: [`MAX_PAGES`], or twice as many where `breadth` is that of a reading under way.
    #[must_use]
    pub fn new(feed: Feed, from: Timestamp, reached: Option<Timestamp>, breadth: Breadth, most: u32) -> Self {
        Self { feed, from, window: Window::new(breadth), bound: reached, pages: 0, most, is_over: false }
    }

    /// Whether older pages are wanted.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !self.is_over
    }

    /// Takes in a page and returns the sequence of the one before it, which is wanted if [`LookBack::goes_on`].
    pub fn take(&mut self, page: &RawPage) -> u64 {
        if let Some(chain_sequence) = passed(page) {
            return chain_sequence;
        }
        let reached = reached(self.feed, page);
        self.bound = Some(reached);
        if self.pages == self.most || !self.window.recall(uuids(page)) {
            self.is_over = true;
        } else if page.previous_sequence == 0 && is_first(page) {
            self.bound = None;
            self.is_over = true;
        } else {
            self.is_over = reached < self.from;
        }
        self.pages += 1;
        page.previous_sequence
    }

    /// What was found, and from when on it is complete: later than wanted if the pages were too many, or are not kept any more.
    #[must_use]
    pub fn finish(self) -> (Window, Timestamp) {
        let covered = self.bound.map_or(self.from, |bound| next_instant(bound).max(self.from));
        (self.window, covered)
    }
}

/// For a page of a backfill from before the chain's start, which holds nothing that polling could bring again: the page to go on with.
#[must_use]
pub fn passed(page: &RawPage) -> Option<u64> {
    match &page.request {
        Some(raw_page::Request::Repair(repair)) if repair.before_start => Some(repair.chain_sequence),
        _ => None,
    }
}

/// Whether nothing was ever stored before it. A page also has no predecessor if retention had removed all.
#[must_use]
pub fn is_first(page: &RawPage) -> bool {
    page.events_total + page.duplicates.len() as u64 == u64::from(page.item_count)
}

/// No event on an older page says that it happened later, as far as clocks are within [`crate::event_time::AHEAD`].
#[must_use]
pub fn older_until(page: &RawPage) -> Timestamp {
    let noted = instant::optional_from_unix_nano(page.older_until_unix_nano);
    noted.unwrap_or_else(|| instant::from_unix_nano(page.fetched_at_unix_nano))
}

/// No event up to and with this page says that it happened later, as far as clocks are within [`crate::event_time::AHEAD`]. Of pages that do not
/// note it, events that claimed to be from the future do not count.
#[must_use]
pub fn latest_event_up_to(page: &RawPage) -> Timestamp {
    instant::optional_from_unix_nano(page.latest_event_unix_nano).unwrap_or_else(|| newest_event_up_to(page))
}

/// Nothing stored up to and with this page happened later, but for events that claimed to be from the future.
#[must_use]
pub fn newest_event_up_to(page: &RawPage) -> Timestamp {
    let fetched_at = instant::from_unix_nano(page.fetched_at_unix_nano);
    instant::optional_from_unix_nano(page.newest_event_unix_nano).unwrap_or(fetched_at)
}

/// The uuids of a stored page; none if it cannot be read, which costs at worst that an event is taken for a new one. Of a repair those it
/// has added alone: a day of events that were there already would leave no room for what polling may bring again.
#[must_use]
pub fn uuids(stored: &RawPage) -> Uuids {
    let size = usize::try_from(stored.body_size).unwrap_or(body::MAX_BYTES);
    let Ok(feed) = stored.feed.parse() else { return Uuids::default() };
    let is_repair = matches!(stored.request, Some(raw_page::Request::Repair(_)));
    let counts = |index: u32| !is_repair || stored.duplicates.binary_search(&index).is_err();
    let fresh = |body: &[u8]| {
        page::read(feed, body).map(|view| {
            let items: Vec<_> =
                (0..).zip(view.items).filter(|(index, _)| counts(*index)).map(|(_, item)| item).collect();
            Window::default().mark(&items).fresh
        })
    };
    body::unpack(&stored.body, size, fresh).ok().and_then(Result::ok).unwrap_or_default()
}

/// Nothing stored up to and with this page is later, by the time that the feed is asked by.
fn reached(feed: Feed, page: &RawPage) -> Timestamp {
    if is_by_event_time(feed) {
        return latest_event_up_to(page);
    }
    let place = page.next_cursor.parse().ok().and_then(|cursor| Place::read(&cursor));
    place.and_then(|place| place.newest()).unwrap_or_else(|| instant::from_unix_nano(page.fetched_at_unix_nano))
}

fn is_by_event_time(feed: Feed) -> bool {
    Definition::of(feed).paging == Paging::Cursor
}

fn next_instant(time: Timestamp) -> Timestamp {
    time.checked_add(SignedDuration::from_nanos(1)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::page::ItemView;

    fn hour(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    /// A page of one event, stored by `at`; up to it, none says that it happened after `latest`.
    fn page(uuid: &str, at: i64, latest: i64, previous_sequence: u64) -> RawPage {
        let body = format!(r#"{{"items":[{{"uuid":"{uuid}"}}],"cursor":"c","has_more":false}}"#);
        RawPage {
            feed: Feed::ItemUsages.to_string(),
            body: body::pack(body.as_bytes()),
            body_size: body.len() as u64,
            item_count: 1,
            events_total: 9,
            previous_sequence,
            newest_event_unix_nano: instant::to_unix_nano(hour(at)),
            latest_event_unix_nano: instant::to_unix_nano(hour(latest)),
            ..RawPage::default()
        }
    }

    #[test]
    fn what_a_clock_that_was_ahead_has_put_behind_the_point_is_recognised() {
        let mut back = LookBack::new(Feed::ItemUsages, hour(50), Some(hour(60)), Breadth::Wide, MAX_PAGES);
        for (page, goes_on) in
            [(page("new", 60, 60, 3), true), (page("ahead", 40, 52, 2), true), (page("old", 30, 30, 1), false)]
        {
            back.take(&page);
            assert_eq!(back.goes_on(), goes_on);
        }
        let (window, covered) = back.finish();
        assert_eq!(covered, hour(50));
        let item = |uuid| ItemView { raw: b"{}", uuid: Some(Cow::Borrowed(uuid)) };
        assert_eq!(window.mark(&["ahead", "new", "other"].map(item)).duplicates, [0, 1]);
    }

    #[test]
    fn what_is_stored_on_pages_that_are_gone_is_not_covered() {
        for feed in [Feed::ItemUsages, Feed::AuditEventsV3] {
            let covered = |reached: Option<i64>| {
                LookBack::new(feed, hour(50), reached.map(hour), Breadth::Wide, MAX_PAGES).finish().1
            };
            assert_eq!(covered(Some(60)), next_instant(hour(60)), "{feed}");
            assert_eq!(covered(Some(40)), hour(50), "{feed}");
            assert_eq!(covered(None), hour(50), "{feed}");
        }
    }

    #[test]
    fn what_there_was_no_room_for_is_not_covered() {
        let mut back = LookBack::new(Feed::ItemUsages, hour(0), Some(hour(60)), Breadth::Wide, 1);
        back.take(&page("new", 60, 60, 3));
        back.take(&page("ahead", 40, 52, 2));
        assert!(!back.goes_on());
        assert_eq!(back.finish().1, next_instant(hour(52)));
    }
}
