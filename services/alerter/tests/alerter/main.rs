//! The alerter against a real nats-server and a real receiver.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report, in helpers too")]

mod api;
mod destinations;
mod habits;
mod parts;
mod windows;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use latchkey_alerter::{Config, DestinationConfig, Metrics, WebhookConfig, WebhookUrl};
use latchkey_bus::{Bus, server};
use latchkey_contracts::{
    Chain, Feed,
    alert::{Alert, alert::State},
    checkpoint::{Checkpoint, Outcome, outcome::Kind},
    topology::{ALERTS, Limits, NOTIFIER, consumer_of},
};
use latchkey_core::instant;
use latchkey_runtime::{Shutdown, clock, shutdown::Reason};
use serde_json::Value;
use tokio::task::JoinHandle;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

/// Longer than anything takes on a busy machine; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_mins(1);

struct Line {
    // Fields drop in this order: nobody should see the server go.
    receiver: MockServer,
    /// What the receiver answers.
    status: Arc<AtomicU16>,
    bus: Bus,
    server: server::Scratch,
}

/// One alerter at work.
struct Running {
    shutdown: Shutdown,
    task: JoinHandle<Result<(), latchkey_bus::Error>>,
    metrics: latchkey_runtime::Metrics,
}

impl Line {
    async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let server = server::scratch().await.unwrap();
        let bus = Bus::connect(server.connect_options("test")).await.unwrap();
        bus.provision(limits).await.unwrap();
        let receiver = MockServer::start().await;
        let status = Arc::new(AtomicU16::new(200));
        let answers = Arc::clone(&status);
        let answer = move |_: &Request| ResponseTemplate::new(answers.load(Ordering::Relaxed));
        Mock::given(any()).respond_with(answer).mount(&receiver).await;
        Self { receiver, status, bus, server }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn config(&self) -> Config {
        config_with(&[("webhook", self.webhook())])
    }

    fn webhook(&self) -> DestinationConfig {
        let url = WebhookUrl::try_from(self.receiver.uri()).unwrap();
        DestinationConfig::Webhook(WebhookConfig { url: Some(url), ..WebhookConfig::default() })
    }

    async fn alerter(&self, config: Config) -> Running {
        let bus = Bus::connect(self.server.connect_options("alerter")).await.unwrap();
        let metrics = latchkey_runtime::Metrics::new();
        let alerter = config.build(bus, Metrics::new(&metrics)).unwrap();
        let shutdown = Shutdown::new();
        let task = tokio::spawn(alerter.run(shutdown.clone()));
        Running { shutdown, task, metrics }
    }

    async fn report(&self, outcome: Outcome) {
        self.report_of(&chain(), outcome, 1).await;
    }

    /// What a fetcher says of a chain that has failed so often.
    async fn report_of(&self, chain: &Chain, outcome: Outcome, failures: u32) {
        let now = clock::now();
        let quiet = outcome.kind() == Kind::Quiet;
        let checkpoint = Checkpoint {
            source: chain.source.to_string(),
            source_label: "Acme".into(),
            feed: chain.feed.to_string(),
            polled_at_unix_nano: nanos(now),
            next_poll_at_unix_nano: nanos(now) + 60_000_000_000,
            first_polled_at_unix_nano: nanos(now),
            last_success_at_unix_nano: if quiet { nanos(now) } else { 0 },
            consecutive_failures: if quiet { 0 } else { failures },
            outcome: Some(outcome),
            ..Checkpoint::default()
        };
        self.bus.publish_checkpoint(chain, &checkpoint).await.unwrap();
    }

    async fn transitions(&self) -> u64 {
        self.bus.stream_state(&ALERTS).await.unwrap().last
    }

    async fn last(&self) -> Option<Alert> {
        let stored = self.bus.last_alert("poll_refused", Some(&chain().source), Some(Feed::ItemUsages)).await.unwrap();
        stored.map(|stored| stored.message)
    }

    async fn calls(&self) -> Vec<Request> {
        self.receiver.received_requests().await.unwrap()
    }

