//! Growing feeds at run time, late arrivals included, and asking over HTTP what was served.

use jiff::ToSpan as _;
use latchkey_simulator::{AccountConfig, Error, Feed, NewEvent, Profile};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, Client, Hands, LONG_AGO, builder, empty, exist, quiet_week, start, uuids};

const FEED: Feed = Feed::ItemUsages;

#[tokio::test]
async fn appended_events_come_behind_the_cursor() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    let pages = client.drain(FEED, &json!({"limit": 1000, "start_time": LONG_AGO})).await;
    let cursor = &pages.last().unwrap().cursor;

    let old = r#"{"uuid":"OLD","timestamp":"2026-09-01T00:00:00.12Z","surprise":[1,2]}"#;
    simulator.append(ACCOUNT, FEED, [NewEvent::from_json(old).unwrap()]).unwrap();
    let page = client.after(FEED, cursor).await;
    assert_eq!(page.uuids, ["OLD"]);
    assert!(String::from_utf8(page.bytes).unwrap().contains(old), "served byte for byte");

    let appended = simulator.append_sample(ACCOUNT, FEED, 3).unwrap();
    let more = simulator.append_sample(ACCOUNT, FEED, 2).unwrap();
    assert_eq!(client.after(FEED, &page.cursor).await.uuids, [appended, more].concat());
}

#[tokio::test]
async fn an_event_is_visible_once_it_has_arrived() {
    let hands = Hands::at("2026-10-01T00:00:00Z");
    let simulator = builder().account(empty()).clock(hands.clock()).start().await.unwrap();
    let client = Client::of(&simulator);
    let event = |uuid: &str| NewEvent::from_json(json!({"uuid": uuid, "timestamp": LONG_AGO}).to_string()).unwrap();
    let late = event("LATE").arriving(hands.now() + 60.seconds());
    simulator.append(ACCOUNT, FEED, [late, event("NOW")]).unwrap();

    let page = client.first(FEED, 10).await;
    assert_eq!(page.uuids, ["NOW"]);
    let visible = simulator.dataset(ACCOUNT, FEED).unwrap().into_iter().map(|entry| entry.visible);
    assert_eq!(visible.collect::<Vec<_>>(), [true, false]);
    hands.advance(60);
    assert_eq!(client.after(FEED, &page.cursor).await.uuids, ["LATE"]);
}

#[tokio::test]
async fn a_history_that_ends_in_the_future_grows_with_the_clock() {
    let hands = Hands::at("2026-09-30T10:00:00Z");
    let simulator = builder().account(quiet_week()).clock(hands.clock()).start().await.unwrap();
    let client = Client::of(&simulator);
    let mut pages = client.drain(FEED, &json!({"limit": 100, "start_time": LONG_AGO})).await;
    let all = exist(&simulator, FEED);
    let before = uuids(&pages).len();
    assert!(before < all.len());
    hands.advance(24 * 3600);
    loop {
        let page = client.after(FEED, &pages.last().unwrap().cursor).await;
        let more = page.has_more;
        pages.push(page);
        if !more {
            break;
        }
    }
    assert_eq!(uuids(&pages), all);
}

#[tokio::test]
async fn what_was_served_can_be_asked_over_http() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    let page = client.first(FEED, 10).await;
    let lines = async |path: &str| -> Vec<Value> {
        let text = client.get(path).await.text().await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };

    let ledger = lines("/_simulator/ledger?account=acme&feed=item_usages").await;
    assert_eq!(ledger.iter().map(|entry| entry["uuid"].as_str().unwrap()).collect::<Vec<_>>(), page.uuids);
    assert!(ledger.iter().all(|entry| entry["served"] == 1
        && entry["first_served"] == entry["last_served"]
        && entry["last_served"].is_string()));

    let dataset = lines("/_simulator/dataset?account=acme&feed=item_usages").await;
    let stated: Vec<&str> = dataset.iter().filter_map(|entry| entry["uuid"].as_str()).collect();
    assert_eq!(stated, exist(&simulator, FEED));
    assert!(dataset.iter().all(|entry| entry["visible"] == true));

    let requests = lines("/_simulator/requests").await;
    assert_eq!(requests.len(), 1, "asking the simulator about itself is no request to the API");
    assert_eq!(requests[0]["endpoint"], "POST /api/v2/itemusages");
    assert_eq!(
        (&requests[0]["account"], &requests[0]["status"], &requests[0]["events"]),
        (&json!("acme"), &json!(200), &json!(10))
    );

    let accounts = lines("/_simulator/accounts").await;
    assert_eq!(accounts[0]["token"], simulator.token(ACCOUNT).unwrap());
    assert_eq!(accounts[0]["features"], json!(["sign_in_attempts", "item_usages", "audit_events"]));
    assert_eq!(client.get("/_simulator/ca.pem").await.text().await.unwrap(), simulator.ca_pem());
    assert_eq!(client.get("/_simulator/ledger?account=nobody&feed=item_usages").await.status(), 404);
    assert_eq!(client.get("/_simulator/ledger?account=acme&feed=items").await.status(), 400);
}

#[tokio::test]
async fn most_events_name_items_that_the_lookup_tables_know() {
    let simulator = start(quiet_week()).await;
    let tables = simulator.lookups(ACCOUNT).unwrap();
    let page = Client::of(&simulator).first(FEED, 1000).await;
    let page: Value = serde_json::from_slice(&page.bytes).unwrap();
    let items = page["items"].as_array().unwrap();
    let known =
        |table: &str, key: &str| items.iter().filter(|item| table.contains(item[key].as_str().unwrap())).count();
    assert_eq!(known(&tables.vaults, "vault_uuid"), items.len());
    let found = known(&tables.items, "item_uuid");
    assert!(found < items.len() && found > items.len() * 9 / 10, "{found} of {}", items.len());
}

#[tokio::test]
async fn impossible_configurations_do_not_start() {
    let twice = builder().account(empty()).account(empty()).start().await;
    assert!(matches!(twice, Err(Error::DuplicateAccount(_))));
    let unnamed = builder().account(AccountConfig::new("", Profile::Empty)).start().await;
    assert!(matches!(unnamed, Err(Error::Account { .. })));
    let simulator = start(empty()).await;
    assert!(matches!(simulator.token("nobody"), Err(Error::UnknownAccount(_))));
    assert!(matches!(NewEvent::from_json("{}"), Err(Error::NotAnEvent)));
}
