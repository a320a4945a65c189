//! What the tests share: a line with a real server, a running forwarder, a faulty store.
#![expect(clippy::unwrap_used, reason = "clippy knows tests by their attribute, and these are their helpers")]

mod faulty;

use std::{future::Future, ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::SignedDuration;
use latchkey_bus::{
    Bus, StreamState,
    server::{Scratch, scratch},
};
use latchkey_contracts::{
    Feed, SourceId,
    delivery::Delivery,
    event::{Event, EventBatch},
    subject,
    topology::{EVENTS, Limits},
};
use latchkey_core::delivery::Compression;
use latchkey_forwarder::{Config, Error, Metrics, Position, Store};
use latchkey_runtime::{Health, Shutdown, shutdown::Reason};
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
};

pub(crate) use faulty::{Fault, Faulty};

const DAY: i64 = 86_400 * 1_000_000_000;
const LIMIT: Duration = Duration::from_mins(1);

/// Server, bus and streams.
pub(crate) struct Line {
    pub(crate) server: Scratch,
    pub(crate) bus: Bus,
}

impl Line {
    pub(crate) async fn start() -> Self {
        let server = scratch().await.unwrap();
        let bus = Bus::connect(server.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        Self { server, bus }
    }

    /// Publishes the batches of pages; returns the rows in them.
    pub(crate) async fn publish_pages(&self, pages: RangeInclusive<u64>) -> Vec<String> {
        let mut rows = Vec::new();
        for page in pages {
            for part in 0..part_count(page) {
                let batch = batch(page, part);
                rows.extend(batch.events.iter().map(|event| event.row_id.clone()));
                self.publish(&batch).await;
            }
        }
        rows
    }

    pub(crate) async fn publish(&self, batch: &EventBatch) {
        let feed: Feed = batch.feed.parse().unwrap();
        let source: SourceId = batch.source.parse().unwrap();
        let publication = self.bus.publish_events(&source, feed.log_type(), &batch.clone().into()).await.unwrap();
        assert!(matches!(publication, latchkey_bus::Publication::Stored { .. }), "{publication:?}");
    }

    pub(crate) async fn events(&self) -> StreamState {
        self.bus.stream_state(&EVENTS).await.unwrap()
    }

    pub(crate) async fn last(&self) -> u64 {
        self.events().await.last
    }

    pub(crate) async fn delivery(&self, sink: &str) -> Option<Delivery> {
        self.bus.last_delivery(&sink.parse().unwrap()).await.unwrap().map(|stored| stored.message)
    }

    /// Stores a message in EVENTS that is none.
    pub(crate) async fn publish_garbage(&self) {
        let source = "acme".parse().unwrap();
        self.raw(&subject::events(&source, Feed::ItemUsages.log_type()), "no batch").await;
    }

    /// Removes the messages of EVENTS before `sequence`, as retention does.
    pub(crate) async fn purge_before(&self, sequence: u64) {
        self.raw("$JS.API.STREAM.PURGE.EVENTS", &format!("{{\"seq\":{sequence}}}")).await;
    }

    /// Deletes EVENTS and creates it again, in another second.
    pub(crate) async fn recreate_events(&mut self) {
        let before = self.events().await.created.as_second();
        until("another second", async || latchkey_runtime::clock::now().as_second() > before).await;
        self.raw("$JS.API.STREAM.DELETE.EVENTS", "").await;
        self.bus.provision(Limits::default()).await.unwrap();
    }

    /// Speaks NATS by hand, for what no service may do. Waits for JetStream's answer.
    async fn raw(&self, subject: &str, payload: &str) {
        use secrecy::ExposeSecret;
        let address = self.server.url().strip_prefix("nats://").unwrap().to_owned();
        let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        let token = self.server.token().expose_secret();
        let length = payload.len();
        let words = format!(
            "CONNECT {{\"verbose\":false,\"auth_token\":\"{token}\"}}\r\nSUB answer 1\r\nPUB {subject} answer {length}\r\n{payload}\r\n"
        );
        stream.write_all(words.as_bytes()).await.unwrap();
        let mut line = String::new();
        while !line.starts_with("MSG answer") {
            line.clear();
            assert!(stream.read_line(&mut line).await.unwrap() > 0, "the server hung up");
        }
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        assert!(!line.contains("\"error\""), "{subject}: {line}");
    }
}

/// A forwarder at work.
pub(crate) struct Running {
    pub(crate) task: JoinHandle<Result<(), Error>>,
    pub(crate) position: watch::Receiver<Position>,
    pub(crate) health: Health,
    pub(crate) metrics: latchkey_runtime::Metrics,
    shutdown: Shutdown,
}

impl Running {
    /// On the output that is configured.
    pub(crate) fn build(line: &Line, config: Config) -> Self {
        Self::start(|metrics, health| config.build(line.bus.clone(), metrics, health.component("output")).unwrap())
    }

