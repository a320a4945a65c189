//! The whole line in one process: four services over one nats-server.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use latchkey_alerter as alerter;
use latchkey_bus::Bus;
use latchkey_contracts::Chain;
use latchkey_fetcher as fetcher;
use latchkey_forwarder as forwarder;
use latchkey_normalizer as normalizer;
use latchkey_runtime::{Context, Failure, Shutdown, clock, refused, shutdown::Reason};
use tokio::task::JoinSet;

use crate::{
    caught_up::{self, Standing},
    nats::Nats,
    options::LineOptions,
    progress::{self, Snapshot, Sources},
};

/// How often [`Line`] looks whether everything is delivered.
const LOOK: Duration = Duration::from_millis(200);

/// What the services are told.
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) options: LineOptions,
    pub(crate) fetcher: fetcher::Config,
    pub(crate) normalizer: normalizer::Config,
    pub(crate) alerter: alerter::Config,
    pub(crate) until_caught_up: bool,
}

/// How a run ended.
pub(crate) struct Summary {
    /// Where the events are.
    pub(crate) output: String,
    pub(crate) snapshot: Snapshot,
    pub(crate) elapsed: Duration,
    /// Whether everything was delivered, rather than a signal came first.
    pub(crate) caught_up: bool,
}

type Services = JoinSet<(&'static str, anyhow::Result<()>)>;

/// Runs the line until a signal, or until everything is delivered if that is asked for.
pub(crate) async fn run(settings: Settings, context: Context) -> anyhow::Result<Summary> {
    std::fs::create_dir_all(&settings.data_dir)
        .with_context(|| format!("the data directory {} cannot be made", settings.data_dir.display()))?;
    let started = std::time::Instant::now();
    let since = clock::now();
    let mut nats = Nats::start(&settings.options, &settings.data_dir).await.map_err(unavailable)?;
    let bus = context.connect(&nats.config).await?;
    let (line, mut services) = Line::start(settings, &bus, &context)?;

    let end = tokio::select! {
        end = line.work(&bus, since, &context.shutdown, &mut services) => end,
        death = nats.keep_alive() => Err(death),
        never = progress::show(line.sources.clone()) => match never {},
    };
    context.shutdown.begin(Reason::Finished);
    let drained = drain(&mut services, &context.shutdown).await;
    let snapshot = line.sources.snapshot();
    bus.close().await;
    nats.stop().await?;
    let caught_up = end?;
    drained?;
    Ok(Summary { output: line.output, snapshot, elapsed: started.elapsed(), caught_up })
}

struct Line {
    sources: Sources,
    chains: Vec<Chain>,
    output: String,
    until_caught_up: bool,
}

impl Line {
    fn start(settings: Settings, bus: &Bus, context: &Context) -> anyhow::Result<(Self, Services)> {
        let output = settings.options.output.unwrap_or_else(|| settings.data_dir.join("events").display().to_string());
        let forwarder = forwarder::Config {
            output: output.clone(),
            compression: settings.options.output_compression.into(),
            ..forwarder::Config::default()
        };
        let fetched = fetcher::Metrics::new(&context.metrics);
        let normalized = normalizer::Metrics::new(&context.metrics);
        let fetcher = settings.fetcher.build(bus.clone(), fetched.clone()).map_err(refused)?;
        let normalizer = settings.normalizer.build(bus.clone(), normalized.clone()).map_err(refused)?;
        let forwarder = forwarder
            .build(bus.clone(), &forwarder::Metrics::new(&context.metrics), context.health.component("output"))
            .map_err(refused)?;
        let alerter = settings.alerter.build(bus.clone(), alerter::Metrics::new(&context.metrics)).map_err(refused)?;

        let chains = fetcher.chains();
        let delivered = forwarder.position();
        let mut services = Services::new();
        let shutdown = &context.shutdown;
        services.spawn(named("fetcher", fetcher.run(shutdown.clone())));
        services.spawn(named("normalizer", normalizer.run(shutdown.clone())));
        services.spawn(named("forwarder", forwarder.run(shutdown.clone())));
        services.spawn(named("alerter", alerter.run(shutdown.clone())));
        let sources = Sources { chains: chains.clone(), fetched, normalized, delivered };
        Ok((Self { sources, chains, output, until_caught_up: settings.until_caught_up }, services))
    }

    /// Waits for the reason to stop. `Ok(true)`: everything is delivered.
    async fn work(
        &self,
        bus: &Bus,
        since: Timestamp,
        shutdown: &Shutdown,
        services: &mut Services,
    ) -> anyhow::Result<bool> {
        tokio::select! {
            () = shutdown.soft().cancelled() => Ok(false),
            end = self.caught_up(bus, since), if self.until_caught_up => end.map(|()| true),
            Some(ended) = services.join_next() => {
                let (name, result) = ended.context("a service panicked")?;
                result.with_context(|| format!("the {name} failed"))?;
                if shutdown.soft().is_cancelled() { Ok(false) } else { bail!("the {name} ended without being asked to") }
            }
        }
    }

    async fn caught_up(&self, bus: &Bus, since: Timestamp) -> anyhow::Result<()> {
        loop {
            let committed = || self.sources.delivered.borrow().committed;
            match caught_up::standing(bus, &self.chains, since, committed).await {
                Ok(Standing::Delivered) => return Ok(()),
                Ok(Standing::Refused(chains)) => return Err(refusal(&chains)),
                Ok(Standing::Working) => {}
                Err(error) => tracing::debug!(%error, "the line's standing is not known"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn named<E: Into<anyhow::Error>>(
    name: &'static str,
    service: impl Future<Output = Result<(), E>>,
) -> (&'static str, anyhow::Result<()>) {
    (name, service.await.map_err(Into::into))
}

async fn drain(services: &mut Services, shutdown: &Shutdown) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = shutdown.hard().cancelled() => {
                services.abort_all();
                return Ok(());
            }
            ended = services.join_next() => match ended {
                Some(ended) => {
                    let (name, result) = ended.context("a service panicked")?;
                    result.with_context(|| format!("the {name} failed while stopping"))?;
                }
                None => return Ok(()),
            }
        }
    }
}

fn refusal(chains: &[(Chain, String)]) -> anyhow::Error {
    let reasons: Vec<_> = chains.iter().map(|(chain, why)| format!("{chain}: {why}")).collect();
    let reasons = std::io::Error::other(reasons.join("; "));
    anyhow::Error::new(Failure::unavailable("1Password (everything else is delivered)", reasons))
}

fn unavailable(error: anyhow::Error) -> anyhow::Error {
    anyhow::Error::new(Failure::unavailable("nats", error))
}
