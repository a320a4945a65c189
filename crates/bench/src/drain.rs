//! One drain: everything started from nothing, the clock from the services' start to the last commit.
//!
//! Simulator and nats-server stand before the clock starts, since neither is what a user waits for; the services' own start is within.
//! The end is when the sink's progress in stream DELIVERIES says that all events are committed, which is when they lie in files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use latchkey_bus::{
    Bus,
    server::{Binary, Server, ServerOptions},
};
use latchkey_contracts::{
    Chain, SourceId,
    topology::{EVENTS, Limits, PAGES},
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    arguments::Arguments,
    delivered::{self, Delivered},
    number::count,
    process::Process,
    programs::Programs,
    stand_in::StandIn,
    usage::{self, Usage},
};

/// How often progress and processes are looked at: what the clock is exact to, and next to no work.
const LOOK: Duration = Duration::from_millis(20);

/// A drain that makes no progress for so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The name of the account in our streams.
const SOURCE: &str = "bench";

/// The forwarder's default sink.
const SINK: &str = "files";

/// The services, in the order of their start: those that read stand ready before the first page comes.
const SERVICES: [&str; 4] = ["alerter", "forwarder", "normalizer", "fetcher"];

/// What one drain took.
#[derive(Debug)]
pub(crate) struct Drain {
    pub(crate) events: u64,
    pub(crate) elapsed: Duration,
    /// In the order of the line; the simulator is apart.
    pub(crate) ours: Vec<(&'static str, Usage)>,
    pub(crate) simulator: Usage,
    /// Processors that other work on this machine kept busy meanwhile.
    pub(crate) others: f64,
    pub(crate) pages: u64,
    /// Bodies as the API sent them.
    pub(crate) bytes_in: u64,
    /// Streams PAGES and EVENTS as stored.
    pub(crate) bytes_pages: u64,
    pub(crate) bytes_events: u64,
    pub(crate) delivered: Delivered,
}

impl Drain {
    pub(crate) fn events_per_second(&self) -> f64 {
        count(self.events) / self.elapsed.as_secs_f64()
    }

    /// Processor seconds for a million events.
    pub(crate) fn cost(&self, usage: &Usage) -> f64 {
        usage.cpu().as_secs_f64() * 1e6 / count(self.events)
    }
}

/// Drains the account once.
pub(crate) async fn run(programs: &Programs, nats: &Binary, arguments: &Arguments) -> Result<Drain> {
    fs::create_dir_all(&arguments.dir)?;
    let mut directory =
        tempfile::Builder::new().prefix("latchkey-bench-").tempdir_in(fs::canonicalize(&arguments.dir)?)?;
    directory.disable_cleanup(arguments.keep);
    let events = arguments.events_per_feed().to_string();
    let stand_in = StandIn::start(programs, &["--profile", "bulk", "--events", &events], directory.path()).await?;
    let server = Server::start(ServerOptions::new(nats.clone(), directory.path().join("nats"))).await?;
    let bus = Bus::connect(server.connect_options("latchkey-bench")).await?;
    // Each service does the same; here it makes the stream that is looked at from the beginning.
    bus.provision(Limits::default()).await?;
    let mut scene = Scene { programs, arguments, directory, stand_in, server, bus };
    let drain = scene.drain().await;
    let kept = scene.directory.path().to_owned();
    scene.server.stop().await?;
    scene.stand_in.process.stop()?;
    drain.with_context(|| {
        if arguments.keep { format!("see {}", kept.display()) } else { "use --keep to see the logs".into() }
    })
}

/// Everything around the services.
struct Scene<'a> {
    programs: &'a Programs,
    arguments: &'a Arguments,
    directory: TempDir,
    stand_in: StandIn,
    server: Server,
    bus: Bus,
}

/// What is read from /proc at each look.
#[derive(Default)]
struct Meter {
    ours: Vec<(&'static str, u32, Usage)>,
    simulator: (u32, Usage),
    /// Processor time of our processes and the simulator before the clock.
    before: Duration,
    machine_before: Duration,
}

impl Scene<'_> {
    async fn drain(&mut self) -> Result<Drain> {
        let output = self.directory.path().join("events");
        let commands = if self.arguments.single_process {
            vec![("latchkey up", self.up(&output)?)]
        } else {
            let file = self.configuration(&output)?;
            SERVICES.iter().map(|name| Ok((*name, self.service(name, &file)?))).collect::<Result<_>>()?
        };
        let started = Instant::now();
        let mut processes = Vec::new();
        for (name, command) in commands {
            processes.push(Process::start(name, command, self.directory.path())?);
        }
        let mut meter = self.meter(&processes)?;
        self.wait(&mut processes, &mut meter).await?;
        let elapsed = started.elapsed();
        let others = meter.others(elapsed)?;
        for process in processes {
            process.stop()?;
        }
        let (pages, bytes_in) = self.fetched().await?;
        Ok(Drain {
            events: self.arguments.expected(),
            elapsed,
            ours: meter.ours.iter().map(|(name, _, usage)| (*name, *usage)).collect(),
            simulator: meter.simulator.1,
            others,
            pages,
            bytes_in,
            bytes_pages: self.bus.stream_state(&PAGES).await?.bytes,
            bytes_events: self.bus.stream_state(&EVENTS).await?.bytes,
            delivered: delivered::count(&output)?,
        })
    }

