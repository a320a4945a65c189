//! Keeps the tables of items and vaults current.
//!
//! A vault's `contentVersion` says whether its items have to be read again; most have not. A vault that cannot be read keeps the
//! rows it has and is tried again next time.

use std::collections::BTreeMap;

use bytes::Bytes;
use latchkey_core::lookup::import::{self, Imported, Kind, Options, Scope};
use serde::{Deserialize, Serialize};

use crate::{Client, Error};

/// The content version of each vault as it was last read. Kept between runs, beside the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seen(BTreeMap<String, u64>);

/// The tables' data before: JSON lines, or nothing.
#[derive(Clone, Copy, Default)]
pub struct Tables<'a> {
    /// `items.jsonl`
    pub items: &'a [u8],
    /// `vaults.jsonl`
    pub vaults: &'a [u8],
}

/// What came of it.
#[derive(Debug)]
pub struct Synced {
    /// The table of items.
    pub items: Imported,
    /// The table of vaults.
    pub vaults: Imported,
    /// To be handed in next time.
    pub seen: Seen,
    /// Vaults whose items were read.
    pub read: usize,
    /// Vaults that could not be read, with the reason; their rows are as they were.
    pub failed: Vec<(String, Error)>,
}

/// Reads what has changed since `seen`. `options` says which columns to leave out or redact; the rest of it is ignored.
pub async fn sync(client: &Client, seen: &Seen, tables: Tables<'_>, options: &Options) -> Result<Synced, Error> {
    let (list, vaults) = client.vaults().await?;
    if vaults.is_empty() {
        return Err(Error::NoVaults);
    }
    let mut now = Seen::default();
    let mut lists: Vec<Bytes> = Vec::new();
    let (mut unread, mut failed) = (Vec::new(), Vec::new());
    for vault in &vaults {
        let known = seen.0.get(&vault.id).copied();
        // Without earlier rows there is nothing to keep.
        if known == Some(vault.content_version) && !tables.items.is_empty() {
            now.0.insert(vault.id.clone(), vault.content_version);
            unread.push(vault.id.clone());
            continue;
        }
        match client.items(vault).await {
            Ok(list) => {
                lists.push(list);
                now.0.insert(vault.id.clone(), vault.content_version);
            }
            // Its version is not noted, so that it is read next time.
            Err(error) => {
                unread.push(vault.id.clone());
                failed.push((vault.id.clone(), error));
            }
        }
    }
    let of = |kind, scope| Options { kind: Some(kind), scope, ..options.clone() };
    let read = lists.len();
    let lists: Vec<&[u8]> = lists.iter().map(AsRef::as_ref).collect();
    let items = import::import(&lists, tables.items, &of(Kind::Items, Scope::AllBut(unread.into_iter().collect())))?;
    let vaults = import::import(&[&list], tables.vaults, &of(Kind::Vaults, Scope::Everything))?;
    Ok(Synced { items, vaults, seen: now, read, failed })
}
