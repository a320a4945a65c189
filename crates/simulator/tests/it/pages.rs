//! Pages and cursors: everything once, in windows, within limits, repeatably.

use std::collections::{BTreeMap, BTreeSet};

use latchkey_simulator::{AccountConfig, Feed, Profile};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, Client, LONG_AGO, Page, empty, exist, quiet_week, start, uuids};

fn from_the_start(limit: usize) -> Value {
    json!({"limit": limit, "start_time": LONG_AGO})
}

#[tokio::test]
async fn draining_gives_every_event_once_in_order_of_arrival() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    for feed in Feed::ALL {
        let pages = client.drain(feed, &from_the_start(37)).await;
        let expected = exist(&simulator, feed);
        assert!(expected.len() > 37, "{feed} holds {}", expected.len());
        assert_eq!(uuids(&pages), expected);
        let ledger = simulator.ledger(ACCOUNT, feed).unwrap();
        assert_eq!(ledger.len(), expected.len());
        assert!(ledger.iter().all(|entry| entry.served == 1));
    }
}

#[tokio::test]
async fn bulk_feeds_drain_like_any_other() {
    let until = "2026-10-01T00:00:00Z".parse().unwrap();
    let simulator = start(AccountConfig::new(ACCOUNT, Profile::Bulk { events_per_feed: 4500, until })).await;
    let pages = Client::of(&simulator).drain(Feed::ItemUsages, &from_the_start(1000)).await;
    assert_eq!(pages.iter().map(|page| page.uuids.len()).collect::<Vec<_>>(), [1000, 1000, 1000, 1000, 500]);
    let distinct: BTreeSet<String> = uuids(&pages).into_iter().collect();
    assert_eq!(distinct, exist(&simulator, Feed::ItemUsages).into_iter().collect());
}

#[tokio::test]
async fn a_full_last_page_is_followed_by_an_empty_one_with_the_same_cursor() {
    let simulator = start(empty()).await;
    simulator.append_sample(ACCOUNT, Feed::AuditEvents, 20).unwrap();
    let client = Client::of(&simulator);
    let pages = client.drain(Feed::AuditEvents, &from_the_start(10)).await;
    assert_eq!(
        pages.iter().map(|page| (page.uuids.len(), page.has_more)).collect::<Vec<_>>(),
        [(10, true), (10, true), (0, false)]
    );
    let cursor = &pages[2].cursor;
    assert_eq!(*cursor, pages[1].cursor);
    assert_eq!(client.after(Feed::AuditEvents, cursor).await.cursor, *cursor);
}

#[tokio::test]
async fn windows_take_their_start_and_leave_their_end() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    let feed = Feed::ItemUsages;
    let entries = simulator.dataset(ACCOUNT, feed).unwrap();
    let mut moments: Vec<_> = entries.iter().map(|entry| entry.timestamp).collect();
    moments.sort_unstable();
    let (start, end) = (moments[moments.len() / 4], moments[moments.len() / 2]);

    let window = json!({"limit": 50, "start_time": start.to_string(), "end_time": end.to_string()});
    let pages = client.drain(feed, &window).await;
    let inside = entries.iter().filter(|entry| entry.timestamp >= start && entry.timestamp < end);
    assert_eq!(uuids(&pages), inside.map(|entry| entry.uuid.clone()).collect::<Vec<_>>());

    // The end travels in the cursor: this chain never sees anything later.
    simulator.append_sample(ACCOUNT, feed, 5).unwrap();
    assert!(client.after(feed, &pages.last().unwrap().cursor).await.uuids.is_empty());
}

#[tokio::test]
async fn without_anything_asked_the_last_hour_comes_in_hundreds() {
    let simulator = start(quiet_week()).await;
    let appended = simulator.append_sample(ACCOUNT, Feed::AuditEvents, 150).unwrap();
    let page = Client::of(&simulator).page(Feed::AuditEvents, &json!({})).await;
    assert_eq!((page.uuids, page.has_more), (appended[..100].to_vec(), true));
}

#[tokio::test]
async fn wrong_bodies_and_foreign_cursors_are_refused() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    let feed = Feed::SignInAttempts;
    let cursor = client.first(feed, 5).await.cursor;
    let tampered = format!("{}{}", &cursor[1..], &cursor[..1]);
    for body in [
        json!({"limit": 1001}),
        json!({"limit": 0}),
        json!({"cursor": cursor, "limit": 5}),
        json!({"cursor": "None"}),
        json!({"cursor": tampered}),
        json!({"colour": "red"}),
    ] {
        assert_eq!(client.status(feed, &body).await, 400, "{body}");
    }
    let body = json!({"cursor": cursor});
    assert_eq!(client.status(Feed::ItemUsages, &body).await, 400, "a cursor belongs to its feed");
    let error: Value = client.post(feed, &json!({"limit": 1001})).await.json().await.unwrap();
    assert!(error["Error"]["Message"].is_string());

    let renamed = AccountConfig { name: "other".into(), ..quiet_week() };
    let others = crate::client::builder().account(quiet_week()).account(renamed).start().await.unwrap();
    let other = Client::of(&others).with_token(others.token("other").unwrap());
    assert_eq!(other.status(feed, &body).await, 400, "a cursor belongs to its account");
    assert_eq!(Client::of(&others).status(feed, &body).await, 200, "and outlives a restart");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let simulator = start(AccountConfig { repeat_rate: 0.05, ..quiet_week() }).await;
        let pages = Client::of(&simulator).drain(Feed::SignInAttempts, &from_the_start(100)).await;
        runs.push(pages.into_iter().map(|page| page.bytes).collect::<Vec<_>>());
    }
    assert!(runs[0].len() > 1);
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn version_1_serves_the_same_events_with_fewer_fields() {
    let simulator = start(quiet_week()).await;
    for feed in Feed::ALL {
        let newer = Client::of(&simulator).first(feed, 50).await;
        let older = Client::of(&simulator).version_1().first(feed, 50).await;
        assert_eq!(older.uuids, newer.uuids);
        let mentions = |page: &Page| String::from_utf8_lossy(&page.bytes).contains("_account_uuid");
        assert!(mentions(&newer) && !mentions(&older));
    }
}

#[tokio::test]
async fn repeats_are_counted_and_lose_nothing() {
    let simulator = start(AccountConfig { repeat_rate: 0.1, ..quiet_week() }).await;
    let feed = Feed::ItemUsages;
    let pages = Client::of(&simulator).drain(feed, &from_the_start(100)).await;
    let mut shown: BTreeMap<String, u32> = BTreeMap::new();
    for uuid in uuids(&pages) {
        *shown.entry(uuid).or_default() += 1;
    }
    assert_eq!(shown.keys().cloned().collect::<BTreeSet<_>>(), exist(&simulator, feed).into_iter().collect());
    assert!(shown.values().filter(|times| **times > 1).count() > 20);
    let ledger = simulator.ledger(ACCOUNT, feed).unwrap();
    assert_eq!(ledger.into_iter().map(|entry| (entry.uuid, entry.served)).collect::<BTreeMap<_, _>>(), shown);
}
