//! Normalizing by itself, on one thread: the part of the work that grows with what is done to each event.
//!
//! Counted in the thread's own processor time.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Feed, page::RawPage};
use latchkey_core::{
    lookup::{File, Lookups},
    normalize::{Options, normalize},
    schema::Schemas,
};
use latchkey_events_api::{Client, ClientOptions, Endpoint, PageRequest, Token};
use latchkey_simulator::{AccountConfig, Profile, Simulator};

use crate::drain::count;

/// Pages of each feed: some ten megabytes, more than the processor's caches hold.
const PAGES: usize = 10;

/// How often all pages are normalized in one round: the kernel counts a thread's time in steps of milliseconds.
const REPETITIONS: u64 = 10;

/// The fastest round counts: neighbours on the machine take caches and cycles and only ever slow it down.
const ROUNDS: usize = 5;

const SCHEMAS: [(&str, &str); 3] = [
    ("onepassword_sign_in_attempt.yml", include_str!("../../../schemas/onepassword_sign_in_attempt.yml")),
    ("onepassword_item_usage.yml", include_str!("../../../schemas/onepassword_item_usage.yml")),
    ("onepassword_audit_event.yml", include_str!("../../../schemas/onepassword_audit_event.yml")),
];

/// What normalizing takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alone {
    /// On one core.
    pub(crate) events_per_second: f64,
    pub(crate) bytes_in_per_event: f64,
    pub(crate) bytes_out_per_event: f64,
}

/// Normalizes pages of these feeds, with lookup tables.
pub(crate) async fn run(feeds: &[Feed], now: Timestamp) -> Result<Alone> {
    let pages = pages(feeds, now).await?;
    let (schemas, lookups) = (Schemas::load(SCHEMAS)?, lookups(now)?);
    let events: u64 = pages.iter().map(|(page, _)| u64::from(page.item_count)).sum();
    let bytes_in: usize = pages.iter().map(|(_, body)| body.len()).sum();
    let mut bytes_out = 0;
    let mut fastest = Duration::MAX;
    for _ in 0..ROUNDS {
        let before = thread_time()?;
        let mut made = 0;
        for _ in 0..REPETITIONS {
            bytes_out = 0;
            for (page, body) in &pages {
                let normalized = normalize(page, body, &schemas, &lookups, Options::default(), now);
                made += normalized.events.len() as u64;
                bytes_out += normalized.events.iter().map(|item| item.event.record.len()).sum::<usize>();
            }
        }
        fastest = fastest.min(thread_time()?.saturating_sub(before));
        ensure!(made == events * REPETITIONS, "{made} of {} events were normalized", events * REPETITIONS);
    }
    Ok(Alone {
        events_per_second: count(events * REPETITIONS) / fastest.as_secs_f64(),
        bytes_in_per_event: count(bytes_in as u64) / count(events),
        bytes_out_per_event: count(bytes_out as u64) / count(events),
    })
}

fn account(now: Timestamp) -> AccountConfig {
    AccountConfig::new("bench", Profile::Bulk { events_per_feed: PAGES as u64 * 1_000, until: now })
}

fn lookups(now: Timestamp) -> Result<Lookups> {
    let tables = latchkey_simulator::lookups(1, &account(now));
    let files = [("items.jsonl", &tables.items), ("vaults.jsonl", &tables.vaults), ("users.jsonl", &tables.users)]
        .map(|(name, text)| File { name, bytes: text.as_bytes() });
    Ok(Lookups::load(&files)?.0)
}

/// Full pages with their bodies, as the fetcher would get them.
async fn pages(feeds: &[Feed], now: Timestamp) -> Result<Vec<(RawPage, Bytes)>> {
    let simulator = Simulator::builder().seed(1).account(account(now)).start().await?;
    let token = Token::parse(&simulator.token("bench")?)?;
    let endpoint = Endpoint::for_token(&token, None, Some(simulator.http_url().parse()?))?;
    let client = Client::new(endpoint, token, ClientOptions::default())?;
    let mut pages = Vec::new();
    for feed in feeds {
        let start = now - SignedDuration::from_hours(100 * 24);
        let mut request = PageRequest::Reset { limit: 1_000, start, end: None };
        for _ in 0..PAGES {
            let response = client.page(*feed, &request).await?;
            let view = response.page()?;
            let page = RawPage {
                source: "bench".into(),
                source_label: "bench".into(),
                feed: feed.to_string(),
                item_count: u32::try_from(view.items.len())?,
                ..RawPage::default()
            };
            request = PageRequest::Continue { cursor: view.cursor };
            pages.push((page, response.body));
        }
    }
    simulator.shutdown().await;
    Ok(pages)
}

/// Processor time of the calling thread: the first field of its `schedstat`, in nanoseconds.
fn thread_time() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")
        .context("/proc cannot be read: this benchmark needs Linux")?;
    let nanos = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    Ok(Duration::from_nanos(nanos.context("schedstat has another form than the kernel's documentation says")?))
}
