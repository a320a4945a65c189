//! Two alerters, killed in turn while alerts are raised and resolved: every transition is written once, and told once to a receiver that
//! knows a repeated one again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use latchkey_bus::{
    Bus, Publication,
    server::{self, Scratch},
};
use latchkey_contracts::{
    Chain, Feed,
    alert::alert::Change,
    checkpoint::{Checkpoint, Outcome, outcome::Kind},
    topology::ALERTS,
};
use latchkey_simulator::{AccountConfig, Profile, Simulator, clock};
use latchkey_tests::{ACCOUNT, Line, Nats, Process, Service, Settings, command, until};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

/// Feeds that are refused and read again, each with an alert of its own.
const FEEDS: usize = 60;

/// How long the transitions of all feeds may take: a notification that was open at a kill comes again after a minute.
const LIMIT: Duration = Duration::from_mins(4);

/// How long a message may take to be stored.
const STORE_LIMIT: Duration = Duration::from_secs(30);

/// What is raised.
const KIND: &str = "poll_refused";

/// Two alerters with one receiver.
struct Pair {
    one: Line,
    other: Process,
    receiver: MockServer,
    // These last: nobody should see them go.
    directory: tempfile::TempDir,
    _nats: Scratch,
}

#[derive(Clone, Copy)]
enum Victim {
    One,
    Other,
}

impl Pair {
    async fn start() -> Self {
        let nats = server::scratch().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let receiver = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
        let simulator =
            Simulator::builder().account(AccountConfig::new(ACCOUNT, Profile::Empty)).start().await.unwrap();
        let destinations = json!({ "tickets": { "webhook": { "url": receiver.uri() } } });
        let routes = json!([{ "kinds": [KIND], "destinations": ["tickets"] }, { "destinations": [] }]);
        let more = json!({ "alerter": { "tick": "100ms", "destinations": destinations, "routes": routes } });
        let settings = Settings { services: vec![Service::Alerter], more, ..Settings::default() };
        let one = Line::start(directory.path(), &Nats::of(&nats), &simulator, &settings).await.unwrap();
        let mut other = start_other(directory.path());
        other.started().await;
        Self { one, other, receiver, directory, _nats: nats }
    }

    /// `kill -9`, and at once a new process in its place.
    fn replace(&mut self, victim: Victim) {
        match victim {
            Victim::One => self.one.replace(Service::Alerter).unwrap(),
            Victim::Other => {
                self.other.kill();
                self.other = start_other(self.directory.path());
            }
        }
    }

    /// All feeds turn out so, one after the other; an alerter dies on the way.
    async fn turn(&mut self, outcome: &Outcome, victim: Victim) {
        for number in 0..FEEDS {
            if number == FEEDS / 3 {
                self.replace(victim);
            }
            report(self.one.bus(), number, outcome).await;
        }
    }

    /// Waits until so many transitions are written and told.
    async fn told(&self, transitions: usize) {
        let deadline = Instant::now() + LIMIT;
        while self.keys().await.len() < transitions {
            if Instant::now() > deadline {
                let (written, told) = (self.written().await, self.keys().await);
                panic!("{transitions} transitions are not told in time: written {written:?}, told {told:?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What the receiver was told: its key, and how often.
    async fn keys(&self) -> BTreeMap<u64, usize> {
        let mut keys = BTreeMap::new();
        for call in self.receiver.received_requests().await.unwrap() {
            *keys.entry(call.headers["idempotency-key"].to_str().unwrap().parse().unwrap()).or_default() += 1;
        }
        keys
    }

    /// What was written: sequence, source and change.
    async fn written(&self) -> Vec<(u64, String, Change)> {
        let last = self.one.bus().stream_state(&ALERTS).await.unwrap().last;
        let mut history = self.one.bus().alert_history().await.unwrap();
        let mut written: Vec<(u64, String, Change)> = Vec::new();
        loop {
            let item = history.next().await.unwrap();
            let alert = item.message.unwrap();
            // How the line's own readers are is not what is reported here.
            if alert.kind == KIND {
                assert_eq!(alert.generation, 1, "{alert:?}");
                written.push((item.sequence, alert.source.clone(), alert.change()));
            }
            if item.sequence >= last {
                return written;
            }
        }
    }
}

fn start_other(directory: &Path) -> Process {
    let own = directory.join("other");
    fs::create_dir_all(&own).unwrap();
    let mut command = command(Service::Alerter.program());
    command.arg("--config").arg(directory.join("latchkey.yaml"));
    Process::start(Service::Alerter.program(), &mut command, &own).unwrap()
}

/// What a fetcher says of the feed.
async fn report(bus: &Bus, number: usize, outcome: &Outcome) {
    let chain = Chain { source: format!("s{number}").parse().unwrap(), feed: Feed::ItemUsages };
    let now = i64::try_from(clock::now().as_nanosecond()).unwrap();
    let checkpoint = Checkpoint {
        source: chain.source.to_string(),
        feed: chain.feed.to_string(),
        polled_at_unix_nano: now,
        // Nobody is to be missed while the test goes on.
        next_poll_at_unix_nano: now + 3_600_000_000_000,
        first_polled_at_unix_nano: now,
        consecutive_failures: 1,
        outcome: Some(outcome.clone()),
        ..Checkpoint::default()
    };
    until("a checkpoint is stored", STORE_LIMIT, async || {
        let stored = bus.publish_checkpoint(&chain, &checkpoint).await;
        matches!(stored, Ok(Publication::Stored { .. })).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_alerters_that_die_in_turn_write_and_tell_each_transition_once() {
    let mut pair = Pair::start().await;
    let refused =
        Outcome { kind: Kind::Refused.into(), reason: "unauthorized".into(), http_status: 401, ..Outcome::default() };
    pair.turn(&refused, Victim::One).await;
    pair.told(FEEDS).await;
    let quiet = Outcome { kind: Kind::Quiet.into(), ..Outcome::default() };
    pair.turn(&quiet, Victim::Other).await;
    pair.told(FEEDS * 2).await;

    let written = pair.written().await;
    let mut by_source: BTreeMap<&str, Vec<Change>> = BTreeMap::new();
    for (_, source, change) in &written {
        by_source.entry(source).or_default().push(*change);
    }
    assert_eq!(by_source.len(), FEEDS);
    for (source, changes) in by_source {
        assert_eq!(changes, [Change::Raised, Change::Resolved], "{source}");
    }
    let told = pair.keys().await;
    let sequences: BTreeSet<u64> = written.iter().map(|(sequence, ..)| *sequence).collect();
    assert_eq!(told.keys().copied().collect::<BTreeSet<_>>(), sequences);
    assert_bodies_agree(&pair.receiver).await;
    pair.other.terminate().await;
    pair.one.stop().await;
}

/// What comes again under a key is what came before.
async fn assert_bodies_agree(receiver: &MockServer) {
    let mut bodies: BTreeMap<String, Value> = BTreeMap::new();
    for call in receiver.received_requests().await.unwrap() {
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let key = call.headers["idempotency-key"].to_str().unwrap().to_owned();
        let before = bodies.entry(key).or_insert_with(|| body.clone());
        assert_eq!(*before, body);
    }
}
