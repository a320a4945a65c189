//! `latchkey lookup push`, `list` and `remove`: the tables that every normalizer is given.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::Args;
use latchkey_bus::{Bus, ConnectOptions};

use super::{check, files::Files};

/// How the bucket is reached.
#[derive(Args, Clone)]
#[expect(clippy::struct_field_names, reason = "the names are those of the flags")]
pub(super) struct NatsOptions {
    /// The nats-server of the line
    #[arg(long, value_name = "URL", env = "LATCHKEY_NATS_URL")]
    nats_url: String,
    /// A file with the token for it
    #[arg(long, value_name = "FILE", env = "LATCHKEY_NATS_TOKEN_FILE")]
    nats_token_file: Option<PathBuf>,
    /// A NATS credentials file for it
    #[arg(long, value_name = "FILE", env = "LATCHKEY_NATS_CREDENTIALS_FILE")]
    nats_credentials_file: Option<PathBuf>,
    /// Certificates to trust for it, in PEM, beside the system's
    #[arg(long, value_name = "FILE", env = "LATCHKEY_NATS_CA_FILE")]
    nats_ca_file: Option<PathBuf>,
}

/// What `latchkey lookup push` takes.
#[derive(Args)]
pub(crate) struct PushArguments {
    /// The directory with tables and definitions
    #[arg(value_name = "DIR", env = "LATCHKEY_LOOKUPS")]
    dir: PathBuf,
    #[command(flatten)]
    nats: NatsOptions,
}

/// What `latchkey lookup list` takes.
#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    nats: NatsOptions,
}

/// What `latchkey lookup remove` takes.
#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// The file's name, such as items.jsonl
    file: String,
    #[command(flatten)]
    nats: NatsOptions,
}

impl NatsOptions {
    /// Streams and buckets are made by the services, with their limits; here nothing is.
    pub(super) async fn connect(&self) -> anyhow::Result<Bus> {
        let token = match &self.nats_token_file {
            Some(path) => Some(fs::read_to_string(path).with_context(|| path.display().to_string())?),
            None => None,
        };
        let options = ConnectOptions {
            servers: self.nats_url.split(',').map(|server| server.trim().to_owned()).collect(),
            client_name: "latchkey-lookup".into(),
            token: token.map(|token| token.trim().into()),
            credentials_file: self.nats_credentials_file.clone(),
            ca_file: self.nats_ca_file.clone(),
        };
        Ok(Bus::connect(options).await?)
    }
}

pub(super) async fn push(arguments: &PushArguments) -> anyhow::Result<()> {
    let files = Files::read(&arguments.dir)?;
    // What a normalizer would refuse is not handed out.
    let (lookups, report) = check::load(&files)?;
    let bus = arguments.nats.connect().await?;
    let mut pushed = 0;
    for (name, bytes) in files.0.iter().filter(|(name, _)| !report.ignored.contains(name)) {
        bus.put_lookup_file(name, bytes).await?;
        pushed += 1;
    }
    bus.close().await;
    Ok(writeln!(io::stdout(), "{pushed} files pushed, version {}", lookups.version())?)
}

pub(super) async fn list(arguments: &ListArguments) -> anyhow::Result<()> {
    let bus = arguments.nats.connect().await?;
    let files = bus.lookup_files().await?;
    bus.close().await;
    let mut out = io::stdout().lock();
    for file in files {
        let modified = file.modified.map(|modified| modified.to_string()).unwrap_or_default();
        writeln!(out, "{}\t{} bytes\t{modified}", file.name, file.size)?;
    }
    Ok(())
}

pub(super) async fn remove(arguments: &RemoveArguments) -> anyhow::Result<()> {
    let bus = arguments.nats.connect().await?;
    let removed = bus.delete_lookup_file(&arguments.file).await?;
    bus.close().await;
    anyhow::ensure!(removed, "there is no {}", arguments.file);
    Ok(())
}
