//! Lookup tables: names for UUIDs and knowledge about addresses, joined to events as `p_enrichment`.
//!
//! Tables are loaded whole, never changed, and replaced as a set; a version derived from their content says which set an event was
//! joined with. Rows are kept as ready JSON, so that a match costs one look-up and one copy.

mod assemble;
mod build;
mod columns;
mod definition;
mod enrich;
mod fault;
pub mod import;
mod learned;
mod read;
mod selector;
mod staleness;
mod table;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use self::{assemble::Set, table::Moment};
pub use self::{
    columns::REDACTED,
    definition::{Association, Data, Definition, Definitions, MAX_DEFINITION_BYTES, MAX_TABLES},
    enrich::Join,
    fault::{InvalidDefinitions, MAX_ROW_FAULTS, RowFault},
    learned::{Learned, MAX_LEARNED},
    selector::{Invalid as InvalidSelector, Selector, Step, Target},
    staleness::{Staleness, staleness},
    table::{MAX_KEY_BYTES, MAX_ROW_BYTES, MAX_ROWS, MAX_TEXT_BYTES},
};
use crate::schema::Schemas;

/// The longest file, in bytes. A million rows of items take about 120 MB.
pub const MAX_FILE_BYTES: usize = 256 << 20;

/// What some programs put before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What files with a table's data are called at their ends.
pub const EXTENSIONS: [&str; 5] = ["csv", "json", "jsonl", "ndjson", "mmdb"];

/// The tables of a normalizer. Cheap to clone; clones share the tables.
#[derive(Clone, Debug)]
pub struct Lookups {
    set: Arc<Set>,
    now: Moment,
    learned: Option<Arc<Learned>>,
}

/// A table's data as it was found.
#[derive(Clone, Copy)]
pub struct File<'a> {
    /// The file's name without its directory: `items.jsonl`.
    pub name: &'a str,
    /// The file's content.
    pub bytes: &'a [u8],
}

/// What tables are made from, beside their data.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Which tables there are and what they explain.
    pub definitions: &'a Definitions,
    /// The schemas of the log types: where their indicators are.
    pub schemas: &'a Schemas,
}

/// What came of loading. Holds no cell of any table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The tables that are in use, in the order of their names.
    pub tables: Vec<TableReport>,
    /// Files that belong to no table in use.
    pub ignored: Vec<String>,
}

/// What came of loading one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableReport {
    /// The table's name.
    pub name: String,
    /// The file with its data.
    pub file: String,
    /// Rows in use, each counted once for each of its keys; of a MaxMind database the nodes of its tree.
    pub rows: usize,
    /// Rows that took the place of an earlier one with the same key.
    pub repeated: usize,
    /// Rows that were left out.
    pub bad: usize,
    /// What is wrong with them, up to [`MAX_ROW_FAULTS`] faults.
    pub faults: Vec<RowFault>,
    /// As in [`Definition::refresh`].
    pub refresh: Option<(Duration, Option<Duration>)>,
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// More than [`MAX_FILE_BYTES`].
    #[error("longer than {MAX_FILE_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_ROWS`].
    #[error("more than {MAX_ROWS} rows")]
    TooManyRows,
    /// More than [`MAX_TEXT_BYTES`].
    #[error("more than {MAX_TEXT_BYTES} bytes of rows")]
    TooMuchText,
    /// More than [`MAX_TABLES`].
    #[error("more than {MAX_TABLES} tables")]
    TooManyTables,
    /// The first line is no header.
    #[error("the header row cannot be read")]
    Header,
    /// No column to find rows by.
    #[error("the header does not name the table's primary key")]
    NoKey,
    /// The definition names a schema that is not there.
    #[error("its schema {0} is not among the definitions")]
    NoSchema(String),
    /// Not a MaxMind database.
    #[error("is no MaxMind database")]
    NoDatabase,
    /// Two files for one table.
    #[error("another file has the data of this table")]
    Twice,
    /// There are rows, and none is usable: up to [`MAX_ROW_FAULTS`] faults of them.
    #[error("no row can be used; {}", first(.0))]
    AllBad(Vec<RowFault>),
}

/// How many faults of rows a message names.
const MAX_NAMED: usize = 10;

fn first(faults: &[RowFault]) -> String {
    let named: Vec<_> = faults.iter().take(MAX_NAMED).map(|fault| format!("line {fault}")).collect();
    let more = if faults.len() > MAX_NAMED { "; …" } else { "" };
    format!("{}{more}", named.join("; "))
}

impl Default for Lookups {
    fn default() -> Self {
        Self { set: Arc::default(), now: Moment::START, learned: None }
    }
}

impl Lookups {
    /// Loads files with the data of the shipped tables. Files of no known table are reported and otherwise ignored.
    pub fn load(files: &[File<'_>]) -> Result<(Self, Report), Error> {
        let (definitions, schemas) = (Definitions::shipped(), Schemas::default());
        Self::load_from(Sources { definitions: &definitions, schemas: &schemas }, files)
    }

    /// Loads files with the data of tables. A MaxMind database without a definition becomes a table named like its file.
    pub fn load_from(sources: Sources<'_>, files: &[File<'_>]) -> Result<(Self, Report), Error> {
        let (set, report) = assemble::assemble(sources, files)?;
        Ok((Self { set: Arc::new(set), ..Self::default() }, report))
    }

    /// Identifies the tables' content: 32 hex digits, empty without tables.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.set.version
    }

    /// The same tables as they are at `now`: rows whose life has ended by then do not match. Before this is said, all do.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        Self { now: Moment::of(now), ..self.clone() }
    }

    /// The same tables, with what events taught standing in where `users` has no row, for log types that name users by bare fields
    /// (`actor_uuid`). Where the user is an object of the event (`user.uuid`), name and address stand beside the UUID.
    #[must_use]
    pub fn with_learned(&self, learned: Arc<Learned>) -> Self {
        Self { learned: Some(learned), ..self.clone() }
    }
}

/// The name of a file with a table's data, without its extension.
fn stem_of_data(file: &str) -> Option<&str> {
    let (stem, extension) = file.rsplit_once('.')?;
    (!stem.is_empty() && EXTENSIONS.contains(&extension)).then_some(stem)
}

#[cfg(test)]
mod tests;
