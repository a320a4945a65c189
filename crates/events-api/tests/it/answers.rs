//! What the server says, and what the client makes of it.

use std::time::Duration;

use jiff::Timestamp;
use latchkey_contracts::Feed;
use latchkey_core::page;
use latchkey_events_api::{Error, PageRequest};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, body_json_string, header, method, path},
};

use crate::support::{client, options, page, token_text};

const PAGE: &str = r#"{"cursor":"c2","has_more":false,"items":[{"uuid":"A"}]}"#;

async fn serve(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test]
async fn a_request_is_what_the_api_expects() {
    let server = MockServer::start().await;
    for (feed, at) in [
        (Feed::SignInAttempts, "/api/v2/signinattempts"),
        (Feed::ItemUsages, "/api/v2/itemusages"),
        (Feed::AuditEvents, "/api/v2/auditevents"),
    ] {
        Mock::given(method("POST"))
            .and(path(at))
            .and(header("authorization", format!("Bearer {}", token_text())))
            .and(header("content-type", "application/json"))
            .and(header("user-agent", concat!("latchkey/", env!("CARGO_PKG_VERSION"))))
            .and(body_json_string(r#"{"limit":100,"start_time":"2026-01-02T03:04:05Z"}"#))
            .respond_with(
                ResponseTemplate::new(200).set_body_string(PAGE).insert_header("date", "Fri, 02 Jan 2026 12:00:00 GMT"),
            )
            .expect(1)
            .mount(&server)
            .await;
        let start = "2026-01-02T03:04:05Z".parse().unwrap();
        let request = PageRequest::Reset { limit: 100, start, end: None };
        let response = client(&server.uri(), options()).page(feed, &request).await.unwrap();
        assert_eq!(response.body, PAGE);
        assert_eq!(response.date, Some("2026-01-02T12:00:00Z".parse().unwrap()));
        assert_eq!(response.page(Timestamp::UNIX_EPOCH).unwrap().cursor.as_str(), "c2");
    }
}

#[tokio::test]
async fn introspection_is_asked_for_and_read() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/api/v2/auth/introspect"))
        .respond_with(ResponseTemplate::new(200).set_body_string(r#"{"uuid":"U","features":["itemusages"]}"#))
        .mount(&server)
        .await;
    let introspection = client(&server.uri(), options()).introspect().await.unwrap();
    assert!(introspection.allows(Feed::ItemUsages) && !introspection.allows(Feed::AuditEvents));
}

#[tokio::test]
async fn every_status_has_its_error() {
    for (status, reason, transient) in [
        (201, "unexpected_status", false),
        (204, "unexpected_status", false),
        (301, "unexpected_status", false),
        (307, "unexpected_status", false),
        (400, "bad_request", false),
        (401, "unauthorized", false),
        (403, "forbidden", false),
        (404, "not_found", false),
        (408, "server_error", true),
        (418, "unexpected_status", false),
        (429, "rate_limited", true),
        (500, "server_error", true),
        (502, "server_error", true),
        (503, "server_error", true),
        (599, "server_error", true),
    ] {
        // A perfect page in the body changes nothing: status first.
        let server = serve(ResponseTemplate::new(status).set_body_string(PAGE)).await;
        let error = page(&server.uri(), options()).await.unwrap_err();
        assert_eq!(
            (error.reason(), error.is_transient(), error.http_status()),
            (reason, transient, Some(status)),
            "{status}"
        );
        assert_eq!(error.retry_after(), None);
        assert!(!error.next_step().is_empty());
    }
}

#[tokio::test]
async fn retry_after_is_passed_on() {
    for status in [429, 503] {
        let answer = ResponseTemplate::new(status).insert_header("retry-after", "7");
        let error = page(&serve(answer).await.uri(), options()).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        let answer = ResponseTemplate::new(status)
            .insert_header("date", "Fri, 02 Jan 2026 12:00:00 GMT")
            .insert_header("retry-after", "Fri, 02 Jan 2026 12:01:00 GMT");
        let error = page(&serve(answer).await.uri(), options()).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
    }
}

#[tokio::test]
async fn a_compressed_answer_is_unpacked() {
    let packed = include_bytes!("../data/page.json.gz");
    let server = serve(
        ResponseTemplate::new(200).set_body_raw(*packed, "application/json").insert_header("content-encoding", "gzip"),
    )
    .await;
    assert_eq!(page(&server.uri(), options()).await.unwrap().body, PAGE);
}

#[tokio::test]
async fn a_broken_compression_is_no_answer() {
    let packed = &include_bytes!("../data/page.json.gz")[..30];
    let server = serve(
        ResponseTemplate::new(200).set_body_raw(packed, "application/json").insert_header("content-encoding", "gzip"),
    )
    .await;
    assert!(matches!(page(&server.uri(), options()).await, Err(Error::Body)));
}

#[tokio::test]
async fn an_answer_is_bounded_after_unpacking() {
    let mut options = options();
    options.max_body = 1 << 20;
    let server = serve(ResponseTemplate::new(200).set_body_string(" ".repeat(options.max_body))).await;
    assert_eq!(page(&server.uri(), options.clone()).await.unwrap().body.len(), options.max_body);

    options.max_body -= 1;
    assert!(
        matches!(page(&server.uri(), options.clone()).await, Err(Error::TooLarge { limit }) if limit == options.max_body)
    );

    let bomb = include_bytes!("../data/one_mebibyte_of_spaces.gz");
    let server = serve(
        ResponseTemplate::new(200).set_body_raw(*bomb, "application/json").insert_header("content-encoding", "gzip"),
    )
    .await;
    assert!(matches!(page(&server.uri(), options).await, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn a_gateways_page_is_an_answer_but_not_a_page() {
    let server = serve(ResponseTemplate::new(200).set_body_raw("<html>signed out</html>", "text/html")).await;
    let response = page(&server.uri(), options()).await.unwrap();
    assert_eq!(response.body, "<html>signed out</html>");
    let error = response.page(Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(matches!(error, Error::NotAPage(page::Error::NotAnObject)));
    assert_eq!(error.reason(), "malformed");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = serve(ResponseTemplate::new(200).set_body_string(PAGE)).await;
    for status in [301, 302, 303, 307, 308] {
        let server = serve(ResponseTemplate::new(status).insert_header("location", elsewhere.uri())).await;
        let error = page(&server.uri(), options()).await.unwrap_err();
        assert!(matches!(error, Error::Unexpected { status: found } if found == status));
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}
