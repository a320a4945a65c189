//! `latchkey schema parse`: events in, records out, one per line.

use std::{
    fs,
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use latchkey_contracts::rejection::Problem;
use latchkey_core::{
    lookup::{self, Lookups},
    normalize::{Origin, normalize_one, too_long},
};
use latchkey_runtime::clock;
use serde::Serialize;

use super::{
    Compatibility, Error, Outcome, files,
    library::Library,
    lines::{self, Line},
};

/// The longest event, in bytes. Those of 1Password take about a kilobyte.
const MAX_LINE_BYTES: usize = 4 << 20;

/// What is read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// The most lookup tables of a directory.
const MAX_LOOKUP_FILES: usize = 1_000;

const EXAMPLE: &str = "\
Example:
  latchkey schema parse --log-type Acme.Door --schemas schemas/ < events.ndjson > records.ndjson

  Standard output gets one record per line, standard error one JSON line per rejected event:

    {\"line\":2,\"problems\":[{\"path\":\"$.opened\",\"rule\":\"required\",\"expected\":\"a value\",\"found\":\"nothing\"}]}

Exit code: 0 if all events were parsed, 1 if one was rejected, 64 if the schema or a table cannot be used.";

/// What `latchkey schema parse` takes.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The events' log type, such as OnePassword.ItemUsage
    #[arg(long, value_name = "NAME")]
    log_type: String,
    /// A directory below which schemas are looked for, before the shipped ones; may be repeated
    #[arg(long, value_name = "DIR")]
    schemas: Vec<PathBuf>,
    /// A directory of lookup tables, joined as p_enrichment
    #[arg(long, value_name = "DIR")]
    lookups: Option<PathBuf>,
    /// The source that the records name and their p_row_id is made of
    #[arg(long, value_name = "NAME", default_value = "local")]
    source: String,
    #[command(flatten)]
    compatibility: Compatibility,
}

/// A rejected event, as a line of standard error.
#[derive(Serialize)]
struct Rejection<'p> {
    /// Counted from one.
    line: u64,
    problems: Vec<Wrong<'p>>,
}

#[derive(Serialize)]
struct Wrong<'p> {
    path: &'p str,
    rule: &'p str,
    expected: &'p str,
    found: &'p str,
}

/// Something to know about the tables, as a line of standard error.
#[derive(Serialize)]
struct Note {
    note: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let mut library = Library::open(&arguments.schemas)?;
    let schema = library.get(&arguments.log_type).map_err(Error::Refused)?;
    let lookups = match &arguments.lookups {
        Some(directory) => load(directory)?,
        None => Lookups::default(),
    };
    let origin = Origin { source: &arguments.source, label: &arguments.source };
    let options = arguments.compatibility.into();

    let mut input = BufReader::with_capacity(BUFFER_BYTES, io::stdin().lock());
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    let mut buffer = Vec::new();
    let mut outcome = Outcome::Good;
    for number in 1.. {
        if input.buffer().is_empty() {
            // Before waiting for more, so that whoever feeds this slowly sees each record at once.
            output.flush()?;
        }
        let Some(line) = lines::next(&mut input, &mut buffer, MAX_LINE_BYTES)? else { break };
        let event = match line {
            Line::Whole(raw) if raw.trim_ascii().is_empty() => continue,
            Line::Whole(raw) => normalize_one(raw, schema, origin, &lookups, options, clock::now()).event,
            Line::TooLong => Err(vec![too_long(MAX_LINE_BYTES)]),
        };
        match event {
            Ok(event) => {
                output.write_all(&event.record)?;
                output.write_all(b"\n")?;
            }
            Err(problems) => {
                outcome = Outcome::Bad;
                reject(number, &problems);
            }
        }
    }
    output.flush()?;
    Ok(outcome)
}

fn reject(line: u64, problems: &[Problem]) {
    let problems = problems.iter().map(|Problem { path, rule, expected, found }| Wrong { path, rule, expected, found });
    tell(&Rejection { line, problems: problems.collect() });
}

/// Writes a line to standard error. If nobody reads it, the exit code still says so.
fn tell(line: &impl Serialize) {
    let mut text = serde_json::to_vec(line).expect("texts and numbers are JSON");
    text.push(b'\n');
    let _ = io::stderr().lock().write_all(&text);
}

fn load(directory: &Path) -> Result<Lookups, Error> {
    let mut loaded = Vec::new();
    for (name, path) in tables(directory)? {
        loaded.push((name, files::read(&path, lookup::MAX_FILE_BYTES)?));
    }
    let tables: Vec<_> = loaded.iter().map(|(name, bytes)| lookup::File { name, bytes }).collect();
    let (lookups, report) = Lookups::load(&tables).map_err(|error| Error::Refused(error.to_string()))?;
    for table in report.tables.iter().filter(|table| table.bad > 0) {
        tell(&Note { note: format!("lookup table {}: {} rows cannot be used", table.name, table.bad) });
    }
    for file in &report.ignored {
        tell(&Note { note: format!("{file} belongs to no lookup table") });
    }
    Ok(lookups)
}

/// Name and path of each file that may hold a table, in the order of their names.
fn tables(directory: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let refused = |error| files::unreadable(directory, &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if matches!(extension, Some("csv" | "jsonl" | "ndjson")) && path.is_file() {
            found.push((name.to_owned(), path));
        }
        if found.len() > MAX_LOOKUP_FILES {
            return Err(Error::Refused(format!("{}: more than {MAX_LOOKUP_FILES} files", directory.display())));
        }
    }
    found.sort_unstable();
    Ok(found)
}
