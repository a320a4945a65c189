//! `latchkey lookup check`.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use latchkey_core::{
    lookup::{self, InvalidDefinitions, Lookups, MAX_ROW_FAULTS, Reason, Report, RowFault},
    schema::Schemas,
};
use latchkey_normalizer::SHIPPED;
use latchkey_runtime::Failure;

use super::files::Files;
use crate::output::UntilClosed;

/// What `latchkey lookup check` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The directory with tables and definitions
    #[arg(value_name = "DIR", env = "LATCHKEY_LOOKUPS")]
    dir: PathBuf,
}

/// The exit code where a definition has a fault or rows are left out, as of `latchkey schema` where something has a fault.
const FAULTS: u8 = 1;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let files = Files::read(&arguments.dir).map_err(refused)?;
    let good = match load_all(&files) {
        Ok((lookups, report)) => {
            print(&lookups, &report)?;
            report.tables.iter().all(|table| table.bad == 0)
        }
        Err(error) => {
            print_refusal(&error)?;
            false
        }
    };
    Ok(if good { ExitCode::SUCCESS } else { FAULTS.into() })
}

fn load_all(files: &Files) -> anyhow::Result<(Lookups, Report)> {
    files.load(&Schemas::load(SHIPPED).expect("a test loads the shipped schemas"))
}

/// Why no table is loaded, one fault a line where there may be several.
fn print_refusal(error: &anyhow::Error) -> anyhow::Result<()> {
    let mut out = UntilClosed::new(io::stdout().lock());
    if let Some(InvalidDefinitions { faults }) = error.downcast_ref() {
        for fault in faults {
            writeln!(out, "{}", InvalidDefinitions { faults: vec![fault.clone()] })?;
        }
    } else if let Some(lookup::Error { file, reason: Reason::AllBad(faults) }) = error.downcast_ref() {
        writeln!(out, "{file}: no row can be used")?;
        print_faults(&mut out, file, faults)?;
    } else {
        return Err(refused(error));
    }
    Ok(())
}

/// What is wrong with files is the operator's to change.
fn refused(error: impl std::fmt::Display) -> anyhow::Error {
    Failure::Configuration(format!("{error:#}")).into()
}

fn print_faults(out: &mut impl Write, file: &str, faults: &[RowFault]) -> io::Result<()> {
    for fault in faults {
        writeln!(out, "  {file}:{fault}")?;
    }
    if faults.len() == MAX_ROW_FAULTS {
        writeln!(out, "  no more than {MAX_ROW_FAULTS} faults of a table are named")?;
    }
    Ok(())
}

/// Loads tables that are to be handed out.
pub(super) fn load(files: &Files) -> anyhow::Result<(Lookups, Report)> {
    load_all(files).map_err(refused)
}

fn print(lookups: &Lookups, report: &Report) -> io::Result<()> {
    let mut out = UntilClosed::new(io::stdout().lock());
    for table in &report.tables {
        let (name, file) = (&table.name, &table.file);
        writeln!(out, "{name} ({file}): {} rows, {} repeated, {} left out", table.rows, table.repeated, table.bad)?;
        print_faults(&mut out, file, &table.faults)?;
    }
    for file in &report.ignored {
        writeln!(out, "{file}: belongs to no table in use")?;
    }
    writeln!(out, "version {}", if lookups.version().is_empty() { "none" } else { lookups.version() })
}
