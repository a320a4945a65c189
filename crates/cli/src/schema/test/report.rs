//! Says what came of a test, for people.

use std::{
    io::{self, Write},
    path::Path,
};

use anstyle::{AnsiColor, Style};
use latchkey_contracts::rejection::Problem;

use super::{Case, Difference, Failure};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const PATH: Style = Style::new().bold();

/// The longest value that is shown, in bytes; of a longer one the beginning is.
const MAX_SHOWN_BYTES: usize = 1_000;

/// One line for a test that passed, and the reasons for one that failed. `out` drops colours where they are not wanted.
pub(super) fn write(out: &mut impl Write, path: &Path, case: &Case, failures: &[Failure]) -> io::Result<()> {
    let name = if case.name.is_empty() { "without a name" } else { &case.name };
    let place = format!("{}:{}: {name}", path.display(), case.line);
    if failures.is_empty() {
        return writeln!(out, "{GOOD}ok{GOOD:#}     {place}");
    }
    writeln!(out, "{BAD}FAILED{BAD:#} {place} ({})", case.log_type)?;
    failures.iter().try_for_each(|failure| write_failure(out, failure))
}

/// A problem as a sentence.
pub(super) fn sentence(problem: &Problem) -> String {
    let Problem { path, rule, expected, found } = problem;
    format!("{path}: {rule}: expected {expected}, found {found}")
}

fn write_failure(out: &mut impl Write, failure: &Failure) -> io::Result<()> {
    match failure {
        Failure::Unusable(reason) => writeln!(out, "  {reason}"),
        Failure::Rejected(problems) => {
            writeln!(out, "  expected a record, but the event was rejected:")?;
            write_problems(out, problems)
        }
        Failure::Accepted { record } => {
            writeln!(out, "  expected a rejection, but the event gave a record:\n    {}", shown(record))
        }
        Failure::OtherProblems { missing, problems } => {
            for wanted in missing {
                writeln!(out, "  expected {wanted}")?;
            }
            writeln!(out, "  got:")?;
            write_problems(out, problems)
        }
        Failure::Count { expected, events } => {
            writeln!(out, "  expected {expected} records, but the input holds {events} events: one record per event")
        }
        Failure::Expected(reason) => writeln!(out, "  the expected record is no JSON: {reason}"),
        Failure::Differs { index, differences } => {
            if *index > 0 {
                writeln!(out, "  in record {}:", index + 1)?;
            }
            differences.iter().try_for_each(|difference| write_difference(out, difference))
        }
    }
}

fn write_problems(out: &mut impl Write, problems: &[Problem]) -> io::Result<()> {
    problems.iter().try_for_each(|problem| writeln!(out, "    {}", sentence(problem)))
}

fn write_difference(out: &mut impl Write, difference: &Difference) -> io::Result<()> {
    let Difference { path, expected, got } = difference;
    let word = |value: &Option<String>| value.as_deref().map_or_else(|| "nothing".to_owned(), shown);
    writeln!(out, "  {PATH}{path}{PATH:#}")?;
    writeln!(out, "    expected {GOOD}{}{GOOD:#}", word(expected))?;
    writeln!(out, "    got      {BAD}{}{BAD:#}", word(got))
}

/// A value, which may be long but holds no line breaks: JSON escapes them.
fn shown(value: &str) -> String {
    let cut = &value[..value.floor_char_boundary(MAX_SHOWN_BYTES)];
    if cut.len() < value.len() { format!("{cut}… ({} bytes)", value.len()) } else { cut.to_owned() }
}
