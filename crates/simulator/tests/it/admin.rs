//! Asking and steering the simulator over HTTP, as users of other languages do.

use jiff::ToSpan as _;
use latchkey_simulator::{AccountConfig, Comparison, Feed, RateLimits};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{ACCOUNT, Client, Hands, LONG_AGO, builder, empty, quiet_week, start, uuids};

const FEED: Feed = Feed::ItemUsages;

async fn lines(client: &Client, path: &str) -> Vec<Value> {
    let text = client.get(path).await.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn the_index_names_every_path() {
    let simulator = start(empty()).await;
    let text = Client::of(&simulator).get("/_simulator/").await.text().await.unwrap();
    let paths = [
        "ledger", "dataset", "requests", "compare", "events", "faults", "accounts", "tokens", "revoke", "features",
        "ca.pem",
    ];
    assert!(paths.iter().all(|path| text.contains(&format!("/_simulator/{path} "))), "{text}");
}

#[tokio::test]
async fn the_ledger_of_everything_and_of_one_feed() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    let (one, other) = (client.first(FEED, 5).await, client.first(Feed::AuditEvents, 7).await);
    assert_eq!(lines(&client, "/_simulator/ledger").await.len(), 12);
    assert_eq!(lines(&client, "/_simulator/ledger?account=acme").await.len(), 12);
    let listed = lines(&client, "/_simulator/ledger?feed=audit_events").await;
    assert_eq!(listed.iter().map(|entry| entry["uuid"].as_str().unwrap()).collect::<Vec<_>>(), other.uuids);
    let dataset = lines(&client, "/_simulator/dataset?feed=item_usages").await;
    let served = dataset.iter().filter(|entry| entry["served"] == 1).map(|entry| entry["uuid"].as_str().unwrap());
    assert_eq!(served.collect::<Vec<_>>(), one.uuids);
}

#[tokio::test]
async fn the_ledger_knows_the_first_and_the_last_time() {
    let hands = Hands::at("2026-10-01T00:00:00Z");
    let simulator = builder().account(quiet_week()).clock(hands.clock()).start().await.unwrap();
    let client = Client::of(&simulator);
    client.first(FEED, 1).await;
    hands.advance(3600);
    client.first(FEED, 1).await;
    let entry = simulator.ledger(ACCOUNT, FEED).unwrap().remove(0);
    assert_eq!(entry.served, 2);
    assert_eq!((entry.first_served, entry.last_served), (hands.now() - 1.hour(), hands.now()));
}

