//! From one delivered page to the messages that are published for it; no I/O.
//!
//! The same page gives the same messages each time: the parts are cut by the items' places in the page, and their number follows
//! from sizes that never change. So a page that comes again is published under the same ids with the same content.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use latchkey_contracts::{
    Chain,
    batch::Batch,
    event::EventBatch,
    page::RawPage,
    rejection::{Problem, Rejection, RejectionBatch},
};
use latchkey_core::{
    body, instant,
    lookup::Lookups,
    normalize::{Drift, Normalized, Options, normalize},
    schema::Schemas,
};
use prost::Message;

/// The longest body, unpacked.
const MAX_BODY_BYTES: u64 = body::MAX_BYTES as u64;

/// How much of a body goes into one part. Batches are compressed to a fifth or less, so a part fits into the usual limit of 1 MiB also
/// where enrichment doubles it; a full page of 1,000 events is one part.
const PART_BODY_BYTES: u64 = 1 << 20;

/// The most parts of a page; bounds what a nonsensical size can ask for.
const MAX_PARTS: u64 = 64;

/// Room for a message's other fields and headers beside its content, in bytes.
const HEADROOM: usize = 16 << 10;

/// What a page is normalized with.
pub(crate) struct Rules {
    pub(crate) schemas: Schemas,
    pub(crate) options: Options,
}

/// Which page it is.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) chain: Chain,
    pub(crate) page_id: String,
    /// Its sequence in PAGES.
    pub(crate) sequence: u64,
    /// Which life of PAGES the sequence belongs to.
    pub(crate) epoch: Arc<str>,
    pub(crate) fetched_at_unix_nano: i64,
}

/// What is to be published for a page.
pub(crate) struct Output {
    /// Every part, also empty ones: sinks learn from them that the page is done.
    pub(crate) batches: Vec<Batch>,
    pub(crate) rejections: Vec<Rejection>,
    /// When it was normalized.
    pub(crate) at: Timestamp,
    pub(crate) summary: Summary,
}

/// A page in numbers.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) events: u64,
    pub(crate) rejections: u64,
    pub(crate) duplicates: u64,
    pub(crate) drift: Drift,
}

/// Normalizes a page.
pub(crate) fn page(origin: &Origin, page: &RawPage, rules: &Rules, lookups: &Lookups, now: Timestamp) -> Output {
    let parts = part_count(page.body_size);
    let named = page.source == origin.chain.source.as_str() && page.feed == origin.chain.feed.as_str();
    let normalized = if !named {
        whole("subject", "the chain of its subject", "another chain".into(), &page.body)
    } else if page.body_size > MAX_BODY_BYTES {
        whole("body", "a body within bounds", format!("{} bytes", page.body_size), &page.body)
    } else {
        let size = usize::try_from(page.body_size).expect("the bound fits any pointer");
        let lookups = lookups.at(now);
        let events = |body: &[u8]| normalize(page, body, &rules.schemas, &lookups, rules.options, now);
        match body::unpack(&page.body, size, events) {
            Ok(normalized) => normalized,
            Err(error) => whole("body", "a zstd body of the size that is stated", error.to_string(), &page.body),
        }
    };
    output(origin, normalized, parts, lookups.version(), now)
}

/// A message that is no page: one rejection with the message's bytes.
pub(crate) fn undecodable(origin: &Origin, reason: String, payload: &Bytes, now: Timestamp) -> Output {
    output(origin, whole("message", "a protobuf RawPage", reason, payload), 1, "", now)
}

/// Turns the events of a part that no message can hold into rejections, so that the page is not stuck for ever.
pub(crate) fn refuse_part(output: &mut Output, part: usize) {
    let batch = &mut output.batches[part];
    let records = std::mem::take(&mut batch.records);
    output.summary.events -= records.len() as u64;
    output.summary.rejections += records.len() as u64;
    output.rejections.extend(records.iter().map(|event| Rejection {
        item: None,
        problems: vec![Problem {
            path: "$".into(),
            rule: "too_large".into(),
            expected: "events that fit into one message".into(),
            found: format!("record {} of {} bytes", event.row_id, event.record.len()),
        }],
        raw: Bytes::copy_from_slice(event.record),
    }));
}

