//! Lookup tables: names for UUIDs, joined to events as `p_enrichment`.
//!
//! Tables are loaded whole, never changed, and replaced as a set; a version derived from their content says which set an event was
//! joined with. Rows are kept as ready JSON, so that a match costs one look-up and one copy.

mod definition;
mod enrich;
mod read;
mod table;

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use self::{definition::Definition, enrich::Join};
pub use self::{
    read::RowFault,
    table::{BadRow, MAX_BAD_ROWS, MAX_ROW_BYTES, MAX_ROWS},
};

/// The longest file, in bytes. A million rows of items take about 120 MB.
pub const MAX_FILE_BYTES: usize = 256 << 20;

/// The tables of a normalizer.
#[derive(Debug, Default)]
pub struct Lookups {
    version: String,
    /// In the order of their names.
    joins: Vec<Join>,
}

/// A table's data as it was found.
#[derive(Clone, Copy)]
pub struct File<'a> {
    /// The file's name without its directory: `items.jsonl`.
    pub name: &'a str,
    /// The file's content.
    pub bytes: &'a [u8],
}

/// What came of loading. Holds no cell of any table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The tables that are in use, in the order of their names.
    pub tables: Vec<TableReport>,
    /// Files that belong to no table.
    pub ignored: Vec<String>,
}

/// What came of loading one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableReport {
    /// The table's name.
    pub name: String,
    /// Rows in use.
    pub rows: usize,
    /// Rows that took the place of an earlier one with the same key.
    pub repeated: usize,
    /// Rows that were left out.
    pub bad: usize,
    /// The first [`MAX_BAD_ROWS`] of them.
    pub first_bad: Vec<BadRow>,
}

/// Why no set of tables could be made. Permanent until a file changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lookup table {file}: {reason}")]
pub struct Error {
    /// The file at fault.
    pub file: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a file as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// More than [`MAX_FILE_BYTES`].
    #[error("longer than {MAX_FILE_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_ROWS`].
    #[error("more than {MAX_ROWS} rows")]
    TooManyRows,
    /// The first line is no header.
    #[error("the header row cannot be read")]
    Header,
    /// No column to find rows by.
    #[error("the header names neither uuid nor id")]
    NoKey,
    /// Two files for one table.
    #[error("another file has the data of this table")]
    Twice,
    /// There are rows, and none is usable.
    #[error("no row can be used")]
    AllBad,
}

impl Lookups {
    /// Loads the files of a directory. Files of no known table are reported and otherwise ignored.
    pub fn load(files: &[File<'_>]) -> Result<(Self, Report), Error> {
        let mut report = Report::default();
        let mut known: Vec<(&'static Definition, &File<'_>)> = Vec::new();
        for file in files {
            match definition::of_file(file.name) {
                None => report.ignored.push(file.name.into()),
                Some(definition) if known.iter().any(|(other, _)| other.name == definition.name) => {
                    return Err(Error { file: file.name.into(), reason: Reason::Twice });
                }
                Some(definition) => known.push((definition, file)),
            }
        }
        known.sort_unstable_by_key(|(definition, _)| definition.name);
        let mut joins = Vec::with_capacity(known.len());
        for (definition, file) in &known {
            let (table, mut loaded) = read::read(file).map_err(|reason| Error { file: file.name.into(), reason })?;
            loaded.name = definition.name.into();
            report.tables.push(loaded);
            joins.push(Join::new(definition, table));
        }
        Ok((Self { version: version(&known), joins }, report))
    }

    /// Identifies the tables' content: 32 hex digits, empty without tables.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// The first 16 bytes of SHA-256 over name and content of each file, each preceded by its length in 8 bytes, big-endian.
fn version(files: &[(&Definition, &File<'_>)]) -> String {
    if files.is_empty() {
        return String::new();
    }
    let mut hash = Sha256::new();
    for (_, file) in files {
        for part in [file.name.as_bytes(), file.bytes] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hash.finalize()[..16].iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("writing to a String does not fail");
        digits
    })
}

#[cfg(test)]
mod tests;
