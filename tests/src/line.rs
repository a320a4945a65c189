//! The line as it runs in a cluster: four processes over one NATS, with one configuration file.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use latchkey_bus::{Bus, ConnectOptions, server::Scratch};
use latchkey_contracts::topology::{EVENTS, NORMALIZER, PAGES};
use latchkey_simulator::Simulator;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{ACCOUNT, Process, command, existing, wait::within, write_account};

/// How long a line may take to deliver the last of its events: twice the longest redelivery, and a busy machine.
const SETTLE_LIMIT: Duration = Duration::from_mins(4);

/// The forwarder's default sink.
const SINK: &str = "files";

/// One of the four services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Polls 1Password.
    Fetcher,
    /// Makes events of pages.
    Normalizer,
    /// Delivers.
    Forwarder,
    /// Watches.
    Alerter,
}

impl Service {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Fetcher, Self::Normalizer, Self::Forwarder, Self::Alerter];

    /// Its program.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Fetcher => "latchkey-fetcher",
            Self::Normalizer => "latchkey-normalizer",
            Self::Forwarder => "latchkey-forwarder",
            Self::Alerter => "latchkey-alerter",
        }
    }
}

/// Where NATS is.
#[derive(Clone, Debug)]
pub struct Nats {
    /// `nats://host:port`.
    pub url: String,
    /// A file with the token, if one is wanted.
    pub token_file: Option<PathBuf>,
    /// What all streams together may store, where the server has less room than our default wants.
    pub max_bytes: Option<i64>,
}

impl Nats {
    /// A private server's address.
    #[must_use]
    pub fn of(server: &Scratch) -> Self {
        Self { url: server.url(), token_file: Some(server.token_file()), max_bytes: None }
    }
}

/// What tests set differently from the defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Events per page.
    pub page_limit: u32,
    /// How long the forwarder gathers events for one object.
    pub max_delay: &'static str,
    /// The services' log level.
    pub log_level: &'static str,
    /// Where traces go.
    pub otlp_endpoint: Option<String>,
    /// What the source has beside that, or instead.
    pub source: Value,
    /// What the whole configuration has beside that, or instead.
    pub more: Value,
    /// What is started; the others run when they are begun.
    pub services: Vec<Service>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_limit: 1000,
            max_delay: "500ms",
            log_level: "info",
            otlp_endpoint: None,
            source: Value::Null,
            more: Value::Null,
            services: Service::ALL.to_vec(),
        }
    }
}

/// A running line.
#[derive(Debug)]
pub struct Line {
    directory: PathBuf,
    /// By their service's number.
    processes: [Option<Process>; 4],
    addresses: [String; 4],
    bus: Bus,
}

/// How far the line is.
#[derive(Clone, Copy, Debug)]
struct Standing {
    unread_pages: u64,
    open_pages: u64,
    undelivered_batches: u64,
    delivered: u64,
}

impl Standing {
    const fn is_at_rest(&self) -> bool {
        self.unread_pages == 0 && self.open_pages == 0 && self.undelivered_batches == 0
    }
}

impl Line {
    /// Starts the services on the stand-in's account and waits until they run; their files go to `directory`.
    pub async fn start(directory: &Path, nats: &Nats, simulator: &Simulator, settings: &Settings) -> Result<Self> {
        write_configuration(directory, nats, simulator, settings)?;
        let token = nats.token_file.as_ref().map(fs::read_to_string).transpose()?;
        let options = ConnectOptions {
            servers: vec![nats.url.clone()],
            client_name: "latchkey-tests".into(),
            token: token.map(Into::into),
            ..ConnectOptions::default()
        };
        let mut processes = <[Option<Process>; 4]>::default();
        for service in &settings.services {
            processes[*service as usize] = Some(start(directory, *service)?);
        }
        let bus = Bus::connect(options).await?;
        let mut line = Self { directory: directory.to_owned(), processes, addresses: <[String; 4]>::default(), bus };
        for service in &settings.services {
            line.started(*service).await?;
        }
        Ok(line)
    }

    /// Starts a service that does not run, and waits until it does.
    pub async fn begin(&mut self, service: Service) -> Result<()> {
        self.processes[service as usize] = Some(start(&self.directory, service)?);
        self.started(service).await
    }

    async fn started(&mut self, service: Service) -> Result<()> {
        let process = self.processes[service as usize].as_mut().context("it was started")?;
        let start = process.started().await;
        self.addresses[service as usize] = start["listen"].as_str().context("a start line names its address")?.into();
        Ok(())
    }

