//! The listeners themselves: HTTPS, wrong paths, stopping.

use latchkey_simulator::Feed;
use serde_json::json;

use crate::client::{Client, LONG_AGO, exist, quiet_week, start, uuids};

#[tokio::test]
async fn https_serves_the_same_under_its_own_authority() {
    let simulator = start(quiet_week()).await;
    let feed = Feed::AuditEvents;
    let pages = Client::secure(&simulator).drain(feed, &json!({"limit": 50, "start_time": LONG_AGO})).await;
    assert_eq!(uuids(&pages), exist(&simulator, feed));

    let other = start(quiet_week()).await;
    let url = format!("{}/_simulator/ca.pem", simulator.https_url());
    let authority = reqwest::Certificate::from_pem(other.ca_pem().as_bytes()).unwrap();
    let stranger = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().build().unwrap();
    assert!(stranger.get(url).send().await.is_err(), "another authority must not do");
}

#[tokio::test]
async fn wrong_paths_and_methods_are_told_apart() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    for path in ["/", "/api/v2", "/api/v2/itemusage", "/api/v1/auth/introspect", "/api/v3/itemusages"] {
        assert_eq!(client.get(path).await.status(), 404, "{path}");
    }
    assert_eq!(client.get("/api/v2/itemusages").await.status(), 405);
    assert_eq!(simulator.requests().len(), 6, "also these are logged");
}

#[tokio::test]
async fn a_stopped_simulator_refuses_connections() {
    let simulator = start(quiet_week()).await;
    let client = Client::of(&simulator);
    assert_eq!(client.status(Feed::ItemUsages, &json!({})).await, 200);
    simulator.shutdown().await;
    assert!(client.try_post(Feed::ItemUsages, &json!({})).await.is_err());
}
