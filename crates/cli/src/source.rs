//! `latchkey source`: sources that come, change and go while fetchers run.
//!
//! Each is a value in the bucket SOURCES with the settings of a configured source, which every fetcher watches. Where its token is kept
//! is part of it, the token never is: that may be a value of the bucket TOKENS, sealed to a key of the fetchers.

mod change;
mod show;
mod token;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Feed, SourceId};

use crate::lookup::{bucket::NatsOptions, exit, wait};

/// What `latchkey source` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Adds a source; every fetcher begins within seconds.
    Add(Box<SetArguments>),
    /// Changes what is given of a source, and leaves the rest as it is.
    Set(Box<SetArguments>),
    /// Leaves a source alone until it is resumed; its feeds keep their places.
    Pause(Named),
    /// Goes on with a paused source.
    Resume(Named),
    /// Removes a source: its duties and checkpoints go, and what was fetched stays as long as the streams keep it.
    Remove(Named),
    /// Says of every source how its feeds stand.
    List(ListArguments),
    /// Shows a source's settings as JSON.
    Show(Named),
    /// Makes a key for sealed tokens: the secret key for the fetchers' file, and the recipient that tokens are sealed to.
    TokenKey(token::KeyArguments),
    /// Seals a source's token and puts it into the bucket TOKENS; fetchers use it at the next request.
    Seal(token::SealArguments),
}

#[derive(Args)]
struct Named {
    /// The source's name
    source: SourceId,
    #[command(flatten)]
    nats: NatsOptions,
}

#[derive(Args)]
struct ListArguments {
    #[command(flatten)]
    nats: NatsOptions,
}

#[derive(Args)]
struct SetArguments {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    settings: Settings,
}

/// What is set; the rest is left at what it is, or at its default.
#[derive(Args, Default)]
struct Settings {
    /// What people call it
    #[arg(long)]
    label: Option<String>,
    /// A file, on the machines of the fetchers, with the bearer token and nothing else
    #[arg(long, value_name = "FILE", conflicts_with = "token_env")]
    token_file: Option<PathBuf>,
    /// A variable of the fetchers' environment with the token
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// The token is in the bucket TOKENS, where `latchkey source seal` puts it
    #[arg(long, conflicts_with_all = ["token_file", "token_env"])]
    token_sealed: bool,
    /// Where the account is hosted: us, us-enterprise, ca or eu (default: what the token says)
    #[arg(long, value_name = "us|us-enterprise|ca|eu")]
    region: Option<String>,
    /// Another address than 1Password's: a proxy, or a stand-in. The token is sent there
    #[arg(long, value_name = "URL")]
    events_api_url: Option<String>,
    /// Certificates to trust for it, in PEM, beside the system's; a file on the machines of the fetchers
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Which feeds to collect (default: all but the beta of version 3)
    #[arg(long, value_delimiter = ',')]
    feeds: Option<Vec<Feed>>,
    /// The oldest event to fetch, where nothing was fetched yet (default: all that 1Password keeps, 120 days)
    #[arg(long, value_name = "RFC3339")]
    start_time: Option<Timestamp>,
    /// Pause after a poll that reached a feed's end (default: 60s)
    #[arg(long, value_name = "DURATION")]
    poll_interval: Option<SignedDuration>,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.command {
        Command::Add(arguments) => wait(change::add(arguments.named, arguments.settings)),
        Command::Set(arguments) => wait(change::set(arguments.named, arguments.settings)),
        Command::Pause(named) => wait(change::pause(named, true)),
        Command::Resume(named) => wait(change::pause(named, false)),
        Command::Remove(named) => wait(change::remove(named)),
        Command::List(arguments) => wait(show::list(arguments)),
        Command::Show(named) => wait(show::show(named)),
        Command::TokenKey(arguments) => token::make_key(&arguments),
        Command::Seal(arguments) => wait(token::seal(arguments)),
    };
    exit(outcome.map(|()| ExitCode::SUCCESS))
}
