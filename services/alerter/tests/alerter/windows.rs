//! What alerters see of streams and their readers, over restarts and between them.

use latchkey_alerter::ReaderConfig;
use latchkey_bus::operator;
use latchkey_contracts::{
    About,
    alert::alert::Severity,
    delivery::Delivery,
    event::EventBatch,
    page::RawPage,
    subject,
    topology::{Consumer, DELIVERIES, DESTINATION, EVENTS, NORMALIZER, PAGES, WINDOWS},
    window::{Reader, Window, window::Of},
};
use latchkey_core::{
    alert::reader::{Role, Watched},
    delivery,
    verdict::lag::{Given, Look},
};

use super::{
    parts::{object, quick},
    *,
};

/// An alerter that waits for hours before it says that a reader stands still.
fn patient(line: &Line) -> Config {
    Config { reader: ReaderConfig::default(), ..quick(line) }
}

/// The normalizer, as somebody has seen it who has looked twenty times in ten minutes: it has read nothing, and has ever more before it.
fn falling_behind() -> Watched {
    let now = clock::now();
    let look = |step: u64| Look {
        at: now - SignedDuration::from_secs(30) * i32::try_from(19 - step).unwrap(),
        first: 1,
        last: step + 1,
        floor: 0,
        delivered: 0,
        pending: step + 1,
        ack_pending: 0,
        redelivered: 0,
        asleep: 0,
        waiting: Some(1),
        max_ack_pending: Some(256),
        max_deliver: None,
        given: Some(Given { deliveries: 0, since: now }),
        oldest_at: Some(now),
        moved_at: None,
        max_age: None,
    };
    Watched { role: Role::Consumer, window: (0..20).map(look).collect(), ..Watched::default() }
}

impl Line {
    async fn keep(&self, stream: &str, name: &str, watched: &Watched) {
        let window = Window { stream: stream.into(), of: Some(Of::Reader(watched.keep(name))) };
        self.bus.publish_window(&window, 0).await.unwrap();
    }

    /// What is kept of the normalizer.
    async fn kept(&self) -> Option<Watched> {
        self.kept_of(NORMALIZER.stream, NORMALIZER.name).await
    }

    async fn kept_of(&self, stream: &str, name: &str) -> Option<Watched> {
        let reader = Reader { name: name.into(), ..Reader::default() };
        let like = Window { stream: stream.into(), of: Some(Of::Reader(reader)) };
        let Of::Reader(kept) = self.bus.last_window(&like).await.unwrap()?.message.of? else { return None };
        Some(Watched::recall(&kept))
    }
}