    /// Looks until everything is committed.
    async fn wait(&self, processes: &mut [Process], meter: &mut Meter) -> Result<()> {
        let sink: SourceId = SINK.parse()?;
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            meter.read();
            let last = self.bus.last_delivery(&sink).await?;
            let (total, open) =
                last.map_or((0, true), |stored| (stored.message.events_total, stored.message.plan.is_some()));
            if total >= self.arguments.expected() && !open {
                meter.read();
                return Ok(());
            }
            for process in &mut *processes {
                ensure!(process.check()?, "{} ended before everything was delivered", process.name);
            }
            if total > seen {
                (seen, since) = (total, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                bail!("{seen} events are delivered, and for {} s there came no more", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn meter(&self, processes: &[Process]) -> Result<Meter> {
        let named = |(name, pid)| (name, pid, Usage::default());
        // In the order of the line.
        let mut ours: Vec<_> = processes.iter().rev().map(|process| (process.name, process.id())).map(named).collect();
        ours.push(named(("nats-server", self.server.pid())));
        let mut meter = Meter { ours, simulator: (self.stand_in.process.id(), Usage::default()), ..Meter::default() };
        meter.read();
        meter.before = meter.total();
        meter.machine_before = usage::machine()?;
        Ok(meter)
    }

    /// Pages of all chains and the bytes of their bodies: along the list that they form.
    async fn fetched(&self) -> Result<(u64, u64)> {
        let (mut pages, mut bytes) = (0, 0);
        for feed in &self.arguments.feeds {
            let mut page = self.bus.last_page(&Chain { source: SOURCE.parse()?, feed: *feed }).await?;
            while let Some(stored) = page {
                pages += 1;
                bytes += stored.message.body_size;
                page = self.bus.page_at(stored.message.previous_sequence).await?;
            }
        }
        Ok((pages, bytes))
    }

    /// One file for all services, as an operator would write it. JSON is YAML.
    fn configuration(&self, output: &Path) -> Result<PathBuf> {
        let feeds: Vec<&str> = self.arguments.feeds.iter().map(|feed| feed.as_str()).collect();
        let configuration = json!({
            "nats": { "url": self.server.url(), "token_file": self.server.token_file() },
            // The stand-in has no limits.
            "fetcher": { "requests_per_minute": 1_000_000, "requests_per_hour": 1_000_000, "sources": [{
                "id": SOURCE,
                "token_file": self.stand_in.token_file(1),
                "events_api_url": self.stand_in.url,
                "ca_file": self.stand_in.ca_file,
                "feeds": feeds,
            }] },
            "normalizer": { "lookups": self.stand_in.lookups },
            "forwarder": { "output": output, "compression": self.arguments.compression.as_str(), "sink": SINK },
        });
        let file = self.directory.path().join("latchkey.yml");
        fs::write(&file, serde_json::to_vec_pretty(&configuration)?)?;
        Ok(file)
    }

    fn service(&self, name: &str, file: &Path) -> Result<Command> {
        let mut command = self.programs.command(&format!("latchkey-{name}"))?;
        command.arg("--config").arg(file);
        Ok(command)
    }

    fn up(&self, output: &Path) -> Result<Command> {
        let feeds: Vec<&str> = self.arguments.feeds.iter().map(|feed| feed.as_str()).collect();
        let mut command = self.programs.command("latchkey")?;
        command.args(["up", "--requests-per-minute", "1000000", "--requests-per-hour", "1000000"]);
        command.args(["--until-caught-up", "--source", SOURCE, "--feeds", &feeds.join(",")]);
        command.args(["--output-compression", self.arguments.compression.as_str()]);
        command.args(["--events-api-url", &self.stand_in.url, "--nats-url", &self.server.url()]);
        command.arg("--output").arg(output);
        command.arg("--token-file").arg(self.stand_in.token_file(1)).arg("--ca-file").arg(&self.stand_in.ca_file);
        command.arg("--lookups").arg(&self.stand_in.lookups).arg("--data-dir").arg(self.directory.path().join("up"));
        command.arg("--nats-token-file").arg(self.server.token_file());
        Ok(command)
    }
}

impl Meter {
    /// Takes the newest figures; a process that has ended keeps its last ones.
    fn read(&mut self) {
        for (_, pid, usage) in &mut self.ours {
            *usage = Usage::of(*pid).unwrap_or(*usage);
        }
        let (pid, usage) = &mut self.simulator;
        *usage = Usage::of(*pid).unwrap_or(*usage);
    }

    fn total(&self) -> Duration {
        self.ours.iter().map(|(_, _, usage)| usage.cpu()).sum::<Duration>() + self.simulator.1.cpu()
    }

    fn others(&self, elapsed: Duration) -> Result<f64> {
        let machine = usage::machine()?.saturating_sub(self.machine_before);
        let rest = machine.saturating_sub(self.total().saturating_sub(self.before));
        Ok(rest.as_secs_f64() / elapsed.as_secs_f64())
    }
}
