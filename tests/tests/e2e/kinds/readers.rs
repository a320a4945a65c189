//! Readers of streams that stop, fall behind, get stuck, go back, or are given up, and destinations that fail.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use latchkey_bus::{Publication, operator};
use latchkey_contracts::{
    rejection::{Problem, Rejection, RejectionBatch},
    topology::{Consumer, DESTINATION, Limits, NORMALIZER, REJECTIONS},
};
use latchkey_simulator::{BadItem, Fault};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use super::*;

const NORMALIZED: [Service; 3] = [Service::Fetcher, Service::Normalizer, Service::Alerter];

/// The least room for all streams together: REJECTIONS has 4 MB of it, which are soon full.
const ROOM: i64 = 64 << 20;

impl Watched {
    /// Waits until the normalizer has everything there is, or how many messages it has not.
    async fn waits_for_normalizer(&self, condition: impl Fn(u64) -> bool) {
        let look = async || {
            let state = self.line.bus().consumer_state(&NORMALIZER).await.unwrap();
            condition(state.unread()).then_some(())
        };
        until("the normalizer's lag", LIMIT, look).await;
    }

    /// Fills REJECTIONS, so that a page with anything refused cannot be done.
    async fn fill_rejections(&self) {
        let filler: Chain = Chain { source: "filler".parse().unwrap(), feed: Feed::ItemUsages };
        let problem = Problem { path: "$".into(), rule: "json".into(), ..Problem::default() };
        for size in [100_000, 10_000, 100] {
            for page in 0_u64.. {
                let rejection = Rejection { item: Some(0), problems: vec![problem.clone()], raw: vec![0; size].into() };
                let batch = RejectionBatch {
                    page_id: format!("{size}-{page}"),
                    rejections: vec![rejection],
                    ..RejectionBatch::default()
                };
                match self.line.bus().publish_rejections(&filler, &batch, 0).await.unwrap() {
                    Publication::Full => break,
                    stored => assert!(matches!(stored, Publication::Stored { .. }), "{stored:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn lk301_a_normalizer_that_is_killed() {
    let reader = json!({ "reader": { "stands_still": "2s" } });
    let mut watched = Watched::start(simulator(account()).await, &settings(&NORMALIZED, alerter(&reader))).await;
    watched.caught_up().await;
    watched.line.kill(Service::Normalizer);
    watched.simulator.append_sample(ACCOUNT, USAGES, 3).unwrap();
    let raised = watched.raised(Kind::ReaderStopped, &object("normalizer")).await;
    assert_eq!(raised.reason, "nobody_pulls");
    watched.begin(Service::Normalizer).await;
    watched.resolved(Kind::ReaderStopped, &object("normalizer")).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk301_a_sink_that_is_dead() {
    let reader = json!({ "reader": { "stands_still": "2s" } });
    let mut watched = Watched::start(simulator(account()).await, &settings(&Service::ALL, alerter(&reader))).await;
    let sink = "files".parse().unwrap();
    let delivered = async || {
        let stored = watched.line.bus().last_delivery(&sink).await.unwrap();
        stored.filter(|stored| stored.message.committed > 0).map(drop)
    };
    until("something is delivered", LIMIT, delivered).await;
    watched.line.kill(Service::Forwarder);
    watched.simulator.append_sample(ACCOUNT, USAGES, 3).unwrap();
    let raised = watched.raised(Kind::ReaderStopped, &object("files")).await;
    assert_eq!(raised.reason, "no_commit");
    watched.begin(Service::Forwarder).await;
    watched.resolved(Kind::ReaderStopped, &object("files")).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk301_a_destination_whose_consumer_is_removed() {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
    let changes = json!({ "destinations": { "tickets": { "webhook": { "url": receiver.uri() } } } });
    let services = [Service::Fetcher, Service::Alerter];
    let watched = Watched::start(simulator(account()).await, &settings(&services, alerter(&changes))).await;
    let consumer = Consumer { name: "notifier-tickets", ..DESTINATION };
    let is_there = async || watched.line.bus().consumer_state(&consumer).await.ok().map(drop);
    until("its consumer", LIMIT, is_there).await;
    operator::remove(watched.line.bus(), &consumer).await.unwrap();
    let raised = watched.raised(Kind::ReaderStopped, &object(consumer.name)).await;
    assert_eq!(raised.reason, "missing");
    watched.resolved(Kind::ReaderStopped, &object(consumer.name)).await;
    // The alerter that has told of it has made it anew, and has not ended.
    watched.stop().await;
}

#[tokio::test]
async fn lk302_a_normalizer_that_is_late() {
    let reader = json!({ "reader": { "stands_still": "1h", "waits": "2s" } });
    let services = [Service::Fetcher, Service::Alerter];
    let mut watched = Watched::start(simulator(account()).await, &settings(&services, alerter(&reader))).await;
    watched.raised(Kind::ReaderBehind, &object("normalizer")).await;
    watched.begin(Service::Normalizer).await;
    watched.resolved(Kind::ReaderBehind, &object("normalizer")).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk303_a_normalizer_that_gets_nothing_acknowledged() {
    let settings = Settings { page_limit: 1, ..settings(&NORMALIZED, alerter(&json!({}))) };
    let watched = Watched::with_room(simulator(account()).await, &settings, Some(ROOM)).await;
    watched.caught_up().await;
    watched.fill_rejections().await;
    watched.simulator.set_fault(ACCOUNT, None, Fault::BadItem(BadItem::WrongTypes)).unwrap();
    let most = usize::try_from(NORMALIZER.max_ack_pending).unwrap();
    for feed in simulator::Feed::ALL {
        watched.simulator.append_sample(ACCOUNT, feed, most / 3 + 50).unwrap();
    }
    let raised = watched.raised(Kind::ReaderStuck, &object("normalizer")).await;
    // What is handed back comes again, and the oldest stands, before so many are open that nothing new is handed out.
    assert!(["ack_pending", "floor", "redelivery"].contains(&raised.reason.as_str()), "{}", raised.reason);
    operator::purge(watched.line.bus(), &REJECTIONS).await.unwrap();
    watched.resolved(Kind::ReaderStuck, &object("normalizer")).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk304_a_consumer_that_is_made_anew() {
    let services = [Service::Fetcher, Service::Normalizer];
    let mut watched = Watched::start(simulator(account()).await, &settings(&services, alerter(&json!({})))).await;
    watched.caught_up().await;
    watched.waits_for_normalizer(|lag| lag == 0).await;
    watched.line.kill(Service::Normalizer);
    watched.simulator.append_sample(ACCOUNT, USAGES, 3).unwrap();
    watched.waits_for_normalizer(|lag| lag > 0).await;
    watched.begin(Service::Alerter).await;
    watched.looked().await;
    operator::remove(watched.line.bus(), &NORMALIZER).await.unwrap();
    // As every service does at its start.
    watched.line.bus().provision(Limits::default()).await.unwrap();
    watched.raised(Kind::ReaderSetBack, &object("normalizer")).await;
    watched.begin(Service::Normalizer).await;
    watched.resolved(Kind::ReaderSetBack, &object("normalizer")).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk307_a_destination_that_refuses_everything() {
    let (receiver, status) = (MockServer::start().await, Arc::new(AtomicU16::new(503)));
    let answers = Arc::clone(&status);
    let answer = move |_: &Request| ResponseTemplate::new(answers.load(Ordering::Relaxed));
    Mock::given(any()).respond_with(answer).mount(&receiver).await;
    let changes = json!({
        "reader": { "stands_still": "2s" },
        "destinations": { "tickets": { "webhook": { "url": receiver.uri() } } },
    });
    let services = [Service::Fetcher, Service::Alerter];
    let watched = Watched::start(simulator(account()).await, &settings(&services, alerter(&changes))).await;
    watched.raised(Kind::DestinationFailing, &object("tickets")).await;
    status.store(200, Ordering::Relaxed);
    watched.resolved(Kind::DestinationFailing, &object("tickets")).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk308_a_consumer_whose_deliveries_were_limited() {
    let settings = Settings { page_limit: 1, ..settings(&NORMALIZED, alerter(&json!({}))) };
    let watched = Watched::with_room(simulator(account()).await, &settings, Some(ROOM)).await;
    watched.caught_up().await;
    operator::limit_deliveries(watched.line.bus(), &NORMALIZER, 1).await.unwrap();
    let raised = watched.raised(Kind::DeliveriesExhausted, &object("normalizer")).await;
    assert_eq!(raised.reason, "limited");
    watched.fill_rejections().await;
    watched.simulator.set_fault(ACCOUNT, Some(USAGES), Fault::BadItem(BadItem::WrongTypes)).unwrap();
    watched.simulator.append_sample(ACCOUNT, USAGES, 1).unwrap();
    let given_up = async || {
        let last = watched.last(Kind::DeliveriesExhausted, &object("normalizer")).await;
        last.filter(|alert| alert.reason == "given_up")
    };
    let raised = until("a message is given up", LIMIT, given_up).await;
    assert!(raised.summary.contains("1 messages of PAGES to normalizer"), "{}", raised.summary);
    operator::limit_deliveries(watched.line.bus(), &NORMALIZER, -1).await.unwrap();
    watched.resolved(Kind::DeliveriesExhausted, &object("normalizer")).await;
    watched.stop().await;
}
