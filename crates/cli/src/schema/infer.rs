//! `latchkey schema infer`: a schema from sample events.

use std::{
    fs::File,
    io::{self, BufReader, Write as _},
    path::PathBuf,
};

use clap::Args;
use latchkey_core::infer::{self, Samples};

use super::{Error, Outcome, files, samples};
use crate::output::UntilClosed;

const EXAMPLE: &str = "\
Example:
  latchkey schema infer --name Acme.Door samples.ndjson > door.yml
  latchkey schema parse --log-type Acme.Door --schemas . < samples.ndjson

  Samples are JSON objects one after the other (NDJSON), a JSON array of them, or a page {\"items\": [...]}.
  The proposal matches all of them. Types are facts; indicators and the event time are guesses from names.

Exit code: 0 with a proposal, 1 if a sample is no JSON object, 64 if a file cannot be read.";

/// What `latchkey schema infer` takes.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// The new log type's name: two parts at least, joined by dots
    #[arg(long, value_name = "NAME", default_value = "Custom.Sample")]
    name: String,
    /// From how many samples on a field that all of them have is proposed as required
    #[arg(long, value_name = "COUNT", default_value_t = infer::REQUIRED_FROM, value_parser = clap::value_parser!(u64).range(1..))]
    required_from: u64,
    /// Files of samples; standard input without any
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let options = infer::Options { required_from: arguments.required_from };
    let mut samples = Samples::new(options);
    let read = read(&arguments.files, &mut samples)?;
    if let Err(reason) = read {
        writeln!(io::stderr(), "latchkey schema infer: {reason}")?;
        return Ok(Outcome::Bad);
    }
    match samples.propose(&arguments.name) {
        Ok(text) => {
            let mut out = UntilClosed::new(io::stdout().lock());
            out.write_all(text.as_bytes())?;
            out.flush()?;
            Ok(Outcome::Good)
        }
        Err(error @ infer::Error::Refused(_)) => Err(Error::Refused(format!("--name {}: {error}", arguments.name))),
        Err(error) => {
            writeln!(io::stderr(), "latchkey schema infer: {error}: give JSON objects, one per line")?;
            Ok(Outcome::Bad)
        }
    }
}

/// Takes in all samples, or says what is wrong with the first that is none.
fn read(files: &[PathBuf], samples: &mut Samples) -> Result<Result<(), String>, Error> {
    if files.is_empty() {
        let input = BufReader::new(io::stdin().lock());
        return Ok(samples::read(input, samples).map_err(|reason| format!("standard input: {reason}")));
    }
    for path in files {
        let file = File::open(path).map_err(|error| files::unreadable(path, &error))?;
        if let Err(reason) = samples::read(BufReader::new(file), samples) {
            return Ok(Err(format!("{}: {reason}", path.display())));
        }
    }
    Ok(Ok(()))
}
