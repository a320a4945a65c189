//! A fetcher between the simulator and a real nats-server, and what it left in the streams.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    path::PathBuf,
    time::{Duration, Instant},
};

use latchkey_bus::{Bus, server};
use latchkey_contracts::{
    Chain, Feed, checkpoint::Checkpoint, checkpoint::outcome::Kind, page::RawPage, topology::Limits,
};
use latchkey_core::{body, page};
use latchkey_fetcher::{Config, Fetcher, Metrics, SourceConfig};
use latchkey_runtime::Shutdown;
use latchkey_simulator::{AccountConfig, Profile, Simulator};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A simulator with one account, a nats-server, and a connection to it.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) bus: Bus,
    pub(crate) token_file: PathBuf,
    // Last, so that the server outlives the rest.
    pub(crate) server: server::Scratch,
}

impl World {
    pub(crate) async fn new(account: AccountConfig) -> Self {
        Self::with(account, nats().await).await
    }

    /// On a server that takes messages of so many bytes at most.
    pub(crate) async fn of_messages_up_to(bytes: usize, account: AccountConfig) -> Self {
        let server = server::scratch_with(bytes).await.unwrap();
        Self::with(account, provisioned(server, Limits::default()).await).await
    }

    /// On a server whose streams take so many bytes together.
    pub(crate) async fn of_streams_up_to(max_bytes: i64, account: AccountConfig) -> Self {
        let server = server::scratch().await.unwrap();
        Self::with(account, provisioned(server, Limits { max_bytes, ..Limits::default() }).await).await
    }

    async fn with(account: AccountConfig, (server, bus): (server::Scratch, Bus)) -> Self {
        latchkey_runtime::install_crypto();
        let simulator = Simulator::builder().seed(7).account(account).start().await.unwrap();
        let token_file = server.directory().join("token");
        std::fs::write(&token_file, simulator.token("acme").unwrap()).unwrap();
        Self { simulator, bus, token_file, server }
    }

    /// The source as most tests want it; `changes` are further keys of its configuration.
    pub(crate) async fn fetcher(
        &self,
        changes: &Value,
        service: &Value,
        metrics: &latchkey_runtime::Metrics,
    ) -> Fetcher {
        let mut source = json!({
            "id": "acme",
            "token_file": self.token_file,
            "events_api_url": self.simulator.http_url(),
            "start_time": "2026-01-01T00:00:00Z",
            "poll_interval": "1s",
            "page_limit": 500,
        });
        for (key, value) in changes.as_object().into_iter().flatten() {
            source[key] = value.clone();
        }
        let source: SourceConfig = serde_json::from_value(source).unwrap();
        let config: Config = serde_json::from_value(service.clone()).unwrap();
        // Its own connection, as another process would have.
        let bus = Bus::connect(self.server.connect_options("fetcher")).await.unwrap();
        let config = Config { sources: vec![source], ..config };
        config.build(bus, Metrics::new(metrics)).unwrap()
    }

    /// Runs a fetcher whose configuration file names no source.
    pub(crate) async fn run_empty(&self) -> (JoinHandle<()>, Shutdown) {
        let bus = Bus::connect(self.server.connect_options("fetcher")).await.unwrap();
        let config = json!({"events_api_urls": [self.simulator.http_url()], "audit": {"enabled": false}});
        let config: Config = serde_json::from_value(config).unwrap();
        let fetcher = config.build(bus, Metrics::new(&latchkey_runtime::Metrics::new())).unwrap();
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        (tokio::spawn(async move { fetcher.run(stop).await.unwrap() }), shutdown)
    }

    /// Runs a fetcher.
    pub(crate) async fn run(&self) -> (JoinHandle<()>, Shutdown) {
        self.run_with(&json!({}), &latchkey_runtime::Metrics::new()).await
    }

    /// Runs a fetcher of another configuration.
    pub(crate) async fn run_with(
        &self,
        changes: &Value,
        metrics: &latchkey_runtime::Metrics,
    ) -> (JoinHandle<()>, Shutdown) {
        // An audit at random would count among the requests.
        self.run_as(changes, &json!({"audit": {"enabled": false}}), metrics).await
    }

    /// Runs a fetcher that believes in so many requests a minute.
    pub(crate) async fn run_within(&self, per_minute: u32, changes: &Value) -> (JoinHandle<()>, Shutdown) {
        let service = json!({"requests_per_minute": per_minute, "audit": {"enabled": false}});
        self.run_as(changes, &service, &latchkey_runtime::Metrics::new()).await
    }

    /// Runs a fetcher of another configuration of the source and of the service.
    pub(crate) async fn run_as(
        &self,
        changes: &Value,
        service: &Value,
        metrics: &latchkey_runtime::Metrics,
    ) -> (JoinHandle<()>, Shutdown) {
        let (fetcher, shutdown) = (self.fetcher(changes, service, metrics).await, Shutdown::new());
        let stop = shutdown.clone();
        (tokio::spawn(async move { fetcher.run(stop).await.unwrap() }), shutdown)
    }

