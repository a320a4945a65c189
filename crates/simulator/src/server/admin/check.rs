//! Comparing: a collector's uuids with what it should have.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Query, State},
    routing::post,
};
use http::StatusCode;

use super::{Refusal, read::Asked, stores};
use crate::{
    compare::{Comparison, Ticking},
    world::World,
};

/// Longest list of uuids: some twenty million.
const MAX_LIST_BYTES: usize = 512 * 1024 * 1024;

/// Events ticked off at a time, so that a feed is not locked for long.
const CHUNK: usize = 10_000;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new().route("/_simulator/compare", post(compare))
}

async fn compare(
    State(world): State<Arc<World>>,
    Query(asked): Query<Asked>,
    body: Body,
) -> Result<Json<Comparison>, Refusal> {
    let stores = stores(&world, asked.account.as_deref(), asked.feed.as_deref())?;
    let list = to_bytes(body, MAX_LIST_BYTES)
        .await
        .map_err(|_| Refusal(StatusCode::PAYLOAD_TOO_LARGE, "the list is too long or incomplete".into()))?;
    let list = std::str::from_utf8(&list).map_err(|_| Refusal::bad("the list is not UTF-8"))?;
    let mut ticking = Ticking::of(list);
    // One moment for all, so that a feed that grows has an end.
    let now = world.now();
    for (account, feed) in stores {
        let mut from = 0;
        loop {
            let mut store = world.accounts()[account].store(feed);
            let (events, next) = store.dataset(from, CHUNK, now);
            let done = next >= store.len(now);
            drop(store);
            for event in &events {
                ticking.tick(event);
            }
            if done {
                break;
            }
            from = next;
        }
    }
    Ok(Json(ticking.finish()))
}