/// Packs rejections into messages. Rejections are not compressed, so a page of refusals may need several.
pub(crate) fn rejection_batches(origin: &Origin, output: &Output, max_payload: usize) -> Vec<RejectionBatch> {
    let room = max_payload.saturating_sub(HEADROOM);
    let mut batches: Vec<RejectionBatch> = Vec::new();
    let mut filled = 0;
    for rejection in &output.rejections {
        let rejection = cut(rejection, room / 2);
        let size = rejection.encoded_len() + HEADROOM_PER_ENTRY;
        match batches.last_mut() {
            Some(batch) if filled + size <= room => {
                filled += size;
                batch.rejections.push(rejection);
            }
            _ => {
                filled = size;
                batches.push(RejectionBatch {
                    page_id: origin.page_id.clone(),
                    source: origin.chain.source.to_string(),
                    feed: origin.chain.feed.to_string(),
                    log_type: origin.chain.feed.log_type().to_string(),
                    page_sequence: origin.sequence,
                    rejected_at_unix_nano: instant::to_unix_nano(output.at),
                    rejections: vec![rejection],
                });
            }
        }
    }
    batches
}

/// Tag and length of an entry in its message.
const HEADROOM_PER_ENTRY: usize = 16;

/// Keeps only the beginning of bytes that would not fit. The whole is in PAGES, at the batch's page sequence.
fn cut(rejection: &Rejection, room: usize) -> Rejection {
    let mut rejection = rejection.clone();
    let length = rejection.raw.len();
    if length > room {
        rejection.raw = rejection.raw.slice(..room);
        let found = format!("{length} bytes");
        let expected = format!("the first {room} bytes are kept");
        rejection.problems.push(Problem { path: "$".into(), rule: "cut".into(), expected, found });
    }
    rejection
}

/// From the page's size alone, whatever server it goes to: a page that comes again after the server's limit was raised must be cut as
/// before.
fn part_count(body_size: u64) -> u32 {
    let parts = body_size.div_ceil(PART_BODY_BYTES).clamp(1, MAX_PARTS);
    u32::try_from(parts).expect("clamped to a small number")
}

fn output(origin: &Origin, normalized: Normalized, parts: u32, lookup_version: &str, now: Timestamp) -> Output {
    let Normalized { items, events, rejections, duplicates, drift } = normalized;
    let summary = Summary {
        events: events.records.len() as u64,
        rejections: rejections.len() as u64,
        duplicates: duplicates.into(),
        drift,
    };
    let normalized_at_unix_nano = instant::to_unix_nano(now);
    let batches = (0..parts).map(|part| {
        // The first event of a part, by its place in the page.
        let first_of = |part: u32| {
            let item = u64::from(items) * u64::from(part) / u64::from(parts);
            events.indexes.partition_point(|index| u64::from(*index) < item)
        };
        let header = EventBatch {
            page_id: origin.page_id.clone(),
            source: origin.chain.source.to_string(),
            feed: origin.chain.feed.to_string(),
            log_type: origin.chain.feed.log_type().to_string(),
            page_sequence: origin.sequence,
            pages_epoch: origin.epoch.as_ref().into(),
            part,
            part_count: parts,
            fetched_at_unix_nano: origin.fetched_at_unix_nano,
            normalized_at_unix_nano,
            lookup_version: lookup_version.into(),
            events: Vec::new(),
        };
        Batch { header, records: events.records.slice(first_of(part)..first_of(part + 1)) }
    });
    Output { batches: batches.collect(), rejections, at: now, summary }
}

fn whole(rule: &str, expected: &str, found: String, raw: &Bytes) -> Normalized {
    let problem = Problem { path: "$".into(), rule: rule.into(), expected: expected.into(), found };
    Normalized {
        rejections: vec![Rejection { item: None, problems: vec![problem], raw: raw.clone() }],
        ..Normalized::default()
    }
}

#[cfg(test)]
mod tests;
