//! Tokens and scopes: who may read what, and since when no longer.

use latchkey_simulator::{AccountConfig, Feed, RateLimits};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, Client, Hands, builder, empty, quiet_week, start};

#[tokio::test]
async fn a_missing_or_wrong_token_is_refused() {
    let simulator = start(empty()).await;
    for token in ["", "nonsense"] {
        let response = Client::of(&simulator).with_token(token).post(Feed::ItemUsages, &json!({})).await;
        assert_eq!(response.status(), 401);
        let error: Value = response.json().await.unwrap();
        assert_eq!(error["status"], 401);
        assert!(error["message"].is_string());
    }
    assert_eq!(reqwest::StatusCode::UNAUTHORIZED, {
        let url = format!("{}/api/v2/auth/introspect", simulator.http_url());
        reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap().status()
    });
}

#[tokio::test]
async fn a_feed_out_of_scope_is_refused_and_the_others_are_not() {
    let features = vec![Feed::SignInAttempts, Feed::ItemUsages];
    let simulator = start(AccountConfig { features, ..empty() }).await;
    let client = Client::of(&simulator);
    assert_eq!(client.status(Feed::AuditEvents, &json!({})).await, 401);
    assert_eq!(client.status(Feed::ItemUsages, &json!({})).await, 200);

    simulator.set_features(ACCOUNT, &[Feed::AuditEvents]).unwrap();
    assert_eq!(client.status(Feed::AuditEvents, &json!({})).await, 200);
    assert_eq!(client.status(Feed::ItemUsages, &json!({})).await, 401);
}

#[tokio::test]
async fn two_tokens_are_good_at_once_until_one_is_revoked() {
    let simulator = start(empty()).await;
    let old = simulator.token(ACCOUNT).unwrap();
    let new = simulator.issue_token(ACCOUNT, &[Feed::ItemUsages]).unwrap();
    assert_eq!(simulator.token(ACCOUNT).unwrap(), new);
    let status =
        async |token: &str| Client::of(&simulator).with_token(token).status(Feed::ItemUsages, &json!({})).await;
    assert_eq!((status(&old).await, status(&new).await), (200.try_into().unwrap(), 200.try_into().unwrap()));
    simulator.revoke_token(&old);
    assert_eq!((status(&old).await, status(&new).await), (401.try_into().unwrap(), 200.try_into().unwrap()));
    simulator.revoke(ACCOUNT).unwrap();
    assert_eq!(status(&new).await, 401);
}

#[tokio::test]
async fn a_token_expires_by_the_simulators_clock() {
    let hands = Hands::at("2026-10-01T00:00:00Z");
    let config = AccountConfig { expires_at: Some("2026-10-01T00:01:00Z".parse().unwrap()), ..empty() };
    let simulator = builder().account(config).clock(hands.clock()).start().await.unwrap();
    let client = Client::of(&simulator);
    assert_eq!(client.status(Feed::ItemUsages, &json!({})).await, 200);
    hands.advance(60);
    assert_eq!(client.status(Feed::ItemUsages, &json!({})).await, 401);
}

#[tokio::test]
async fn introspection_states_the_scopes_in_both_versions() {
    let simulator = start(AccountConfig { features: vec![Feed::AuditEvents], ..quiet_week() }).await;
    let client = Client::of(&simulator);
    let newer: Value = client.get("/api/v2/auth/introspect").await.json().await.unwrap();
    assert_eq!(newer["features"], json!(["auditevents"]));
    assert!(newer["uuid"].is_string() && newer["issued_at"].is_string() && newer["account_uuid"].is_string());
    let older: Value = client.get("/api/auth/introspect").await.json().await.unwrap();
    assert_eq!(older["Features"], json!(["auditevents"]));
    assert_eq!((&older["UUID"], &older["IssuedAt"]), (&newer["uuid"], &newer["issued_at"]));
}

#[tokio::test]
async fn rate_limits_answer_429_until_the_minute_is_over() {
    let hands = Hands::at("2026-10-01T00:00:00Z");
    let limits = RateLimits { per_minute: 3, ..RateLimits::default() };
    let config = AccountConfig { rate_limits: Some(limits), ..empty() };
    let simulator = builder().account(config).clock(hands.clock()).start().await.unwrap();
    let client = Client::of(&simulator);
    for _ in 0..3 {
        assert_eq!(client.status(Feed::ItemUsages, &json!({})).await, 200);
    }
    let refused = client.post(Feed::ItemUsages, &json!({})).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "61");
    hands.advance(61);
    assert_eq!(client.status(Feed::ItemUsages, &json!({})).await, 200);
}
