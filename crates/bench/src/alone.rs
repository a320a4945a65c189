//! Normalizing by itself, on one thread: the part of the work that grows with what is done to each event.
//!
//! Beside it, what gives its figure a meaning: how long it takes only to find the items of the same pages, to parse them as almost
//! everybody does, and to normalize them the plain way.

use std::{fs, hint::black_box, path::Path, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Feed, page::RawPage};
use latchkey_core::{
    lookup::{File, Lookups},
    normalize::{Normalized, Options, normalize},
    page,
    schema::Schemas,
};
use latchkey_events_api::{Client, ClientOptions, Endpoint, PageRequest, Token};
use latchkey_simulator::{AccountConfig, Profile, Simulator};
use serde_json::Value;

use crate::side_by_side;

/// Pages of each feed: some ten megabytes, more than the processor's caches hold.
const PAGES: usize = 10;

const SCHEMAS: [(&str, &str); 4] = [
    ("onepassword_sign_in_attempt.yml", include_str!("../../../schemas/onepassword_sign_in_attempt.yml")),
    ("onepassword_item_usage.yml", include_str!("../../../schemas/onepassword_item_usage.yml")),
    ("onepassword_audit_event.yml", include_str!("../../../schemas/onepassword_audit_event.yml")),
    ("onepassword_audit_event_v3.yml", include_str!("../../../schemas/onepassword_audit_event_v3.yml")),
];

/// Pages and lookup tables to measure with.
pub(crate) struct Material {
    pages: Vec<(RawPage, Bytes)>,
    /// File names and contents.
    tables: [(&'static str, String); 3],
}

/// What all pages once take on one core, way by way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alone {
    pub(crate) events: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// Bytes to finished, enriched records.
    pub(crate) normalizing: Duration,
    /// Finding each item in its page: [`page::read`].
    pub(crate) splitting: Duration,
    /// The same, and each item parsed to a [`Value`].
    pub(crate) parsing: Duration,
    /// As `normalizing`, every event the plain way.
    pub(crate) plainly: Duration,
}

impl Material {
    /// Pages of these feeds, as the fetcher would get them.
    pub(crate) async fn get(feeds: &[Feed], now: Timestamp) -> Result<Self> {
        let tables = latchkey_simulator::lookups(1, &account(now));
        Ok(Self {
            pages: pages(feeds, now).await?,
            tables: [("items.jsonl", tables.items), ("vaults.jsonl", tables.vaults), ("users.jsonl", tables.users)],
        })
    }

    /// Writes each body to a file `<feed>.<number>.json`, and the lookup tables beside them.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        let pages = self.pages.iter().enumerate();
        let pages = pages.map(|(index, (page, body))| (format!("{}.{index:03}.json", page.feed), &body[..]));
        let tables = self.tables.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes()));
        fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        for (name, bytes) in pages.chain(tables) {
            let path = dir.join(name);
            fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(())
    }

    fn lookups(&self) -> Result<Lookups> {
        let files = self.tables.each_ref().map(|(name, text)| File { name, bytes: text.as_bytes() });
        Ok(Lookups::load(&files)?.0)
    }
}

/// Measures all ways in turns.
pub(crate) fn run(material: &Material, now: Timestamp) -> Result<Alone> {
    let pages = &material.pages;
    let (schemas, lookups) = (Schemas::load(SCHEMAS)?, material.lookups()?);
    let events = pages.iter().map(|(page, _)| u64::from(page.item_count)).sum();
    let made = |normalized: Normalized| black_box(normalized).events.records.len() as u64;
    let [normalizing, splitting, parsing, plainly] = side_by_side::fastest(
        events,
        [
            &mut || {
                let normalize = |page, body| normalize(page, body, &schemas, &lookups, Options::default(), now);
                pages.iter().map(|(page, body)| made(normalize(page, body))).sum()
            },
            &mut || pages.iter().map(|(page, body)| split(page, body, |_| true)).sum(),
            &mut || pages.iter().map(|(page, body)| split(page, body, parses)).sum(),
            &mut || {
                let options = Options { plainly: true, ..Options::default() };
                let normalize = |page, body| normalize(page, body, &schemas, &lookups, options, now);
                pages.iter().map(|(page, body)| made(normalize(page, body))).sum()
            },
        ],
    )?;
    let records = |(page, body): &(RawPage, Bytes)| {
        let normalized = normalize(page, body, &schemas, &lookups, Options::default(), now);
        normalized.events.records.iter().map(|event| event.record.len() as u64).sum::<u64>()
    };
    let bytes_out = pages.iter().map(records).sum();
    let bytes_in = pages.iter().map(|(_, body)| body.len() as u64).sum();
    Ok(Alone { events, bytes_in, bytes_out, normalizing, splitting, parsing, plainly })
}

/// The number of a page's items that are as they should be.
fn split(page: &RawPage, body: &[u8], is_good: impl Fn(&[u8]) -> bool) -> u64 {
    let view = page.feed.parse().ok().and_then(|feed| page::read(feed, body).ok());
    let items = view.map(|view| view.items).unwrap_or_default();
    black_box(items).iter().filter(|item| is_good(item.raw)).count() as u64
}

fn parses(item: &[u8]) -> bool {
    black_box(serde_json::from_slice::<Value>(item)).is_ok()
}

fn account(now: Timestamp) -> AccountConfig {
    AccountConfig::new("bench", Profile::Bulk { events_per_feed: PAGES as u64 * 1_000, until: now })
}

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
            let view = response.page(now)?;
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
