//! Reads a table's rows from JSON lines or CSV.
//!
//! One bad row costs itself only. A cell of a CSV file is a text, of which the schema makes what it declares; an empty cell is left
//! out.

use super::{
    File, MAX_FILE_BYTES, Reason, TableReport,
    build::{Builder, Plan, problem},
    columns::Columns,
    definition::Definition,
    table::{Addresses, Table},
};
use crate::{json, normalize::not_json, schema::Schema};

/// `schema`: of the rows. A MaxMind database needs none.
pub(super) fn read(
    file: &File<'_>,
    definition: &Definition,
    schema: Option<&Schema>,
) -> Result<(Table, TableReport), Reason> {
    if file.bytes.len() > MAX_FILE_BYTES {
        return Err(Reason::TooLong);
    }
    let bytes = file.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file.bytes);
    let extension = file.name.rsplit('.').next();
    if extension == Some("mmdb") {
        return database(file.bytes, Columns::new(&definition.omit, &definition.redact));
    }
    let schema = schema.ok_or_else(|| Reason::NoSchema(definition.schema.clone()))?;
    let plan = Plan::new(definition, schema);
    if extension == Some("csv") { csv(bytes, plan) } else { json_lines(bytes, plan) }
}

fn database(bytes: &[u8], columns: Columns) -> Result<(Table, TableReport), Reason> {
    let table = Table::Addresses(Addresses::new(bytes, columns).ok_or(Reason::NoDatabase)?.into());
    let report = TableReport { rows: table.rows(), ..TableReport::default() };
    Ok((table, report))
}

fn json_lines(bytes: &[u8], plan: Plan<'_>) -> Result<(Table, TableReport), Reason> {
    let mut builder = Builder::new(plan);
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        match json::parse(text) {
            Ok(row) => builder.row(line, &row)?,
            Err(error) => builder.refuse(line, vec![not_json(error)]),
        }
    }
    builder.finish()
}

fn csv(bytes: &[u8], plan: Plan<'_>) -> Result<(Table, TableReport), Reason> {
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(|_| Reason::Header)?.clone();
    if !plan.renames() && !header.iter().any(|name| plan.keys.iter().any(|key| key == name)) {
        return Err(Reason::NoKey);
    }
    let mut builder = Builder::new(plan);
    let mut row = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                let expected = format!("a record of {} cells", header.len());
                builder.refuse(line, vec![problem("$".into(), "csv", expected, unreadable(&error))]);
                continue;
            }
        };
        row.clear();
        row.push(b'{');
        for (name, cell) in header.iter().zip(&record).filter(|(_, cell)| !cell.is_empty()) {
            if row.len() > 1 {
                row.push(b',');
            }
            json::write_string(&mut row, name);
            row.push(b':');
            json::write_string(&mut row, cell);
        }
        row.push(b'}');
        let value = json::parse(&row).expect("texts are written as JSON");
        builder.row(record.position().map_or(0, csv::Position::line), &value)?;
    }
    builder.finish()
}

/// The error's own words may repeat a cell.
fn unreadable(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { len, .. } => format!("{len} cells"),
        csv::ErrorKind::Utf8 { .. } => "bytes that are not UTF-8".into(),
        _ => "what cannot be read".into(),
    }
}