    pub(crate) async fn checkpoint_where(&self, feed: Feed, condition: impl Fn(&Checkpoint) -> bool) -> Checkpoint {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stored = self.bus.last_checkpoint(&chain(feed)).await.unwrap().map(|stored| stored.message);
            match stored {
                Some(checkpoint) if condition(&checkpoint) => break checkpoint,
                stored => assert!(Instant::now() < deadline, "{feed}: {:?}", stored.and_then(|last| last.outcome)),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn caught_up(&self, feed: Feed) -> Checkpoint {
        self.checkpoint_where(feed, |checkpoint| kind(checkpoint) == Kind::Quiet).await
    }

    /// The chain's pages, oldest first.
    pub(crate) async fn pages(&self, feed: Feed) -> Vec<RawPage> {
        pages(&self.bus, &chain(feed)).await
    }

    /// The uuids of all unmarked items in the order of the pages.
    pub(crate) async fn unmarked(&self, feed: Feed) -> Vec<String> {
        unmarked(&self.pages(feed).await)
    }

    pub(crate) async fn assert_complete(&self, feed: Feed) {
        let stored = stored(&self.bus, &self.simulator, &chain(feed)).await;
        assert_eq!((stored.lost, stored.doubled), (0, 0), "{feed}: events lost, doubled");
        assert!(stored.events > 0);
        let last = self.bus.last_page(&chain(feed)).await.unwrap().unwrap();
        assert_eq!(last.message.events_total, stored.events as u64);
    }
}

/// What PAGES has of a chain, compared with what the simulator has.
pub(crate) struct Stored {
    pub(crate) events: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    /// Items that are marked as stored before.
    pub(crate) marked: usize,
}

/// A server with streams, and a connection to it.
pub(crate) async fn nats() -> (server::Scratch, Bus) {
    provisioned(server::scratch().await.unwrap(), Limits::default()).await
}

async fn provisioned(server: server::Scratch, limits: Limits) -> (server::Scratch, Bus) {
    let bus = Bus::connect(server.connect_options("test")).await.unwrap();
    bus.provision(limits).await.unwrap();
    (server, bus)
}

pub(crate) async fn stored(bus: &Bus, simulator: &Simulator, chain: &Chain) -> Stored {
    let pages = pages(bus, chain).await;
    let unmarked = unmarked(&pages);
    let distinct: BTreeSet<&String> = unmarked.iter().collect();
    // Version 3 tells of the same events.
    let feed = chain.feed.as_str().trim_end_matches("_v3").parse().unwrap();
    let exists = simulator.dataset(chain.source.as_str(), feed).unwrap();
    Stored {
        events: unmarked.len(),
        lost: exists.iter().filter(|event| !distinct.contains(&event.uuid)).count(),
        doubled: unmarked.len() - distinct.len(),
        marked: pages.iter().map(|page| page.duplicates.len()).sum(),
    }
}

/// The chain's pages, oldest first, found by walking the links back.
pub(crate) async fn pages(bus: &Bus, chain: &Chain) -> Vec<RawPage> {
    let mut pages = Vec::new();
    let mut next = bus.last_page(chain).await.unwrap();
    while let Some(stored) = next {
        next = bus.page_at(stored.message.previous_sequence).await.unwrap();
        pages.push(stored.message);
    }
    pages.reverse();
    pages
}

/// The uuids of all unmarked items that have one, in the order of the pages.
pub(crate) fn unmarked(pages: &[RawPage]) -> Vec<String> {
    let mut uuids = Vec::new();
    for page in pages {
        let feed = page.feed.parse().unwrap();
        let unmarked = |body: &[u8]| {
            let items = (0..).zip(page::read(feed, body).unwrap().items);
            let unmarked = items.filter(|(index, _)| !page.duplicates.contains(index));
            unmarked.filter_map(|(_, item)| item.uuid.map(Cow::into_owned)).collect::<Vec<_>>()
        };
        uuids.extend(body::unpack(&page.body, body::MAX_BYTES, unmarked).unwrap());
    }
    uuids
}

pub(crate) fn chain(feed: Feed) -> Chain {
    Chain { source: "acme".parse().unwrap(), feed }
}

pub(crate) fn kind(checkpoint: &Checkpoint) -> Kind {
    checkpoint.outcome.as_ref().unwrap().kind()
}

pub(crate) fn company() -> AccountConfig {
    let until = "2026-01-31T00:00:00Z".parse().unwrap();
    AccountConfig::new("acme", Profile::Company { weeks: 1, until, factor: 0.5 })
}
