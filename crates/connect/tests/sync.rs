//! The client against a stand-in for a Connect server.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::time::Duration;

use latchkey_connect::{Client, ClientOptions, Error, Seen, Synced, Tables, sync};
use latchkey_core::lookup::import::Options;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path},
};

/// Answers one request as the API does.
async fn answer(server: &MockServer, at: &str, body: &str, expect: u64) {
    Mock::given(method("GET"))
        .and(path(at))
        .and(header("authorization", "Bearer secret"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body.to_owned(), "application/json"))
        .expect(expect)
        .mount(server)
        .await;
}

fn client(server: &MockServer, options: &ClientOptions) -> Client {
    Client::new(server.uri().parse().unwrap(), &"secret".into(), options).unwrap()
}

fn vault(id: &str, version: u64) -> String {
    format!(
        r#"{{"id":"{id}","name":"Name of {id}","attributeVersion":1,"contentVersion":{version},"items":1,"type":"USER_CREATED",
            "createdAt":"2025-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:00Z"}}"#
    )
}

fn item(id: &str, vault: &str, title: &str) -> String {
    format!(
        r#"{{"id":"{id}","title":"{title}","vault":{{"id":"{vault}"}},"category":"LOGIN","version":1,"tags":["a"],
            "urls":[{{"primary":true,"href":"https://example.com"}}],"lastEditedBy":"user","updatedAt":"2026-01-01T00:00:00Z"}}"#
    )
}

async fn run(client: &Client, before: Option<&Synced>) -> Result<Synced, Error> {
    let tables =
        before.map_or(Tables::default(), |before| Tables { items: &before.items.data, vaults: &before.vaults.data });
    let seen = before.map(|before| before.seen.clone()).unwrap_or_default();
    sync(client, &seen, tables, &Options::default()).await
}

fn text(data: &[u8]) -> &str {
    str::from_utf8(data).unwrap()
}

#[tokio::test]
async fn only_vaults_that_changed_are_read_again() {
    let server = MockServer::start().await;
    let client = client(&server, &ClientOptions::default());
    answer(&server, "/v1/vaults", &format!("[{},{},{}]", vault("v1", 1), vault("v2", 5), vault("v3", 1)), 1).await;
    answer(&server, "/v1/vaults/v1/items", &format!("[{}]", item("a", "v1", "Mail")), 1).await;
    answer(&server, "/v1/vaults/v2/items", &format!("[{},{}]", item("b", "v2", "Bank"), item("c", "v2", "Safe")), 1)
        .await;
    answer(&server, "/v1/vaults/v3/items", &format!("[{}]", item("d", "v3", "Door")), 1).await;
    let first = run(&client, None).await.unwrap();
    assert_eq!((first.read, first.items.listed, first.failed.len()), (3, 4, 0));
    assert!(text(&first.items.data).starts_with(
        r#"{"uuid":"a","title":"Mail","vault_uuid":"v1","category":"LOGIN","updatedAt":"2026-01-01T00:00:00Z"}"#
    ));
    assert!(text(&first.vaults.data).starts_with(r#"{"uuid":"v1","name":"Name of v1"}"#));

    // v1 stays, v2 lost an item, v3 is gone.
    server.verify().await;
    server.reset().await;
    answer(&server, "/v1/vaults", &format!("[{},{}]", vault("v1", 1), vault("v2", 6)), 1).await;
    answer(&server, "/v1/vaults/v2/items", &format!("[{}]", item("b", "v2", "Bank 2")), 1).await;
    let second = run(&client, Some(&first)).await.unwrap();
    assert_eq!((second.read, second.items.listed, second.items.kept, second.items.deleted), (1, 1, 1, 2));
    let deleted = |id: &str| {
        text(&second.items.data)
            .lines()
            .find(|line| line.contains(&format!("\"uuid\":\"{id}\"")))
            .unwrap()
            .contains("\"deleted\":true")
    };
    assert_eq!(["a", "b", "c", "d"].map(deleted), [false, false, true, true]);
    assert!(text(&second.items.data).contains("Bank 2"));
    assert!(text(&second.vaults.data).contains(r#"{"uuid":"v3","name":"Name of v3","deleted":true}"#));
}

#[tokio::test]
async fn a_vault_that_cannot_be_read_keeps_its_rows_and_is_tried_again() {
    let server = MockServer::start().await;
    let client = client(&server, &ClientOptions::default());
    answer(&server, "/v1/vaults", &format!("[{}]", vault("v1", 1)), 1).await;
    answer(&server, "/v1/vaults/v1/items", &format!("[{}]", item("a", "v1", "Mail")), 1).await;
    let first = run(&client, None).await.unwrap();
    server.reset().await;
    answer(&server, "/v1/vaults", &format!("[{}]", vault("v1", 2)), 2).await;
    Mock::given(path("/v1/vaults/v1/items")).respond_with(ResponseTemplate::new(500)).expect(2).mount(&server).await;
    let second = run(&client, Some(&first)).await.unwrap();
    assert_eq!(second.items.data, first.items.data);
    assert!(matches!(second.failed.as_slice(), [(_, Error::Status(500))]));
    assert_ne!(second.seen, first.seen);
    assert_eq!(second.seen, Seen::default());
    let third = run(&client, Some(&second)).await.unwrap();
    assert_eq!(third.failed.len(), 1);
}

#[tokio::test]
async fn whatever_is_no_list_is_an_error_that_shows_nothing() {
    for (answer, expect) in [
        (ResponseTemplate::new(401), "the Connect server refuses the token (401)"),
        (ResponseTemplate::new(403).set_body_string("secret"), "the Connect server refuses the token (403)"),
        (
            ResponseTemplate::new(302).insert_header("location", "https://example.com/"),
            "the answer has an unexpected status (302)",
        ),
        (ResponseTemplate::new(503), "the answer has an unexpected status (503)"),
        (
            ResponseTemplate::new(200).set_body_string("<html>secret"),
            "the answer is not a list as the Connect API has it",
        ),
        (ResponseTemplate::new(200).set_body_string("[]"), "the token sees no vault"),
        (
            ResponseTemplate::new(200).set_body_string(format!("[{}]", " ".repeat(5_000))),
            "the answer exceeds 4096 bytes",
        ),
        (ResponseTemplate::new(200).set_delay(Duration::from_secs(30)), "no full answer in time"),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/v1/vaults")).respond_with(answer).mount(&server).await;
        let options =
            ClientOptions { max_body: 4_096, timeout: Duration::from_millis(500), ..ClientOptions::default() };
        let error = run(&client(&server, &options), None).await.unwrap_err();
        assert_eq!(error.to_string(), expect);
    }
}

#[test]
fn an_address_that_would_leak_or_fail_is_refused() {
    for bad in ["ftp://example.com", "https://user:pw@example.com", "https://example.com?x=1", "https://example.com#x"]
    {
        let made = Client::new(bad.parse().unwrap(), &"secret".into(), &ClientOptions::default());
        assert!(matches!(made, Err(Error::Address(_))), "{bad}");
    }
    let made = Client::new("https://example.com".parse().unwrap(), &"a\nb".into(), &ClientOptions::default());
    assert!(matches!(made, Err(Error::Setup(_))));
}
