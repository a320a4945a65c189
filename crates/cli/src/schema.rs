//! `latchkey schema`: the workbench for whoever writes a log type.
//!
//! Everything here runs on files and pipes, without a line, an account or a network, and through the same code as the normalizer, so
//! that what passes here passes there. What is shown are the user's own samples and tests, so values may be shown.

#![expect(clippy::doc_markdown, reason = "comments on arguments are help text, shown as they stand")]

mod check;
mod drift;
mod files;
mod infer;
mod library;
mod lines;
mod parse;
mod samples;
mod tables;
mod test;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Args, Subcommand, ValueEnum};
use latchkey_core::normalize::{self, Unknown};
use latchkey_runtime::Exit;

/// What `latchkey schema` can do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs test files: what each event becomes against what was expected.
    Test(test::Arguments),
    /// Names every fault of schema files.
    Check(check::Arguments),
    /// Proposes a schema from sample events.
    Infer(infer::Arguments),
    /// Normalizes events from standard input, one per line.
    Parse(parse::Arguments),
    /// Says how events from standard input differ from their schema, and what to change.
    Drift(drift::Arguments),
}

/// Where engines of this schema language differ.
#[derive(Args, Clone, Copy)]
pub(crate) struct Compatibility {
    /// Whether the local part of an e-mail address counts as a user's name in p_any_usernames; older engines: off
    #[arg(long, value_name = "on|off", env = "LATCHKEY_EMAIL_USERNAMES", default_value = "on")]
    email_usernames: Switch,
    /// What becomes of fields that the schema does not declare; Panther: drop
    #[arg(long, value_name = "keep|drop|reject", env = "LATCHKEY_UNKNOWN_FIELDS", default_value = "keep")]
    unknown_fields: UnknownFields,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
enum UnknownFields {
    Keep,
    Drop,
    Reject,
}

/// How a verb ended that could do its work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nothing to complain about.
    Good,
    /// A test failed, a file has a fault, an event was rejected or differs from its schema: exit code 1.
    Bad,
}

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// What was asked for cannot be: names the place and the next step.
    #[error("{0}")]
    Refused(String),
    /// Standard output or input failed.
    #[error("standard output or input: {0}")]
    Pipe(#[from] io::Error),
}

/// The longest event, in bytes. Those of 1Password take about a kilobyte.
const MAX_LINE_BYTES: usize = 4 << 20;

/// What is read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// The exit code of [`Outcome::Bad`], as of other tools that judge.
const BAD: u8 = 1;

pub(crate) fn run(command: Command) -> ExitCode {
    let outcome = match command {
        Command::Test(arguments) => test::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Infer(arguments) => infer::run(&arguments),
        Command::Parse(arguments) => parse::run(&arguments),
        Command::Drift(arguments) => drift::run(&arguments),
    };
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Bad) => BAD.into(),
        Err(error) => {
            // Nothing is left to tell it to if this fails.
            let _ = writeln!(io::stderr(), "latchkey schema: {error}");
            let exit = if matches!(error, Error::Refused(_)) { Exit::Configuration } else { Exit::Internal };
            exit.into()
        }
    }
}

impl From<Compatibility> for normalize::Options {
    fn from(compatibility: Compatibility) -> Self {
        Self {
            email_usernames: compatibility.email_usernames == Switch::On,
            unknown: match compatibility.unknown_fields {
                UnknownFields::Keep => Unknown::Keep,
                UnknownFields::Drop => Unknown::Drop,
                UnknownFields::Reject => Unknown::Reject,
            },
            ..Self::default()
        }
    }
}