    /// Waits until nothing is left to deliver.
    async fn drained(&self) {
        eventually("all transitions are answered for", async || {
            let state = self.bus.consumer_state(&NOTIFIER).await.unwrap();
            let waiting = self.bus.state_of(ALERTS.name, &consumer_of("webhook")).await.unwrap().unread();
            state.pending == 0 && state.ack_pending == 0 && waiting == 0
        })
        .await;
    }
}

impl Running {
    async fn stop(self) {
        self.shutdown.begin(Reason::Finished);
        tokio::time::timeout(PATIENCE, self.task).await.expect("it stops in time").unwrap().unwrap();
    }

    /// Waits until its metrics have this line.
    async fn shows(&self, line: &str) {
        eventually(line, async || {
            assert!(!self.task.is_finished(), "the alerter has ended; its metrics:\n{}", self.metrics.encode());
            self.metrics.encode().lines().any(|found| found == line)
        })
        .await;
    }
}

fn config_with(destinations: &[(&str, DestinationConfig)]) -> Config {
    let destinations = destinations.iter().map(|(name, config)| ((*name).to_owned(), config.clone())).collect();
    Config { tick: SignedDuration::from_millis(100), destinations, ..Config::default() }
}

async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn chain() -> Chain {
    Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages }
}

fn nanos(instant: Timestamp) -> i64 {
    instant::to_unix_nano(instant)
}

fn refused() -> Outcome {
    Outcome { kind: Kind::Refused.into(), reason: "unauthorized".into(), http_status: 401, detail: "why".into() }
}

fn quiet() -> Outcome {
    Outcome { kind: Kind::Quiet.into(), ..Outcome::default() }
}