    /// On a store of the test's.
    pub(crate) fn on(line: &Line, config: Config, store: Store) -> Self {
        Self::start(|metrics, health| {
            config.build_on(store, line.bus.clone(), metrics, health.component("output")).unwrap()
        })
    }

    fn start(build: impl FnOnce(&Metrics, &Health) -> latchkey_forwarder::Forwarder) -> Self {
        let (metrics, health, shutdown) = (latchkey_runtime::Metrics::new(), Health::new(), Shutdown::new());
        let forwarder = build(&Metrics::new(&metrics), &health);
        let position = forwarder.position();
        let task = tokio::spawn(forwarder.run(shutdown.clone()));
        Self { task, position, health, metrics, shutdown }
    }

    /// Waits until the sink has delivered up to `sequence`.
    pub(crate) async fn reaches(&self, sequence: u64) {
        let mut position = self.position.clone();
        let reached = position.wait_for(|position| position.committed >= sequence);
        let in_time = tokio::time::timeout(LIMIT, reached).await.is_ok();
        assert!(in_time, "not at {sequence}: {:?}, {:?}", self.position.borrow(), self.health.components());
    }

    /// Softly.
    pub(crate) async fn stop(self) {
        self.shutdown.begin(Reason::Requested("the test is over"));
        tokio::time::timeout(LIMIT, self.task).await.unwrap().unwrap().unwrap();
    }

    /// At its next await, like a process that is killed.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// A sink that writes at once when it is at the stream's end.
pub(crate) fn config(sink: &str) -> Config {
    Config { sink: sink.parse().unwrap(), min_delay: SignedDuration::from_millis(100), ..Config::default() }
}

/// Three events on different days; every third page in two parts, every fifth without events.
pub(crate) fn batch(page: u64, part: u32) -> EventBatch {
    let feed = Feed::ALL[usize::try_from(page % 3).unwrap()];
    let event = |index: u64| {
        let row_id = format!("{page}.{part}.{index}");
        let record =
            Bytes::from(format!(r#"{{"p_row_id":"{row_id}","p_log_type":"{}","name":"Zoë"}}"#, feed.log_type()));
        Event { event_time_unix_nano: i64::try_from(20_000 + (page + index) % 4).unwrap() * DAY, row_id, record }
    };
    EventBatch {
        page_id: format!("{page:032x}"),
        source: "acme".into(),
        feed: feed.to_string(),
        log_type: feed.log_type().to_string(),
        page_sequence: page,
        part,
        part_count: part_count(page),
        events: if page.is_multiple_of(5) { Vec::new() } else { (0..3).map(event).collect() },
        ..EventBatch::default()
    }
}

fn part_count(page: u64) -> u32 {
    if page.is_multiple_of(3) { 2 } else { 1 }
}

/// The names of all objects.
pub(crate) async fn objects(store: &dyn ObjectStore) -> Vec<String> {
    let metas: Vec<_> = store.list(None).try_collect().await.unwrap();
    metas.into_iter().map(|meta| meta.location.to_string()).collect()
}

/// The row ids in all objects, sorted; each object lies in the folder of its rows' log type.
pub(crate) async fn rows(store: &dyn ObjectStore) -> Vec<String> {
    let mut rows = Vec::new();
    for name in objects(store).await {
        let bytes = store.get(&name.as_str().into()).await.unwrap().bytes().await.unwrap();
        let plain = if name.ends_with(Compression::Zstd.suffix()) {
            zstd::decode_all(bytes.as_ref()).unwrap()
        } else {
            bytes.to_vec()
        };
        for line in std::str::from_utf8(&plain).unwrap().lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(Some(record["p_log_type"].as_str().unwrap()), name.split('/').next());
            rows.push(record["p_row_id"].as_str().unwrap().to_owned());
        }
    }
    rows.sort();
    rows
}

/// Waits for a condition, bounded.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, wait).await.is_ok(), "{what}: not within {LIMIT:?}");
}
