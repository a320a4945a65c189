//! `latchkey lookup check`.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::Args;
use latchkey_core::lookup::{Lookups, Report};
use latchkey_runtime::Failure;

use super::files::Files;

/// What `latchkey lookup check` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The directory with tables and definitions
    #[arg(value_name = "DIR", env = "LATCHKEY_LOOKUPS")]
    dir: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (lookups, report) = load(&Files::read(&arguments.dir)?)?;
    Ok(print(&lookups, &report)?)
}

/// Loads tables; what is wrong with them is the operator's to change.
pub(super) fn load(files: &Files) -> anyhow::Result<(Lookups, Report)> {
    files.load().map_err(|error| Failure::Configuration(format!("{error:#}")).into())
}

fn print(lookups: &Lookups, report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for table in &report.tables {
        let (name, file) = (&table.name, &table.file);
        writeln!(out, "{name} ({file}): {} rows, {} repeated, {} left out", table.rows, table.repeated, table.bad)?;
        for row in &table.first_bad {
            writeln!(out, "  line {}: {}", row.line, row.fault)?;
        }
    }
    for file in &report.ignored {
        writeln!(out, "{file}: belongs to no table in use")?;
    }
    writeln!(out, "version {}", if lookups.version().is_empty() { "none" } else { lookups.version() })
}
