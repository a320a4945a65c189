//! Two alerters, killed in turn while alerts are raised and resolved, with nats-server going down in between: every transition is
//! written once, and told once to a receiver that knows a repeated one again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use latchkey_bus::{
    Bus, Error, Publication,
    server::{self, Scratch},
};
use latchkey_contracts::{
    Chain, Feed,
    alert::alert::Change,
    checkpoint::{Checkpoint, Outcome, outcome},
    page::RawPage,
    rejection::{Problem, Rejection, RejectionBatch},
    reread::{Found, Reread},
    topology::{ALERTS, NOTIFIER},
};
use latchkey_core::alert::Kind;
use latchkey_simulator::{AccountConfig, Profile, Simulator, clock};
use latchkey_tests::{ACCOUNT, Line, Nats, Process, Service, Settings, command, until};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

/// Feeds with an alert of their own each.
const FEEDS: usize = 60;

/// How long the transitions of all feeds may take: a notification that was open at a kill comes again after a minute.
const LIMIT: Duration = Duration::from_mins(4);

/// How long a message may take to be stored while nats-server goes down.
const STORE_LIMIT: Duration = Duration::from_secs(30);

/// What is raised for feeds, in turn: one kind for each way in which an alerter comes to know. One ends by itself, when what was seen has not
/// been seen again for a while: a longer one than telling takes, since what is over before it could be told is not told.
const FEED_KINDS: [Kind; 3] = [Kind::PollRefused, Kind::Rejections, Kind::EventsMissed];

/// What is raised about the normalizer, which is not there.
const READER_KIND: Kind = Kind::ReaderStopped;

/// Two alerters with one receiver.
struct Pair {
    one: Line,
    other: Process,
    receiver: MockServer,
    // These last: nobody should see them go.
    directory: tempfile::TempDir,
    nats: Scratch,
}

/// What is wrong, or right again.
#[derive(Clone, Copy, PartialEq)]
enum Turn {
    Wrong,
    Right,
}

#[derive(Clone, Copy)]
enum Victim {
    One,
    Other,
}

/// What was written: its sequence, kind, whom it is about, and the change.
#[derive(Debug)]
struct Written {
    sequence: u64,
    key: (String, String),
    generation: u64,
    change: Change,
}

impl Written {
    /// Whether it is about what is reported here. The alerters' own reader stops with them, and so does their destination, which is told of
    /// itself: alerts tell of that.
    fn is_reported(&self) -> bool {
        self.key.0 != Kind::DestinationFailing.as_str() && self.key.1 != NOTIFIER.name
    }
}

