//! Makes a table's data from what people already have: lists of 1Password's command-line tool and of its Connect server, and the
//! output of the jq call in Panther's guide.
//!
//! What is no longer listed stays with its last known name, marked as deleted: the events about it are the ones that matter most.

mod export;

use std::collections::HashSet;

pub use self::export::Kind;
use self::export::Record;
use super::{BYTE_ORDER_MARK, MAX_FILE_BYTES, MAX_ROWS, columns::Columns};
use crate::json::{self, Member, Value};

/// The mark of what is no longer listed.
const DELETED: &str = "deleted";

/// Where an item's row names its vault.
const VAULT: &str = "vault_uuid";

/// How to import.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What is listed. `None`: what it looks like.
    pub kind: Option<Kind>,
    /// Columns to leave out.
    pub omit: Vec<String>,
    /// Columns to show as [`super::REDACTED`].
    pub redact: Vec<String>,
    /// What a list says about rows that it lacks.
    pub scope: Scope,
}

/// Which of the earlier rows are deleted if they are not listed.
#[derive(Clone, Debug, Default)]
pub enum Scope {
    /// All: everything is listed.
    #[default]
    Everything,
    /// None: only some things are listed.
    Partial,
    /// Items of vaults that are not among these: whatever is in these was not asked for.
    AllBut(HashSet<String>),
}

/// What came of an import.
#[derive(Clone, PartialEq, Eq)]
pub struct Imported {
    /// What was listed.
    pub kind: Kind,
    /// The table's data, as JSON lines: listed rows in the list's order, then those that are kept.
    pub data: Vec<u8>,
    /// Rows that are listed.
    pub listed: usize,
    /// Rows that are kept from before, and still there.
    pub kept: usize,
    /// Rows that are kept from before, marked as deleted.
    pub deleted: usize,
}

/// Numbers only: titles do not belong into messages.
impl std::fmt::Debug for Imported {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, listed, kept, deleted, .. } = self;
        write!(formatter, "Imported({kind:?}: {listed} listed, {kept} kept, {deleted} deleted)")
    }
}

/// Why nothing was imported. Shows no cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More than [`MAX_FILE_BYTES`].
    #[error("longer than {MAX_FILE_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_ROWS`].
    #[error("more than {MAX_ROWS} rows, those that are kept included")]
    TooManyRows,
    /// Not JSON, or values of other types.
    #[error("line {line}, column {column}: not a list that 1Password's tools print")]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Nothing is listed. Taken at its word, it would mark every row as deleted.
    #[error("nothing is listed")]
    Empty,
    /// What is listed cannot be told from its columns.
    #[error("it does not show what is listed: say which table it is for")]
    Unclear,
    /// An entry has no id.
    #[error("entry {0} has no id")]
    NoId(usize),
    /// The earlier data are not lines of JSON objects with a `uuid`.
    #[error("line {0} of the table that is there is no row: nothing was changed")]
    Earlier(usize),
}

/// Makes a table's data from lists, together one. `earlier` is what the table held before: JSON lines, or nothing.
pub fn import(lists: &[&[u8]], earlier: &[u8], options: &Options) -> Result<Imported, Error> {
    let length = lists.iter().map(|list| list.len()).fold(0, usize::saturating_add);
    if length > MAX_FILE_BYTES || earlier.len() > MAX_FILE_BYTES {
        return Err(Error::TooLong);
    }
    let mut entries = Vec::new();
    for list in lists {
        entries.append(&mut export::read(list)?);
    }
    let kind = match options.kind {
        Some(kind) => kind,
        None if entries.is_empty() => return Err(Error::Empty),
        None => export::detect(&entries).ok_or(Error::Unclear)?,
    };
    let records = entries.into_iter().enumerate().map(|(index, entry)| entry.record(kind).ok_or(Error::NoId(index)));
    merge(kind, &records.collect::<Result<Vec<_>, _>>()?, earlier, options)
}

fn merge(kind: Kind, records: &[Record], earlier: &[u8], options: &Options) -> Result<Imported, Error> {
    // Without its key a row is lost, whatever is to be left out.
    let but_the_key = |list: &[String]| list.iter().filter(|column| *column != "uuid").cloned().collect::<Vec<_>>();
    let columns = Columns::new(&but_the_key(&options.omit), &but_the_key(&options.redact));
    let mut imported = Imported { kind, data: Vec::new(), listed: records.len(), kept: 0, deleted: 0 };
    let mut listed = HashSet::with_capacity(records.len());
    for record in records {
        imported.data.push(b'{');
        for (name, text) in &record.columns {
            columns.write_text(&mut imported.data, name, text);
        }
        imported.data.extend_from_slice(b"}\n");
        listed.insert(record.uuid.to_ascii_lowercase());
    }
    let earlier = earlier.strip_prefix(BYTE_ORDER_MARK).unwrap_or(earlier);
    for (line, text) in (1..).zip(earlier.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let row = json::parse(text).ok();
        let uuid = row.as_ref().and_then(|row| row.get("uuid")?.name());
        let (Some(Value::Object(members)), Some(uuid)) = (&row, uuid) else { return Err(Error::Earlier(line)) };
        // Once: a key that stands twice was settled when the row was written.
        if listed.insert(uuid.to_ascii_lowercase()) {
            keep(&mut imported, members, &columns, &options.scope);
        }
    }
    if listed.len() > MAX_ROWS { Err(Error::TooManyRows) } else { Ok(imported) }
}

fn keep(imported: &mut Imported, members: &[Member<'_>], columns: &Columns, scope: &Scope) {
    let member = |name: &str| members.iter().find(|member| member.key.is(name)).map(|member| &member.value);
    let gone_before = member(DELETED) == Some(&Value::Bool(true));
    let gone = gone_before
        || match scope {
            Scope::Everything => true,
            Scope::Partial => false,
            Scope::AllBut(vaults) => {
                member(VAULT).and_then(Value::name).is_none_or(|vault| !vaults.contains(vault.as_ref()))
            }
        };
    imported.data.push(b'{');
    columns.write(&mut imported.data, members);
    if gone && !gone_before {
        imported.data.extend_from_slice(b",\"deleted\":true");
    }
    imported.data.extend_from_slice(b"}\n");
    if gone {
        imported.deleted += 1;
    } else {
        imported.kept += 1;
    }
}

#[cfg(test)]
mod tests;
