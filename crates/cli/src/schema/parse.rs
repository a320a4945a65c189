//! `latchkey schema parse`: events in, records out, one per line.

use std::{
    io::{self, BufReader, BufWriter, Write},
    path::PathBuf,
};

use clap::Args;
use latchkey_contracts::rejection::Problem;
use latchkey_core::{
    lookup::Lookups,
    normalize::{self, Origin, normalize_one, too_long},
    schema::Schema,
};
use latchkey_runtime::clock;
use serde::Serialize;

use super::{
    BUFFER_BYTES, Compatibility, Error, MAX_LINE_BYTES, Outcome,
    library::Library,
    lines::{self, Line},
    tables,
};

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
    /// A directory of lookup tables with their definitions, joined as p_enrichment; may be repeated
    #[arg(long, value_name = "DIR")]
    lookups: Vec<PathBuf>,
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
    let schemas = library.schemas([arguments.log_type.as_str()]);
    let schema = library.get(&arguments.log_type).map_err(Error::Refused)?;
    let as_line = |note| serde_json::to_string(&Note { note }).expect("a text is JSON");
    let lookups = tables::load(&arguments.lookups, &schemas, as_line).map_err(Error::Refused)?;
    let origin = Origin { source: &arguments.source, label: &arguments.source };
    let mut outcome = Outcome::Good;
    match parse(schema, origin, &lookups, arguments.compatibility.into(), &mut outcome) {
        // Whoever reads has seen enough (`| head`), and events may come for ever: what has been met so far counts.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(outcome),
        ended => Ok(ended.map(|()| outcome)?),
    }
}

/// Parses events to the end of the input; `outcome` becomes bad with the first rejection.
fn parse(
    schema: &Schema,
    origin: Origin<'_>,
    lookups: &Lookups,
    options: normalize::Options,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, io::stdin().lock());
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    let mut buffer = Vec::new();
    for number in 1.. {
        if input.buffer().is_empty() {
            // Before waiting for more, so that whoever feeds this slowly sees each record at once.
            output.flush()?;
        }
        let Some(line) = lines::next(&mut input, &mut buffer, MAX_LINE_BYTES)? else { break };
        let event = match line.numbered(number) {
            Line::Whole(raw) if raw.trim_ascii().is_empty() => continue,
            Line::Whole(raw) => normalize_one(raw, schema, origin, lookups, options, clock::now()).event,
            Line::TooLong => Err(vec![too_long(MAX_LINE_BYTES)]),
        };
        match event {
            Ok(event) => {
                output.write_all(&event.record)?;
                output.write_all(b"\n")?;
            }
            Err(problems) => {
                *outcome = Outcome::Bad;
                reject(number, &problems);
            }
        }
    }
    output.flush()
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
