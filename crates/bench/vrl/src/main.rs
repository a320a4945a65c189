//! The same pages normalized here and in VRL, side by side.
//!
//! Pages are those that `latchkey-bench --alone --write-pages DIR` writes. Nothing is measured before both ways have given the same
//! records, but for what VRL is spared.

use std::{
    env, fs,
    hint::black_box,
    io::{self, Write as _},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use latchkey_contracts::page::RawPage;
use latchkey_core::{
    lookup::{File, Lookups},
    normalize::{Events, Normalized, Options, normalize},
    page,
    schema::Schemas,
    timestamp,
};
use serde_json::Value;

use self::remap::Remap;

#[path = "../../src/number.rs"]
mod number;
mod remap;
#[path = "../../src/side_by_side.rs"]
mod side_by_side;

/// When the pages are said to be normalized. Any time will do, and one that is fixed needs no clock.
const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

const SCHEMAS: [(&str, &str); 3] = [
    ("onepassword_sign_in_attempt.yml", include_str!("../../../../schemas/onepassword_sign_in_attempt.yml")),
    ("onepassword_item_usage.yml", include_str!("../../../../schemas/onepassword_item_usage.yml")),
    ("onepassword_audit_event.yml", include_str!("../../../../schemas/onepassword_audit_event.yml")),
];

const TABLES: [&str; 3] = ["items.jsonl", "vaults.jsonl", "users.jsonl"];

/// Records are at most so many times as long as their page: room for them is made once.
const ROOM: usize = 3;

/// What VRL is spared.
const SPARED: [&str; 2] = ["p_row_id", "p_enrichment"];

type Page = (RawPage, Vec<u8>);

fn main() -> Result<()> {
    let dir =
        env::args_os().nth(1).context("usage: latchkey-bench-vrl DIR (of `latchkey-bench --alone --write-pages`)")?;
    let (pages, lookups) = (pages(Path::new(&dir))?, lookups(Path::new(&dir))?);
    let (schemas, none) = (Schemas::load(SCHEMAS)?, Lookups::default());
    let mut parse_time = Vec::new();
    timestamp::write_panther(&mut parse_time, NOW);
    let mut remap = Remap::new(String::from_utf8(parse_time)?)?;

    let here = |(page, body): &Page, lookups| normalize(page, body, &schemas, lookups, Options::default(), NOW);
    for page in &pages {
        ensure!(remap.knows(&page.0.feed), "there is no VRL program for {}", page.0.feed);
        let mut lines = Vec::new();
        remap.write_records(&mut lines, &page.0, &page.1);
        check(&here(page, &lookups), &lines)?;
    }
    let events = pages.iter().map(|(page, _)| u64::from(page.item_count)).sum();
    let made = |normalized: Normalized| black_box(normalized).events.records.len() as u64;
    let [enriched, bare, vrl] = side_by_side::fastest(
        events,
        [
            &mut || pages.iter().map(|page| made(here(page, &lookups))).sum(),
            &mut || pages.iter().map(|page| made(here(page, &none))).sum(),
            &mut || {
                let mut made = |(page, body): &Page| {
                    let mut lines = Vec::with_capacity(ROOM * body.len());
                    let made = remap.write_records(&mut lines, page, body);
                    black_box(lines);
                    made
                };
                pages.iter().map(&mut made).sum()
            },
        ],
    )?;
    let mut out = io::stdout().lock();
    writeln!(out, "normalizing, one core: {}, enrichment included", side_by_side::speed(events, enriched))?;
    side_by_side::line(&mut out, "without enrichment", events, bare, enriched)?;
    side_by_side::line(&mut out, "VRL, without enrichment", events, vrl, enriched)?;
    writeln!(
        out,
        "VRL is spared enrichment, whose tables need a host, p_row_id, the order of indicators, and checks of fields but uuid and\n\
         timestamp. All else of its {} records is the same; both times include splitting pages and writing JSON.",
        number::grouped(number::count(events)),
    )?;
    Ok(())
}

/// Every file `<feed>.<number>.json` of the folder.
fn pages(dir: &Path) -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((feed, _)) = name.strip_suffix(".json").and_then(|name| name.split_once('.')) else { continue };
        let body = fs::read(&path)?;
        let Ok(known) = feed.parse() else { continue };
        let view = page::read(known, &body).with_context(|| path.display().to_string())?;
        let item_count = u32::try_from(view.items.len())?;
        let (source, feed) = ("bench".to_owned(), feed.to_owned());
        pages.push((RawPage { source_label: source.clone(), source, feed, item_count, ..RawPage::default() }, body));
    }
    ensure!(!pages.is_empty(), "no page lies in {}", dir.display());
    Ok(pages)
}

fn lookups(dir: &Path) -> Result<Lookups> {
    let mut texts = Vec::new();
    for name in TABLES {
        texts.push((name, fs::read(dir.join(name)).context(name)?));
    }
    let files: Vec<File<'_>> = texts.iter().map(|(name, bytes)| File { name, bytes }).collect();
    Ok(Lookups::load(&files)?.0)
}

/// Both ways must do the same work, or there is nothing to compare.
fn check(here: &Normalized, vrl: &[u8]) -> Result<()> {
    let vrl: Vec<&[u8]> = vrl.split_inclusive(|byte| *byte == b'\n').collect();
    let Events { indexes, records } = &here.events;
    ensure!(records.len() == vrl.len(), "{} events here and {} in VRL", records.len(), vrl.len());
    for ((index, event), vrl) in indexes.iter().zip(records.iter()).zip(vrl) {
        let (ours, theirs) = (comparable(event.record)?, comparable(vrl)?);
        // No values: records do not belong into messages.
        let differing = ours.iter().find(|(key, value)| theirs.get(*key) != Some(*value));
        let differing = differing.or_else(|| theirs.iter().find(|(key, _)| !ours.contains_key(*key)));
        if let Some((key, _)) = differing {
            bail!("item {index}: {key} differs in VRL");
        }
    }
    Ok(())
}

/// A record as far as both ways make it, with indicators in one order.
fn comparable(record: &[u8]) -> Result<serde_json::Map<String, Value>> {
    let mut record: serde_json::Map<String, Value> = serde_json::from_slice(record)?;
    record.retain(|key, _| !SPARED.contains(&key.as_str()));
    for (_, value) in record.iter_mut().filter(|(key, _)| key.starts_with("p_any_")) {
        if let Value::Array(texts) = value {
            texts.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        }
    }
    Ok(record)
}