#[tokio::test]
async fn the_request_log_says_what_was_asked_and_spent() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    let page = client.first(FEED, 5).await;
    client.put("/_simulator/faults", "rules: [{on: cursor, fault: {status: {code: 503}}}]").await;
    client.status(FEED, &json!({"cursor": page.cursor})).await;
    client.get("/api/v2/auth/introspect").await;
    client.status(Feed::AuditEvents, &json!({"colour": "red"})).await;
    client.get("/api/v9").await;

    let all = lines(&client, "/_simulator/requests").await;
    let seen: Vec<_> = all
        .iter()
        .map(|record| {
            let field = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
            (field("feed"), field("kind"), record["status"].as_u64().unwrap(), record["spent"]["hour"].as_u64())
        })
        .collect();
    let expect = |feed: &str, kind: &str, status, spent| (feed.to_owned(), kind.to_owned(), status, spent);
    assert_eq!(
        seen,
        [
            expect("item_usages", "reset", 200, Some(1)),
            expect("item_usages", "cursor", 503, Some(2)),
            expect("-", "introspection", 200, Some(3)),
            expect("audit_events", "unknown", 400, Some(4)),
            expect("-", "unknown", 404, None),
        ]
    );
    assert_eq!((&all[0]["events"], &all[1]["faults"]), (&json!(5), &json!(["status"])));
    let numbers = async |query: &str| -> Vec<u64> {
        let records = lines(&client, &format!("/_simulator/requests?{query}")).await;
        records.iter().map(|record| record["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers("after=3").await, [4, 5]);
    assert_eq!(numbers("feed=item_usages&kind=cursor").await, [2]);
    assert_eq!(numbers("account=acme").await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn faults_are_set_shown_and_ended_over_http() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    let yaml = "rules:\n  - feed: item_usages\n    when: {times: 1}\n    fault: html\n";
    assert_eq!(client.put("/_simulator/faults", yaml).await.status(), 200);
    let plan: Value = client.get("/_simulator/faults").await.json().await.unwrap();
    assert_eq!((&plan["rules"][0]["fault"], &plan["rules"][0]["when"]["times"]), (&json!("html"), &json!(1)));
    assert!(client.post(FEED, &json!({})).await.text().await.unwrap().starts_with("<!doctype"));
    assert_eq!(client.put("/_simulator/faults", &plan.to_string()).await.status(), 200, "what is shown can be set");
    assert!(client.post(FEED, &json!({})).await.text().await.unwrap().starts_with("<!doctype"), "and counts anew");

    let refused = client.put("/_simulator/faults", "rules: [{fault: {status: {code: 7}}}]").await;
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.text().await.unwrap(), "rule 1: a status must be 400 to 599\n");

    client.put("/_simulator/faults", "rules: [{fault: html}]").await;
    assert_eq!(client.delete("/_simulator/faults").await.status(), 204);
    assert_eq!(client.page(FEED, &json!({})).await.uuids.len(), 0);
}

#[tokio::test]
async fn tokens_are_issued_restricted_and_revoked_over_http() {
    let hands = Hands::at("2026-10-01T00:00:00Z");
    let simulator = builder().account(empty()).clock(hands.clock()).start().await.unwrap();
    let client = Client::of(&simulator);
    let body = json!({"account": ACCOUNT, "features": ["item_usages"], "expires_at": "2026-10-01T00:01:00Z"});
    let issued: Value = client.send_json("/_simulator/tokens", &body).await.json().await.unwrap();
    let other = Client::of(&simulator).with_token(issued["token"].as_str().unwrap());
    assert_eq!(other.status(FEED, &json!({})).await, 200);
    assert_eq!(other.status(Feed::AuditEvents, &json!({})).await, 401);

    let features = json!({"account": ACCOUNT, "features": ["audit_events"]});
    assert_eq!(client.put("/_simulator/features", &features.to_string()).await.status(), 204);
    assert_eq!(other.status(Feed::AuditEvents, &json!({})).await, 200);
    let introspection: Value = other.get("/api/v2/auth/introspect").await.json().await.unwrap();
    assert_eq!(introspection["features"], json!(["auditevents"]));

    hands.advance(60);
    assert_eq!(other.status(Feed::AuditEvents, &json!({})).await, 401, "expired");
    assert_eq!(client.status(Feed::AuditEvents, &json!({})).await, 200);
    let revoked = client.send_json("/_simulator/revoke", &json!({"account": ACCOUNT})).await;
    assert_eq!(revoked.status(), 204);
    assert_eq!(client.status(Feed::AuditEvents, &json!({})).await, 401);
    let nobody = client.send_json("/_simulator/revoke", &json!({"account": "nobody"})).await;
    assert_eq!(nobody.status(), 404);
}

#[tokio::test]
async fn tokens_have_a_bound() {
    let simulator = start(empty()).await;
    let issue = || simulator.issue_token(ACCOUNT, &[FEED]);
    assert!((1..latchkey_simulator::MAX_TOKENS).all(|_| issue().is_ok()));
    assert!(issue().is_err());
}

#[tokio::test]
async fn events_are_added_over_http_all_or_none() {
    let simulator = start(empty()).await;
    let client = Client::of(&simulator);
    let event = |uuid: &str| json!({"uuid": uuid, "timestamp": LONG_AGO}).to_string();
    let path = "/_simulator/events?account=acme&feed=item_usages";
    let two = format!("{}\n{}\n", event("A"), event("B"));
    assert_eq!(client.post_text(path, &two).await.json::<Value>().await.unwrap(), json!({"appended": 2}));
    assert_eq!(client.post_text(path, &format!("{}\n{{}}\n", event("C"))).await.status(), 400);
    assert_eq!(client.first(FEED, 10).await.uuids, ["A", "B"]);
}

#[tokio::test]
async fn a_comparison_tells_lost_from_missed_from_doubled() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    let compare = async |query: &str, given: &[String]| -> Comparison {
        let response = client.post_text(&format!("/_simulator/compare{query}"), &given.join("\n")).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    };
    let mut given = uuids(&client.drain(FEED, &json!({"limit": 100, "start_time": LONG_AGO})).await);
    let all = given.len();
    let outcome = compare("?account=acme&feed=item_usages", &given).await;
    assert!(outcome.agrees(), "{outcome:?}");
    assert_eq!((outcome.served, outcome.given), (all, all));

    let lost = given.remove(3);
    given.push(given[0].clone());
    given.push("NOBODYS".into());
    simulator.append_sample(ACCOUNT, FEED, 2).unwrap();
    let outcome = compare("?feed=item_usages", &given).await;
    assert_eq!((outcome.lost.first, outcome.missed.count), (vec![lost], 2));
    assert_eq!((outcome.doubled.first, outcome.unknown.first), (vec![given[0].clone()], vec!["NOBODYS".to_owned()]));
    assert!(compare("", &given).await.missed.count > 100, "the other feeds were never asked");
}

#[tokio::test]
async fn each_token_may_have_a_budget_of_its_own() {
    for per_token in [false, true] {
        let limits = RateLimits { per_minute: 2, retry_after: false, per_token, ..RateLimits::default() };
        let simulator = start(AccountConfig { rate_limits: Some(limits), ..empty() }).await;
        let client = Client::of(&simulator);
        let other = Client::of(&simulator).with_token(simulator.issue_token(ACCOUNT, &Feed::ALL).unwrap());
        for _ in 0..2 {
            assert_eq!(client.status(FEED, &json!({})).await, 200);
        }
        let refused = client.post(FEED, &json!({})).await;
        assert_eq!((refused.status().as_u16(), refused.headers().get("retry-after")), (429, None));
        assert_eq!(other.status(FEED, &json!({})).await, if per_token { 200 } else { 429 });
    }
}
