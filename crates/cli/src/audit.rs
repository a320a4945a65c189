//! `latchkey audit`: compares a source's past with what is stored of it.

use std::process::ExitCode;

use latchkey_contracts::{Chain, reread::Reread, task::task::Kind};

use crate::reread::{self, Arguments};

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    reread::run(arguments, Kind::Compare, report)
}

fn report(chain: &Chain, done: &Reread) -> String {
    let found = done.found.unwrap_or_default();
    let verdict = if found.missing == 0 { "complete" } else { "INCOMPLETE: latchkey backfill fetches what is missing" };
    format!(
        "\n{chain}: {} events at 1Password, {} stored, {} missing, {} not judged (pages no longer kept): {verdict}",
        found.events + found.unjudged,
        found.present,
        found.missing,
        found.unjudged
    )
}
