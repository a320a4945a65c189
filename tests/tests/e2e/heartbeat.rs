//! The alerter's heartbeat: somebody outside is called while everything is watched, and not while it cannot be.

use std::time::Duration;

use latchkey_bus::server;
use latchkey_simulator::{AccountConfig, Profile, Simulator};
use latchkey_tests::{ACCOUNT, Line, Nats, Service, Settings, until};
use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

/// How long a change may take to show: five seconds of leniency, a reconnection, and a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Heartbeats that the alerter has withheld.
const WITHHELD: &str = r#"latchkey_alerter_heartbeats_total{outcome="withheld"}"#;

#[tokio::test]
async fn the_heart_beats_only_while_the_line_can_be_watched() {
    let mut nats = server::scratch().await.unwrap();
    let outside = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&outside).await;
    let beats = async || outside.received_requests().await.unwrap().len();
    let simulator = Simulator::builder().account(AccountConfig::new(ACCOUNT, Profile::Empty)).start().await.unwrap();
    let heartbeat = json!({ "url": outside.uri(), "every": "200ms" });
    let more = json!({ "alerter": { "tick": "100ms", "look_every": "100ms", "looks_kept_for": "12s", "heartbeat": heartbeat } });
    let settings = Settings { services: vec![Service::Alerter], more, ..Settings::default() };
    let directory = tempfile::tempdir().unwrap();
    let mut line = Line::start(directory.path(), &Nats::of(&nats), &simulator, &settings).await.unwrap();
    until("the heart beats", LIMIT, async || (beats().await >= 2).then_some(())).await;

    let withheld = async || {
        let metrics = line.ask(Service::Alerter, "/metrics").await.unwrap();
        let count = |line: &str| line.strip_prefix(WITHHELD)?.trim().parse::<u64>().ok();
        // None is shown as nothing.
        metrics.lines().find_map(count).unwrap_or(0)
    };
    let more_than = async |count: u64| {
        until("heartbeats are withheld", LIMIT, async || Some(withheld().await).filter(|now| *now > count)).await
    };
    // Some are at the start, before anything is watched.
    let first = withheld().await;
    nats.kill().await.unwrap();
    let first = more_than(first).await;
    let before = beats().await;
    more_than(first + 5).await;
    assert_eq!(beats().await, before, "the heart beats though nobody can watch");

    nats.restart().await.unwrap();
    until("the heart beats again", LIMIT, async || (beats().await > before).then_some(())).await;
    line.stop().await;
}
