//! `latchkey alerts`: what is wrong, what was, and who looks after it.
//!
//! Over NATS directly, at the same desk that alerters serve over gRPC.

mod answer;
mod habits;
mod read;

use std::{io::Write as _, process::ExitCode};

use clap::{Args, Subcommand};
use latchkey_core::alert::Kind;
use latchkey_runtime::{Exit, Failure};

/// What `latchkey alerts` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says what is raised, and what is silenced.
    List(read::ListArguments),
    /// Says what was raised and resolved, and when.
    History(read::HistoryArguments),
    /// Says what is learned of feeds whose policy is adaptive, and which cannot be judged by it.
    Habits(habits::HabitsArguments),
    /// Takes an alert on: nobody is reminded of it until it is resolved or gets worse.
    Ack(answer::AckArguments),
    /// Keeps people from being told of alerts for a while.
    Silence(answer::SilenceArguments),
}

/// A kind, by its word or its code.
pub(super) fn kind(text: &str) -> Result<Kind, String> {
    Kind::of_text(text).ok_or_else(|| {
        let words: Vec<_> = Kind::ALL.into_iter().map(Kind::as_str).collect();
        format!("use one of {}", words.join(", "))
    })
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.command {
        Command::List(arguments) => wait(read::list(&arguments)),
        Command::History(arguments) => wait(read::history(&arguments)),
        Command::Habits(arguments) => wait(habits::habits(&arguments)),
        Command::Ack(arguments) => wait(answer::ack(&arguments)),
        Command::Silence(arguments) => wait(answer::silence(&arguments)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the exit code says it too.
            let _ = writeln!(std::io::stderr(), "latchkey: {error:#}");
            let failure = error.downcast_ref::<Failure>();
            if matches!(failure, Some(Failure::Configuration(_))) { Exit::Configuration } else { Exit::Internal }.into()
        }
    }
}

fn wait(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests;
