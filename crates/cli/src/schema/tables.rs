//! Lookup tables of given directories, joined as a normalizer joins them.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use latchkey_core::{lookup::Lookups, schema::Schemas};
use latchkey_runtime::clock;

use crate::lookup::files::Files;

/// Loads definitions and data. What is left out of them is told on standard error, line by line; `as_line` gives a note its form.
/// Rows whose life has ended do not match.
pub(super) fn load(
    directories: &[PathBuf],
    schemas: &Schemas,
    as_line: impl Fn(String) -> String,
) -> Result<Lookups, String> {
    if directories.is_empty() {
        return Ok(Lookups::default());
    }
    let loaded = Files::read_all(directories).and_then(|files| files.load(schemas));
    let (lookups, report) = loaded.map_err(|error| format!("{error:#}"))?;
    // If nobody reads it, the records still say which rows there were.
    let tell = |note| _ = writeln!(io::stderr(), "{}", as_line(note));
    for table in report.tables.iter().filter(|table| table.bad > 0) {
        tell(format!("lookup table {}: {} rows cannot be used: see `latchkey lookup check`", table.name, table.bad));
    }
    for file in &report.ignored {
        tell(format!("{file} belongs to no lookup table in use"));
    }
    Ok(lookups.at(clock::now()))
}