fn verdict(word: &str) -> String {
    format!(r#"latchkey_alerter_chain_verdict{{source="acme",feed="item_usages",verdict="{word}"}} 1"#)
}

/// The notification that the event carries.
fn body(call: &Request) -> Value {
    let mut event: Value = serde_json::from_slice(&call.body).unwrap();
    event["data"].take()
}

#[tokio::test]
async fn a_refused_chain_is_raised_and_resolved_once_each() {
    let line = Line::start().await;
    line.answer(204);
    let alerter = line.alerter(line.config()).await;
    line.report(quiet()).await;
    alerter.shows(&verdict("quiet")).await;
    assert_eq!(line.transitions().await, 0);

    for _ in 0..3 {
        line.report(refused()).await;
    }
    alerter
        .shows(r#"latchkey_alerter_alerts_raised{kind="poll_refused",source="acme",feed="item_usages",object=""} 1"#)
        .await;
    alerter.shows(r#"latchkey_alerter_notifications_total{destination="webhook"} 1"#).await;
    line.report(quiet()).await;
    alerter
        .shows(r#"latchkey_alerter_alerts_raised{kind="poll_refused",source="acme",feed="item_usages",object=""} 0"#)
        .await;
    alerter.shows(r#"latchkey_alerter_notifications_total{destination="webhook"} 2"#).await;
    line.drained().await;
    alerter.stop().await;

    assert_eq!(line.transitions().await, 2);
    let calls = line.calls().await;
    assert_eq!(calls.len(), 2);
    for (call, (state, sequence)) in calls.iter().zip([("raised", 1), ("resolved", 2)]) {
        let body = body(call);
        assert_eq!(body["state"], state);
        assert_eq!(body["sequence"], sequence);
        assert_eq!(body["kind"], "poll_refused");
        assert_eq!(body["source_label"], "Acme");
        assert_eq!(body["feed"], "item_usages");
        assert_eq!(call.headers["idempotency-key"], sequence.to_string());
        assert_eq!(call.headers["content-type"], "application/cloudevents+json");
    }
}

#[tokio::test]
async fn two_alerters_raise_and_resolve_once_each() {
    let line = Line::start().await;
    let (one, other) = (line.alerter(line.config()).await, line.alerter(line.config()).await);
    for (outcome, word, transitions) in [(refused(), "refused", 1), (quiet(), "quiet", 2), (refused(), "refused", 3)] {
        line.report(outcome).await;
        for alerter in [&one, &other] {
            alerter.shows(&verdict(word)).await;
        }
        eventually("the transition is written", async || line.transitions().await >= transitions).await;
    }
    line.drained().await;
    one.stop().await;
    other.stop().await;
    assert_eq!(line.transitions().await, 3);
    assert_eq!(line.last().await.unwrap().generation, 2);
    let states: Vec<_> = line.calls().await.iter().map(|call| body(call)["sequence"].as_u64()).collect();
    assert_eq!(states.len(), 3, "{states:?}");
}

#[tokio::test]
async fn a_restarted_alerter_goes_on_where_the_last_one_ended() {
    let line = Line::start().await;
    let first = line.alerter(line.config()).await;
    line.report(refused()).await;
    eventually("it is raised", async || line.transitions().await == 1).await;
    line.drained().await;
    first.stop().await;

    let second = line.alerter(line.config()).await;
    second.shows(&verdict("refused")).await;
    second
        .shows(r#"latchkey_alerter_alerts_raised{kind="poll_refused",source="acme",feed="item_usages",object=""} 1"#)
        .await;
    line.report(quiet()).await;
    eventually("it is resolved", async || line.transitions().await == 2).await;
    line.drained().await;
    second.stop().await;
    assert_eq!(line.last().await.unwrap().state(), State::Resolved);
    assert_eq!(line.calls().await.len(), 2);
}

#[tokio::test]
async fn a_webhook_that_fails_is_tried_again() {
    let line = Line::start().await;
    line.answer(503);
    let alerter = line.alerter(line.config()).await;
    line.report(refused()).await;
    alerter.shows(r#"latchkey_alerter_notification_failures_total{destination="webhook"} 1"#).await;
    line.answer(200);
    alerter.shows(r#"latchkey_alerter_notifications_total{destination="webhook"} 1"#).await;
    line.drained().await;
    // Tried again is not announced again.
    alerter.shows(r#"latchkey_alerter_notifications_total{destination="log"} 1"#).await;
    alerter.stop().await;
    let calls = line.calls().await;
    assert!(calls.len() >= 2);
    assert!(calls.iter().all(|call| call.headers["idempotency-key"] == "1"));
}

#[tokio::test]
async fn a_webhook_that_never_takes_it_is_given_up_aloud() {
    let line = Line::start().await;
    line.answer(400);
    let mut config = line.config();
    config.delivery.attempts = 2;
    let alerter = line.alerter(config).await;
    line.report(refused()).await;
    alerter.shows(r#"latchkey_alerter_notifications_abandoned_total{destination="webhook"} 1"#).await;
    line.drained().await;
    alerter.stop().await;
    assert_eq!(line.calls().await.len(), 2);
    assert_eq!(line.transitions().await, 1);
}

#[tokio::test]
async fn the_bearer_token_is_read_anew_for_each_notification() {
    let line = Line::start().await;
    let file = line.server.directory().join("bearer");
    let write = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
    write(&file, "first\n");
    let mut config = line.config();
    let Some(DestinationConfig::Webhook(webhook)) = config.destinations.get_mut("webhook") else { unreachable!() };
    webhook.bearer_file = Some(file.clone());
    let alerter = line.alerter(config).await;
    line.report(refused()).await;
    alerter.shows(r#"latchkey_alerter_notifications_total{destination="webhook"} 1"#).await;
    write(&file, "second\n");
    line.report(quiet()).await;
    alerter.shows(r#"latchkey_alerter_notifications_total{destination="webhook"} 2"#).await;
    alerter.stop().await;
    let bearers: Vec<_> = line.calls().await.iter().map(|call| call.headers["authorization"].clone()).collect();
    assert_eq!(bearers, ["Bearer first", "Bearer second"]);
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_read_is_counted_and_stops_nothing() {
    let line = Line::start().await;
    let alerter = line.alerter(line.config()).await;
    line.report(Outcome::default()).await;
    alerter.shows(r#"latchkey_alerter_unreadable_messages_total{stream="CHECKPOINTS"} 1"#).await;
    line.report(refused()).await;
    eventually("it is raised", async || line.transitions().await == 1).await;
    alerter.stop().await;
}
