//! Looks at lookup tables: how fresh their data are.

use std::time::Duration;

use latchkey_bus::{Bus, Error, LookupFile};
use latchkey_core::lookup::{Definitions, MAX_DEFINITION_BYTES, Staleness, staleness};
use latchkey_runtime::clock;

/// Lookup tables by their names, and how fresh they are.
pub(crate) type Tables = Vec<(String, Staleness)>;

/// Tables of the bucket whose definition says how young they should be.
pub(crate) async fn look(bus: &Bus) -> Result<Tables, Error> {
    let files = bus.lookup_files().await?;
    let mut texts = Vec::new();
    for file in files.iter().filter(|file| is_definition(file)) {
        let content = bus.lookup_file(file).await?;
        let text = content.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        texts.extend(text.map(|text| (file.name.clone(), text)));
    }
    let named: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    // What normalizers refuse they have an alert for.
    let Ok(definitions) = Definitions::load(&named) else { return Ok(Vec::new()) };
    let now = clock::now();
    let stale = definitions.tables().filter(|table| table.enabled && table.refresh().is_some()).filter_map(|table| {
        let file = files.iter().find(|file| !is_definition(file) && table.has_data_in(&file.name))?;
        let age = Duration::try_from(now.duration_since(file.modified?)).unwrap_or_default();
        Some((table.name.clone(), staleness(age, table.refresh())))
    });
    Ok(stale.collect())
}

fn is_definition(file: &LookupFile) -> bool {
    let extension = file.name.rsplit_once('.').map(|(_, extension)| extension);
    matches!(extension, Some("yml" | "yaml")) && file.size <= MAX_DEFINITION_BYTES as u64
}
