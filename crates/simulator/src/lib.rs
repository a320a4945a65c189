//! A stand-in for 1Password's Events API, for tests of any collector.
//!
//! It serves invented events of invented companies over HTTP and HTTPS as the real API does (versions 1, 2 and 3, bearer
//! tokens, reset and continuing cursors, late arrivals, repeated events), misbehaves as a [`Plan`] says, and keeps a ledger of
//! what it served, so that a test can compare what a collector delivered with what exists. It depends on no collector: run
//! the binary beside any. `docs/simulator.md` is its page for users.
//!
//! ```
//! use latchkey_simulator::{AccountConfig, Feed, Profile, Simulator};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let until = "2026-11-01T00:00:00Z".parse()?;
//! let acme = AccountConfig::new("acme", Profile::Company { weeks: 1, until, factor: 0.1 });
//! let simulator = Simulator::builder().seed(7).account(acme).start().await?;
//! // Point a collector at `simulator.http_url()` with `simulator.token("acme")?`, let it drain, then compare:
//! let exists = simulator.dataset("acme", Feed::ItemUsages)?;
//! let served = simulator.ledger("acme", Feed::ItemUsages)?;
//! assert!(served.len() <= exists.len());
//! simulator.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Content depends on the seed, the accounts' names and their profiles alone; the clock only decides what has arrived.
//! Windows take events from `start_time` on and before `end_time`. The real API's 120 days of retention are not enforced.

mod account;
pub mod clock;
mod compare;
mod cursor;
mod dataset;
mod error;
mod event;
mod fault;
mod feed;
mod instant;
mod json;
mod ledger;
mod limits;
mod live;
mod random;
mod selection;
mod series;
mod server;
mod simulator;
mod store;
pub mod tls;
mod token;
mod uuid;
mod world;

pub use self::{
    account::{AccountConfig, MAX_NAME_LENGTH},
    compare::{Comparison, MAX_NAMED, Named},
    dataset::{Lookups, MAX_BULK_EVENTS, MAX_FACTOR, MAX_WEEKS, Profile},
    error::Error,
    event::NewEvent,
    fault::{
        BadItem, Fault, MAX_BODY_BYTES, MAX_ITEM_BYTES, MAX_PIECES, MAX_RULES, Plan, PlanError, RetryAfter, Rule, When,
    },
    feed::{Feed, UnknownFeed},
    ledger::{DatasetEntry, LedgerEntry, MAX_REQUESTS_KEPT, RequestKind, RequestRecord},
    limits::{RateLimits, Spent},
    live::{Live, MAX_LATENESS, MAX_LIVE_EVENTS, MAX_LIVE_RATE},
    server::MAX_CONNECTIONS,
    simulator::{Builder, MAX_ACCOUNTS, Simulator, lookups},
    world::{Clock, MAX_TOKENS},
};
