//! Streams that fill, and messages that leave them unread.

use latchkey_bus::operator;
use latchkey_contracts::topology::PAGES;
use latchkey_simulator::Fault;

use super::*;

#[tokio::test]
async fn lk305_pages_that_leave_the_stream_unread() {
    let reader = json!({ "reader": { "loss_is_told_for": "5s" } });
    let services = [Service::Fetcher, Service::Normalizer, Service::Alerter];
    let mut watched = Watched::start(simulator(account()).await, &settings(&services, alerter(&reader))).await;
    watched.caught_up().await;
    watched.line.kill(Service::Normalizer);
    let before = watched.line.bus().stream_state(&PAGES).await.unwrap().last;
    watched.simulator.append_sample(ACCOUNT, USAGES, 3).unwrap();
    let look = async || (watched.line.bus().stream_state(&PAGES).await.unwrap().last > before).then_some(());
    until("a page", LIMIT, look).await;
    watched.looked().await;
    operator::purge(watched.line.bus(), &PAGES).await.unwrap();
    let raised = watched.raised(Kind::UnreadEvicted, &object("normalizer")).await;
    assert_eq!(raised.reason, "evicted");
    watched.begin(Service::Normalizer).await;
    watched.resolved(Kind::UnreadEvicted, &object("normalizer")).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk305_pages_that_leave_the_stream_unread_while_no_alerter_runs() {
    let services = [Service::Fetcher, Service::Normalizer, Service::Alerter];
    let mut watched = Watched::start(simulator(account()).await, &settings(&services, alerter(&json!({})))).await;
    watched.caught_up().await;
    watched.line.kill(Service::Normalizer);
    watched.simulator.append_sample(ACCOUNT, USAGES, 3).unwrap();
    watched.looked().await;
    watched.line.kill(Service::Alerter);
    operator::purge(watched.line.bus(), &PAGES).await.unwrap();
    watched.begin(Service::Alerter).await;
    watched.raised(Kind::UnreadEvicted, &object("normalizer")).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk306_a_stream_that_fills_up() {
    let settings = Settings { page_limit: 1, ..settings(&[Service::Fetcher, Service::Alerter], alerter(&json!({}))) };
    // PAGES has 27 MB of it.
    let watched = Watched::with_room(simulator(account()).await, &settings, Some(64 << 20)).await;
    watched.caught_up().await;
    watched.simulator.set_fault(ACCOUNT, Some(USAGES), Fault::BigItems { bytes: 500_000 }).unwrap();
    watched.simulator.append_sample(ACCOUNT, USAGES, 60).unwrap();
    watched.raised(Kind::StreamFilling, &object("PAGES")).await;
    watched.simulator.set_fault(ACCOUNT, Some(USAGES), Fault::None).unwrap();
    operator::purge(watched.line.bus(), &PAGES).await.unwrap();
    watched.resolved(Kind::StreamFilling, &object("PAGES")).await;
    watched.stop().await;
}
