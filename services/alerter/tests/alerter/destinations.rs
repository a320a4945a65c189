//! Destinations beside each other: what one of them does makes no difference to the others.

mod alertmanager;
mod mail;

use latchkey_alerter::{HeartbeatConfig, PagerDutyConfig, ReaderConfig, RouteConfig, SeverityName, SlackConfig};
use latchkey_contracts::{About, Object};

use super::*;

/// A receiver of its own, with its own answers.
struct Receiver {
    server: MockServer,
    status: Arc<AtomicU16>,
}

impl Receiver {
    async fn start(status: u16) -> Self {
        let server = MockServer::start().await;
        let status = Arc::new(AtomicU16::new(status));
        let answers = Arc::clone(&status);
        let answer = move |_: &Request| ResponseTemplate::new(answers.load(Ordering::Relaxed));
        Mock::given(any()).respond_with(answer).mount(&server).await;
        Self { server, status }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn webhook(&self) -> DestinationConfig {
        let url = WebhookUrl::try_from(self.server.uri()).unwrap();
        DestinationConfig::Webhook(WebhookConfig { url: Some(url), ..WebhookConfig::default() })
    }

    async fn bodies(&self) -> Vec<Value> {
        let calls = self.server.received_requests().await.unwrap();
        calls.iter().map(|call| serde_json::from_slice(&call.body).unwrap()).collect()
    }
}

impl Line {
    fn file(&self, name: &str, content: &str) -> std::path::PathBuf {
        let path = self.server.directory().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn notified(destination: &str, times: u64) -> String {
    format!(r#"latchkey_alerter_notifications_total{{destination="{destination}"}} {times}"#)
}

#[tokio::test]
async fn one_that_fails_makes_no_other_be_told_twice_or_later() {
    let line = Line::start().await;
    let broken = Receiver::start(503).await;
    let alerter = line.alerter(config_with(&[("webhook", line.webhook()), ("broken", broken.webhook())])).await;
    line.report(refused()).await;
    alerter.shows(&notified("webhook", 1)).await;
    alerter.shows(r#"latchkey_alerter_notification_failures_total{destination="broken"} 2"#).await;
    line.report(quiet()).await;
    alerter.shows(&notified("webhook", 2)).await;
    assert_eq!(line.calls().await.len(), 2);

    // What is over by now is not told as if it held.
    broken.answer(200);
    alerter.shows(&notified("broken", 1)).await;
    alerter.shows(r#"latchkey_alerter_notifications_overtaken_total{destination="broken"} 1"#).await;
    alerter.stop().await;
    assert_eq!(line.calls().await.len(), 2);
    assert_eq!(broken.bodies().await.last().unwrap()["data"]["state"], "resolved");
}

#[tokio::test]
async fn a_destination_that_keeps_failing_is_told_of_through_the_others() {
    let line = Line::start().await;
    let broken = Receiver::start(403).await;
    let reader = ReaderConfig { stands_still: SignedDuration::from_secs(1), ..ReaderConfig::default() };
    let config = Config {
        look_every: SignedDuration::from_millis(100),
        looks_kept_for: SignedDuration::from_secs(12),
        reader,
        ..config_with(&[("webhook", line.webhook()), ("broken", broken.webhook())])
    };
    let alerter = line.alerter(config).await;
    line.report(refused()).await;
    let about = About::Object(Object::named("broken"));
    let is = async |state| {
        let last = line.bus.last_alert_about("destination_failing", &about).await.unwrap();
        last.is_some_and(|last| last.message.state() == state)
    };
    eventually("it is told of as failing", async || is(State::Raised).await).await;
    alerter.shows(&notified("webhook", 2)).await;
    let told = body(line.calls().await.last().unwrap());
    assert_eq!(
        (&told["kind"], &told["object"], &told["code"]),
        (&"destination_failing".into(), &"broken".into(), &"LK307".into())
    );

    broken.answer(200);
    eventually("it is told of as working", async || is(State::Resolved).await).await;
    alerter.shows(&notified("webhook", 3)).await;
    alerter.stop().await;
}

#[tokio::test]
async fn routes_lead_by_severity() {
    let line = Line::start().await;
    let (pager, chat) = (Receiver::start(202).await, Receiver::start(200).await);
    let pagerduty = DestinationConfig::Pagerduty(PagerDutyConfig {
        key_file: line.file("key", "s3cret\n"),
        url: Some(WebhookUrl::try_from(pager.server.uri()).unwrap()),
    });
    let slack = DestinationConfig::Slack(SlackConfig { url_file: line.file("slack", &slack_url(&chat)) });
    let config = Config {
        routes: vec![
            RouteConfig {
                severities: vec![SeverityName::Critical],
                destinations: vec!["pager".into(), "chat".into()],
                ..RouteConfig::default()
            },
            RouteConfig { destinations: vec!["webhook".into()], ..RouteConfig::default() },
        ],
        ..config_with(&[("pager", pagerduty), ("chat", slack), ("webhook", line.webhook())])
    };
    let alerter = line.alerter(config).await;
    line.report(refused()).await;
    alerter.shows(&notified("pager", 1)).await;
    alerter.shows(&notified("chat", 1)).await;
    line.report(quiet()).await;
    alerter.shows(&notified("pager", 2)).await;
    line.drained().await;
    alerter.stop().await;
    assert_eq!(line.calls().await.len(), 0);
    let events = pager.bodies().await;
    let actions: Vec<_> = events.iter().map(|event| (&event["event_action"], &event["routing_key"])).collect();
    assert_eq!(actions, [(&"trigger".into(), &"s3cret".into()), (&Value::from("resolve"), &Value::from("s3cret"))]);
    assert_eq!(events[0]["dedup_key"], events[1]["dedup_key"]);
    assert!(chat.bodies().await[0]["attachments"][0]["text"].as_str().unwrap().contains("poll_refused"));
}

fn slack_url(chat: &Receiver) -> String {
    format!("{}/services/T0/B0/s3cret\n", chat.server.uri())
}

#[tokio::test]
async fn a_webhook_is_signed_with_the_key_that_its_file_holds() {
    let line = Line::start().await;
    let webhook = DestinationConfig::Webhook(WebhookConfig {
        url_file: Some(line.file("url", &format!("{}/hooks/s3cret\n", line.receiver.uri()))),
        key_file: Some(line.file("key", "k3y\n")),
        ..WebhookConfig::default()
    });
    let alerter = line.alerter(config_with(&[("webhook", webhook)])).await;
    line.report(refused()).await;
    alerter.shows(&notified("webhook", 1)).await;
    alerter.stop().await;
    let call = line.calls().await.remove(0);
    assert_eq!(call.url.path(), "/hooks/s3cret");
    let header = call.headers["latchkey-signature"].to_str().unwrap();
    let (time, signature) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let age = clock::now().as_second() - time.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{header}");
    let signed = [time.as_bytes(), b".", &call.body].concat();
    let bytes =
        signature.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"k3y");
    ring::hmac::verify(&key, &signed, &bytes.collect::<Vec<_>>()).unwrap();
}

#[tokio::test]
async fn a_new_destination_is_told_what_holds_and_not_what_is_over() {
    let line = Line::start().await;
    let first = line.alerter(line.config()).await;
    line.report(refused()).await;
    first.shows(&notified("webhook", 1)).await;
    line.report(quiet()).await;
    first.shows(&notified("webhook", 2)).await;
    let other = Chain { source: "other".parse().unwrap(), feed: Feed::AuditEvents };
    line.report_of(&other, refused(), 1).await;
    first.shows(&notified("webhook", 3)).await;
    first.stop().await;

    let late = Receiver::start(200).await;
    let second = line.alerter(config_with(&[("late", late.webhook())])).await;
    second.shows(&notified("late", 1)).await;
    let told = late.bodies().await;
    second.stop().await;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["data"]["source"], &told[0]["type"]), (&"other".into(), &"latchkey.alert.raised".into()));
}

#[tokio::test]
async fn the_heart_beats_while_everything_is_judged() {
    let line = Line::start().await;
    let outside = Receiver::start(200).await;
    let heartbeat = HeartbeatConfig {
        url: Some(WebhookUrl::try_from(outside.server.uri()).unwrap()),
        every: SignedDuration::from_millis(100),
        ..HeartbeatConfig::default()
    };
    let config = Config { heartbeat, ..line.config() };
    let alerter = line.alerter(config).await;
    eventually("the heart beats", async || outside.server.received_requests().await.unwrap().len() >= 2).await;
    alerter.stop().await;
}
