//! What the stand-in tells about itself, under `/_simulator/`: ledger, data set, requests, accounts, certificate.
//!
//! These are for tests and people, not part of the Events API; tokens are shown because they are invented. Long answers are
//! streamed in chunks, so that a ledger of a million events needs no more memory than one of a thousand.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Query, State},
    response::Response,
    routing::get,
};
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{feed::Feed, store::Store, world::World};

/// Events looked at for one chunk of a streamed answer.
const CHUNK: usize = 10_000;

/// The routes.
pub(crate) fn routes(world: &Arc<World>) -> Router {
    Router::new()
        .route("/_simulator/ledger", get(ledger))
        .route("/_simulator/dataset", get(dataset))
        .route("/_simulator/requests", get(requests))
        .route("/_simulator/accounts", get(accounts))
        .route("/_simulator/ca.pem", get(ca_pem))
        .with_state(Arc::clone(world))
}

/// Which feed is asked about.
#[derive(Deserialize)]
struct Asked {
    account: String,
    feed: String,
}

async fn ledger(State(world): State<Arc<World>>, Query(asked): Query<Asked>) -> Result<Response, StatusCode> {
    stream_store(world, &asked, |store, from, _| {
        let (entries, next) = store.ledger(from, CHUNK);
        (lines(&entries), next)
    })
}

async fn dataset(State(world): State<Arc<World>>, Query(asked): Query<Asked>) -> Result<Response, StatusCode> {
    stream_store(world, &asked, |store, from, world| {
        let (entries, next) = store.dataset(from, CHUNK, world.now());
        (lines(&entries), next)
    })
}

async fn requests(State(world): State<Arc<World>>) -> Response {
    json_lines(Body::from(lines(&world.requests())))
}

async fn accounts(State(world): State<Arc<World>>) -> Response {
    let described = world.accounts().iter().enumerate().map(|(index, account)| {
        json!({
            "account": account.config.name,
            "account_uuid": account.uuid,
            "features": world.features(index).iter().map(|feed| feed.as_str()).collect::<Vec<_>>(),
            "token": world.token(index),
        })
    });
    json_lines(Body::from(lines(&described.collect::<Vec<_>>())))
}

async fn ca_pem(State(world): State<Arc<World>>) -> Response {
    typed("application/x-pem-file", Body::from(world.ca_pem.clone()))
}

/// Writes a chunk of a store, and says where the next one starts.
type Chunk = fn(&mut Store, usize, &World) -> (Bytes, usize);

fn stream_store(world: Arc<World>, asked: &Asked, chunk: Chunk) -> Result<Response, StatusCode> {
    let account = world.find(&asked.account).ok_or(StatusCode::NOT_FOUND)?;
    let feed: Feed = asked.feed.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let chunks = stream::unfold(0, move |from| {
        let mut store = world.accounts()[account].store(feed);
        let more = (from < store.len()).then(|| chunk(&mut store, from, &world));
        drop(store);
        std::future::ready(more.map(|(bytes, next)| (Ok::<_, std::convert::Infallible>(bytes), next)))
    });
    Ok(json_lines(Body::from_stream(chunks)))
}

fn lines<T: Serialize>(values: &[T]) -> Bytes {
    let mut out = Vec::new();
    for value in values {
        serde_json::to_writer(&mut out, value)
            .expect("these shapes have text keys and writing to memory does not fail");
        out.push(b'\n');
    }
    out.into()
}

fn json_lines(body: Body) -> Response {
    typed("application/x-ndjson", body)
}

fn typed(content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
