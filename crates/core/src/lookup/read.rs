//! Reads a table's rows from JSON lines or CSV.
//!
//! One bad row costs itself only. Values of JSON rows stay as they are written; cells of CSV rows are texts, and an empty cell is
//! left out.

use super::{
    File, MAX_FILE_BYTES, Reason, TableReport,
    table::{Builder, Table},
};
use crate::json::{self, Value};

/// The key's column: as Panther's guide names it, else as 1Password's command-line tool does.
const KEYS: [&str; 2] = ["uuid", "id"];

/// Columns that no row keeps: `p_match` is added by the match, and `additional_information` of the command-line tool's item list
/// holds user names that nobody asked for.
const OMITTED: [&str; 2] = ["p_match", "additional_information"];

/// What is wrong with one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// Not a JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// Not a CSV record as wide as the header.
    #[error("not as many cells as the header, or not UTF-8")]
    NotARecord,
    /// No key, or an empty one.
    #[error("no key")]
    NoKey,
    /// More than [`super::MAX_ROW_BYTES`].
    #[error("too long")]
    TooLong,
}

pub(super) fn read(file: &File<'_>) -> Result<(Table, TableReport), Reason> {
    if file.bytes.len() > MAX_FILE_BYTES {
        return Err(Reason::TooLong);
    }
    let bytes = file.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file.bytes);
    if file.name.rsplit('.').next() == Some("csv") { csv(bytes) } else { json_lines(bytes) }
}

fn json_lines(bytes: &[u8]) -> Result<(Table, TableReport), Reason> {
    let mut builder = Builder::default();
    let mut row = Vec::new();
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let Ok(value @ Value::Object(_)) = json::parse(text) else {
            builder.refuse(line, RowFault::NotAnObject);
            continue;
        };
        let key = KEYS.iter().find_map(|key| value.get(key)?.name()).filter(|key| !key.is_empty());
        let (Some(key), Value::Object(members)) = (key, &value) else {
            builder.refuse(line, RowFault::NoKey);
            continue;
        };
        row.clear();
        row.push(b'{');
        for member in members.iter().filter(|member| !OMITTED.iter().any(|name| member.key.is(name))) {
            separate(&mut row);
            json::write_text(&mut row, member.key);
            row.push(b':');
            json::write_value(&mut row, &member.value);
        }
        builder.add(line, &key, &row)?;
    }
    builder.finish()
}

fn csv(bytes: &[u8]) -> Result<(Table, TableReport), Reason> {
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(|_| Reason::Header)?.clone();
    let key = KEYS.iter().find_map(|key| header.iter().position(|name| name == *key)).ok_or(Reason::NoKey)?;
    let mut builder = Builder::default();
    let mut row = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                builder.refuse(error.position().map_or(0, csv::Position::line), RowFault::NotARecord);
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        row.clear();
        row.push(b'{');
        for (name, cell) in
            header.iter().zip(&record).filter(|(name, cell)| !cell.is_empty() && !OMITTED.contains(name))
        {
            separate(&mut row);
            json::write_string(&mut row, name);
            row.push(b':');
            json::write_string(&mut row, cell);
        }
        match record.get(key).filter(|key| !key.is_empty()) {
            Some(key) => builder.add(line, key, &row)?,
            None => builder.refuse(line, RowFault::NoKey),
        }
    }
    builder.finish()
}

fn separate(row: &mut Vec<u8>) {
    if row.last() != Some(&b'{') {
        row.push(b',');
    }
}
