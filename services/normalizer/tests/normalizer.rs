//! The normalizer against a real nats-server: what goes into PAGES comes out of EVENTS and REJECTIONS, once.

#![expect(clippy::unwrap_used, reason = "clippy knows tests by their attribute, and these are their helpers")]

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use latchkey_bus::{Bus, Publication, Reader, server};
use latchkey_contracts::{
    Chain, Feed,
    alert::alert::State,
    batch::Batch,
    drift::{Change, Drift, change::Kind},
    event::EventBatch,
    page::RawPage,
    topology::{ALERTS, EVENTS, Limits, NORMALIZER, REJECTIONS},
};
use latchkey_normalizer::{Config, Counts, Metrics};
use latchkey_runtime::{Shutdown, shutdown::Reason};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_mins(1);

/// A server, a connection to it, and a running normalizer.
struct World {
    bus: Bus,
    metrics: Metrics,
    shutdown: Shutdown,
    normalizer: JoinHandle<()>,
    // Last, so that the server outlives the rest.
    server: server::Scratch,
}

impl World {
    /// `lookups`: the content of `items.jsonl`.
    async fn new(lookups: Option<&str>) -> Self {
        Self::with_bucket(lookups, &[]).await
    }

    /// `bucket`: files of the bucket, as name and content.
    async fn with_bucket(lookups: Option<&str>, bucket: &[(&str, &str)]) -> Self {
        let server = server::scratch().await.unwrap();
        let bus = Bus::connect(server.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        let directory = server.directory().join("lookups");
        std::fs::create_dir(&directory).unwrap();
        if let Some(rows) = lookups {
            std::fs::write(directory.join("items.jsonl"), rows).unwrap();
        }
        for (name, content) in bucket {
            bus.put_lookup_file(name, content.as_bytes()).await.unwrap();
        }
        let metrics = Metrics::new(&latchkey_runtime::Metrics::new());
        // Its own connection, as another process would have.
        let own = Bus::connect(server.connect_options("normalizer")).await.unwrap();
        let config = Config { lookups: Some(directory), ..Config::default() };
        let normalizer = config.build(own, metrics.clone()).unwrap();
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        let normalizer = tokio::spawn(async move { normalizer.run(stop).await.unwrap() });
        Self { bus, metrics, shutdown, normalizer, server }
    }

    async fn publish(&self, page: &RawPage, expected: u64) -> u64 {
        match self.bus.publish_page(&chain(), page, expected).await.unwrap() {
            Publication::Stored { sequence } => sequence,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until `pages` pages are acknowledged.
    async fn done(&self, pages: u64) -> Counts {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let state = self.bus.consumer_state(&NORMALIZER).await.unwrap();
            let counts = self.metrics.normalized(&chain());
            if counts.pages == pages && state.pending == 0 && state.ack_pending == 0 {
                break counts;
            }
            assert!(Instant::now() < deadline, "{counts:?} {state:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stored(&self) -> (u64, u64) {
        let events = self.bus.stream_state(&EVENTS).await.unwrap().messages;
        (events, self.bus.stream_state(&REJECTIONS).await.unwrap().messages)
    }

    fn batches(&self) -> Reader<Batch> {
        self.bus.events_from(1)
    }

    /// Another normalizer on the same server, with directories of its own.
    async fn another(&self, schemas: &Path, lookups: &Path) -> Another {
        let bus = Bus::connect(self.server.connect_options("normalizer")).await.unwrap();
        let config = Config {
            schemas: Some(schemas.into()),
            lookups: Some(lookups.into()),
            look_every: SignedDuration::from_millis(100),
            ..Config::default()
        };
        let metrics = latchkey_runtime::Metrics::new();
        let normalizer = config.build(bus, Metrics::new(&metrics)).unwrap();
        let shutdown = self.shutdown.clone();
        Another { metrics, task: tokio::spawn(async move { normalizer.run(shutdown).await.unwrap() }) }
    }

    /// Waits until the alert's last transition is this one, and gives its summary.
    async fn alert(&self, kind: &str, state: State, generation: u64) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let last = self.bus.last_alert(kind, None, None).await.unwrap().map(|stored| stored.message);
            if let Some(alert) = &last
                && (alert.state(), alert.generation) == (state, generation)
            {
                break alert.summary.clone();
            }
            assert!(Instant::now() < deadline, "{last:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(self) {
        self.shutdown.begin(Reason::Requested("the test is over"));
        tokio::time::timeout(PATIENCE, self.normalizer).await.unwrap().unwrap();
    }
}

/// A further normalizer at work.
struct Another {
    metrics: latchkey_runtime::Metrics,
    task: JoinHandle<()>,
}

impl Another {
    /// Waits until its metrics say whether it refuses the newest files.
    async fn refuses(&self, files: &str, refuses: bool) {
        let line = format!("latchkey_normalizer_newest_refused{{files=\"{files}\"}} {}", u8::from(refuses));
        let deadline = Instant::now() + PATIENCE;
        while !self.metrics.encode().lines().any(|found| found == line) {
            assert!(Instant::now() < deadline, "{line} is never found in\n{}", self.metrics.encode());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(self) {
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

fn chain() -> Chain {
    Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages }
}

async fn next(reader: &mut Reader<Batch>) -> EventBatch {
    tokio::time::timeout(PATIENCE, reader.next()).await.unwrap().unwrap().message.unwrap().into()
}

fn page(id: &str, items: &[Value], duplicates: &[u32]) -> RawPage {
    let body = json!({ "cursor": "c", "has_more": false, "items": items }).to_string();
    RawPage {
        page_id: id.into(),
        source: "acme".into(),
        source_label: "Acme".into(),
        feed: Feed::ItemUsages.to_string(),
        fetched_at_unix_nano: 5,
        duplicates: duplicates.into(),
        body_size: body.len() as u64,
        body: zstd::bulk::compress(body.as_bytes(), 1).unwrap().into(),
        ..RawPage::default()
    }
}

fn event(uuid: &str) -> Value {
    json!({ "uuid": uuid, "timestamp": "2026-01-02T03:04:05Z", "item_uuid": "ITEM", "user": { "email": "ann@example.com" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_becomes_events_and_rejections() {
    let world = World::new(Some("{\"uuid\":\"item\",\"title\":\"Mail\"}")).await;
    let items = [event("A"), json!({ "uuid": "bad" }), event("A"), event("B")];
    let sequence = world.publish(&page("p1", &items, &[2]), 0).await;

    let mut batches = world.batches();
    let batch = next(&mut batches).await;
    assert_eq!((batch.page_id.as_str(), batch.part, batch.part_count, batch.page_sequence), ("p1", 0, 1, sequence));
    assert_eq!((batch.log_type.as_str(), batch.fetched_at_unix_nano), ("OnePassword.ItemUsage", 5));
    assert_eq!(batch.lookup_version.len(), 32);
    let records: Vec<Value> = batch.events.iter().map(|event| serde_json::from_slice(&event.record).unwrap()).collect();
    assert_eq!(records.iter().map(|record| &record["uuid"]).collect::<Vec<_>>(), ["A", "B"]);
    for (record, event) in records.iter().zip(&batch.events) {
        assert_eq!(record["p_row_id"], json!(event.row_id));
        assert_eq!(record["p_any_emails"], json!(["ann@example.com"]));
        assert_eq!(record["p_enrichment"]["items"]["item_uuid"]["title"], "Mail");
        assert_eq!(event.event_time_unix_nano, 1_767_323_045_000_000_000);
    }

    let counts = world.done(1).await;
    assert_eq!(counts, Counts { pages: 1, events: 2, rejections: 1, duplicates: 1 });
    assert_eq!(world.stored().await, (1, 1));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_drifts_is_added_to_what_other_normalizers_have_met() {
    let world = World::new(None).await;
    let long_ago = 1_767_323_045_000_000_000;
    let change = Change { kind: Kind::Type.into(), path: "$.used_version".into(), count: 7, ..Change::default() };
    let others = Drift {
        source: "acme".into(),
        feed: Feed::ItemUsages.to_string(),
        first_unix_nano: long_ago,
        last_unix_nano: long_ago,
        changes: vec![change],
        ..Drift::default()
    };
    assert!(matches!(world.bus.publish_drift(&chain(), &others, 0).await.unwrap(), Publication::Stored { .. }));
    let mut drifting = event("A");
    drifting["mood"] = json!("s3cret");
    world.publish(&page("p1", &[drifting], &[]), 0).await;
    let deadline = Instant::now() + PATIENCE;
    let known = loop {
        let known = world.bus.last_drift(&chain()).await.unwrap().unwrap().message;
        if known.changes.len() > 1 {
            break known;
        }
        assert!(Instant::now() < deadline, "{known:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let changes: Vec<_> = known.changes.iter().map(|change| (change.kind(), &*change.path, change.count)).collect();
    assert_eq!(changes, [(Kind::Type, "$.used_version", 7), (Kind::Field, "$.mood", 1)]);
    // Each has the times at which it was met itself.
    assert_eq!(known.changes[0].last_unix_nano, long_ago);
    assert_eq!(
        (known.changes[1].first_unix_nano, known.last_unix_nano),
        (known.first_unix_nano, known.first_unix_nano)
    );
    assert!(known.first_unix_nano > long_ago && known.log_type == "OnePassword.ItemUsage");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_drifts_is_told_when_a_normalizer_stops() {
    let world = World::new(None).await;
    let mut drifting = event("A");
    drifting["mood"] = json!("s3cret");
    // Each takes a while, so that it stops with pages in work, whose drift comes after the first report.
    let items = vec![drifting; 1_000];
    for sequence in 0..40 {
        world.publish(&page(&format!("p{sequence}"), &items, &[]), sequence).await;
    }
    let deadline = Instant::now() + PATIENCE;
    while world.bus.last_drift(&chain()).await.unwrap().is_none() {
        assert!(Instant::now() < deadline, "the first report");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    world.shutdown.begin(Reason::Requested("the test is over"));
    tokio::time::timeout(PATIENCE, world.normalizer).await.unwrap().unwrap();
    let told = world.bus.last_drift(&chain()).await.unwrap().unwrap().message;
    let counts: Vec<_> = told.changes.iter().map(|change| (change.path.as_str(), change.count)).collect();
    assert_eq!(counts, [("$.mood", world.metrics.normalized(&chain()).events)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_again_publishes_nothing_again() {
    let world = World::new(None).await;
    let again = page("p1", &[event("A"), json!("bad")], &[]);
    let mut expected = 0;
    for pages in 1..=3 {
        expected = world.publish(&again, expected).await;
        world.done(pages).await;
        assert_eq!(world.stored().await, (1, 1));
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_a_batch_even_one_that_is_none() {
    let world = World::new(None).await;
    let broken = RawPage { body: "no zstd".into(), ..page("p2", &[], &[]) };
    let stray = RawPage { source: "other".into(), ..page("p3", &[event("A")], &[]) };
    let mut expected = 0;
    for page in [page("p1", &[], &[]), broken, stray, page("p4", &[event("B")], &[])] {
        expected = world.publish(&page, expected).await;
    }
    let mut batches = world.batches();
    let mut found = Vec::new();
    for _ in 0..4 {
        let batch = next(&mut batches).await;
        found.push((batch.page_id, batch.page_sequence, batch.events.len()));
    }
    found.sort_unstable();
    assert_eq!(found, [("p1".into(), 1, 0), ("p2".into(), 2, 0), ("p3".into(), 3, 0), ("p4".into(), 4, 1)]);
    assert_eq!(world.done(4).await, Counts { pages: 4, events: 1, rejections: 2, duplicates: 0 });
    assert_eq!(world.stored().await, (4, 2));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_larger_than_a_message_is_split_and_its_refusals_too() {
    let world = World::new(None).await;
    let limit = world.bus.max_payload();
    let padding = "x".repeat(4_000);
    let padded = |uuid: String| json!({ "uuid": uuid, "timestamp": "2026-01-02T03:04:05Z", "note": padding });
    let count = limit / 4_000 + 1;
    let good: Vec<_> = (0..count).map(|index| padded(format!("good-{index}"))).collect();
    let bad: Vec<_> = (0..count).map(|_| padded(String::new())).collect();
    world.publish(&page("p1", &[good, bad].concat(), &[]), 0).await;

    let mut batches = world.batches();
    let first = next(&mut batches).await;
    let (mut events, parts) = (first.events.len(), first.part_count);
    assert!(parts > 2, "a body of twice the limit is cut into megabytes");
    for part in 1..parts {
        let batch = next(&mut batches).await;
        assert_eq!((batch.part, batch.part_count), (part, parts));
        events += batch.events.len();
    }
    assert_eq!(events, count);
    let counts = world.done(1).await;
    assert_eq!((counts.events, counts.rejections), (count as u64, count as u64));
    let (batches, rejections) = world.stored().await;
    assert_eq!((batches, rejections), (parts.into(), 2));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_normalizers_share_the_pages() {
    let world = World::new(None).await;
    let metrics = Metrics::new(&latchkey_runtime::Metrics::new());
    let second = Config::default().build(world.bus.clone(), metrics.clone()).unwrap();
    let (stop, shutdown) = (world.shutdown.clone(), world.shutdown.clone());
    let second = tokio::spawn(async move { second.run(stop).await.unwrap() });
    let mut expected = 0;
    for index in 0..50 {
        expected = world.publish(&page(&format!("p{index}"), &[event(&format!("E{index}"))], &[]), expected).await;
    }
    let mut batches = world.batches();
    let mut sequences = Vec::new();
    for _ in 0..50 {
        sequences.push(next(&mut batches).await.page_sequence);
    }
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=50).collect::<Vec<u64>>());
    shutdown.begin(Reason::Requested("the test is over"));
    tokio::time::timeout(PATIENCE, second).await.unwrap().unwrap();
    assert_eq!(world.stored().await, (50, 0));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_come_from_the_bucket_and_the_directory_goes_first() {
    let bucket = [
        ("items.jsonl", "{\"uuid\":\"item\",\"title\":\"From the bucket\"}"),
        ("rooms_schema.yml", "schema: Custom.Rooms\nfields: [{name: host, type: string}]\n"),
        ("rooms.csv", "host,room\nann@example.com,12\n"),
        (
            "rooms.yml",
            "AnalysisType: lookup_table\nLookupName: rooms\nEnabled: true\nSchema: Custom.Rooms\nFilename: rooms.csv\n\
             LogTypeMap: {PrimaryKey: host, AssociatedLogTypes: [{LogType: OnePassword.ItemUsage, Selectors: [p_any_emails]}]}\n",
        ),
    ];
    for (directory, title) in [(None, "From the bucket"), (Some("{\"uuid\":\"item\",\"title\":\"Mine\"}"), "Mine")] {
        let world = World::with_bucket(directory, &bucket).await;
        world.publish(&page("p1", &[event("A")], &[]), 0).await;
        world.done(1).await;
        let batch = next(&mut world.batches()).await;
        let record: Value = serde_json::from_slice(&batch.events[0].record).unwrap();
        let enrichment = &record["p_enrichment"];
        assert_eq!(enrichment["items"]["item_uuid"]["title"], title);
        assert_eq!(enrichment["rooms"]["p_any_emails"][0]["room"], "12");
        assert_eq!(batch.lookup_version.len(), 32);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_events_name_explain_those_that_do_not() {
    let world = World::new(None).await;
    let mut named = event("A");
    named["user"] = json!({ "uuid": "U1", "name": "Ann", "email": "ann@example.com" });
    world.publish(&page("p1", &[named], &[]), 0).await;
    world.done(1).await;
    let chain = Chain { feed: Feed::AuditEvents, ..chain() };
    let item = json!({ "uuid": "B", "timestamp": "2026-01-02T03:04:05Z", "actor_uuid": "u1", "object_uuid": "u2" });
    let audit = RawPage { feed: chain.feed.to_string(), ..page("p2", &[item], &[]) };
    world.bus.publish_page(&chain, &audit, 0).await.unwrap();
    let mut batches = world.batches();
    next(&mut batches).await;
    let batch = next(&mut batches).await;
    let record: Value = serde_json::from_slice(&batch.events[0].record).unwrap();
    assert_eq!(
        record["p_enrichment"],
        json!({ "users": { "actor_uuid":
            { "uuid": "U1", "name": "Ann", "email": "ann@example.com", "learned": true, "p_match": "u1" } } })
    );
    world.stop().await;
}

/// Each of the two looks at its own copy of the files, in its own time, as on two machines.
#[tokio::test(flavor = "multi_thread")]
async fn refused_files_raise_one_alert_and_their_repair_resolves_it() {
    let world = World::new(None).await;
    let directories = tempfile::tempdir().unwrap();
    let mut pair = Vec::new();
    for number in ["0", "1"] {
        let own = directories.path().join(number);
        fs::create_dir_all(own.join("schemas")).unwrap();
        fs::create_dir_all(own.join("lookups")).unwrap();
        pair.push(world.another(&own.join("schemas"), &own.join("lookups")).await);
    }
    let put =
        |number: &str, file: &str, text: &str| fs::write(directories.path().join(number).join(file), text).unwrap();
    let schema = "schema: OnePassword.ItemUsage\nfields:\n  - {name: uuid, type: string, required: true}\n";
    for (files, kind, file, bad, good, reason) in [
        (
            "schemas",
            "schemas_refused",
            "schemas/own.yml",
            "schema: OnePassword.ItemUsage\nfields: 1\n",
            schema,
            "own.yml:2: ",
        ),
        (
            "lookups",
            "lookups_refused",
            "lookups/items.jsonl",
            "ann@example.com",
            "{\"uuid\":\"item\"}",
            "no row can be used",
        ),
    ] {
        put("0", file, bad);
        put("1", file, bad);
        pair[0].refuses(files, true).await;
        pair[1].refuses(files, true).await;
        let summary = world.alert(kind, State::Raised, 1).await;
        assert!(summary.contains(reason) && !summary.contains("ann"), "{summary}");
        // One sees the repair, while the other still refuses what it has.
        put("0", file, good);
        world.alert(kind, State::Resolved, 1).await;
        put("1", file, good);
        pair[0].refuses(files, false).await;
        pair[1].refuses(files, false).await;
        // The next fault, at one of them, is another life of the alert; the other's version from before does not end it.
        put("0", file, &format!("{bad} "));
        pair[0].refuses(files, true).await;
        world.alert(kind, State::Raised, 2).await;
        put("0", file, good);
        world.alert(kind, State::Resolved, 2).await;
    }
    assert_eq!(world.bus.stream_state(&ALERTS).await.unwrap().messages, 8);
    world.stop().await;
    for another in pair {
        another.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_judged_by_the_newest_schemas() {
    let world = World::new(None).await;
    let directory = tempfile::tempdir().unwrap();
    let (schemas, lookups) = (directory.path().join("schemas"), directory.path().join("lookups"));
    fs::create_dir(&schemas).unwrap();
    fs::create_dir(&lookups).unwrap();
    world.normalizer.abort();
    let another = world.another(&schemas, &lookups).await;
    let own = "schema: OnePassword.ItemUsage\nfields:\n  - {name: uuid, type: string, required: true}\n  - {name: item_uuid, type: boolean}\n";
    fs::write(schemas.join("own.yml"), own).unwrap();
    let mut batches = world.batches();
    let mut expected = 0;
    let deadline = Instant::now() + PATIENCE;
    for number in 0.. {
        expected = world.publish(&page(&format!("p{number}"), &[event("A")], &[]), expected).await;
        if next(&mut batches).await.events.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "the schema is never used");
    }
    world.shutdown.begin(Reason::Requested("the test is over"));
    another.stop().await;
}
