//! Steering: faults, tokens, scopes, further events.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Query, State},
    routing::{get, post, put},
};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use crate::{error::Error, event::NewEvent, fault::Plan, feed::Feed, world::World};

/// Longest body of a request here: a list of events.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/_simulator/faults", get(faults).put(set_faults).delete(end_faults))
        .route("/_simulator/tokens", post(issue))
        .route("/_simulator/revoke", post(revoke))
        .route("/_simulator/features", put(set_features))
        .route("/_simulator/events", post(append))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

async fn faults(State(world): State<Arc<World>>) -> Json<Plan> {
    Json(world.plan())
}

async fn set_faults(State(world): State<Arc<World>>, body: String) -> Result<Json<Plan>, Refusal> {
    world.set_plan(Plan::parse(&body).map_err(Error::from)?);
    Ok(Json(world.plan()))
}

/// Ends the plan, and the standing faults as well.
async fn end_faults(State(world): State<Arc<World>>) -> StatusCode {
    world.set_plan(Plan::default());
    for account in world.accounts() {
        account.standing().clear();
    }
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Issue {
    account: String,
    features: Option<Vec<Feed>>,
    expires_at: Option<Timestamp>,
}

async fn issue(State(world): State<Arc<World>>, Json(asked): Json<Issue>) -> Result<Json<Value>, Refusal> {
    let account = find(&world, &asked.account)?;
    let config = &world.accounts()[account].config;
    let features = asked.features.unwrap_or_else(|| config.features.clone());
    let token = world.issue(account, features, asked.expires_at.or(config.expires_at))?;
    Ok(Json(json!({"token": token})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Revoke {
    Account(String),
    Token(String),
}

async fn revoke(State(world): State<Arc<World>>, Json(asked): Json<Revoke>) -> Result<StatusCode, Refusal> {
    match asked {
        Revoke::Account(name) => world.revoke_account(find(&world, &name)?),
        Revoke::Token(token) => world.revoke_token(&token),
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Features {
    account: String,
    features: Vec<Feed>,
}

async fn set_features(State(world): State<Arc<World>>, Json(asked): Json<Features>) -> Result<StatusCode, Refusal> {
    world.set_features(find(&world, &asked.account)?, &asked.features);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Target {
    account: String,
    feed: Feed,
}

/// Adds events, all of them or none.
async fn append(
    State(world): State<Arc<World>>,
    Query(target): Query<Target>,
    body: String,
) -> Result<Json<Value>, Refusal> {
    let account = find(&world, &target.account)?;
    let now = world.now();
    let read = |line: &str| NewEvent::from_json(line).map(|event| event.placed(now));
    let events: Vec<_> = body.lines().filter(|line| !line.trim().is_empty()).map(read).collect::<Result<_, Error>>()?;
    let count = events.len();
    world.accounts()[account].store(target.feed).append(events, now);
    Ok(Json(json!({"appended": count})))
}

fn find(world: &World, name: &str) -> Result<usize, Refusal> {
    world.find(name).ok_or_else(|| Refusal::no_account(name))
}
