//! Builds a table row by row, with a report of what was left out.

use super::{
    Reason, TableReport,
    columns::Columns,
    definition::{Definition, Format, TableSchema},
    read::RowFault,
    table::{Exact, MAX_KEY_BYTES, MAX_ROW_BYTES, MAX_ROWS, Moment, Ranges, Table, parse_range},
};
use crate::timestamp;

/// How many bad rows a report names.
pub const MAX_BAD_ROWS: usize = 10;

/// A row that was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: RowFault,
}

/// What a definition and its schema say about rows.
pub(super) struct Plan<'d> {
    pub(super) keys: &'d [String],
    pub(super) columns: Columns,
    /// The column that ends a row's life, and how that is written.
    pub(super) expiration: Option<(&'d str, &'d [Format])>,
    ranges: bool,
    ignore_case: bool,
}

impl<'d> Plan<'d> {
    pub(super) fn new(definition: &'d Definition, schema: Option<&'d TableSchema>) -> Self {
        let key = schema.and_then(|schema| schema.field(definition.keys.first()?));
        Self {
            keys: &definition.keys,
            columns: Columns::new(&definition.omit, &definition.redact),
            expiration: schema.and_then(TableSchema::expiration),
            ranges: key.is_some_and(|key| key.ranges),
            ignore_case: definition.ignore_case,
        }
    }

    /// The end of a row's life. An empty text is none; `None`: it cannot be read.
    pub(super) fn end(&self, text: &str) -> Option<Moment> {
        if text.is_empty() {
            return Some(Moment::NEVER);
        }
        let (_, formats) = self.expiration?;
        let read = |format: &Format| match format {
            Format::Rfc3339 => timestamp::parse_rfc3339(text),
            Format::Unix(unit) => timestamp::parse_unix(text, *unit),
        };
        formats.iter().find_map(read).map(Moment::of)
    }
}

/// A table that is being filled.
pub(super) struct Builder<'d> {
    plan: Plan<'d>,
    table: Filling,
    report: TableReport,
}

enum Filling {
    Exact(Exact),
    Ranges(Box<Ranges>),
}

impl<'d> Builder<'d> {
    pub(super) fn new(plan: Plan<'d>) -> Self {
        let table =
            if plan.ranges { Filling::Ranges(Box::default()) } else { Filling::Exact(Exact::new(plan.ignore_case)) };
        Self { plan, table, report: TableReport::default() }
    }

    pub(super) fn plan(&self) -> &Plan<'d> {
        &self.plan
    }

    /// Adds a row: an object without its closing brace. Of rows with equal keys the last counts.
    pub(super) fn add(&mut self, line: u64, key: &str, row: &[u8], ends: Option<Moment>) -> Result<(), Reason> {
        if row.len() > MAX_ROW_BYTES || key.len() > MAX_KEY_BYTES {
            self.refuse(line, RowFault::TooLong);
            return Ok(());
        }
        let Some(ends) = ends else {
            self.refuse(line, RowFault::Expiration);
            return Ok(());
        };
        let added = match &mut self.table {
            Filling::Exact(table) => table.add(key, row, ends),
            Filling::Ranges(table) => {
                let Some(range) = parse_range(key) else {
                    self.refuse(line, RowFault::NoRange);
                    return Ok(());
                };
                table.add(range, row, ends)
            }
        };
        self.report.repeated += usize::from(added.ok_or(Reason::TooMuchText)?);
        if self.rows() > MAX_ROWS { Err(Reason::TooManyRows) } else { Ok(()) }
    }

    /// Notes a row that cannot be used.
    pub(super) fn refuse(&mut self, line: u64, fault: RowFault) {
        self.report.bad += 1;
        if self.report.first_bad.len() < MAX_BAD_ROWS {
            self.report.first_bad.push(BadRow { line, fault });
        }
    }

    /// A file with nothing but bad rows is no table: it must not replace a good one.
    pub(super) fn finish(mut self) -> Result<(Table, TableReport), Reason> {
        self.report.rows = self.rows();
        if self.report.rows == 0 && self.report.bad > 0 {
            return Err(Reason::AllBad);
        }
        let table = match self.table {
            Filling::Exact(mut table) => {
                table.shrink();
                Table::Exact(table)
            }
            Filling::Ranges(mut table) => {
                table.shrink();
                Table::Ranges(table)
            }
        };
        Ok((table, self.report))
    }

    fn rows(&self) -> usize {
        match &self.table {
            Filling::Exact(table) => table.rows(),
            Filling::Ranges(table) => table.rows(),
        }
    }
}
