//! Ten thousand sources on one fetcher: what polling costs, how late polls are, and how soon a change comes into effect.
//!
//! A real fetcher polls a simulator that is a process of its own, over HTTPS, with a real nats-server beside it; every answer comes as late
//! as from far away. Sources come from the bucket SOURCES, and each feed has a small past. One stretch is measured in which nothing happens, which is what most sources do in most minutes; then one source
//! becomes loud and one slow, and the rest is measured again. At the end one source is added, changed, paused, resumed and removed.

mod figures;
mod made_up;
mod reading;
mod trouble;
mod watch;

use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt};
use latchkey_bus::{
    BucketValue, Bus, Publication,
    server::{Binary, Server, ServerOptions},
};
use latchkey_contracts::{
    Chain, Feed, SourceId,
    checkpoint::{Checkpoint, outcome::Kind},
    topology::Limits,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use self::{
    figures::{Figures, Stretch},
    reading::Meter,
    trouble::Trouble,
    watch::Watch,
};
use crate::{arguments::Arguments, process::Process, programs::Programs, stand_in::StandIn};

/// Every chain is polled for the first time within this: an interval, and what a busy machine needs.
const WARM_WITHIN: Duration = Duration::from_mins(6);

/// After its first poll a chain has its place in the interval; before that they come as they come.
const SETTLE: Duration = Duration::from_mins(1);

/// A change that has no effect within this has failed.
const EFFECT_WITHIN: Duration = Duration::from_mins(2);

const LOOK: Duration = Duration::from_millis(100);

/// Values written at once.
const AT_ONCE: usize = 64;

/// Accounts that are made to behave badly. The last account is kept for the changes.
const LOUD: usize = 1;
const SLOW: usize = 2;

/// Everything that runs.
struct Scene {
    sources: usize,
    stand_in: StandIn,
    bus: Bus,
    watch: Watch,
    meter: Meter,
    fetcher: Process,
    server: Server,
    // Last, so that what is written has a place for as long as anything runs.
    _directory: TempDir,
}

/// Measures, and prints what it finds.
pub(crate) async fn run(
    out: &mut impl Write,
    programs: &Programs,
    nats: &Binary,
    arguments: &Arguments,
    sources: u32,
) -> Result<()> {
    let mut scene = Scene::set(programs, nats, arguments, sources as usize).await?;
    let length = Duration::from_mins(arguments.minutes.into());
    let all = Figures { sources, audits: arguments.audits, warm: scene.warm_up().await? };
    all.head(out)?;
    figures::stretch(out, "nothing happens", &scene.stretch(length).await?)?;
    let trouble = Trouble::begin(&scene.stand_in.plain_url, &name(LOUD), &name(SLOW)).await?;
    sleep(SETTLE).await;
    figures::stretch(out, "one loud, one slow", &scene.stretch(length).await?)?;
    drop(trouble);
    figures::changes(out, &scene.changes().await?)?;
    figures::peaks(out, &scene.meter.read().await?)?;
    scene.fetcher.stop()?;
    scene.stand_in.process.stop()?;
    Ok(scene.server.stop().await?)
}

impl Scene {
    async fn set(programs: &Programs, nats: &Binary, arguments: &Arguments, sources: usize) -> Result<Self> {
        fs::create_dir_all(&arguments.dir)?;
        let mut directory =
            tempfile::Builder::new().prefix("latchkey-bench-").tempdir_in(fs::canonicalize(&arguments.dir)?)?;
        directory.disable_cleanup(arguments.keep);
        let accounts = sources.to_string();
        let stand_in =
            StandIn::start(programs, &["--profile", "empty", "--accounts", &accounts], directory.path()).await?;
        made_up::give_past(&stand_in.plain_url, sources).await?;
        trouble::go_far(&stand_in.plain_url).await?;
        let monitoring = free_port()?;
        let options = ServerOptions {
            monitoring_port: Some(monitoring),
            ..ServerOptions::new(nats.clone(), directory.path().join("nats"))
        };
        let server = Server::start(options).await?;
        let bus = Bus::connect(server.connect_options("latchkey-bench")).await?;
        bus.provision(Limits::default()).await?;
        futures::stream::iter(1..sources)
            .map(|account| write(&bus, &stand_in, account, Some(json!({}))))
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        let configuration = json!({
            "nats": { "url": server.url(), "token_file": server.token_file() },
            "fetcher": { "events_api_urls": [stand_in.url], "audit": { "enabled": arguments.audits } },
        });
        let file = directory.path().join("latchkey.yml");
        fs::write(&file, serde_json::to_vec_pretty(&configuration)?)?;
        let watch = Watch::begin(&bus, [name(LOUD), name(SLOW)]);
        let mut command = programs.command("latchkey-fetcher")?;
        command.arg("--config").arg(file);
        let fetcher = Process::start("fetcher", command, directory.path())?;
        let port = stand_in.url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let meter = Meter {
            fetcher: fetcher.id(),
            nats: server.pid(),
            simulator: stand_in.process.id(),
            monitoring: format!("http://127.0.0.1:{monitoring}/varz"),
            port: port.context("the simulator's address has a port")?,
            http: reqwest::Client::builder().no_proxy().build()?,
        };
        Ok(Self { sources, stand_in, bus, watch, meter, fetcher, server, _directory: directory })
    }

    /// Waits until every chain has been polled and has its place. Returns how long the first of both took.
    async fn warm_up(&mut self) -> Result<Duration> {
        let (began, chains) = (Instant::now(), (self.sources - 1) * Feed::USUAL.len());
        while self.watch.chains() < chains {
            ensure!(self.fetcher.check()?, "the fetcher ended");
            if began.elapsed() > WARM_WITHIN {
                bail!("{} of {chains} chains were polled within {} s", self.watch.chains(), WARM_WITHIN.as_secs());
            }
            sleep(LOOK).await;
        }
        let took = began.elapsed();
        sleep(SETTLE).await;
        Ok(took)
    }

    async fn stretch(&mut self, length: Duration) -> Result<Stretch> {
        self.watch.stretch();
        let before = self.meter.read().await?;
        sleep(length).await;
        ensure!(self.fetcher.check()?, "the fetcher ended");
        Ok(Stretch { before, after: self.meter.read().await?, polls: self.watch.stretch() })
    }

    /// How long each change takes until all three feeds show it.
    async fn changes(&self) -> Result<Vec<(&'static str, Duration)>> {
        let polled = |checkpoint: &Checkpoint| matches!(kind(checkpoint), Kind::Quiet | Kind::Active);
        let labelled = |checkpoint: &Checkpoint| checkpoint.source_label == "Renamed";
        let reads = |reason: &'static str| {
            move |checkpoint: &Checkpoint| checkpoint.outcome.as_ref().is_some_and(|outcome| outcome.reason == reason)
        };
        let renamed = json!({ "label": "Renamed" });
        Ok(vec![
            ("added", self.change(Some(json!({})), polled).await?),
            ("changed", self.change(Some(renamed), labelled).await?),
            ("paused", self.change(Some(json!({ "paused": true })), reads("paused")).await?),
            ("resumed", self.change(Some(json!({})), polled).await?),
            ("removed", self.change(None, reads("removed")).await?),
        ])
    }

    async fn change(&self, settings: Option<Value>, wanted: impl Fn(&Checkpoint) -> bool) -> Result<Duration> {
        let (began, removed, source) = (Instant::now(), settings.is_none(), name(self.sources));
        write(&self.bus, &self.stand_in, self.sources, settings).await?;
        self.watch.until(&source, Feed::USUAL.len(), EFFECT_WITHIN, wanted).await?;
        if removed {
            for feed in Feed::USUAL {
                let chain = Chain { source: source.parse()?, feed };
                ensure!(!self.bus.has_poll_task(&chain).await?, "a removed source has a task");
            }
        }
        Ok(began.elapsed())
    }
}

/// Writes a source's value: settings beside those that all have, or the mark of its removal.
async fn write(bus: &Bus, stand_in: &StandIn, account: usize, settings: Option<Value>) -> Result<()> {
    let source: SourceId = name(account).parse()?;
    let value = settings.map(|mut value| {
        value["id"] = source.as_str().into();
        value["token_file"] = stand_in.token_file(account).to_string_lossy().into();
        value["events_api_url"] = stand_in.url.as_str().into();
        value["ca_file"] = PathBuf::from(&stand_in.ca_file).to_string_lossy().into();
        BucketValue::new(value.to_string())
    });
    let expected = bus.source(&source).await?.map_or(0, |stored| stored.sequence);
    let written = bus.publish_source(&source, &value.unwrap_or(BucketValue::removed()), expected).await?;
    ensure!(matches!(written, Publication::Stored { .. }), "the source {source} could not be written: {written:?}");
    Ok(())
}

fn name(account: usize) -> String {
    format!("account-{account}")
}

fn kind(checkpoint: &Checkpoint) -> Kind {
    checkpoint.outcome.as_ref().map_or(Kind::Unspecified, latchkey_contracts::checkpoint::Outcome::kind)
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
