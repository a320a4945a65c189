//! `latchkey lookup push`, `list` and `remove`: the tables that every normalizer is given.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::Args;
use latchkey_bus::{Bus, ConnectOptions};
use latchkey_runtime::Failure;

use super::{check, files::Files};
use crate::output::UntilClosed;

/// How the bucket is reached.
#[derive(Args, Clone, Default)]
#[expect(clippy::struct_field_names, reason = "the names are those of the flags")]
pub(crate) struct NatsOptions {
    /// The nats-server of the line
    #[arg(long, value_name = "URL", env = "LATCHKEY_NATS_URL")]
    pub(crate) nats_url: Option<String>,
    /// A file with the token for it
    #[arg(long, value_name = "FILE", env = "LATCHKEY_NATS_TOKEN_FILE")]
    pub(crate) nats_token_file: Option<PathBuf>,
    /// A NATS credentials file for it
    #[arg(long, value_name = "FILE", env = "LATCHKEY_NATS_CREDENTIALS_FILE")]
    pub(crate) nats_credentials_file: Option<PathBuf>,
    /// Certificates to trust for it, in PEM, in place of the system's
    #[arg(long, value_name = "FILE", env = "LATCHKEY_NATS_CA_FILE")]
    pub(crate) nats_ca_file: Option<PathBuf>,
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
    pub(crate) async fn connect(&self) -> anyhow::Result<Bus> {
        let url = self.nats_url.as_deref();
        let url =
            url.ok_or_else(|| Failure::Configuration("--nats-url says where the line's nats-server is".into()))?;
        let token = match &self.nats_token_file {
            Some(path) => Some(fs::read_to_string(path).with_context(|| path.display().to_string())?),
            None => None,
        };
        let options = ConnectOptions {
            servers: url.split(',').map(|server| server.trim().to_owned()).collect(),
            client_name: "latchkey".into(),
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
    let mut out = UntilClosed::new(io::stdout().lock());
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

#[cfg(test)]
mod tests {
    use latchkey_bus::server;
    use latchkey_contracts::topology::Limits;

    use super::*;

    #[tokio::test]
    async fn tables_go_in_checked_and_come_out_again() {
        let server = server::scratch().await.unwrap();
        let bus = Bus::connect(server.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        let token = server.directory().join("a-token");
        let options = server.connect_options("test");
        fs::write(&token, options.token.as_ref().map(secrecy::ExposeSecret::expose_secret).unwrap_or_default())
            .unwrap();
        let nats = NatsOptions {
            nats_url: Some(options.servers.join(",")),
            nats_token_file: options.token.is_some().then_some(token),
            nats_credentials_file: None,
            nats_ca_file: None,
        };
        let dir = server.directory().join("lookups");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("notes.csv"), "a,b\n").unwrap();
        fs::write(dir.join("items.jsonl"), "nonsense").unwrap();
        let arguments = PushArguments { dir: dir.clone(), nats: nats.clone() };
        assert!(push(&arguments).await.is_err());
        assert_eq!(bus.lookup_files().await.unwrap(), []);

        fs::write(dir.join("items.jsonl"), "{\"uuid\":\"a\"}").unwrap();
        push(&arguments).await.unwrap();
        let names: Vec<_> = bus.lookup_files().await.unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["items.jsonl"]);
        list(&ListArguments { nats: nats.clone() }).await.unwrap();
        let gone = RemoveArguments { file: "items.jsonl".into(), nats };
        remove(&gone).await.unwrap();
        assert!(remove(&gone).await.is_err());
    }
}
