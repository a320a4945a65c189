//! Every kind of alert, provoked and ended from outside: real services, a real nats-server, the stand-in for 1Password.
//!
//! A test is called by its kind's code. The first one here compares these names with the kinds there are, so that no kind comes without
//! one.

mod files;
mod polling;
mod readers;
mod records;
mod silence;
mod streams;

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use latchkey_bus::server::{self, Scratch};
use latchkey_contracts::{
    About, Chain, Feed, Object,
    alert::{Alert, alert::State},
    checkpoint::{Checkpoint, outcome},
};
use latchkey_core::alert::Kind;
use latchkey_simulator::{self as simulator, AccountConfig, Profile, Simulator};
use latchkey_tests::{ACCOUNT, Line, Nats, Service, Settings, until};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a condition may take: the lease of a fetcher that was killed, a backoff, and a busy machine.
const LIMIT: Duration = Duration::from_mins(2);

/// The alerter's metric of what the normalizer has before it.
const LAG: &str = r#"latchkey_alerter_reader_lag_messages{reader="normalizer",stream="PAGES"}"#;

/// The feed that most of these tests are about.
const USAGES: simulator::Feed = simulator::Feed::ItemUsages;

#[test]
fn every_kind_has_its_test() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/kinds");
    let files = fs::read_dir(directory).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let tests: BTreeSet<String> = files.flat_map(|text| codes(&text)).collect();
    let kinds: BTreeSet<String> = Kind::ALL.into_iter().map(|kind| kind.code().to_lowercase()).collect();
    assert_eq!(tests, kinds, "tests, and kinds there are");
}

/// The codes in the names of a file's tests.
fn codes(text: &str) -> Vec<String> {
    let tests = text.split("#[tokio::test]\nasync fn ").skip(1);
    tests.filter_map(|test| Some(test.split_once('_')?.0.to_owned())).collect()
}

/// A line that is watched by somebody impatient.
struct Watched {
    line: Line,
    simulator: Simulator,
    directory: TempDir,
    // Last: nobody should see it go.
    nats: Scratch,
}

/// An account whose feeds have brought a few events each.
fn account() -> AccountConfig {
    AccountConfig::new(ACCOUNT, Profile::Empty)
}

async fn simulator(account: AccountConfig) -> Simulator {
    let simulator = Simulator::builder().seed(20).account(account).start().await.unwrap();
    for feed in simulator::Feed::ALL {
        simulator.append_sample(ACCOUNT, feed, 5).unwrap();
    }
    simulator
}

/// An alerter that looks often and waits for nothing, with what a test changes about it.
fn alerter(changes: &Value) -> Value {
    let mut config = json!({
        "tick": "100ms",
        "look_every": "100ms",
        "looks_kept_for": "12s",
        "poll_grace": "5s",
        "settles_after": "3s",
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    json!({ "alerter": config })
}

fn settings(services: &[Service], more: Value) -> Settings {
    Settings { services: services.to_vec(), more, ..Settings::default() }
}

impl Watched {
    async fn start(simulator: Simulator, settings: &Settings) -> Self {
        Self::with_room(simulator, settings, None).await
    }

    async fn with_room(simulator: Simulator, settings: &Settings, max_bytes: Option<i64>) -> Self {
        let nats = server::scratch().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let place = Nats { max_bytes, ..Nats::of(&nats) };
        let line = Line::start(directory.path(), &place, &simulator, settings).await.unwrap();
        let watched = Self { line, simulator, directory, nats };
        for service in &settings.services {
            watched.ready(*service).await;
        }
        watched
    }

    /// Starts a service that does not run, and waits until it works.
    async fn begin(&mut self, service: Service) {
        self.line.begin(service).await.unwrap();
        self.ready(service).await;
    }

    async fn ready(&self, service: Service) {
        let look = async || {
            let answer = self.line.ask(service, "/readyz").await.ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        };
        until("a service is ready", LIMIT, look).await;
    }

    /// Waits until the alert is raised.
    async fn raised(&self, kind: Kind, about: &About) -> Alert {
        self.becomes(kind, about, State::Raised).await
    }

    /// Waits until the alert is resolved.
    async fn resolved(&self, kind: Kind, about: &About) -> Alert {
        self.becomes(kind, about, State::Resolved).await
    }

    async fn becomes(&self, kind: Kind, about: &About, state: State) -> Alert {
        let what = format!("{} of {about} becomes {state:?}", kind.as_str());
        let alert = until(&what, LIMIT, async || self.last(kind, about).await.filter(|alert| alert.state() == state));
        let alert = alert.await;
        assert_eq!((alert.kind.as_str(), alert.code.as_str()), (kind.as_str(), kind.code()));
        assert!(!alert.summary.is_empty() && (alert.next_step.is_empty() == (state == State::Resolved)), "{alert:?}");
        alert
    }

    async fn last(&self, kind: Kind, about: &About) -> Option<Alert> {
        self.line.bus().last_alert_about(kind.as_str(), about).await.unwrap().map(|stored| stored.message)
    }

    /// Waits until a checkpoint of the feed is as wanted.
    async fn checkpoint(&self, feed: Feed, condition: impl Fn(&Checkpoint) -> bool) -> Checkpoint {
        let look = async || {
            let stored = self.line.bus().last_checkpoint(&chain(feed)).await.unwrap();
            stored.map(|stored| stored.message).filter(|checkpoint| condition(checkpoint))
        };
        until("a checkpoint", LIMIT, look).await
    }

    /// Waits until every feed was polled to its end.
    async fn caught_up(&self) {
        for feed in Feed::USUAL {
            self.checkpoint(feed, |checkpoint| outcome_of(checkpoint) == outcome::Kind::Quiet).await;
        }
    }

    /// Waits until the alerter has seen that the normalizer has something before it.
    async fn looked(&self) {
        let look = async || {
            let metrics = self.line.ask(Service::Alerter, "/metrics").await.unwrap();
            let lag = |line: &str| line.strip_prefix(LAG)?.trim().parse::<u64>().ok();
            metrics.lines().find_map(lag).filter(|lag| *lag > 0)
        };
        until("a look at the normalizer", LIMIT, look).await;
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn stop(mut self) {
        self.line.stop().await;
        drop(self.nats);
    }
}

fn outcome_of(checkpoint: &Checkpoint) -> outcome::Kind {
    checkpoint.outcome.as_ref().map_or(outcome::Kind::Unspecified, latchkey_contracts::checkpoint::Outcome::kind)
}

fn chain(feed: Feed) -> Chain {
    Chain { source: ACCOUNT.parse().unwrap(), feed }
}

fn usages() -> About {
    About::Chain(chain(Feed::ItemUsages))
}

fn object(name: &str) -> About {
    About::Object(Object::named(name))
}
