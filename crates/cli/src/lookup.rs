//! `latchkey lookup`: makes, checks and hands out lookup tables.

pub(crate) mod bucket;
mod check;
pub(crate) mod files;
mod import;
mod sync;

use std::{io::Write as _, process::ExitCode};

pub(crate) use bucket::NatsOptions;
use clap::{Args, Subcommand};
use latchkey_core::lookup::import::{Imported, Options};
use latchkey_runtime::{Exit, Failure};

/// What `latchkey lookup` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a table from what op, or jq as in Panther's guide, prints.
    Import(import::Arguments),
    /// Keeps the tables of items and vaults current from a 1Password Connect server.
    Sync(Box<sync::Arguments>),
    /// Loads the tables of a directory and says what is wrong with them; the exit code is 1 if anything is.
    Check(check::Arguments),
    /// Checks the tables of a directory and hands them to every normalizer.
    Push(bucket::PushArguments),
    /// Says which tables the normalizers are given.
    List(bucket::ListArguments),
    /// Takes a table's file away from the normalizers.
    Remove(bucket::RemoveArguments),
}

/// Columns that a table is not to show.
#[derive(Args, Clone)]
struct Columns {
    /// Leave this column out; may be given several times
    #[arg(long, value_name = "COLUMN")]
    omit: Vec<String>,
    /// Write REDACTED in the place of this column's values; may be given several times
    #[arg(long, value_name = "COLUMN")]
    redact: Vec<String>,
}

impl Columns {
    fn options(&self) -> Options {
        Options { omit: self.omit.clone(), redact: self.redact.clone(), ..Options::default() }
    }
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.command {
        Command::Import(arguments) => import::run(&arguments),
        Command::Sync(arguments) => wait(sync::run(&arguments)),
        Command::Check(arguments) => return exit(check::run(&arguments)),
        Command::Push(arguments) => wait(bucket::push(&arguments)),
        Command::List(arguments) => wait(bucket::list(&arguments)),
        Command::Remove(arguments) => wait(bucket::remove(&arguments)),
    };
    exit(outcome.map(|()| ExitCode::SUCCESS))
}

pub(crate) fn exit(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; the exit code says it too.
            let _ = writeln!(std::io::stderr(), "latchkey: {error:#}");
            let failure = error.downcast_ref::<Failure>();
            if matches!(failure, Some(Failure::Configuration(_))) { Exit::Configuration } else { Exit::Internal }.into()
        }
    }
}

pub(crate) fn wait(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// What came of a table, for people.
fn say(imported: &Imported) -> std::io::Result<()> {
    let Imported { kind, listed, kept, deleted, .. } = imported;
    writeln!(
        std::io::stdout(),
        "{}: {listed} listed, {kept} kept as they were, {deleted} no longer there",
        kind.table()
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn flags_are_understood() {
        let check = |line: &str, expect: bool| {
            let parsed = Line::try_parse_from(["lookup"].into_iter().chain(line.split(' ')));
            assert_eq!(parsed.is_ok(), expect, "{line}");
        };
        check("import --dir d", true);
        check("import list.json --dir d --table users --redact email --omit state --partial", true);
        check("import --dir d --table nonsense", false);
        check("check d", true);
        check("push d --nats-url nats://127.0.0.1:4222", true);
        check("list --nats-url nats://127.0.0.1:4222", true);
        check("remove items.jsonl --nats-url nats://127.0.0.1:4222", true);
        let sync = "sync --connect-url http://127.0.0.1 --connect-token-file t --dir d";
        check(sync, true);
        check(&format!("{sync} --every 15m"), true);
        check(&format!("{sync} --every 1s"), false);
        check(&format!("{sync} --push"), false);
        check(&format!("{sync} --push --nats-url nats://127.0.0.1:4222"), true);
    }
}
