//! The `latchkey` command.
//!
//! The whole line in one process, for one person and a laptop: the same services, streams and subjects as in a cluster, over a
//! private nats-server that lives as a child of this process. And the workbench for schemas, which needs neither.

mod alerts;
mod audit;
mod backfill;
mod caught_up;
mod demo;
mod line;
mod lookup;
mod nats;
mod options;
mod output;
mod progress;
mod reread;
mod schema;
mod source;
mod up;

use std::process::ExitCode;

use clap::Parser;
use latchkey_runtime::Exit;

/// Pulls 1Password's event logs, validates and enriches them, delivers them, and says why they are silent.
#[derive(Parser)]
#[command(name = "latchkey", version, propagate_version = true)]
enum Command {
    /// Shows the whole line at work on three weeks of a made-up company's events, then stops.
    Demo(demo::Arguments),
    /// Collects one account's events, for ever or until all are delivered.
    Up(Box<up::Arguments>),
    /// Fetches a source's past: all that is not stored yet, once.
    Backfill(reread::Arguments),
    /// Compares a source's past at 1Password with what is stored, and changes nothing.
    Audit(reread::Arguments),
    /// Tests, checks, proposes and tries schemas.
    #[command(subcommand)]
    Schema(schema::Command),
    /// Makes, checks and hands out lookup tables.
    Lookup(lookup::Arguments),
    /// Adds, changes, pauses and removes sources while fetchers run.
    Source(source::Arguments),
    /// Says what is wrong, and takes it on.
    Alerts(alerts::Arguments),
}

fn main() -> ExitCode {
    match Command::try_parse() {
        Ok(Command::Demo(arguments)) => demo::run(arguments),
        Ok(Command::Up(arguments)) => up::run(*arguments),
        Ok(Command::Backfill(arguments)) => backfill::run(&arguments),
        Ok(Command::Audit(arguments)) => audit::run(&arguments),
        Ok(Command::Schema(command)) => schema::run(command),
        Ok(Command::Lookup(arguments)) => lookup::run(arguments),
        Ok(Command::Source(arguments)) => source::run(arguments),
        Ok(Command::Alerts(arguments)) => alerts::run(arguments),
        Err(refusal) => {
            // Help and version arrive here too, meant for standard output.
            let _ = refusal.print();
            if refusal.use_stderr() { Exit::Configuration.into() } else { ExitCode::SUCCESS }
        }
    }
}