    /// Where events are delivered to.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.directory.join("events")
    }

    /// The tests' own view of NATS.
    #[must_use]
    pub const fn bus(&self) -> &Bus {
        &self.bus
    }

    /// `kill -9`, and at once a new process in its place.
    pub fn replace(&mut self, service: Service) -> Result<()> {
        self.kill(service);
        self.processes[service as usize] = Some(start(&self.directory, service)?);
        Ok(())
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self, service: Service) {
        self.processes[service as usize].take().expect("what is killed runs").kill();
    }

    /// What a service says about itself at `path`.
    pub async fn ask(&self, service: Service, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.addresses[service as usize]).await?;
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// Pages stored and batches delivered so far; nothing while NATS does not answer.
    pub async fn progress(&self) -> Option<(u64, u64)> {
        let pages = self.bus.stream_state(&PAGES).await.ok()?.last;
        let delivery = self.bus.last_delivery(&SINK.parse().ok()?).await.ok()?;
        Some((pages, delivery.map_or(0, |stored| stored.message.committed)))
    }

    /// Waits until everything that exists is delivered and nothing is under way any more.
    pub async fn settled(&self, simulator: &Simulator) -> Result<()> {
        let expected = existing(simulator)? as u64;
        let mut last = None;
        let end = within(SETTLE_LIMIT, async || {
            last = self.standing().await.or(last);
            last.filter(|standing| standing.is_at_rest() && standing.delivered >= expected)
        })
        .await;
        end.map(drop).with_context(|| format!("{expected} events are not delivered within {SETTLE_LIMIT:?}: {last:?}"))
    }

    /// Asked in the direction of the flow, so that nothing hides between two answers; nothing while NATS does not answer.
    async fn standing(&self) -> Option<Standing> {
        let backlog = self.bus.consumer_state(&NORMALIZER).await.ok()?;
        let events = self.bus.stream_state(&EVENTS).await.ok()?;
        let delivery = self.bus.last_delivery(&SINK.parse().ok()?).await.ok()??.message;
        Some(Standing {
            unread_pages: backlog.pending,
            open_pages: backlog.ack_pending,
            undelivered_batches: events.last.saturating_sub(delivery.committed),
            delivered: delivery.events_total,
        })
    }

    /// Asks every service to stop and waits until they have; fails unless all end well.
    pub async fn stop(&mut self) {
        for (service, process) in Service::ALL.into_iter().zip(&mut self.processes) {
            let Some(mut process) = process.take() else { continue };
            let status = process.terminate().await;
            assert!(status.success(), "{} ended with {status}", service.program());
        }
    }
}

fn start(directory: &Path, service: Service) -> Result<Process> {
    let name = service.program();
    Process::start(name, command(name).arg("--config").arg(directory.join("latchkey.yaml")), directory)
}

fn write_configuration(directory: &Path, nats: &Nats, simulator: &Simulator, settings: &Settings) -> Result<()> {
    let account = write_account(simulator, directory)?;
    let mut configuration = json!({
        "nats": { "url": nats.url },
        "telemetry": { "log_format": "json", "log_level": settings.log_level },
        "http": { "listen": "127.0.0.1:0" },
        // The simulator has no limits, and tests read small pages.
        "fetcher": { "requests_per_minute": 1_000_000, "requests_per_hour": 1_000_000, "sources": [{
            "id": ACCOUNT,
            "token_file": account.token,
            "events_api_url": simulator.http_url(),
            "poll_interval": "1s",
            "page_limit": settings.page_limit,
        }] },
        "normalizer": { "lookups": account.lookups },
        "forwarder": {
            "output": directory.join("events"),
            "max_delay": settings.max_delay,
            "min_delay": "50ms",
        },
    });
    if let Some(token_file) = &nats.token_file {
        configuration["nats"]["token_file"] = json!(token_file);
    }
    if let Some(max_bytes) = nats.max_bytes {
        configuration["nats"]["max_bytes"] = json!(max_bytes);
    }
    if let Some(endpoint) = &settings.otlp_endpoint {
        configuration["telemetry"]["otlp_endpoint"] = json!(endpoint);
    }
    merge(&mut configuration["fetcher"]["sources"][0], &settings.source);
    merge(&mut configuration, &settings.more);
    // Any JSON is YAML.
    Ok(fs::write(directory.join("latchkey.yaml"), configuration.to_string())?)
}

/// Puts what `more` says into `base`, key by key.
fn merge(base: &mut Value, more: &Value) {
    match (base, more) {
        (_, Value::Null) => {}
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more.clone(),
    }
}
