//! A chain's stored pages from the newest back: what it would recognise if it were read again from a point in time.
//!
//! Whoever reads the stream hands page after page to a [`LookBack`], which says where the next one is. Where a feed is asked by event time
//! the point is one, and the pages' own notes of the latest time that any event says tell when no older page can matter; where it is asked
//! by insertion time ([`crate::page_token`]) the places that the pages lead to say it. An event that arrived late is old by the one and new
//! by the other.
//!
//! There may be more than finds room. Then the point moves up, yet never beyond the present: of older pages the few events are taken in
//! that clocks which were ahead have put behind it, for which there is room of their own.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{
    Feed,
    page::{RawPage, raw_page},
};

use crate::{
    body,
    duplicates::{Breadth, Uuids, Window},
    event_time::Asked,
    feed::{Definition, Paging},
    instant,
    page::{self, ItemView},
    page_token::Place,
};

/// Pages that are looked at: more than a page every minute for the whole overlap of a recovery.
pub const MAX_PAGES: u32 = 4_096;

/// Events from the future that find room when nothing else does.
const ROOM_AHEAD: usize = 8_192;

/// A walk back over a chain's pages.
#[derive(Debug)]
pub struct LookBack {
    feed: Feed,
    from: Timestamp,
    now: Timestamp,
    window: Window,
    room: usize,
    /// No event that is left out is later, but for those before `from`.
    bound: Option<Timestamp>,
    pages: u32,
    most: u32,
    /// Only what lies ahead is taken in.
    is_full: bool,
    is_over: bool,
}

impl LookBack {
    /// Begins at a chain's newest page. Wanted is everything from `from` on, and what is later than `now` before all else: when the reading
    /// began for which this is. `reached`: nothing stored is later, by the time that the feed is asked by, whether or not its page is still
    /// there; `None`: nothing was ever stored. `most` is how many pages are looked at at most, and as many again for what lies ahead:
    /// [`MAX_PAGES`], or twice as many where `breadth` is that of a reading under way.
    #[must_use]
    pub fn new(
        feed: Feed,
        from: Timestamp,
        now: Timestamp,
        reached: Option<Timestamp>,
        breadth: Breadth,
        most: u32,
    ) -> Self {
        Self {
            feed,
            from,
            now,
            window: Window::new(breadth),
            room: breadth.recalled() - ROOM_AHEAD,
            bound: reached,
            pages: 0,
            most,
            is_full: false,
            is_over: false,
        }
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
        if !self.take_in(page, reached) {
            self.bound = Some(reached);
            self.is_over = true;
        } else if page.previous_sequence == 0 && is_first(page) {
            self.bound = None;
            self.is_over = true;
        } else {
            // By insertion time it depends on our clock.
            let noted = noted_older_until(page).filter(|_| is_by_event_time(self.feed));
            let before = noted.map_or(reached, |until| until.min(reached));
            self.bound = Some(before);
            self.is_over = before < self.from;
        }
        self.pages += 1;
        page.previous_sequence
    }

