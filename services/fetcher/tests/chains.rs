//! Fetchers against the simulator and a real nats-server: what ends up in PAGES is what the simulator has, each event once.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::{
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
use latchkey_runtime::{Shutdown, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Fault, Profile, Simulator};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_mins(1);

/// A simulator with one account, a nats-server, and a connection to it.
struct World {
    simulator: Simulator,
    bus: Bus,
    token_file: PathBuf,
    // Last, so that the server outlives the rest.
    server: server::Scratch,
}

impl World {
    async fn new(account: AccountConfig) -> Self {
        latchkey_runtime::install_crypto();
        let simulator = Simulator::builder().seed(7).account(account).start().await.unwrap();
        let server = server::scratch().await.unwrap();
        let bus = Bus::connect(server.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        let token_file = server.directory().join("token");
        std::fs::write(&token_file, simulator.token("acme").unwrap()).unwrap();
        Self { simulator, bus, token_file, server }
    }

    async fn fetcher(&self) -> Fetcher {
        let source: SourceConfig = serde_json::from_value(serde_json::json!({
            "id": "acme",
            "token_file": self.token_file,
            "events_api_url": self.simulator.http_url(),
            "start_time": "2026-01-01T00:00:00Z",
            "poll_interval": "1s",
            "page_limit": 500,
        }))
        .unwrap();
        // Its own connection, as another process would have.
        let bus = Bus::connect(self.server.connect_options("fetcher")).await.unwrap();
        let config = Config { sources: vec![source], ..Config::default() };
        config.build(bus, Metrics::new(&latchkey_runtime::Metrics::new())).unwrap()
    }

    async fn run(&self) -> (JoinHandle<()>, Shutdown) {
        let (fetcher, shutdown) = (self.fetcher().await, Shutdown::new());
        let stop = shutdown.clone();
        (tokio::spawn(async move { fetcher.run(stop).await.unwrap() }), shutdown)
    }

    async fn checkpoint_where(&self, feed: Feed, condition: impl Fn(&Checkpoint) -> bool) -> Checkpoint {
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

    async fn caught_up(&self, feed: Feed) -> Checkpoint {
        self.checkpoint_where(feed, |checkpoint| kind(checkpoint) == Kind::Quiet).await
    }

    /// The chain's pages, oldest first, found by walking the links back.
    async fn pages(&self, feed: Feed) -> Vec<RawPage> {
        let mut pages = Vec::new();
        let mut next = self.bus.last_page(&chain(feed)).await.unwrap();
        while let Some(stored) = next {
            next = self.bus.page_at(stored.message.previous_sequence).await.unwrap();
            pages.push(stored.message);
        }
        pages.reverse();
        pages
    }

    /// The uuids of all unmarked items in the order of the pages.
    async fn unmarked(&self, feed: Feed) -> Vec<String> {
        let mut uuids = Vec::new();
        for page in self.pages(feed).await {
            let unmarked = |body: &[u8]| {
                let items = (0..).zip(page::read(body).unwrap().items);
                let unmarked = items.filter(|(index, _)| !page.duplicates.contains(index));
                unmarked.map(|(_, item)| item.uuid.unwrap().into_owned()).collect::<Vec<_>>()
            };
            uuids.extend(body::unpack(&page.body, body::MAX_BYTES, unmarked).unwrap());
        }
        uuids
    }

    async fn assert_complete(&self, feed: Feed) {
        let unmarked = self.unmarked(feed).await;
        let distinct: BTreeSet<&String> = unmarked.iter().collect();
        assert_eq!(distinct.len(), unmarked.len(), "{feed}: an event is there twice");
        let exists = self.simulator.dataset("acme", feed.as_str().parse().unwrap()).unwrap();
        assert!(!exists.is_empty());
        let missing = exists.iter().filter(|event| !distinct.contains(&event.uuid)).count();
        assert_eq!((missing, distinct.len()), (0, exists.len()), "{feed}: events missing, events stored");
        let last = self.bus.last_page(&chain(feed)).await.unwrap().unwrap();
        assert_eq!(last.message.events_total, unmarked.len() as u64);
    }
}

fn chain(feed: Feed) -> Chain {
    Chain { source: "acme".parse().unwrap(), feed }
}

fn kind(checkpoint: &Checkpoint) -> Kind {
    checkpoint.outcome.as_ref().unwrap().kind()
}

fn company() -> AccountConfig {
    let until = "2026-01-31T00:00:00Z".parse().unwrap();
    AccountConfig::new("acme", Profile::Company { weeks: 1, until, factor: 0.5 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_of_every_feed_is_stored_once() {
    // The API repeats one event in ten.
    let world = World::new(AccountConfig { repeat_rate: 0.1, ..company() }).await;
    let (running, shutdown) = world.run().await;
    for feed in Feed::ALL {
        world.caught_up(feed).await;
    }
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    for feed in Feed::ALL {
        world.assert_complete(feed).await;
        let marked: usize = world.pages(feed).await.iter().map(|page| page.duplicates.len()).sum();
        assert!(marked > 0, "{feed}: repeats are marked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetchers_that_die_or_work_side_by_side_lose_and_double_nothing() {
    let world = World::new(AccountConfig { repeat_rate: 0.05, ..company() }).await;
    // Each life ends, without a word, once a few more pages are stored.
    for life in 1..=3 {
        let (running, _shutdown) = world.run().await;
        let (second, _shutdown_too) = world.run().await;
        let grown = async {
            while world.pages(Feed::ItemUsages).await.len() < life * 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, grown).await.expect("pages arrive");
        running.abort();
        second.abort();
    }
    let (running, shutdown) = world.run().await;
    for feed in Feed::ALL {
        world.caught_up(feed).await;
    }
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    for feed in Feed::ALL {
        world.assert_complete(feed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_polls_store_no_page_and_new_events_arrive() {
    let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
    let (running, shutdown) = world.run().await;
    let first = world.caught_up(Feed::AuditEvents).await;
    let polled_at = first.polled_at_unix_nano;
    let second = world.checkpoint_where(Feed::AuditEvents, |later| later.polled_at_unix_nano > polled_at).await;
    assert_eq!((kind(&second), second.page_sequence, second.last_arrival_at_unix_nano), (Kind::Quiet, 0, 0));
    assert!(!second.cursor.is_empty(), "the cursor of an empty page counts");

    let uuids = world.simulator.append_sample("acme", "audit_events".parse().unwrap(), 3).unwrap();
    let active = world.checkpoint_where(Feed::AuditEvents, |checkpoint| checkpoint.events_total == 3).await;
    assert!(active.last_arrival_at_unix_nano > 0);
    assert_eq!(world.unmarked(Feed::AuditEvents).await, uuids);
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refused_feed_leaves_the_others_running() {
    let world = World::new(company()).await;
    let (usages, audit) = ("item_usages".parse().unwrap(), "audit_events".parse().unwrap());
    world.simulator.set_features("acme", &[usages, audit]).unwrap();
    let (running, shutdown) = world.run().await;
    world.caught_up(Feed::ItemUsages).await;
    world.caught_up(Feed::AuditEvents).await;
    let refused = world.checkpoint_where(Feed::SignInAttempts, |checkpoint| kind(checkpoint) == Kind::Refused).await;
    let outcome = refused.outcome.unwrap();
    assert_eq!((outcome.reason.as_str(), outcome.http_status), ("unauthorized", 401));
    assert_eq!((refused.cursor.as_str(), refused.last_success_at_unix_nano), ("", 0));
    world.assert_complete(Feed::ItemUsages).await;
    assert!(world.pages(Feed::SignInAttempts).await.is_empty());
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_faults_delay_a_feed_and_nothing_else() {
    let world = World::new(company()).await;
    let faults = [
        (Fault::Status { code: 503, retry_after: None }, "server_error"),
        (Fault::Status { code: 429, retry_after: Some(1) }, "rate_limited"),
        (Fault::Html, "malformed"),
        (Fault::Truncated, "body"),
    ];
    let (running, shutdown) = world.run().await;
    for (fault, reason) in faults {
        world.simulator.set_fault("acme", None, fault).unwrap();
        let refused = |checkpoint: &Checkpoint| checkpoint.outcome.as_ref().unwrap().reason == reason;
        world.checkpoint_where(Feed::ItemUsages, refused).await;
        world.simulator.set_fault("acme", None, Fault::None).unwrap();
        world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) != Kind::Refused).await;
    }
    for feed in Feed::ALL {
        world.caught_up(feed).await;
    }
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    for feed in Feed::ALL {
        world.assert_complete(feed).await;
    }
}
