//! Reads a table's rows from JSON lines or CSV.
//!
//! One bad row costs itself only. A cell of a CSV file is a text, of which the schema makes what it declares; an empty cell is left
//! out.

use super::{
    BYTE_ORDER_MARK, File, MAX_FILE_BYTES, Reason, TableReport,
    build::{Builder, Plan, problem},
    columns::Columns,
    definition::Definition,
    table::{Addresses, Table},
};
use crate::{
    json,
    normalize::not_json,
    schema::{Csv, Schema},
};

/// `schema`: of the rows. A MaxMind database needs none.
pub(super) fn read(
    file: &File<'_>,
    definition: &Definition,
    schema: Option<&Schema>,
) -> Result<(Table, TableReport), Reason> {
    if file.bytes.len() > MAX_FILE_BYTES {
        return Err(Reason::TooLong);
    }
    let bytes = file.bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file.bytes);
    let extension = file.name.rsplit('.').next();
    if extension == Some("mmdb") {
        return database(file.bytes, Columns::new(&definition.omit, &definition.redact));
    }
    let schema = schema.ok_or_else(|| Reason::NoSchema(definition.schema.clone()))?;
    let plan = Plan::new(definition, schema);
    match extension {
        Some("csv") => csv(bytes, plan, &schema.csv.clone().unwrap_or_default()),
        _ => json_lines(bytes, plan),
    }
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

fn csv(bytes: &[u8], plan: Plan<'_>, form: &Csv) -> Result<(Table, TableReport), Reason> {
    let trim = if form.trim_space { csv::Trim::All } else { csv::Trim::None };
    let is_headed = form.has_header || form.columns.is_empty();
    let mut reader = csv::ReaderBuilder::new();
    reader.delimiter(form.delimiter).trim(trim).has_headers(is_headed).flexible(true);
    let mut reader = reader.from_reader(bytes);
    let header: Vec<String> = if form.columns.is_empty() {
        reader.headers().map_err(|_| Reason::Header)?.iter().map(str::to_owned).collect()
    } else {
        form.columns.clone()
    };
    if !plan.renames() && !header.iter().any(|name| plan.keys.contains(name)) {
        return Err(Reason::NoKey);
    }
    let mut builder = Builder::new(plan);
    let mut row = Vec::new();
    for record in reader.records() {
        let (line, found) = match &record {
            Ok(record) => (record.position(), format!("{} cells", record.len())),
            Err(error) => (error.position(), unreadable(error).to_owned()),
        };
        let line = line.map_or(0, csv::Position::line);
        let Some(record) = record.ok().filter(|record| record.len() == header.len()) else {
            let expected = format!("a record of {} cells", header.len());
            builder.refuse(line, vec![problem("$".into(), "csv", expected, found)]);
            continue;
        };
        row.clear();
        row.push(b'{');
        let is_set = |cell: &str| !cell.is_empty() && !form.empty_values.iter().any(|empty| empty == cell);
        for (name, cell) in header.iter().zip(&record).filter(|(_, cell)| is_set(cell)) {
            if row.len() > 1 {
                row.push(b',');
            }
            json::write_string(&mut row, name);
            row.push(b':');
            json::write_string(&mut row, cell);
        }
        row.push(b'}');
        let value = json::parse(&row).expect("texts are written as JSON");
        builder.row(line, &value)?;
    }
    builder.finish()
}

/// The error's own words may repeat a cell.
fn unreadable(error: &csv::Error) -> &'static str {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "bytes that are not UTF-8",
        _ => "what cannot be read",
    }
}