#[tokio::test]
async fn what_went_unread_while_nobody_watched_is_told_by_the_next_alerter() {
    let line = Line::start().await;
    let first = line.alerter(patient(&line)).await;
    line.store_page(10).await;
    first.shows(r#"latchkey_alerter_reader_lag_messages{reader="normalizer",stream="PAGES"} 1"#).await;
    first.stop().await;
    operator::purge(&line.bus, &PAGES).await.unwrap();

    // Only the first has seen that the page was there, and was not read.
    let second = line.alerter(patient(&line)).await;
    let raised = line.becomes("unread_evicted", &object("normalizer"), State::Raised).await;
    assert!(raised.summary.starts_with("Up to 1 messages have left PAGES"), "{}", raised.summary);
    second.stop().await;

    // And only the second that it has gone: the third goes on from there.
    let before = line.kept().await.unwrap().window.newest().unwrap().at;
    let third = line.alerter(patient(&line)).await;
    eventually("the third has looked", async || line.kept().await.unwrap().window.newest().unwrap().at > before).await;
    third
        .shows(r#"latchkey_alerter_alerts_raised{kind="unread_evicted",source="",feed="",object="normalizer"} 1"#)
        .await;
    third.stop().await;
    assert_eq!(line.transitions().await, 1);
}

#[tokio::test]
async fn a_reader_falls_behind_by_the_looks_of_all() {
    let line = Line::start().await;
    line.keep("PAGES", "normalizer", &falling_behind()).await;
    for source in 0..30 {
        let chain = Chain { source: format!("s{source}").parse().unwrap(), feed: Feed::ItemUsages };
        let page = RawPage { page_id: format!("{source:032}"), ..RawPage::default() };
        line.bus.publish_page(&chain, &page, 0).await.unwrap();
    }
    // One that began without the window could say so in eight minutes.
    let alerter = line.alerter(patient(&line)).await;
    let raised = line.becomes("reader_behind", &object("normalizer"), State::Raised).await;
    assert_eq!(raised.code, "LK302");
    alerter.stop().await;
}

#[tokio::test]
async fn alerters_look_in_turn() {
    let line = Line::start().await;
    let every = SignedDuration::from_millis(400);
    let config = || Config { look_every: every, ..patient(&line) };
    let (one, other) = (line.alerter(config()).await, line.alerter(config()).await);
    let looks = async || line.kept().await.map_or(0, |watched| watched.window.looks().len());
    eventually("ten looks", async || looks().await >= 10).await;
    one.stop().await;
    other.stop().await;
    let watched = line.kept().await.unwrap();
    for (before, after) in watched.window.looks().pairs() {
        assert!(after.at.duration_since(before.at) >= every / 2, "{before:?} {after:?}");
    }
}

#[tokio::test]
async fn what_one_has_heard_is_told_by_another() {
    let line = Line::start().await;
    let mut watched = Watched::default();
    watched.give_up([7].into_iter(), SignedDuration::from_hours(1), clock::now());
    line.keep("PAGES", "somebodys", &watched).await;
    let alerter = line.alerter(patient(&line)).await;
    let raised = line.becomes("deliveries_exhausted", &object("somebodys"), State::Raised).await;
    assert_eq!((raised.reason.as_str(), raised.severity()), ("given_up", Severity::Critical));
    alerter.stop().await;
}

#[tokio::test]
async fn a_consumer_that_somebody_has_removed_is_told_of() {
    let line = Line::start().await;
    let alerter = line.alerter(quick(&line)).await;
    operator::remove(&line.bus, &NORMALIZER).await.unwrap();
    let raised = line.becomes("reader_stopped", &object("normalizer"), State::Raised).await;
    assert_eq!((raised.code.as_str(), raised.reason.as_str()), ("LK301", "missing"));
    line.bus.provision(Limits::default()).await.unwrap();
    line.becomes("reader_stopped", &object("normalizer"), State::Resolved).await;
    alerter.stop().await;
}

#[tokio::test]
async fn a_destinations_consumer_that_somebody_has_removed_is_told_of_and_made_anew() {
    let line = Line::start().await;
    let alerter = line.alerter(quick(&line)).await;
    let consumer = Consumer { name: "notifier-webhook", ..DESTINATION };
    eventually("it is looked at", async || line.kept_of(consumer.stream, consumer.name).await.is_some()).await;
    operator::remove(&line.bus, &consumer).await.unwrap();
    let raised = line.becomes("reader_stopped", &object(consumer.name), State::Raised).await;
    assert_eq!((raised.code.as_str(), raised.reason.as_str()), ("LK301", "missing"));
    line.becomes("reader_stopped", &object(consumer.name), State::Resolved).await;
    // The same alerter tells on.
    line.report(refused()).await;
    line.becomes("poll_refused", &About::Chain(chain()), State::Raised).await;
    line.drained().await;
    let told: Vec<_> = line.calls().await.iter().map(|call| body(call)["kind"].clone()).collect();
    assert!(told.contains(&Value::from("poll_refused")), "{told:?}");
    alerter.stop().await;
}

#[tokio::test]
async fn what_ends_while_a_destination_has_no_consumer_is_told_and_what_had_ended_is_not_again() {
    let line = Line::start().await;
    // Time enough for an alert to end before the consumer is made anew.
    let alerter = line.alerter(Config { look_every: SignedDuration::from_millis(500), ..quick(&line) }).await;
    let about = About::Chain(chain());
    let refused_until = async |outcome, state| {
        line.report(outcome).await;
        line.becomes("poll_refused", &about, state).await;
    };
    refused_until(refused(), State::Raised).await;
    refused_until(quiet(), State::Resolved).await;
    line.drained().await;
    let told = async |states: &[&str]| {
        let calls = line.calls().await;
        let of_it: Vec<_> = calls.iter().map(body).filter(|told| told["kind"] == "poll_refused").collect();
        of_it.iter().map(|told| told["state"].as_str().unwrap().to_owned()).eq(states.iter().copied())
    };
    assert!(told(&["raised", "resolved"]).await);

    let consumer = Consumer { name: "notifier-webhook", ..DESTINATION };
    operator::remove(&line.bus, &consumer).await.unwrap();
    line.becomes("reader_stopped", &object(consumer.name), State::Raised).await;
    line.becomes("reader_stopped", &object(consumer.name), State::Resolved).await;
    line.drained().await;
    assert!(told(&["raised", "resolved"]).await);

    refused_until(refused(), State::Raised).await;
    line.drained().await;
    operator::remove(&line.bus, &consumer).await.unwrap();
    refused_until(quiet(), State::Resolved).await;
    line.becomes("reader_stopped", &object(consumer.name), State::Raised).await;
    line.becomes("reader_stopped", &object(consumer.name), State::Resolved).await;
    line.drained().await;
    assert!(told(&["raised", "resolved", "raised", "resolved"]).await);
    alerter.stop().await;
}

#[tokio::test]
async fn a_sink_that_is_taken_out_of_use_is_forgotten() {
    let line = Line::start().await;
    let config = || Config { settles_after: SignedDuration::from_secs(1), ..quick(&line) };
    let epoch = delivery::epoch(line.bus.stream_state(&EVENTS).await.unwrap().created);
    let progress = Delivery { sink: "files".into(), epoch, ..Delivery::default() };
    line.bus.publish_delivery(&"files".parse().unwrap(), &progress, 0).await.unwrap();
    let batch = EventBatch { page_id: "0".repeat(32), ..EventBatch::default() };
    let stored = line.bus.publish_events(&chain().source, chain().feed.log_type(), &batch.into()).await.unwrap();
    assert!(matches!(stored, latchkey_bus::Publication::Stored { .. }), "{stored:?}");

    let first = line.alerter(config()).await;
    let raised = line.becomes("reader_stopped", &object("files"), State::Raised).await;
    assert_eq!(raised.reason, "no_commit");
    first.stop().await;
    // The next one has never heard of it, beside what was seen of it.
    operator::purge(&line.bus, &DELIVERIES).await.unwrap();
    let second = line.alerter(config()).await;
    line.becomes("reader_stopped", &object("files"), State::Resolved).await;

    // And one that has goes on without it.
    line.bus.publish_delivery(&"files".parse().unwrap(), &progress, 0).await.unwrap();
    line.becomes("reader_stopped", &object("files"), State::Raised).await;
    operator::purge(&line.bus, &DELIVERIES).await.unwrap();
    line.becomes("reader_stopped", &object("files"), State::Resolved).await;
    second.stop().await;
}

#[tokio::test]
async fn a_limit_on_deliveries_is_told_of_before_it_is_reached() {
    let line = Line::start().await;
    let alerter = line.alerter(patient(&line)).await;
    operator::limit_deliveries(&line.bus, &NORMALIZER, 3).await.unwrap();
    let raised = line.becomes("deliveries_exhausted", &object("normalizer"), State::Raised).await;
    assert_eq!((raised.reason.as_str(), raised.severity()), ("limited", Severity::Warning));
    operator::limit_deliveries(&line.bus, &NORMALIZER, -1).await.unwrap();
    line.becomes("deliveries_exhausted", &object("normalizer"), State::Resolved).await;
    alerter.stop().await;
}

#[tokio::test]
async fn messages_that_come_again_and_again_are_told_of() {
    let line = Line::start().await;
    let alerter = line.alerter(patient(&line)).await;
    line.store_page(10).await;
    alerter.shows(r#"latchkey_alerter_reader_lag_messages{reader="normalizer",stream="PAGES"} 1"#).await;
    let mut pages = line.bus.pages();
    for _ in 0..60 {
        pages.next().await.unwrap().nak(Duration::ZERO).await.unwrap();
    }
    let raised = line.becomes("reader_stuck", &object("normalizer"), State::Raised).await;
    assert_eq!((raised.code.as_str(), raised.reason.as_str()), ("LK303", "redelivery"));
    pages.next().await.unwrap().ack().await.unwrap();
    line.becomes("reader_stuck", &object("normalizer"), State::Resolved).await;
    alerter.stop().await;
}

#[tokio::test]
async fn duties_that_no_fetcher_asks_for_are_told_of() {
    let line = Line::start().await;
    let alerter = line.alerter(quick(&line)).await;
    line.bus.ensure_poll_task(&chain()).await.unwrap();
    let raised = line.becomes("reader_stopped", &object("fetcher"), State::Raised).await;
    assert_eq!(raised.reason, "nobody_pulls");
    alerter.shows(r#"latchkey_alerter_reader_lag_messages{reader="fetcher",stream="TASKS"} 1"#).await;

    let mut tasks = line.bus.tasks();
    let task = tasks.next().await.unwrap();
    task.nak(Duration::from_hours(1)).await.unwrap();
    line.becomes("reader_stopped", &object("fetcher"), State::Resolved).await;
    // It sleeps, which is no lag.
    alerter.shows(r#"latchkey_alerter_reader_lag_messages{reader="fetcher",stream="TASKS"} 0"#).await;
    alerter.stop().await;
}

#[tokio::test]
async fn a_destination_has_a_lag_and_one_alert() {
    let line = Line::start().await;
    line.answer(503);
    let alerter = line.alerter(quick(&line)).await;
    line.report(refused()).await;
    line.becomes("destination_failing", &object("webhook"), State::Raised).await;
    let labels = r#"reader="notifier-webhook",stream="ALERTS""#;
    eventually("its lag shows", async || {
        let metrics = alerter.metrics.encode();
        let lag = metrics.lines().find_map(|line| {
            line.strip_prefix(&format!("latchkey_alerter_reader_lag_messages{{{labels}}} "))?.parse().ok()
        });
        lag.is_some_and(|lag: u64| lag > 0)
    })
    .await;
    for kind in ["reader_stopped", "reader_behind", "reader_stuck"] {
        let about = About::Object(latchkey_contracts::Object::named("notifier-webhook"));
        assert!(line.bus.last_alert_about(kind, &about).await.unwrap().is_none(), "{kind}");
    }
    line.answer(200);
    alerter.shows(&format!("latchkey_alerter_reader_lag_messages{{{labels}}} 0")).await;
    alerter.stop().await;
}

#[tokio::test]
async fn windows_that_somebody_has_deleted_begin_anew() {
    let line = Line::start().await;
    let alerter = line.alerter(patient(&line)).await;
    let is_kept = async || line.kept().await.is_some();
    eventually("it is looked at", is_kept).await;
    operator::purge(&line.bus, &WINDOWS.stream).await.unwrap();
    eventually("it is looked at again", is_kept).await;
    alerter.stop().await;
}

#[tokio::test]
async fn a_window_that_somebody_has_deleted_begins_anew_after_the_mark() {
    let line = Line::start().await;
    let alerter = line.alerter(patient(&line)).await;
    let is_kept = async || line.kept().await.is_some();
    eventually("it is looked at", is_kept).await;
    operator::delete_value(&line.bus, subject::window_of_reader(NORMALIZER.stream, NORMALIZER.name)).await.unwrap();
    eventually("it is looked at again", is_kept).await;
    alerter.stop().await;
}
