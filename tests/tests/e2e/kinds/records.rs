//! Events that are refused, that differ from their schema, or that polling does not bring.

use latchkey_bus::operator;
use latchkey_contracts::{alert::alert::Severity, page::RawPage};
use latchkey_simulator::{BadItem, Fault, NewEvent, Plan, RequestKind, Rule, clock};

use super::*;

const NORMALIZED: [Service; 3] = [Service::Fetcher, Service::Normalizer, Service::Alerter];

#[tokio::test]
async fn lk107_a_page_with_items_that_are_no_events() {
    // An item that is none on each page.
    let settings = Settings { page_limit: 1, ..settings(&NORMALIZED, alerter(&json!({}))) };
    let watched = Watched::start(simulator(account()).await, &settings).await;
    watched.caught_up().await;
    watched.simulator.set_fault(ACCOUNT, Some(USAGES), Fault::BadItem(BadItem::WrongTypes)).unwrap();
    watched.simulator.append_sample(ACCOUNT, USAGES, 20).unwrap();
    let raised = watched.raised(Kind::Rejections, &usages()).await;
    assert_eq!(raised.reason, "items");
    watched.resolved(Kind::Rejections, &usages()).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk107_a_page_that_is_none() {
    let mut watched = Watched::start(simulator(account()).await, &settings(&NORMALIZED, alerter(&json!({})))).await;
    watched.caught_up().await;
    watched.line.kill(Service::Fetcher);
    let chain = chain(Feed::ItemUsages);
    let before = watched.line.bus().last_page(&chain).await.unwrap().unwrap();
    let page = RawPage { page_id: "0".repeat(32), body: b"no page".as_slice().into(), ..before.message };
    watched.line.bus().publish_page(&chain, &page, before.sequence).await.unwrap();
    let raised = watched.raised(Kind::Rejections, &usages()).await;
    assert_eq!((raised.reason.as_str(), raised.severity()), ("page", Severity::Critical));
    watched.begin(Service::Fetcher).await;
    watched.resolved(Kind::Rejections, &usages()).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk108_events_with_a_field_that_nobody_has_declared() {
    // It is told of in the second half of this time: long enough for a busy machine.
    let settings = settings(&NORMALIZED, alerter(&json!({ "settles_after": "10s" })));
    let watched = Watched::start(simulator(account()).await, &settings).await;
    watched.caught_up().await;
    let event = json!({
        "uuid": "56YE2TYN2VFYRLNSHKPW5NVT5E",
        "timestamp": clock::now(),
        "action": "fill",
        "mood": "s3cret",
    });
    let event = NewEvent::from_json(event.to_string()).unwrap();
    watched.simulator.append(ACCOUNT, USAGES, [event]).unwrap();
    let raised = watched.raised(Kind::SchemaDrift, &usages()).await;
    assert_eq!(raised.reason, "field");
    let told = "Events of item_usages of acme differ from their schema: the new field $.mood.";
    assert_eq!(raised.summary, told);
    watched.simulator.append_sample(ACCOUNT, USAGES, 1).unwrap();
    watched.resolved(Kind::SchemaDrift, &usages()).await;
    watched.stop().await;
}

/// A fetcher that audits all the time, and who watches it.
fn audited() -> Settings {
    let mut more = alerter(&json!({}));
    more["fetcher"]["audit"] =
        json!({ "lag": "0s", "recent_every": "1s", "wide_every": "1h", "older_every": "1h", "enabled": true });
    settings(&[Service::Fetcher, Service::Alerter], more)
}

/// The cursor leaves out such a share of the events.
fn skipped(share: f64) -> Plan {
    Plan::new([Rule { feed: Some(USAGES), on: Some(RequestKind::Cursor), ..Rule::new(Fault::Skipped { share }) }])
}

#[tokio::test]
async fn lk109_events_that_only_an_audit_finds() {
    let watched = Watched::start(simulator(account()).await, &audited()).await;
    watched.caught_up().await;
    watched.simulator.set_plan(skipped(0.5)).unwrap();
    watched.simulator.append_sample(ACCOUNT, USAGES, 40).unwrap();
    let raised = watched.raised(Kind::EventsMissed, &usages()).await;
    assert_eq!((raised.severity(), raised.reason.as_str()), (Severity::Warning, ""));
    watched.simulator.set_plan(Plan::default()).unwrap();
    watched.resolved(Kind::EventsMissed, &usages()).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk109_events_that_an_audit_finds_and_cannot_store() {
    // PAGES has 27 MB of it.
    let watched = Watched::with_room(simulator(account()).await, &audited(), Some(64 << 20)).await;
    watched.caught_up().await;
    let others = Chain { source: "others".parse().unwrap(), feed: Feed::ItemUsages };
    operator::fill_pages(watched.line.bus(), &others).await.unwrap();
    watched.simulator.set_plan(skipped(1.0)).unwrap();
    watched.simulator.append_sample(ACCOUNT, USAGES, 40).unwrap();
    let raised = watched.raised(Kind::EventsMissed, &usages()).await;
    assert_eq!((raised.severity(), raised.reason.as_str()), (Severity::Warning, "stream_full"));

    operator::purge_pages(watched.line.bus(), &others).await.unwrap();
    watched.resolved(Kind::EventsMissed, &usages()).await;
    let audited = watched.line.bus().last_reread("audit", &chain(Feed::ItemUsages)).await.unwrap().unwrap();
    assert_eq!(audited.message.last_missing.unwrap().repaired, 40);
    watched.stop().await;
}
