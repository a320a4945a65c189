//! `latchkey lookup sync`: the tables of items and vaults from a Connect server, once or for ever.

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
    /// The address of the Connect server, with its scheme and port
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
    nats: NatsOptions,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = client(arguments)?;
    let bus = if arguments.push { Some(arguments.nats.connect().await?) } else { None };
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
    for (path, name, data) in [(&items, ITEMS, &synced.items.data), (&vaults, VAULTS, &synced.vaults.data)] {
        // Also what has not changed: the file's time says that the table is current.
        files::replace(path, data)?;
        if let Some(bus) = bus {
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

#[cfg(test)]
mod tests {
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

    use super::*;

    #[tokio::test]
    async fn a_round_writes_tables_and_what_it_has_seen() {
        let server = MockServer::start().await;
        for (at, body, expect) in [
            ("/v1/vaults", r#"[{"id":"v1","name":"Shared","contentVersion":7}]"#, 2),
            // The second round has nothing to read.
            ("/v1/vaults/v1/items", r#"[{"id":"a","title":"Mail","vault":{"id":"v1"},"category":"LOGIN"}]"#, 1),
        ] {
            let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
            Mock::given(path(at)).respond_with(answer).expect(expect).mount(&server).await;
        }
        let directory = tempfile::tempdir().unwrap();
        let token = directory.path().join("token");
        fs::write(&token, "secret\n").unwrap();
        let dir = directory.path().join("lookups");
        let arguments = Arguments {
            connect_url: server.uri(),
            connect_token_file: token,
            connect_ca_file: None,
            dir: dir.clone(),
            every: None,
            push: false,
            columns: Columns { omit: vec!["category".into()], redact: Vec::new() },
            nats: NatsOptions::default(),
        };
        for _ in 0..2 {
            run(&arguments).await.unwrap();
            let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
            assert_eq!(read(ITEMS), "{\"uuid\":\"a\",\"title\":\"Mail\",\"vault_uuid\":\"v1\"}\n");
            assert_eq!(read(VAULTS), "{\"uuid\":\"v1\",\"name\":\"Shared\"}\n");
            assert_eq!(read(STATE), "{\"v1\":7}");
        }
    }
}
