//! Reading: ledger, data set, requests, accounts, certificate.
//!
//! Long answers are streamed in chunks, so that a ledger of a million events needs no more memory than one of a thousand.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Query, State},
    response::Response,
    routing::get,
};
use futures::stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Refusal, stores, typed};
use crate::{
    feed::Feed,
    ledger::{RequestKind, RequestRecord},
    store::Store,
    world::World,
};

/// Events looked at for one chunk of a streamed answer.
const CHUNK: usize = 10_000;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/_simulator/ledger", get(ledger))
        .route("/_simulator/dataset", get(dataset))
        .route("/_simulator/requests", get(requests))
        .route("/_simulator/accounts", get(accounts))
        .route("/_simulator/ca.pem", get(ca_pem))
}

/// Which feeds are asked about.
#[derive(Deserialize)]
pub(super) struct Asked {
    pub(super) account: Option<String>,
    pub(super) feed: Option<String>,
}

async fn ledger(State(world): State<Arc<World>>, Query(asked): Query<Asked>) -> Result<Response, Refusal> {
    stream_stores(world, &asked, |store, from, _| {
        let (entries, next) = store.ledger(from, CHUNK);
        (lines(entries), next)
    })
}

async fn dataset(State(world): State<Arc<World>>, Query(asked): Query<Asked>) -> Result<Response, Refusal> {
    stream_stores(world, &asked, |store, from, now| {
        let (entries, next) = store.dataset(from, CHUNK, now);
        (lines(entries), next)
    })
}

/// Which requests are asked for; absent fields mean all.
#[derive(Deserialize)]
struct Wanted {
    account: Option<String>,
    feed: Option<Feed>,
    kind: Option<RequestKind>,
    #[serde(default)]
    after: u64,
}

impl Wanted {
    fn holds(&self, record: &RequestRecord) -> bool {
        record.number > self.after
            && (self.account.is_none() || self.account == record.account)
            && (self.feed.is_none() || self.feed == record.feed)
            && self.kind.is_none_or(|kind| kind == record.kind)
    }
}

async fn requests(State(world): State<Arc<World>>, Query(wanted): Query<Wanted>) -> Response {
    json_lines(Body::from(lines(world.requests().into_iter().filter(|record| wanted.holds(record)))))
}

async fn accounts(State(world): State<Arc<World>>) -> Response {
    let described = world.accounts().iter().enumerate().map(|(index, account)| {
        json!({
            "account": account.config.name,
            "account_uuid": account.uuid,
            "features": world.features(index),
            "token": world.token(index),
        })
    });
    json_lines(Body::from(lines(described)))
}

async fn ca_pem(State(world): State<Arc<World>>) -> Response {
    typed("application/x-pem-file", Body::from(world.ca_pem.clone()))
}

/// Writes a chunk of a store, and says where the next one starts.
type Chunk = fn(&mut Store, usize, Timestamp) -> (Bytes, usize);

fn stream_stores(world: Arc<World>, asked: &Asked, chunk: Chunk) -> Result<Response, Refusal> {
    let stores = stores(&world, asked.account.as_deref(), asked.feed.as_deref())?;
    // One moment for all chunks, so that the list of a feed that grows has an end.
    let now = world.now();
    let chunks = stream::unfold((0, 0), move |(mut number, mut from)| {
        let chunk = loop {
            let Some((account, feed)) = stores.get(number) else { break None };
            let mut store = world.accounts()[*account].store(*feed);
            if from < store.len(now) {
                let (bytes, next) = chunk(&mut store, from, now);
                break Some((Ok::<_, std::convert::Infallible>(bytes), (number, next)));
            }
            (number, from) = (number + 1, 0);
        };
        std::future::ready(chunk)
    });
    Ok(json_lines(Body::from_stream(chunks)))
}

fn lines<T: Serialize>(values: impl IntoIterator<Item = T>) -> Bytes {
    let mut out = Vec::new();
    for value in values {
        serde_json::to_writer(&mut out, &value)
            .expect("these shapes have text keys and writing to memory does not fail");
        out.push(b'\n');
    }
    out.into()
}

fn json_lines(body: Body) -> Response {
    typed("application/x-ndjson", body)
}
