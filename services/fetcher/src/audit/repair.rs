//! Publishes what a page of the past has and the chain has not.
//!
//! The page goes out as it came, with everything marked that is not to be delivered, onto the sequence up to which the chain's pages were
//! looked through. If polling stored a page meanwhile, the stream refuses; then that page is looked through too. The chain's cursor stays
//! what it was.

use bytes::Bytes;
use latchkey_bus::{Error, Publication};
use latchkey_contracts::page::{RawPage, Repair as Request, raw_page};
use latchkey_core::{
    audit::{Judged, Span},
    body, event_time,
    feed::Definition,
    instant,
    page_id::page_id,
};
use latchkey_events_api::Page;
use latchkey_runtime::clock;

use super::{
    reader::{Reader, Tip},
    stored::Stored,
};
use crate::history;

/// Pages that others may store first before the turn ends.
const MAX_CONFLICTS: u32 = 8;

/// A page of the past, and where it comes from.
pub(super) struct Repair<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) span: Span,
    pub(super) limit: u32,
    pub(super) cursor: String,
    pub(super) body: &'a [u8],
    pub(super) view: &'a Page<'a>,
}

/// What came of it.
pub(super) enum Repaired {
    /// What was missing by the last judgement is stored, or was only to be counted.
    Stored(Judged),
    Full,
    TooLarge,
    /// Others were faster each time.
    Contended,
}

impl Repair<'_> {
    pub(super) async fn publish(
        &self,
        mut judged: Judged,
        stored: &mut Stored,
        tip: &mut Tip,
    ) -> Result<Repaired, Error> {
        for _ in 0..=MAX_CONFLICTS {
            if judged.missing.is_empty() {
                return Ok(Repaired::Stored(judged));
            }
            if !self.reader.order.delivers() {
                return Ok(self.done(judged, stored));
            }
            // A page without the chain's cursor would be the end of the chain.
            if tip.position.cursor.is_none() {
                return Ok(Repaired::Contended);
            }
            let page = self.page(&judged, tip).await?;
            let expected = tip.position.sequence;
            match self.reader.bus.publish_page(self.reader.chain, &page, expected).await? {
                Publication::Stored { sequence } | Publication::Repeated { sequence } => {
                    // Nothing lies between: whatever comes after this page is looked through when it refuses the next.
                    (tip.position.sequence, stored.newest) = (sequence, sequence);
                    tip.position.page_id = Some(page.page_id);
                    tip.position.latest_event_at = instant::optional_from_unix_nano(page.latest_event_unix_nano);
                    tip.history.events_total = page.events_total;
                    return Ok(self.done(judged, stored));
                }
                Publication::Full => return Ok(Repaired::Full),
                Publication::TooLarge { .. } => return Ok(Repaired::TooLarge),
                // The stream may hold it already: then it is among the pages to look through, and nothing is missing any more.
                Publication::Conflict | Publication::Unknown => {
                    *tip = self.reader.tip().await?;
                    if tip.position.page_id.as_ref() == Some(&page.page_id) {
                        stored.newest = tip.position.sequence;
                        return Ok(self.done(judged, stored));
                    }
                    let complete = stored.catch_up(self.reader.bus, tip.position.sequence).await?;
                    if !complete || stored.known.span() != self.span {
                        return Ok(Repaired::Contended);
                    }
                    judged = stored.known.judge(&self.view.items);
                }
            }
        }
        Ok(Repaired::Contended)
    }

    fn done(&self, judged: Judged, stored: &mut Stored) -> Repaired {
        stored.known.repaired(&judged.missing);
        self.reader.note_lateness(judged.missing.iter().map(|(_, time)| *time), clock::now());
        Repaired::Stored(judged)
    }

    async fn page(&self, judged: &Judged, tip: &Tip) -> Result<RawPage, Error> {
        let (chain, position, history) = (self.reader.chain, &tip.position, &tip.history);
        let before_start = self.span.to <= self.reader.start(tip);
        let chain_sequence = history::without_backfill(self.reader.bus, position.sequence).await?;
        let request = raw_page::Request::Repair(Request {
            start_unix_nano: instant::to_unix_nano(self.span.from),
            end_unix_nano: instant::to_unix_nano(self.span.to),
            limit: self.limit,
            cursor: self.cursor.clone(),
            before_start,
            chain_sequence: if before_start { chain_sequence } else { 0 },
        });
        let now = clock::now();
        let latest_event_at = position.latest_event_at.max(event_time::latest(&self.view.items, now));
        let newest_event_at = history.newest_event_at.max(event_time::newest(&self.view.items, now));
        Ok(RawPage {
            page_id: page_id(chain, &request, self.body),
            source: chain.source.to_string(),
            source_label: self.reader.source.label.clone(),
            feed: chain.feed.to_string(),
            next_cursor: position.cursor.as_ref().map(|cursor| cursor.as_str().into()).unwrap_or_default(),
            has_more: false,
            fetched_at_unix_nano: instant::to_unix_nano(now),
            api_version: Definition::of(chain.feed).api_version.clone(),
            item_count: u32::try_from(self.view.items.len()).expect("a page has a bounded number of items"),
            duplicates: judged.duplicates.clone(),
            previous_sequence: position.sequence,
            body: body::pack(self.body),
            body_size: self.body.len() as u64,
            events_total: history.events_total + judged.missing.len() as u64,
            newest_event_unix_nano: instant::optional_to_unix_nano(newest_event_at),
            recovering_from_unix_nano: instant::optional_to_unix_nano(position.recovering_from),
            recoveries: history.recoveries,
            older_until_unix_nano: instant::optional_to_unix_nano(
                position.latest_event_at.max(history.last_success_at),
            ),
            latest_event_unix_nano: instant::optional_to_unix_nano(latest_event_at),
            request: Some(request),
            recent: Bytes::new(),
        })
    }
}
