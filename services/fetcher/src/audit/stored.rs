//! What the chain's pages hold of a span, found by walking them back.

use jiff::Timestamp;
use latchkey_bus::{Bus, Error};
use latchkey_contracts::{
    Feed,
    page::{RawPage, raw_page::Request},
};
use latchkey_core::{
    audit::{Known, MAX_KNOWN, SKEW, Span},
    body, instant,
    look_back::{is_first, latest_event_up_to, older_until},
    page,
};

/// The stored events of a span, up to a page of the chain.
pub(super) struct Stored {
    pub(super) known: Known,
    /// The newest page that was looked through.
    pub(super) newest: u64,
    /// The chain's start, as it was set.
    pub(super) start: Timestamp,
    before_start: bool,
}

impl Stored {
    /// Looks through the pages up to `newest` that may hold events of `span`. `start` is the chain's: what is older it never asked for,
    /// so such events are on no page but those of backfills.
    /// `ever_stored`: whether the chain has stored anything at all.
    pub(super) async fn gather(
        bus: &Bus,
        feed: Feed,
        newest: u64,
        ever_stored: bool,
        span: Span,
        start: Timestamp,
    ) -> Result<Self, Error> {
        let before_start = span.to <= start;
        let mut stored = Self { known: Known::new(feed, span, MAX_KNOWN), newest, start, before_start };
        let mut sequence = newest;
        // Events on pages that are gone happened before the oldest page that is left was asked for.
        let mut gone_before = (newest == 0).then_some(if ever_stored { Timestamp::MAX } else { Timestamp::MIN });
        let mut oldest = None;
        while gone_before.is_none() {
            let Some(page) = bus.page_at(sequence).await? else {
                gone_before = Some(oldest.unwrap_or(Timestamp::MAX));
                break;
            };
            let page = page.message;
            let fetched_at = instant::from_unix_nano(page.fetched_at_unix_nano);
            // Events that came late are older than their page; those of clocks that are ahead are younger.
            let until = fetched_at.saturating_add(SKEW).unwrap_or(Timestamp::MAX).max(latest_event_up_to(&page));
            if until < span.from {
                break;
            }
            oldest = Some(older_until(&page));
            stored.remember(&page)?;
            if page.previous_sequence == 0 {
                gone_before = Some(if is_first(&page) { Timestamp::MIN } else { older_until(&page) });
                break;
            }
            sequence = page.previous_sequence;
        }
        if !before_start && let Some(gone_before) = gone_before {
            let to = gone_before.saturating_add(SKEW).unwrap_or(Timestamp::MAX);
            stored.known.leave_unjudged(Span { from: start, to });
        }
        Ok(stored)
    }

    /// Looked through nothing.
    #[cfg(test)]
    pub(super) fn nothing(span: Span) -> Self {
        Self { known: Known::new(Feed::ItemUsages, span, MAX_KNOWN), newest: 0, start: span.from, before_start: false }
    }

    /// Looks through the pages that came since. `false`: some of them are gone already.
    pub(super) async fn catch_up(&mut self, bus: &Bus, newest: u64) -> Result<bool, Error> {
        let mut sequence = newest;
        while sequence > self.newest {
            let Some(page) = bus.page_at(sequence).await? else { return Ok(false) };
            self.remember(&page.message)?;
            sequence = page.message.previous_sequence;
        }
        self.newest = newest;
        Ok(true)
    }

    /// A page that cannot be read ends the reading: what it holds would count as missing.
    fn remember(&mut self, page: &RawPage) -> Result<(), Error> {
        if !self.may_hold(page) {
            return Ok(());
        }
        let unreadable = || Error::unreadable_page(self.newest);
        let size = usize::try_from(page.body_size).map_err(|_| unreadable())?;
        let feed = page.feed.parse().map_err(|_| unreadable())?;
        let known = &mut self.known;
        let remember = |body: &[u8]| page::read(feed, body).map(|view| known.remember(&view.items));
        match body::unpack(&page.body, size, remember) {
            Ok(Ok(())) => Ok(()),
            _ => Err(Error::unreadable_page(self.newest)),
        }
    }

    fn may_hold(&self, page: &RawPage) -> bool {
        match &page.request {
            Some(Request::Repair(repair)) => {
                let (start, end) = (repair.start_unix_nano, repair.end_unix_nano);
                let window = Span { from: instant::from_unix_nano(start), to: instant::from_unix_nano(end) };
                let span = self.known.span();
                window.from < span.to && span.from < window.to
            }
            _ => !self.before_start,
        }
    }
}
