//! Faults: each replaces or delays the answer, serves nothing it should not, and ends when told.

use std::time::{Duration, Instant};

use latchkey_simulator::{Fault, Feed};
use serde_json::json;

use crate::client::{ACCOUNT, Client, LONG_AGO, quiet_week, start};

const FEED: Feed = Feed::SignInAttempts;

#[tokio::test]
async fn a_status_comes_with_its_retry_after_and_spares_other_feeds() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    simulator.set_fault(ACCOUNT, Some(FEED), Fault::Status { code: 503, retry_after: Some(7) }).unwrap();
    let response = client.post(FEED, &json!({})).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(client.status(Feed::ItemUsages, &json!({})).await, 200);
    simulator.set_fault(ACCOUNT, None, Fault::None).unwrap();
    assert_eq!(client.status(FEED, &json!({})).await, 200);
}

#[tokio::test]
async fn a_web_page_and_a_broken_body_serve_nothing() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    let everything = json!({"limit": 1000, "start_time": LONG_AGO});

    simulator.set_fault(ACCOUNT, Some(FEED), Fault::Html).unwrap();
    let response = client.post(FEED, &everything).await;
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap().starts_with("<!doctype html>"));

    simulator.set_fault(ACCOUNT, Some(FEED), Fault::Truncated).unwrap();
    for client in [Client::of(&simulator), Client::secure(&simulator)] {
        // The connection may break before or after the client has seen the header.
        if let Ok(response) = client.try_post(FEED, &everything).await {
            assert_eq!(response.status(), 200);
            assert!(response.bytes().await.is_err());
        }
    }
    assert!(simulator.ledger(ACCOUNT, FEED).unwrap().is_empty());
    assert!(simulator.requests().iter().all(|request| request.events == 0));
}

#[tokio::test]
async fn a_delay_postpones_the_ordinary_answer() {
    let simulator = start(quiet_week()).await;
    let delay = Duration::from_millis(150);
    simulator.set_fault(ACCOUNT, None, Fault::Delay(delay)).unwrap();
    let before = Instant::now();
    assert!(!Client::of(&simulator).first(FEED, 10).await.uuids.is_empty());
    assert!(before.elapsed() >= delay);
}
