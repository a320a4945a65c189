//! How the records of a CSV file are written: `parser.csv` in the schema of a lookup table's rows.

/// What Panther's parser for CSV is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Csv {
    /// What stands between two cells.
    pub(crate) delimiter: u8,
    /// The names of the columns; empty: the first record names them.
    pub(crate) columns: Vec<String>,
    /// Whether the first record is a header, which is passed over if there are `columns`.
    pub(crate) has_header: bool,
    /// Cells that are as good as empty.
    pub(crate) empty_values: Vec<String>,
    /// Whether white space around cells is no part of them.
    pub(crate) trim_space: bool,
}

impl Default for Csv {
    fn default() -> Self {
        Self { delimiter: b',', columns: Vec::new(), has_header: true, empty_values: Vec::new(), trim_space: false }
    }
}