impl Pair {
    async fn start() -> Self {
        let nats = server::scratch().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let receiver = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
        let simulator =
            Simulator::builder().account(AccountConfig::new(ACCOUNT, Profile::Empty)).start().await.unwrap();
        let kinds: Vec<_> = FEED_KINDS.into_iter().chain([READER_KIND]).map(Kind::as_str).collect();
        let routes = json!([{ "kinds": kinds, "destinations": ["tickets"] }, { "destinations": [] }]);
        let alerter = json!({
            "tick": "100ms",
            "look_every": "200ms",
            "looks_kept_for": "24s",
            "settles_after": "100s",
            "reader": { "stands_still": "2s" },
            "destinations": { "tickets": { "webhook": { "url": receiver.uri() } } },
            "routes": routes,
        });
        let more = json!({ "alerter": alerter });
        let settings = Settings { services: vec![Service::Alerter], more, ..Settings::default() };
        let one = Line::start(directory.path(), &Nats::of(&nats), &simulator, &settings).await.unwrap();
        let mut other = start_other(directory.path());
        other.started().await;
        Self { one, other, receiver, directory, nats }
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

    /// All feeds turn out so, one after the other; an alerter dies on the way, and nats-server while the next one starts.
    async fn turn(&mut self, turn: Turn, victim: Victim) {
        for number in 0..FEEDS {
            match number {
                _ if number == FEEDS / 3 => self.replace(victim),
                _ if number == FEEDS / 2 => self.nats.restart().await.unwrap(),
                _ => {}
            }
            report(self.one.bus(), number, turn).await;
        }
    }

    /// Waits until every alert has gone through this change and somebody was told of it.
    async fn told(&self, change: Change) -> Vec<Written> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let (keys, written) = (self.keys().await, self.written().await);
            let changed = written.iter().filter(|written| written.is_reported() && written.change == change);
            let (told, untold): (Vec<_>, Vec<_>) = changed.partition(|written| keys.contains(&written.sequence));
            if told.len() > FEEDS && untold.is_empty() {
                return written;
            }
            assert!(Instant::now() < deadline, "{change:?} in time: told {told:?}, not told {untold:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn written(&self) -> Vec<Written> {
        let bus = self.one.bus();
        let last = bus.stream_state(&ALERTS).await.unwrap().last;
        let (mut history, mut all) = (bus.alert_history(), Vec::new());
        let mut sequence = 0;
        while sequence < last {
            let item = history.next().await.unwrap();
            sequence = item.sequence;
            let alert = item.message.unwrap();
            // A server that is killed forgets acknowledgements of the last moments, and its consumers go back: another alert tells of that.
            if FEED_KINDS
                .iter()
                .chain([&READER_KIND, &Kind::DestinationFailing])
                .any(|kind| kind.as_str() == alert.kind)
            {
                let (generation, change) = (alert.generation, alert.change());
                let key = (alert.kind, format!("{}{}", alert.source, alert.object));
                all.push(Written { sequence, key, generation, change });
            }
        }
        all
    }

    /// What the receiver was told, by its key.
    async fn keys(&self) -> BTreeSet<u64> {
        let calls = self.receiver.received_requests().await.unwrap();
        calls.iter().map(|call| call.headers["idempotency-key"].to_str().unwrap().parse().unwrap()).collect()
    }
}

fn start_other(directory: &Path) -> Process {
    let own = directory.join("other");
    fs::create_dir_all(&own).unwrap();
    let mut command = command(Service::Alerter.program());
    command.arg("--config").arg(directory.join("latchkey.yaml"));
    Process::start(Service::Alerter.program(), &mut command, &own).unwrap()
}

/// What a fetcher, an audit and a normalizer say of the feed.
async fn report(bus: &Bus, number: usize, turn: Turn) {
    let chain = Chain { source: format!("s{number}").parse().unwrap(), feed: Feed::ItemUsages };
    let kind = FEED_KINDS[number % FEED_KINDS.len()];
    let now = i64::try_from(clock::now().as_nanosecond()).unwrap();
    let refused = kind == Kind::PollRefused && turn == Turn::Wrong;
    let checkpoint = Checkpoint {
        source: chain.source.to_string(),
        feed: chain.feed.to_string(),
        polled_at_unix_nano: now,
        // Nobody is to be missed while the test goes on.
        next_poll_at_unix_nano: now + 3_600_000_000_000,
        first_polled_at_unix_nano: now,
        consecutive_failures: refused.into(),
        outcome: Some(if refused { unauthorized() } else { quiet() }),
        ..Checkpoint::default()
    };
    stored(async || bus.publish_checkpoint(&chain, &checkpoint).await).await;
    match (kind, turn) {
        (Kind::Rejections, Turn::Wrong) => {
            let batch = refused_page(&chain, now);
            stored(async || bus.publish_rejections(&chain, &batch, 0).await).await;
        }
        (Kind::EventsMissed, turn) => {
            stored(async || {
                let before = bus.last_reread("audit", &chain).await?;
                let expected = before.as_ref().map_or(0, |before| before.sequence);
                let mut reread = before.map_or_else(Reread::default, |before| before.message);
                (reread.source, reread.feed) = (chain.source.to_string(), chain.feed.to_string());
                if turn == Turn::Wrong {
                    reread.missing_at_unix_nano = now;
                    reread.last_missing = Some(Found { missing: 3, repaired: 3, ..Found::default() });
                } else {
                    reread.complete_at_unix_nano = now;
                }
                bus.publish_reread("audit", &chain, &reread, expected).await
            })
            .await;
        }
        _ => {}
    }
}

fn unauthorized() -> Outcome {
    let kind = outcome::Kind::Refused.into();
    Outcome { kind, reason: "unauthorized".into(), http_status: 401, ..Outcome::default() }
}

fn quiet() -> Outcome {
    Outcome { kind: outcome::Kind::Quiet.into(), ..Outcome::default() }
}

/// A page of the chain that was no page.
fn refused_page(chain: &Chain, now: i64) -> RejectionBatch {
    let problem = Problem { path: "$".into(), rule: "json".into(), ..Problem::default() };
    RejectionBatch {
        page_id: chain.source.to_string(),
        source: chain.source.to_string(),
        feed: chain.feed.to_string(),
        rejected_at_unix_nano: now,
        rejections: vec![Rejection { item: None, problems: vec![problem], raw: "?".into() }],
        ..RejectionBatch::default()
    }
}

async fn stored(publish: impl AsyncFn() -> Result<Publication, Error>) {
    until("a message is stored", STORE_LIMIT, async || {
        matches!(publish().await, Ok(Publication::Stored { .. } | Publication::Repeated { .. })).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_alerters_that_die_in_turn_write_and_tell_each_transition_once() {
    let mut pair = Pair::start().await;
    let chain = Chain { source: "s0".parse().unwrap(), feed: Feed::ItemUsages };
    let page = RawPage { page_id: "unread".into(), next_cursor: "next".into(), ..RawPage::default() };
    stored(async || pair.one.bus().publish_page(&chain, &page, 0).await).await;
    pair.turn(Turn::Wrong, Victim::One).await;
    pair.told(Change::Raised).await;

    pair.turn(Turn::Right, Victim::Other).await;
    let mut pages = pair.one.bus().pages();
    pages.next().await.unwrap().ack().await.unwrap();
    pages.close().await;
    let written = pair.told(Change::Resolved).await;

    let mut changes: BTreeMap<_, Vec<Change>> = BTreeMap::new();
    for Written { key, generation, change, .. } in written.iter().filter(|written| written.is_reported()) {
        assert_eq!(*generation, 1, "{key:?}");
        changes.entry(key).or_default().push(*change);
    }
    assert_eq!(changes.len(), FEEDS + 1);
    for (key, changes) in changes {
        assert_eq!(changes, [Change::Raised, Change::Resolved], "{key:?}");
    }
    let (told, written) = (pair.keys().await, pair.written().await);
    let written: BTreeSet<u64> = written.iter().map(|written| written.sequence).collect();
    assert!(told.is_subset(&written), "{told:?} {written:?}");
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
