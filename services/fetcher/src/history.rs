//! Reads a chain's stored pages from the newest back, for the uuids in them.

use jiff::Timestamp;
use latchkey_bus::{Bus, Error};
use latchkey_contracts::page::{RawPage, raw_page};
use latchkey_core::{
    body,
    duplicates::{Breadth, Uuids, WALKED_BACK, Window},
    instant, page,
};

/// Pages of a chain after which one carries the newest uuids, for those who rebuild the window.
pub(crate) const RECENT_EVERY: u32 = 64;

/// Pages walked back for the usual window, where none carries them: those of other versions do not.
const MAX_WALK: u32 = 256;

/// Pages walked back for a wide one: more than a page every minute for the whole overlap.
const MAX_WIDE_WALK: u32 = 4_096;

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

/// What a chain must remember to be read again from `from` on, and from when on it does: later than `from` if the pages in between are
/// too many, or not kept any more. `newest_event` is the chain's.
pub(crate) async fn wide(
    bus: &Bus,
    newest: u64,
    newest_event: Option<Timestamp>,
    from: Timestamp,
) -> Result<(Window, Timestamp), Error> {
    let mut window = Window::new(Breadth::Wide);
    // No event that is left out happened later.
    let mut bound = newest_event;
    let (mut sequence, mut pages) = (newest, 0);
    while bound.is_none_or(|bound| bound >= from) {
        // Retention may have removed the rest.
        let Some(page) = bus.page_at(sequence).await? else { break };
        let page = page.message;
        if let Some(chain_sequence) = passed(&page) {
            sequence = chain_sequence;
            continue;
        }
        bound = Some(newest_event_up_to(&page));
        if pages == MAX_WIDE_WALK || !window.recall(uuids(&page)) {
            break;
        }
        pages += 1;
        if page.previous_sequence == 0 && is_first(&page) {
            bound = None;
            break;
        }
        sequence = page.previous_sequence;
    }
    Ok((window, bound.map_or(from, |bound| next_instant(bound).max(from))))
}

/// The sequence of the chain's newest page, the pages of a backfill left out: those hold nothing that polling could bring again.
pub(crate) async fn without_backfill(bus: &Bus, newest: u64) -> Result<u64, Error> {
    let page = bus.page_at(newest).await?;
    Ok(page.and_then(|stored| passed(&stored.message)).unwrap_or(newest))
}

/// For a page of a backfill from before the chain's start: the page to go on with.
fn passed(page: &RawPage) -> Option<u64> {
    match &page.request {
        Some(raw_page::Request::Repair(repair)) if repair.before_start => Some(repair.chain_sequence),
        _ => None,
    }
}

/// Whether nothing was ever stored before it. A page also has no predecessor if retention had removed all.
pub(crate) fn is_first(page: &RawPage) -> bool {
    page.events_total + page.duplicates.len() as u64 == u64::from(page.item_count)
}

/// Nothing stored up to and with this page happened later, but for events that claimed to be from the future.
fn newest_event_up_to(page: &RawPage) -> Timestamp {
    let fetched_at = instant::from_unix_nano(page.fetched_at_unix_nano);
    instant::optional_from_unix_nano(page.newest_event_unix_nano).unwrap_or(fetched_at)
}

fn next_instant(time: Timestamp) -> Timestamp {
    time.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(time)
}

/// The uuids of a stored page; none if it cannot be read, which costs at worst that an event is taken for a new one. Of a repair those it
/// has added alone: a day of events that were there already would leave no room for what polling may bring again.
fn uuids(stored: &RawPage) -> Uuids {
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
