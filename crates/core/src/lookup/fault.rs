//! What is wrong with the files of lookup tables, in words that lead to the line and hold no value.

use std::fmt;

use latchkey_contracts::rejection::Problem;

use crate::schema::{self, Fault};

/// How many faults of rows a report names.
pub const MAX_ROW_FAULTS: usize = 100;

/// Why definitions are refused: every fault of every file. Permanent until a file changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidDefinitions {
    /// At least one, in the files' order, each with its file's name. At most [`schema::MAX_FAULTS`] of a file.
    pub faults: Vec<(String, Fault)>,
}

/// Something that is wrong with a row, for which it was left out. The words are those of rejected events; beside them there are `key`
/// (nothing to find the row by), `csv` (no record as wide as the header) and `length`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What is wrong, by column (`$.until`), rule, and type and length of what was found.
    pub problem: Problem,
}

/// `file:line: path: reason`, joined by `; `.
impl fmt::Display for InvalidDefinitions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        schema::write_faults(formatter, &self.faults)
    }
}

/// `line: path: rule: expected …, found …`
impl fmt::Display for RowFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, problem: Problem { path, rule, expected, found } } = self;
        write!(formatter, "{line}: {path}: {rule}: expected {expected}, found {found}")
    }
}
