//! `latchkey lookup sync`: the tables of items and vaults from a Connect server, once or for ever.

#![expect(clippy::doc_markdown, reason = "comments on arguments are help text, shown as they stand")]

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use jiff::SignedDuration;
use latchkey_bus::Bus;
use latchkey_connect::{Client, ClientOptions, Seen, Synced, Tables, sync};
use secrecy::SecretString;

use super::{Columns, bucket::NatsOptions, files, say};

const ITEMS: &str = "items.jsonl";
const VAULTS: &str = "vaults.jsonl";

/// Beside the tables: which version of each vault they hold. No table itself, as its name shows.
const STATE: &str = "connect.state";

/// The least pause: a Connect server serves others too.
const MIN_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// What `latchkey lookup sync` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The Connect server, such as https://connect.example.com
    #[arg(long, value_name = "URL", env = "LATCHKEY_CONNECT_URL")]
    connect_url: String,
    /// A file with its access token, and nothing else
    #[arg(long, value_name = "FILE", env = "LATCHKEY_CONNECT_TOKEN_FILE")]
    connect_token_file: PathBuf,
    /// Certificates to trust for it, in PEM, beside the system's
    #[arg(long, value_name = "FILE", env = "LATCHKEY_CONNECT_CA_FILE")]
    connect_ca_file: Option<PathBuf>,
    /// The directory with the tables
    #[arg(long, value_name = "DIR", env = "LATCHKEY_LOOKUPS")]
    dir: PathBuf,
    /// Go on for ever, with this pause (default: once)
    #[arg(long, value_name = "DURATION", env = "LATCHKEY_CONNECT_EVERY", value_parser = pause)]
    every: Option<Duration>,
    /// Hand the tables to every normalizer, too
    #[arg(long, requires = "nats_url")]
    push: bool,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    nats: Option<NatsOptions>,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = client(arguments)?;
    let bus = match &arguments.nats {
        Some(nats) if arguments.push => Some(nats.connect().await?),
        _ => None,
    };
    loop {
        let outcome = once(arguments, &client, bus.as_ref()).await;
        let Some(pause) = arguments.every else { return outcome };
        if let Err(error) = outcome {
            writeln!(io::stderr(), "latchkey: {error:#}; trying again in {pause:?}")?;
        }
        tokio::time::sleep(pause).await;
    }
}

fn client(arguments: &Arguments) -> anyhow::Result<Client> {
    let text = |path: &Path| fs::read_to_string(path).with_context(|| path.display().to_string());
    let token = SecretString::from(text(&arguments.connect_token_file)?.trim());
    let ca_pem = arguments.connect_ca_file.as_deref().map(text).transpose()?.map(String::into_bytes);
    let url = arguments.connect_url.parse().context("--connect-url is no URL")?;
    Ok(Client::new(url, &token, &ClientOptions { ca_pem, ..ClientOptions::default() })?)
}

async fn once(arguments: &Arguments, client: &Client, bus: Option<&Bus>) -> anyhow::Result<()> {
    let [items, vaults, state] = [ITEMS, VAULTS, STATE].map(|name| arguments.dir.join(name));
    let (earlier_items, earlier_vaults) = (files::read_or_nothing(&items)?, files::read_or_nothing(&vaults)?);
    // Without it everything is read once more, and nothing is lost.
    let seen: Seen = serde_json::from_slice(&files::read_or_nothing(&state)?).unwrap_or_default();
    let tables = Tables { items: &earlier_items, vaults: &earlier_vaults };
    let synced = sync(client, &seen, tables, &arguments.columns.options()).await?;
    // The tables before the state: a crash between them costs one more reading.
    for (path, name, data, earlier) in
        [(&items, ITEMS, &synced.items.data, &earlier_items), (&vaults, VAULTS, &synced.vaults.data, &earlier_vaults)]
    {
        if data != earlier {
            files::replace(path, data)?;
        }
        if let Some(bus) = bus {
            // Also what has not changed: its time says that the table is current.
            bus.put_lookup_file(name, data).await?;
        }
    }
    files::replace(&state, &serde_json::to_vec(&synced.seen)?)?;
    report(&synced)
}

fn report(synced: &Synced) -> anyhow::Result<()> {
    say(&synced.vaults)?;
    say(&synced.items)?;
    for (vault, error) in &synced.failed {
        writeln!(io::stderr(), "latchkey: vault {vault}: {error}; its items stay as they were")?;
    }
    Ok(())
}

fn pause(text: &str) -> Result<Duration, String> {
    let pause: SignedDuration = text.parse().map_err(|error| format!("{error}"))?;
    if pause < MIN_PAUSE {
        return Err("at least 10s are needed".into());
    }
    Duration::try_from(pause).map_err(|error| error.to_string())
}
