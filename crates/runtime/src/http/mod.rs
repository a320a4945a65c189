//! `/livez`, `/readyz` and `/metrics`.
//!
//! An orchestrator restarts what is not alive and routes around what is not ready, so the two must not be mixed: a lost
//! NATS connection makes a process not ready and never not alive. Answering at all is the proof of life: the answer comes
//! from the same event loop that does the work.

mod server;

pub use server::{HEADER_TIMEOUT, MAX_CONNECTIONS, Server};

use crate::health::State;
use crate::{Context, metrics};
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Listens on `address` (port 0: any free one, see [`Server::address`]) and answers until the server is dropped.
pub async fn serve(address: SocketAddr, context: &Context) -> std::io::Result<Server> {
    Server::start(address, router(context.clone())).await
}

fn router(context: Context) -> Router {
    Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(context)
}

#[derive(Serialize)]
struct Alive {
    status: &'static str,
    service: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    components: BTreeMap<Cow<'static, str>, State>,
}

async fn alive(extract::State(context): extract::State<Context>) -> impl IntoResponse {
    Json(Alive { status: "alive", service: context.service.name, version: context.service.version })
}

async fn ready(extract::State(context): extract::State<Context>) -> impl IntoResponse {
    let components = context.health.components();
    // One snapshot decides both the status and the body: they never contradict each other.
    let (code, status) = if context.shutdown.soft().is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down")
    } else if components.values().all(|state| state.ready) {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (code, Json(Ready { status, components }))
}

async fn metrics_text(extract::State(context): extract::State<Context>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], context.metrics.encode())
}
