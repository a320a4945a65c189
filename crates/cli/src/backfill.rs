//! `latchkey backfill`: fetches a source's past.

use std::process::ExitCode;

use latchkey_contracts::{Chain, reread::Reread, task::task::Kind};

use crate::reread::{self, Arguments};

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    reread::run(arguments, Kind::Backfill, report)
}

fn report(chain: &Chain, done: &Reread) -> String {
    let found = done.found.unwrap_or_default();
    let left = match found.unjudged {
        0 => String::new(),
        left => {
            format!(", {left} left as they are: the pages that would tell whether they were delivered are not kept")
        }
    };
    format!("\n{chain}: {} events fetched, {} were there already{left}", found.repaired, found.present)
}