    /// Whether everything wanted of a page found room.
    fn take_in(&mut self, page: &RawPage, reached: Timestamp) -> bool {
        if !self.is_full {
            let all = uuids(page);
            if self.pages < self.most && self.window.len() + all.len() <= self.room {
                return self.window.recall(all);
            }
            if reached < self.now {
                return false;
            }
            (self.is_full, self.from) = (true, self.from.max(self.now));
        }
        self.pages < self.most.saturating_mul(2) && self.window.recall(uuids_from(page, Some(self.from)))
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
    noted_older_until(page).unwrap_or_else(|| instant::from_unix_nano(page.fetched_at_unix_nano))
}

fn noted_older_until(page: &RawPage) -> Option<Timestamp> {
    instant::optional_from_unix_nano(page.older_until_unix_nano)
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
    uuids_from(stored, None)
}

/// The same of those items alone that are no older, by the time that the feed is asked by, or do not say how old they are.
fn uuids_from(stored: &RawPage, from: Option<Timestamp>) -> Uuids {
    let size = usize::try_from(stored.body_size).unwrap_or(body::MAX_BYTES);
    let Ok(feed) = stored.feed.parse() else { return Uuids::default() };
    let is_repair = matches!(stored.request, Some(raw_page::Request::Repair(_)));
    let asked = Asked::by(Definition::of(feed));
    let counts = |(index, item): &(u32, ItemView<'_>)| {
        let is_added = !is_repair || stored.duplicates.binary_search(index).is_err();
        is_added && from.is_none_or(|from| asked.time(item.raw).is_none_or(|time| time >= from))
    };
    let fresh = |body: &[u8]| {
        page::read(feed, body).map(|view| {
            let items: Vec<_> = (0..).zip(view.items).filter(counts).map(|(_, item)| item).collect();
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

    fn hour(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    /// At hour 99.
    fn looking_back(from: Timestamp, reached: Option<Timestamp>, most: u32) -> LookBack {
        LookBack::new(Feed::ItemUsages, from, hour(99), reached, Breadth::Wide, most)
    }

    /// A page of one event, stored when it happened; up to it, none says that it happened after `latest`.
    fn page(uuid: &str, at: i64, latest: i64, previous_sequence: u64) -> RawPage {
        page_of(uuid, at, at, latest, previous_sequence)
    }

    fn page_of(uuid: &str, happened: i64, at: i64, latest: i64, previous_sequence: u64) -> RawPage {
        let item = format!(r#"{{"uuid":"{uuid}","timestamp":"{}"}}"#, hour(happened));
        let body = format!(r#"{{"items":[{item}],"cursor":"c","has_more":false}}"#);
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
        let mut back = looking_back(hour(50), Some(hour(60)), MAX_PAGES);
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
                LookBack::new(feed, hour(50), hour(99), reached.map(hour), Breadth::Wide, MAX_PAGES).finish().1
            };
            assert_eq!(covered(Some(60)), next_instant(hour(60)), "{feed}");
            assert_eq!(covered(Some(40)), hour(50), "{feed}");
            assert_eq!(covered(None), hour(50), "{feed}");
        }
    }

    #[test]
    fn a_page_says_how_late_those_before_it_are() {
        let mut back = looking_back(hour(0), Some(hour(110)), MAX_PAGES);
        back.take(&RawPage {
            older_until_unix_nano: instant::to_unix_nano(hour(40)),
            ..page_of("ahead", 110, 60, 110, 3)
        });
        // The one before it is gone.
        assert!(back.goes_on());
        assert_eq!(back.finish().1, next_instant(hour(40)));
    }

    #[test]
    fn what_there_was_no_room_for_is_not_covered() {
        let mut back = looking_back(hour(0), Some(hour(60)), 1);
        back.take(&page("new", 60, 60, 3));
        back.take(&page("ahead", 40, 52, 2));
        assert!(!back.goes_on());
        assert_eq!(back.finish().1, next_instant(hour(52)));
    }

    #[test]
    fn what_lies_ahead_is_recognised_beyond_all_room() {
        let mut back = looking_back(hour(0), Some(hour(110)), 2);
        for (page, goes_on) in [
            (page("new", 98, 110, 5), true),
            (page("newer", 97, 110, 4), true),
            (page("left out", 96, 110, 3), true),
            (page_of("ahead", 110, 95, 110, 2), true),
            (page("older", 94, 94, 1), false),
        ] {
            back.take(&page);
            assert_eq!(back.goes_on(), goes_on);
        }
        let (window, covered) = back.finish();
        assert_eq!(covered, hour(99), "the present");
        let item = |uuid| ItemView { raw: b"{}", uuid: Some(Cow::Borrowed(uuid)) };
        assert_eq!(window.mark(&["new", "newer", "left out", "ahead"].map(item)).duplicates, [0, 1, 3]);
        // Until there are too many pages for that as well.
        let mut back = looking_back(hour(0), Some(hour(110)), 1);
        for sequence in [5, 4, 3] {
            back.take(&page("new", 98, 110, sequence));
        }
        assert!(!back.goes_on());
        assert_eq!(back.finish().1, next_instant(hour(110)));
    }
}
