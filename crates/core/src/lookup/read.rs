//! Reads a table's rows from JSON lines or CSV.
//!
//! One bad row costs itself only. Values of JSON rows stay as they are written; cells of CSV rows are texts, and an empty cell is
//! left out.

use super::{
    File, MAX_FILE_BYTES, Reason, TableReport,
    build::{Builder, Plan},
    table::{Addresses, Moment, Table},
};
use crate::json::{self, Value};

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
    /// The key of a table of ranges is no range of addresses.
    #[error("the key is no range of addresses")]
    NoRange,
    /// The end of the row's life cannot be read.
    #[error("the expiration is no timestamp of the schema's formats")]
    Expiration,
    /// More than [`super::MAX_ROW_BYTES`], or a key of more than [`super::MAX_KEY_BYTES`].
    #[error("too long")]
    TooLong,
}

pub(super) fn read(file: &File<'_>, plan: Plan<'_>) -> Result<(Table, TableReport), Reason> {
    if file.bytes.len() > MAX_FILE_BYTES {
        return Err(Reason::TooLong);
    }
    let bytes = file.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file.bytes);
    match file.name.rsplit('.').next() {
        Some("csv") => csv(bytes, plan),
        Some("mmdb") => database(file.bytes, plan),
        _ => json_lines(bytes, plan),
    }
}

fn database(bytes: &[u8], plan: Plan<'_>) -> Result<(Table, TableReport), Reason> {
    let table = Table::Addresses(Addresses::new(bytes, plan.columns).ok_or(Reason::NoDatabase)?.into());
    let report = TableReport { rows: table.rows(), ..TableReport::default() };
    Ok((table, report))
}

fn json_lines(bytes: &[u8], plan: Plan<'_>) -> Result<(Table, TableReport), Reason> {
    let mut builder = Builder::new(plan);
    let mut row = Vec::new();
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let Ok(value @ Value::Object(_)) = json::parse(text) else {
            builder.refuse(line, RowFault::NotAnObject);
            continue;
        };
        let plan = builder.plan();
        let key = plan.keys.iter().find_map(|key| value.get(key)?.name()).filter(|key| !key.is_empty());
        let (Some(key), Value::Object(members)) = (key, &value) else {
            builder.refuse(line, RowFault::NoKey);
            continue;
        };
        let ends = match plan.expiration.and_then(|(column, _)| value.get(column)) {
            None | Some(Value::Null) => Some(Moment::NEVER),
            Some(end) => end.name().and_then(|text| plan.end(&text)),
        };
        row.clear();
        row.push(b'{');
        plan.columns.write(&mut row, members);
        builder.add(line, &key, &row, ends)?;
    }
    builder.finish()
}

fn csv(bytes: &[u8], plan: Plan<'_>) -> Result<(Table, TableReport), Reason> {
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(|_| Reason::Header)?.clone();
    let place = |column: &str| header.iter().position(|name| name == column);
    let key = plan.keys.iter().find_map(|key| place(key)).ok_or(Reason::NoKey)?;
    let end = plan.expiration.and_then(|(column, _)| place(column));
    let mut builder = Builder::new(plan);
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
        for (name, cell) in header.iter().zip(&record).filter(|(_, cell)| !cell.is_empty()) {
            builder.plan().columns.write_text(&mut row, name, cell);
        }
        let end = end.and_then(|end| record.get(end)).filter(|end| !end.is_empty());
        let ends = end.map_or(Some(Moment::NEVER), |end| builder.plan().end(end));
        match record.get(key).filter(|key| !key.is_empty()) {
            Some(key) => builder.add(line, key, &row, ends)?,
            None => builder.refuse(line, RowFault::NoKey),
        }
    }
    builder.finish()
}
