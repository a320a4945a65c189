//! Live feeds, and version 3, whose windows look at the time of arrival.

use latchkey_simulator::{AccountConfig, Feed, Live};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, Client, Hands, LONG_AGO, builder, empty, exist, quiet_week, start, uuids};

#[tokio::test]
async fn a_live_feed_grows_with_the_clock_and_loses_nothing_behind_a_cursor() {
    let hands = Hands::at("2026-10-01T00:00:00Z");
    let live = Live { late_share: 0.2, ..Live::new(60.0) };
    let config = AccountConfig { live: Some(live), ..quiet_week() };
    let simulator = builder().account(config).clock(hands.clock()).start().await.unwrap();
    let client = Client::of(&simulator);
    for feed in Feed::ALL {
        let mut pages = client.drain(feed, &json!({"limit": 100, "start_time": LONG_AGO})).await;
        for _ in 0..60 {
            hands.advance(10);
            let page = client.after(feed, &pages.last().unwrap().cursor).await;
            assert!((5..20).contains(&page.uuids.len()), "{}", page.uuids.len());
            pages.push(page);
        }
        assert_eq!(uuids(&pages), exist(&simulator, feed));
        let entries = simulator.dataset(ACCOUNT, feed).unwrap();
        let late = entries.iter().filter(|entry| entry.arrival.duration_since(entry.timestamp).as_hours() >= 2);
        assert!(late.count() > 60);
    }
}

#[tokio::test]
async fn a_window_of_event_times_misses_what_comes_late_and_the_ledger_shows_it() {
    let hands = Hands::at("2026-10-01T00:00:00Z");
    let config = AccountConfig { live: Some(Live { late_share: 0.2, ..Live::new(60.0) }), ..empty() };
    let simulator = builder().account(config).clock(hands.clock()).start().await.unwrap();
    let client = Client::of(&simulator);
    let feed = Feed::ItemUsages;
    // As a collector does that keeps a time: each window begins where the last ended.
    let mut given = Vec::new();
    for _ in 0..10 {
        let from = hands.now();
        hands.advance(60);
        let window = json!({"limit": 1000, "start_time": from.to_string(), "end_time": hands.now().to_string()});
        given.extend(uuids(&client.drain(feed, &window).await));
    }
    let missed = exist(&simulator, feed).len() - given.len();
    assert!(missed > 60, "{missed}");
    let outcome: Value =
        client.post_text("/_simulator/compare?feed=item_usages", &given.join("\n")).await.json().await.unwrap();
    assert_eq!((&outcome["lost"]["count"], &outcome["missed"]["count"]), (&json!(0), &json!(missed)));
}

#[tokio::test]
async fn what_has_arrived_is_in_the_data_set_before_anybody_asked() {
    let hands = Hands::at("2026-10-01T00:00:00Z");
    let config = AccountConfig { live: Some(Live::new(60.0)), ..empty() };
    let simulator = builder().account(config).clock(hands.clock()).start().await.unwrap();
    hands.advance(60);
    let listed = Client::of(&simulator).get("/_simulator/dataset").await.text().await.unwrap();
    assert!((150..210).contains(&listed.lines().count()), "{}", listed.lines().count());
}

/// All events of version 3 in a window of arrival, and the number of pages.
async fn drain_v3(client: &Client, query: &str) -> (Vec<String>, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    let mut path = format!("/api/v3/auditevents?{query}");
    loop {
        let response = client.get(&path).await;
        assert_eq!(response.status(), 200, "{path}");
        let page: Value = response.json().await.unwrap();
        found.extend(
            page["audit_events"].as_array().unwrap().iter().map(|event| event["uuid"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        match page.get("next_page_token") {
            Some(token) => path = format!("/api/v3/auditevents?page_token={}", token.as_str().unwrap()),
            None => return (found, pages),
        }
    }
}

#[tokio::test]
async fn version_3_pages_by_token_through_the_time_of_arrival() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    let feed = Feed::AuditEvents;
    let entries = simulator.dataset(ACCOUNT, feed).unwrap();
    let (all, pages) = drain_v3(&client, "max_page_size=10&start_time=2020-01-01T00:00:00Z").await;
    assert_eq!(all, exist(&simulator, feed));
    assert!(pages > 3);

    let (start, end) = (entries[entries.len() / 3].arrival, entries[entries.len() / 2].arrival);
    let inside = entries.iter().filter(|entry| entry.arrival > start && entry.arrival < end);
    let expected: Vec<String> = inside.map(|entry| entry.uuid.clone()).collect();
    assert_eq!(drain_v3(&client, &format!("start_time={start}&end_time={end}")).await.0, expected);

    assert_eq!(client.get("/api/v3/auditevents?max_page_size=1001").await.status(), 400);
    assert_eq!(client.get("/api/v3/auditevents?page_token=None").await.status(), 400);
    assert_eq!(client.get(&format!("/api/v3/auditevents?page_token=abc&start_time={start}")).await.status(), 400);
    let records = simulator.requests();
    assert!(records.iter().all(|record| record.feed == Some(feed)));
    simulator.set_features(ACCOUNT, &[Feed::ItemUsages]).unwrap();
    assert_eq!(client.get("/api/v3/auditevents").await.status(), 401);
}
