//! What stream PAGES has, beside what the API has.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use jiff::Timestamp;
use latchkey_bus::Bus;
use latchkey_contracts::{
    Chain, Feed,
    page::{RawPage, raw_page},
};
use latchkey_core::{body, page};
use serde::Deserialize;

use super::faults::Admin;

/// What came of it, over all chains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) pages: u64,
    /// Pages that only an audit brought.
    pub(super) repairs: u64,
    /// Items that the API had sent before.
    pub(super) marked: u64,
    /// Events that had arrived by the moment up to which is compared.
    pub(super) events: u64,
    /// Of those, the ones that are not stored.
    pub(super) lost: u64,
    /// Times that an event is stored beyond the first.
    pub(super) doubled: u64,
}

/// An event that exists.
#[derive(Deserialize)]
struct Event {
    uuid: String,
    arrival: Timestamp,
}

/// Compares all feeds of these accounts. What arrived after `until` may be missing.
pub(super) async fn compare(
    bus: &Bus,
    admin: &Admin,
    accounts: impl Iterator<Item = String>,
    until: Timestamp,
) -> Result<Comparison> {
    let mut comparison = Comparison::default();
    for account in accounts {
        for feed in Feed::USUAL {
            let stored = stored(bus, &Chain { source: account.parse()?, feed }, &mut comparison).await?;
            let exist = admin.get(&format!("dataset?account={account}&feed={feed}")).await?;
            let exist: Vec<Event> = exist.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
            comparison.count(&stored, &exist, until);
        }
    }
    Ok(comparison)
}

/// How often each uuid is stored and not marked, by walking the chain's pages back.
async fn stored(bus: &Bus, chain: &Chain, comparison: &mut Comparison) -> Result<BTreeMap<String, u64>> {
    let mut uuids = BTreeMap::new();
    let mut next = bus.last_page(chain).await?;
    while let Some(stored) = next {
        let page = stored.message;
        comparison.pages += 1;
        comparison.repairs += u64::from(matches!(page.request, Some(raw_page::Request::Repair(_))));
        comparison.marked += page.duplicates.len() as u64;
        note(chain.feed, &page, &mut uuids)?;
        next = bus.page_at(page.previous_sequence).await?;
    }
    Ok(uuids)
}

fn note(feed: Feed, page: &RawPage, uuids: &mut BTreeMap<String, u64>) -> Result<()> {
    let marked: BTreeSet<u32> = page.duplicates.iter().copied().collect();
    let unmarked = |body: &[u8]| {
        page::read(feed, body).map(|view| {
            for (_, item) in (0..).zip(&view.items).filter(|(index, _)| !marked.contains(index)) {
                if let Some(uuid) = &item.uuid {
                    *uuids.entry(uuid.to_string()).or_default() += 1;
                }
            }
        })
    };
    Ok(body::unpack(&page.body, body::MAX_BYTES, unmarked)??)
}

impl Comparison {
    /// Items that are no events of the feed, which a fault has put there, do not count.
    fn count(&mut self, stored: &BTreeMap<String, u64>, exist: &[Event], until: Timestamp) {
        for event in exist {
            let times = stored.get(&event.uuid).copied().unwrap_or_default();
            self.doubled += times.saturating_sub(1);
            if event.arrival < until {
                self.events += 1;
                self.lost += u64::from(times == 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_and_what_is_twice_is_counted() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let event = |uuid: &str, second| Event { uuid: uuid.into(), arrival: at(second) };
        let stored = BTreeMap::from([("once".into(), 1), ("thrice".into(), 3), ("no event".into(), 2)]);
        let exist = [event("once", 1), event("thrice", 2), event("lost", 3), event("to come", 10)];
        let mut comparison = Comparison::default();
        comparison.count(&stored, &exist, at(10));
        assert_eq!(comparison, Comparison { events: 3, lost: 1, doubled: 2, ..Comparison::default() });
    }
}
