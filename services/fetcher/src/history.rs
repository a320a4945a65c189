//! Reads a chain's stored pages from the newest back, for the uuids in them.

use jiff::Timestamp;
use latchkey_bus::{Bus, Error};
use latchkey_core::{
    duplicates::{WALKED_BACK, Window},
    instant,
    look_back::{LookBack, newest_event_up_to, passed, uuids},
};

/// Pages of a chain after which one carries the newest uuids, for those who rebuild the window.
pub(crate) const RECENT_EVERY: u32 = 64;

/// Pages walked back for the usual window, where none carries them: those of other versions do not.
const MAX_WALK: u32 = 256;

/// What a chain remembers that goes on from page to page, and how many pages back it was carried by one.
pub(crate) async fn usual(bus: &Bus, newest: u64) -> Result<(Window, u32), Error> {
    let (mut window, mut carried, mut far_enough) = (Window::default(), None, Timestamp::MIN);
    let (mut sequence, mut pages) = (newest, 0);
    while sequence > 0 && pages < MAX_WALK {
        let Some(stored) = bus.page_at(sequence).await? else { break };
        let page = stored.message;
        if let Some(chain_sequence) = passed(&page) {
            sequence = chain_sequence;
            continue;
        }
        let fetched_at = instant::from_unix_nano(page.fetched_at_unix_nano);
        if pages == 0 {
            // What is read again is counted from the newest event.
            let newest = newest_event_up_to(&page).min(fetched_at);
            far_enough = newest.saturating_sub(WALKED_BACK).unwrap_or(Timestamp::MIN);
        }
        if !window.recall(uuids(&page)) {
            break;
        }
        if !page.recent.is_empty() {
            carried = carried.or(Some(pages));
            if window.recall_recent(&page.recent) {
                break;
            }
        }
        if carried.is_some() && fetched_at < far_enough {
            break;
        }
        pages += 1;
        sequence = page.previous_sequence;
    }
    Ok((window, carried.unwrap_or(pages)))
}

/// What a chain must remember to be read again.
pub(crate) struct Recalled {
    pub(crate) window: Window,
    /// From when on it remembers everything: later than wanted if the pages in between are too many, or not kept any more.
    pub(crate) covered: Timestamp,
    /// Whether a page that was to be looked at is not kept any more.
    pub(crate) is_cut: bool,
}

/// Looks through the chain's pages for it.
pub(crate) async fn wide(bus: &Bus, newest: u64, mut back: LookBack) -> Result<Recalled, Error> {
    let (mut sequence, mut is_cut) = (newest, false);
    // What was before a page without predecessor was gone when that was stored.
    while back.goes_on() && sequence > 0 && !is_cut {
        match bus.page_at(sequence).await? {
            Some(page) => sequence = back.take(&page.message),
            None => is_cut = true,
        }
    }
    let (window, covered) = back.finish();
    Ok(Recalled { window, covered, is_cut })
}

/// The sequence of the chain's newest page, the pages of a backfill left out: those hold nothing that polling could bring again.
pub(crate) async fn without_backfill(bus: &Bus, newest: u64) -> Result<u64, Error> {
    let page = bus.page_at(newest).await?;
    Ok(page.and_then(|stored| passed(&stored.message)).unwrap_or(newest))
}
