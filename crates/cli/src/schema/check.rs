//! `latchkey schema check`: every fault of schema files, with file and path.

use std::{io::Write as _, path::PathBuf};

use clap::Args;
use latchkey_core::schema::{self, Schemas};

use super::{Error, Outcome, files, library};
use crate::output::UntilClosed;

const EXAMPLE: &str = "\
Example:
  latchkey schema check schemas/ door.yml

  prints, for each fault, FILE:LINE: PATH: REASON

    door.yml:4: fields[opened].type: \"bool\" is no type

Below directories, YAML files without `schema:` and `fields:` (tests, rules, lookup tables) are passed over.
Exit code: 0 without a fault, 1 with one, 64 if a file cannot be read.";

/// What `latchkey schema check` takes.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// Schema files, and directories that hold some
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let texts = read(&arguments.paths)?;
    let faults = match Schemas::load(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults,
    };
    let mut out = UntilClosed::new(anstream::stdout().lock());
    for fault in &faults {
        // An error of one fault is written as its place and its reason.
        writeln!(out, "{}", schema::Error { faults: vec![fault.clone()] })?;
    }
    writeln!(out, "{}, {}", counted(texts.len(), "schema"), counted(faults.len(), "fault"))?;
    Ok(if faults.is_empty() { Outcome::Good } else { Outcome::Bad })
}

/// Name and text of each schema file.
fn read(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Error> {
    let mut texts = Vec::new();
    for path in paths {
        let named = !path.is_dir();
        for file in files::yaml_files(path)? {
            let text = files::read_start(&file, schema::MAX_FILE_BYTES)?;
            if named || (library::is_schema(&text) && !library::is_test_file(&file)) {
                texts.push((file.display().to_string(), text));
            }
        }
    }
    if texts.is_empty() {
        let reason = "no schema found: one is a .yml file with `schema:` and `fields:` at the beginning of lines";
        return Err(Error::Refused(reason.into()));
    }
    Ok(texts)
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
