//! `latchkey schema drift`: how sample events differ from their schema, and the change of the file that takes it up.
//!
//! The same walk and the same book as in the line, so what is found here is what the normalizer counts. Samples are somebody's real
//! events: a change is told by path, type and length, and of values only new words of a closed set are shown.

mod table;

use std::{
    fmt,
    io::{self, BufReader, Write},
    path::PathBuf,
};

use clap::Args;
use latchkey_contracts::rejection::Problem;
use latchkey_core::{
    lookup::Lookups,
    normalize::{Drift, Options, Origin, drift::Book, normalize_one},
    schema::{self, Schema},
};
use latchkey_runtime::clock;

use self::table::Table;
use super::{
    BUFFER_BYTES, Error, MAX_LINE_BYTES, Outcome,
    library::Library,
    lines::{self, Line},
};
use crate::output::UntilClosed;

const EXAMPLE: &str = "\
Example:
  latchkey schema drift --log-type Acme.Door --schemas schemas/ < events.ndjson

    path     kind   count  first  last  first value
    $.color  field      2      1     4  string of 3 bytes
    $.state  value      1      3     3  string of 6 bytes: jammed
    2 changes in 4 events

  latchkey schema drift --log-type Acme.Door --schemas schemas/ --patch < events.ndjson | patch -p0

  `field`: the schema does not declare it; `value`: validate.allow does not list it; `type`: the declared type does not
  take it. `first` and `last` are lines of the input. With --patch, standard output gets the change of the schema file and
  standard error the table.

Exit code: 0 without drift, 1 with drift or a line that is no event, 64 if the schema cannot be used.";

/// What `latchkey schema drift` takes.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The events' log type, such as OnePassword.ItemUsage
    #[arg(long, value_name = "NAME")]
    log_type: String,
    /// A directory below which schemas are looked for, before the shipped ones; may be repeated
    #[arg(long, value_name = "DIR")]
    schemas: Vec<PathBuf>,
    /// Write the change of the schema file that takes the drift up
    #[arg(long)]
    patch: bool,
}

/// A line of the input, counted from one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u64);

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}", self.0)
    }
}

/// What was found in all lines.
#[derive(Default)]
struct Found {
    book: Book<Place>,
    events: u64,
    rejected: u64,
    /// Lines that are no event: nothing is known of their fields.
    unread: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let mut library = Library::open(&arguments.schemas)?;
    let found = read(library.get(&arguments.log_type).map_err(Error::Refused)?)?;
    let drifted = !found.book.is_empty() || found.book.others > 0;
    if arguments.patch {
        found.write(&mut UntilClosed::new(io::stderr().lock()))?;
        if let Some((name, text)) = library.file(&arguments.log_type) {
            write_patch(name, text, &found.book)?;
        }
    } else {
        found.write(&mut UntilClosed::new(io::stdout().lock()))?;
    }
    Ok(if drifted || found.unread > 0 { Outcome::Bad } else { Outcome::Good })
}

fn read(schema: &Schema) -> Result<Found, Error> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, io::stdin().lock());
    let (mut buffer, mut found) = (Vec::new(), Found::default());
    let (origin, now) = (Origin { source: "sample", label: "sample" }, clock::now());
    for number in 1.. {
        let Some(line) = lines::next(&mut input, &mut buffer, MAX_LINE_BYTES)? else { break };
        match line.numbered(number) {
            Line::Whole(raw) if raw.trim_ascii().is_empty() => {}
            Line::Whole(raw) => {
                let one = normalize_one(raw, schema, origin, &Lookups::default(), Options::default(), now);
                found.add(Place(number), &one.drift, one.event.err());
            }
            Line::TooLong => (found.events, found.unread) = (found.events + 1, found.unread + 1),
        }
    }
    Ok(found)
}

/// In the form that `patch` and `git apply --unidiff-zero` read. What no change of the file takes up is told beside it.
fn write_patch(name: &str, text: &str, book: &Book<Place>) -> Result<(), Error> {
    let patch = schema::patch(text, book).unwrap_or_default();
    let mut beside = UntilClosed::new(io::stderr().lock());
    patch.left.iter().try_for_each(|left| writeln!(beside, "not in the patch: {left}"))?;
    let mut out = UntilClosed::new(io::stdout().lock());
    if !patch.hunks.is_empty() {
        let name = name.strip_prefix("./").unwrap_or(name);
        write!(out, "--- {name}\n+++ {name}\n{patch}")?;
    }
    Ok(out.flush()?)
}

impl Found {
    fn add(&mut self, at: Place, drift: &Drift, problems: Option<Vec<Problem>>) {
        self.events += 1;
        self.book.add(drift, at);
        if let Some(problems) = problems {
            let is_none =
                problems.iter().any(|problem| problem.path == "$" && ["json", "type"].contains(&&*problem.rule));
            *(if is_none { &mut self.unread } else { &mut self.rejected }) += 1;
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { book, events, rejected, unread } = self;
        let mut table = Table::new(["path", "kind", "count", "first", "last", "first value"]);
        for (path, noted) in &book.paths {
            table.add(path, "field", noted, None);
        }
        for ((path, value), noted) in &book.values {
            table.add(path, "value", noted, value.as_deref());
        }
        for (path, noted) in &book.types {
            table.add(path, "type", noted, None);
        }
        table.write(out)?;
        if book.others > 0 {
            writeln!(out, "and {} more times what a table of this length does not name", book.others)?;
        }
        writeln!(out, "{} in {}", counted(book.len() as u64, "change"), counted(*events, "event"))?;
        if *rejected > 0 {
            writeln!(out, "{} rejected: `latchkey schema parse` says why", counted(*rejected, "event"))?;
        }
        if *unread > 0 {
            writeln!(out, "not read: {}, an event is one JSON object", counted(*unread, "line"))?;
        }
        out.flush()
    }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
