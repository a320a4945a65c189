//! Where tables come from: the files of a directory, and those of the bucket behind them.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use latchkey_bus::{Bus, LookupFile};
use latchkey_core::lookup::{self, EXTENSIONS, MAX_FILE_BYTES};

use super::InvalidTables;
use crate::directory::{self, Fingerprint, Unreadable};

const DEFINITIONS: [&str; 2] = ["yml", "yaml"];

/// What the files look like from outside.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Look {
    directory: Fingerprint,
    /// Files of the bucket whose names the directory does not have.
    bucket: Vec<LookupFile>,
}

/// Files in memory, by name.
#[derive(Default)]
pub(super) struct Files(BTreeMap<String, Vec<u8>>);

impl Look {
    pub(super) fn of_directory(directory: Option<&Path>) -> Result<Self, Unreadable> {
        let directory = directory.map_or(Ok(Vec::new()), |directory| directory::look(directory, &extensions()))?;
        Ok(Self { directory, bucket: Vec::new() })
    }

    pub(super) async fn of_both(directory: Option<&Path>, bus: &Bus) -> Result<Self, InvalidTables> {
        let mut look = Self::of_directory(directory)?;
        let hidden = |file: &LookupFile| look.directory.iter().any(|(name, ..)| *name == file.name);
        let known = |file: &LookupFile| {
            file.name.rsplit_once('.').is_some_and(|(_, extension)| extensions().contains(&extension))
        };
        look.bucket = bus.lookup_files().await?.into_iter().filter(|file| known(file) && !hidden(file)).collect();
        Ok(look)
    }

    /// Whether the files are the same, as far as their looks say; those of the bucket have a hash.
    pub(super) fn has_same_content(&self, other: &Self) -> bool {
        let content = |look: &Self| -> Vec<_> {
            look.bucket.iter().map(|file| (file.name.clone(), file.digest.clone(), file.size)).collect()
        };
        self.directory == other.directory && content(self) == content(other)
    }

    /// When a file was changed.
    pub(super) fn modified(&self, file: &str) -> Option<Timestamp> {
        let local = self.directory.iter().find(|(name, ..)| name == file).map(|(_, _, modified)| *modified);
        match local {
            Some(modified) => Timestamp::try_from(modified?).ok(),
            None => self.bucket.iter().find(|other| other.name == file)?.modified,
        }
    }
}

impl Files {
    pub(super) fn of_directory(directory: Option<&Path>) -> Result<Self, Unreadable> {
        let Some(directory) = directory else { return Ok(Self::default()) };
        let files = directory::read(directory, &extensions(), MAX_FILE_BYTES)?;
        Ok(Self(files.into_iter().map(|file| (file.name, file.bytes)).collect()))
    }

    /// The bucket's files as they were looked at. One that changes meanwhile is left to the next look, as a failure that passes.
    pub(super) async fn of_bucket(look: &Look, bus: &Bus) -> Result<Self, InvalidTables> {
        let mut files = BTreeMap::new();
        for file in &look.bucket {
            if file.size > MAX_FILE_BYTES as u64 {
                return Err(InvalidTables::TooLong(file.name.clone()));
            }
            let content = bus.lookup_file(file).await?.ok_or_else(|| latchkey_bus::Error::Unavailable {
                action: "reading a lookup table",
                reason: format!("{} was replaced meanwhile", file.name),
            })?;
            files.insert(file.name.clone(), content.into());
        }
        Ok(Self(files))
    }

    /// Adds files whose names are not there.
    pub(super) fn add(&mut self, others: Self) {
        for (name, bytes) in others.0 {
            self.0.entry(name).or_insert(bytes);
        }
    }

    /// Definitions and schemas. A text that is not UTF-8 has its faults named by whoever reads it.
    pub(super) fn definitions(&self) -> Vec<(&str, &str)> {
        let files = self.0.iter().filter(|(name, _)| is_definition(name));
        files.map(|(name, bytes)| (name.as_str(), str::from_utf8(bytes).unwrap_or("\u{fffd}"))).collect()
    }

    /// The tables' data.
    pub(super) fn data(&self) -> Vec<lookup::File<'_>> {
        let files = self.0.iter().filter(|(name, _)| !is_definition(name));
        files.map(|(name, bytes)| lookup::File { name, bytes }).collect()
    }
}

fn extensions() -> Vec<&'static str> {
    EXTENSIONS.into_iter().chain(DEFINITIONS).collect()
}

fn is_definition(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| DEFINITIONS.contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_put_again_as_it_was_is_only_younger() {
        let look = |digest: &str, modified: &str| Look {
            directory: Vec::new(),
            bucket: vec![LookupFile {
                name: "items.jsonl".into(),
                digest: Some(digest.into()),
                size: 1,
                modified: Some(modified.parse().unwrap()),
            }],
        };
        let (first, again) = (look("a", "2026-01-01T00:00:00Z"), look("a", "2026-01-02T00:00:00Z"));
        assert!(first.has_same_content(&again) && first != again);
        assert!(!first.has_same_content(&look("b", "2026-01-01T00:00:00Z")));
        assert_eq!(again.modified("items.jsonl"), "2026-01-02T00:00:00Z".parse().ok());
        assert_eq!(again.modified("vaults.jsonl"), None);
    }
}
