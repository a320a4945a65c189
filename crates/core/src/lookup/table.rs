//! A table in memory: folded key → row as JSON.

use std::fmt;

use hashbrown::HashMap;

use super::{Reason, TableReport, read::RowFault};

/// The most rows of a table.
pub const MAX_ROWS: usize = 2_000_000;

/// The longest row as JSON, in bytes. Rows are copied into every event that matches.
pub const MAX_ROW_BYTES: usize = 16 << 10;

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

/// Rows by key.
#[derive(Default)]
pub(super) struct Table {
    /// Each row is an object without its closing brace, ready for `p_match` to be added.
    rows: HashMap<Box<str>, Box<[u8]>>,
}

/// A table that is being filled, with its report.
#[derive(Default)]
pub(super) struct Builder {
    table: Table,
    report: TableReport,
}

impl Table {
    /// The row of a key. 1Password prints the same UUID in upper and in lower case, so case does not count.
    pub(super) fn get(&self, key: &str, folded: &mut String) -> Option<&[u8]> {
        folded.clear();
        folded.push_str(key);
        folded.make_ascii_lowercase();
        self.rows.get(folded.as_str()).map(AsRef::as_ref)
    }
}

/// Says how many rows there are: titles do not belong into messages.
impl fmt::Debug for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Table({} rows)", self.rows.len())
    }
}

impl Builder {
    /// Adds a row: an object without its closing brace. Of rows with equal keys the last counts.
    pub(super) fn add(&mut self, line: u64, key: &str, row: &[u8]) -> Result<(), Reason> {
        if row.len() > MAX_ROW_BYTES {
            self.refuse(line, RowFault::TooLong);
            return Ok(());
        }
        if self.table.rows.len() == MAX_ROWS {
            return Err(Reason::TooManyRows);
        }
        let earlier = self.table.rows.insert(key.to_ascii_lowercase().into(), row.into());
        self.report.repeated += usize::from(earlier.is_some());
        Ok(())
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
        if self.table.rows.is_empty() && self.report.bad > 0 {
            return Err(Reason::AllBad);
        }
        self.table.rows.shrink_to_fit();
        self.report.rows = self.table.rows.len();
        Ok((self.table, self.report))
    }
}
