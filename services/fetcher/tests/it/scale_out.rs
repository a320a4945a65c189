//! Two fetchers share the chains; one dies without a word, and the other takes over what it held within the lease.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use latchkey_bus::{Bus, server};
use latchkey_contracts::{Chain, Feed, topology::FETCHER};
use latchkey_core::instant;
use latchkey_fetcher::{Config, Fetcher, Metrics, SourceConfig};
use latchkey_runtime::{Shutdown, clock, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Fault, Profile, Simulator};
use serde_json::json;

use crate::support::{PATIENCE, nats, stored};

/// The first of them is in the hands of the fetcher that dies.
const ACCOUNTS: [&str; 4] = ["held", "ada", "bob", "eve"];

/// On top of the lease: an interval, and what a busy machine needs.
const SLACK: Duration = Duration::from_secs(20);

/// A process with metrics of its own.
struct Life {
    runtime: tokio::runtime::Runtime,
    metrics: latchkey_runtime::Metrics,
    shutdown: Shutdown,
}

impl Life {
    async fn begin(simulator: &Simulator, server: &server::Scratch) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (metrics, shutdown) = (latchkey_runtime::Metrics::new(), Shutdown::new());
        // Its connection dies with it.
        let entered = runtime.enter();
        let bus = Bus::connect(server.connect_options("fetcher")).await.unwrap();
        let fetcher = fetcher(simulator, server, bus, &metrics);
        drop(entered);
        runtime.spawn(fetcher.run(shutdown.clone()));
        Self { runtime, metrics, shutdown }
    }

    fn polls(&self) -> u64 {
        let text = self.metrics.encode();
        let polls = text.lines().filter(|line| line.contains("fetcher_polls_total{"));
        polls.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    async fn polls_more(&self) {
        let before = self.polls();
        until("both fetchers poll", async || self.polls() > before).await;
    }
}

fn fetcher(simulator: &Simulator, server: &server::Scratch, bus: Bus, metrics: &latchkey_runtime::Metrics) -> Fetcher {
    let source = |account: &str| -> SourceConfig {
        let token_file = server.directory().join(account);
        std::fs::write(&token_file, simulator.token(account).unwrap()).unwrap();
        serde_json::from_value(json!({
            "id": account,
            "token_file": token_file,
            "events_api_url": simulator.http_url(),
            "start_time": "2026-01-01T00:00:00Z",
            "poll_interval": "1s",
            "page_limit": 100,
        }))
        .unwrap()
    };
    let service = json!({"audit": {"enabled": false}, "requests_per_minute": 100_000, "requests_per_hour": 100_000});
    let config: Config = serde_json::from_value(service).unwrap();
    Config { sources: ACCOUNTS.map(source).into(), ..config }.build(bus, Metrics::new(metrics)).unwrap()
}

fn chains() -> impl Iterator<Item = Chain> {
    ACCOUNTS.into_iter().flat_map(|account| Feed::USUAL.map(|feed| Chain { source: account.parse().unwrap(), feed }))
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chains_of_a_fetcher_that_dies_move_within_the_lease() {
    latchkey_runtime::install_crypto();
    let past = |account| {
        let until = "2026-01-31T00:00:00Z".parse().unwrap();
        AccountConfig::new(account, Profile::Company { weeks: 1, until, factor: 0.1 })
    };
    let accounts = ACCOUNTS.into_iter().map(past);
    let simulator = accounts.fold(Simulator::builder().seed(7), latchkey_simulator::Builder::account);
    let simulator = simulator.start().await.unwrap();
    let (server, bus) = nats().await;

    // The first fetcher holds the chains of one account in its hands, and extends their lease.
    simulator.set_fault("held", None, Fault::Hang).unwrap();
    let first = Life::begin(&simulator, &server).await;
    let held = |simulator: &Simulator| {
        simulator.requests().iter().filter(|request| request.account.as_deref() == Some("held")).count()
    };
    until("it asks for the feeds of that account", async || held(&simulator) >= Feed::USUAL.len()).await;
    let second = Life::begin(&simulator, &server).await;
    first.polls_more().await;
    second.polls_more().await;

    let killed_at = clock::now();
    first.runtime.shutdown_background();
    simulator.set_fault("held", None, Fault::None).unwrap();
    for account in ACCOUNTS {
        for feed in latchkey_simulator::Feed::ALL {
            simulator.append_sample(account, feed, 5).unwrap();
        }
    }
    let in_time = killed_at + SignedDuration::try_from(FETCHER.ack_wait + SLACK).unwrap();
    for chain in chains() {
        until(&format!("{chain} moves"), async || {
            let Some(last) = bus.last_checkpoint(&chain).await.unwrap() else { return false };
            let polled_at = instant::from_unix_nano(last.message.polled_at_unix_nano);
            if polled_at <= killed_at {
                return false;
            }
            assert!(
                polled_at <= in_time,
                "{chain} was polled {:#} after the kill",
                polled_at.duration_since(killed_at)
            );
            true
        })
        .await;
    }
    for chain in chains() {
        until(&format!("{chain} is complete"), async || stored(&bus, &simulator, &chain).await.lost == 0).await;
    }
    second.shutdown.begin(Reason::Finished);
    for chain in chains() {
        assert_eq!(stored(&bus, &simulator, &chain).await.doubled, 0, "{chain}");
    }
    second.runtime.shutdown_background();
}
