//! Health and metrics as an orchestrator and a scraper see them.

use latchkey_runtime::shutdown::Reason;
use latchkey_runtime::{Context, Service, http};
use serde_json::{Value, json};

const SERVICE: Service = Service { name: "example", version: "1.2.3", about: "" };

async fn get(server: &http::Server, path: &str) -> (u16, reqwest::header::HeaderMap, String) {
    latchkey_runtime::install_crypto();
    let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(10)).build().unwrap();
    let response = client.get(format!("http://{}{path}", server.address())).send().await.unwrap();
    (response.status().as_u16(), response.headers().clone(), response.text().await.unwrap())
}

async fn check_ready(server: &http::Server, code: u16, status: &str, reasons: &Value) {
    let (found, _, body) = get(server, "/readyz").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((found, body["status"].as_str()), (code, Some(status)), "{body}");
    let components = body["components"].as_object().unwrap();
    let found: Value = components.iter().map(|(name, state)| (name.clone(), state["reason"].clone())).collect();
    assert_eq!(&found, reasons);
}

#[tokio::test]
async fn readiness_follows_the_components_and_liveness_does_not() {
    let context = Context::new(SERVICE);
    let server = http::serve("127.0.0.1:0".parse().unwrap(), &context).await.unwrap();
    let nats = context.health.component("nats");
    let schemas = context.health.component("schemas");

    check_ready(&server, 503, "not ready", &json!({"nats": "starting", "schemas": "starting"})).await;
    nats.ready();
    schemas.ready();
    check_ready(&server, 200, "ready", &json!({"nats": null, "schemas": null})).await;
    nats.not_ready("disconnected");
    check_ready(&server, 503, "not ready", &json!({"nats": "disconnected", "schemas": null})).await;
    assert_eq!(get(&server, "/livez").await.0, 200);

    nats.ready();
    context.shutdown.begin(Reason::Requested("test"));
    check_ready(&server, 503, "shutting down", &json!({"nats": null, "schemas": null})).await;
    let (code, _, body) = get(&server, "/livez").await;
    assert_eq!(code, 200);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, json!({"status": "alive", "service": "example", "version": "1.2.3"}));
}

#[tokio::test]
async fn metrics_are_openmetrics_text() {
    let context = Context::new(SERVICE);
    let server = http::serve("127.0.0.1:0".parse().unwrap(), &context).await.unwrap();
    let (code, headers, text) = get(&server, "/metrics").await;
    assert_eq!(code, 200);
    assert_eq!(headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.contains("latchkey_build_info{service=\"example\",version=\"1.2.3\"} 1"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn a_dropped_server_is_closed() {
    let context = Context::new(SERVICE);
    let server = http::serve("127.0.0.1:0".parse().unwrap(), &context).await.unwrap();
    let address = server.address();
    drop(server);
    let closed = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), closed).await.unwrap();
}
