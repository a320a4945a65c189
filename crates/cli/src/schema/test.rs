//! `latchkey schema test`: what each event becomes against what was expected.

mod case;
mod compare;
mod report;

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::Args;
use latchkey_contracts::rejection::Problem;
use latchkey_core::{
    lookup::Lookups,
    normalize::{self, Origin, normalize_one},
    schema::{Schema, Schemas},
};
use latchkey_runtime::clock;

use self::{
    case::{Case, Expect, Wanted},
    compare::Difference,
};
use super::{Compatibility, Error, Outcome, files, library, library::Library, tables};
use crate::output::UntilClosed;

/// The longest test file, in bytes.
const MAX_FILE_BYTES: usize = 16 << 20;

const EXAMPLE: &str = "\
Example:
  latchkey schema test --schemas schemas/ door_tests.yml

  where door_tests.yml holds YAML documents such as

    name: a door is opened
    logType: Acme.Door
    input: |
      {\"door\": \"7\", \"opened\": \"2026-01-02T03:04:05Z\", \"by\": \"zoe@example.com\"}
    result: |
      {\"door\": 7, \"opened\": \"2026-01-02T03:04:05Z\", \"by\": \"zoe@example.com\",
       \"p_log_type\": \"Acme.Door\", \"p_event_time\": \"2026-01-02T03:04:05Z\",
       \"p_any_emails\": [\"zoe@example.com\"], \"p_any_usernames\": [\"zoe\"]}
    ---
    name: a door needs a number
    logType: Acme.Door
    input: {opened: 2026-01-02T03:04:05Z}
    error: {path: $.door, rule: required}

  `input`, `result` and the list `results` (one record per input) are JSON texts or YAML. `error` is a text that occurs in
  a problem, a path and a rule, or a list of these. p_row_id and p_parse_time are not compared, instants are compared as
  instants and numbers by value. Panther's own files expect --unknown-fields drop.

  `result` has p_enrichment if there are lookup tables: those of --lookups, or of `lookups: DIR` in a test, which counts
  from the test's file.

Exit code: 0 if all tests passed, 1 if one failed, 64 if a file cannot be used.";

/// What `latchkey schema test` takes.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    /// A directory below which schemas are looked for, before the shipped ones; may be repeated
    #[arg(long, value_name = "DIR")]
    schemas: Vec<PathBuf>,
    /// A directory of lookup tables with their definitions, for tests that do not name their own; may be repeated
    #[arg(long, value_name = "DIR")]
    lookups: Vec<PathBuf>,
    #[command(flatten)]
    compatibility: Compatibility,
    /// Test files, and directories of tests and schemas
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Why a test failed.
enum Failure {
    /// There is no usable schema, or no usable table.
    Unusable(String),
    /// The event was to be parsed.
    Rejected(Vec<Problem>),
    /// The event was to be rejected.
    Accepted { record: String },
    /// It was rejected for other reasons: what no problem says, and the problems.
    OtherProblems { missing: Vec<String>, problems: Vec<Problem> },
    /// As many records as that were expected from as many events.
    Count { expected: usize, events: usize },
    /// The expected record is no JSON.
    Expected(String),
    /// The record is another: which of several, and where.
    Differs { index: usize, differences: Vec<Difference> },
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    // A directory of tests mostly holds their schemas too.
    let beside = arguments.files.iter().filter(|path| path.is_dir());
    let directories: Vec<_> = arguments.schemas.iter().chain(beside).cloned().collect();
    let mut library = Library::open(&directories)?;
    let tests = read(&arguments.files)?;
    let all_cases = tests.iter().flat_map(|(_, cases)| cases);
    let schemas = library.schemas(all_cases.map(|case| case.log_type.as_str()));
    let mut tables = Tables { schemas, loaded: BTreeMap::new() };
    tables.of(&arguments.lookups).map_err(Error::Refused)?;
    let mut out = UntilClosed::new(anstream::stdout().lock());
    let (mut passed, mut failed) = (0_u64, 0_u64);
    for (path, cases) in &tests {
        for case in cases {
            let beside = |directory| path.parent().unwrap_or(Path::new("")).join(directory);
            let own = case.lookups.as_ref().map(|directory| vec![beside(directory)]);
            let lookups = tables.of(own.as_ref().unwrap_or(&arguments.lookups));
            let failures = match (library.get(&case.log_type), lookups) {
                (Ok(schema), Ok(lookups)) => {
                    Bench { schema, lookups, options: arguments.compatibility.into() }.failures(case)
                }
                (Err(reason), _) | (_, Err(reason)) => vec![Failure::Unusable(reason)],
            };
            *(if failures.is_empty() { &mut passed } else { &mut failed }) += 1;
            report::write(&mut out, path, case, &failures)?;
        }
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    out.flush()?;
    Ok(if failed == 0 { Outcome::Good } else { Outcome::Bad })
}

/// Lookup tables by their directories, each set loaded once.
struct Tables {
    /// Of the log types that are tested.
    schemas: Schemas,
    loaded: BTreeMap<Vec<PathBuf>, Result<Lookups, String>>,
}

impl Tables {
    fn of(&mut self, directories: &[PathBuf]) -> Result<&Lookups, String> {
        let loaded = self.loaded.entry(directories.to_vec());
        let loaded = loaded.or_insert_with_key(|directories| tables::load(directories, &self.schemas, |note| note));
        loaded.as_ref().map_err(Clone::clone)
    }
}

/// The tests of each file.
fn read(paths: &[PathBuf]) -> Result<Vec<(PathBuf, Vec<Case>)>, Error> {
    let mut tests = Vec::new();
    for path in paths {
        let named = !path.is_dir();
        for file in files::yaml_files(path)? {
            let text = files::read_start(&file, MAX_FILE_BYTES)?;
            if named || (case::is_test(&text) && !library::is_schema(&text)) {
                let cases = cases(&file, &text)?;
                tests.push((file, cases));
            }
        }
    }
    if tests.is_empty() {
        return Err(Error::Refused("no test found: see the example in `latchkey schema test --help`".into()));
    }
    Ok(tests)
}

fn cases(file: &Path, text: &str) -> Result<Vec<Case>, Error> {
    if text.len() > MAX_FILE_BYTES {
        return Err(Error::Refused(format!("{}: longer than {MAX_FILE_BYTES} bytes: split it", file.display())));
    }
    match case::read(text) {
        Ok(cases) if cases.is_empty() => Err(Error::Refused(format!("{}: holds no test", file.display()))),
        Ok(cases) => Ok(cases),
        Err((line, reason)) => Err(Error::Refused(format!("{}:{line}: {reason}", file.display()))),
    }
}

/// What a test is run with.
struct Bench<'t> {
    schema: &'t Schema,
    lookups: &'t Lookups,
    options: normalize::Options,
}

impl Bench<'_> {
    fn failures(&self, case: &Case) -> Vec<Failure> {
        match &case.expect {
            Expect::Records(records) if records.len() != case.inputs.len() => {
                vec![Failure::Count { expected: records.len(), events: case.inputs.len() }]
            }
            Expect::Records(records) => {
                let pairs = case.inputs.iter().zip(records).enumerate();
                pairs.filter_map(|(index, (input, expect))| self.compare(index, input, expect)).collect()
            }
            Expect::Rejection(wanted) => {
                case.inputs.iter().filter_map(|input| self.expect_rejection(input, wanted)).collect()
            }
        }
    }

    fn compare(&self, index: usize, input: &str, expect: &str) -> Option<Failure> {
        match self.normalized(input) {
            Err(problems) => Some(Failure::Rejected(problems)),
            Ok(record) => match compare::differences(expect, &record) {
                Err(error) => Some(Failure::Expected(error.to_string())),
                Ok(differences) if differences.is_empty() => None,
                Ok(differences) => Some(Failure::Differs { index, differences }),
            },
        }
    }

    fn expect_rejection(&self, input: &str, wanted: &[Wanted]) -> Option<Failure> {
        let problems = match self.normalized(input) {
            Ok(record) => return Some(Failure::Accepted { record }),
            Err(problems) => problems,
        };
        let missing = wanted.iter().filter(|wanted| !problems.iter().any(|problem| wanted.is(problem)));
        let missing: Vec<_> = missing.map(ToString::to_string).collect();
        (!missing.is_empty()).then_some(Failure::OtherProblems { missing, problems })
    }

    /// The record as text.
    fn normalized(&self, input: &str) -> Result<String, Vec<Problem>> {
        let origin = Origin { source: "test", label: "test" };
        let one = normalize_one(input.as_bytes(), self.schema, origin, self.lookups, self.options, clock::now());
        one.event.map(|event| String::from_utf8_lossy(&event.record).into_owned())
    }
}
