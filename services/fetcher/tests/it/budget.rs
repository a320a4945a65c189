//! One account's requests, shared by all who ask.

use std::time::Duration;

use latchkey_contracts::{Feed, checkpoint::Checkpoint};
use latchkey_core::budget::{AccountKey, Budget};
use latchkey_events_api::Token;
use latchkey_runtime::{Metrics, clock, shutdown::Reason};
use latchkey_simulator::{AccountConfig, RateLimits, RequestKind};
use serde_json::json;

use crate::support::{PATIENCE, World, company};

fn limited(per_minute: u32) -> AccountConfig {
    let limits = RateLimits { per_minute, per_hour: 30_000, retry_after: false, per_token: false };
    AccountConfig { rate_limits: Some(limits), ..company() }
}

fn over_budget(checkpoint: &Checkpoint) -> bool {
    checkpoint.outcome.as_ref().unwrap().reason == "over_budget"
}

fn pages_asked(world: &World) -> usize {
    let requests = world.simulator.requests();
    requests.iter().filter(|request| request.kind != RequestKind::Introspection).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetchers_share_what_an_account_may_be_asked() {
    // Each fetcher also asks once what the token may read.
    let world = World::new(limited(42)).await;
    let small = json!({"page_limit": 5});
    let (first, shutdown) = world.run_within(40, &small).await;
    let (second, shutdown_too) = world.run_within(40, &small).await;
    let waiting = world.checkpoint_where(Feed::ItemUsages, over_budget).await;
    assert!(waiting.next_poll_at_unix_nano - waiting.polled_at_unix_nano > 10_000_000_000);
    shutdown.begin(Reason::Finished);
    shutdown_too.begin(Reason::Finished);
    first.await.unwrap();
    second.await.unwrap();
    assert!((20..=40).contains(&pages_asked(&world)), "{}", pages_asked(&world));
    assert!(world.simulator.requests().iter().all(|request| request.status == 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_429_lowers_what_everybody_asks() {
    let world = World::new(limited(20)).await;
    let (running, shutdown) = world.run_with(&json!({"page_limit": 5}), &Metrics::new()).await;
    let token = Token::parse(&world.simulator.token("acme").unwrap()).unwrap();
    let account = AccountKey::of_account(token.claims().account_uuid.as_deref().unwrap());
    let lowered = async {
        loop {
            let stored = world.bus.last_budget(account.as_str()).await.unwrap();
            if stored.is_some_and(|stored| Budget::read(&stored.message).level(clock::now()) < 600) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, lowered).await.expect("the level sinks");
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_catches_up_takes_many_requests_with_one_message() {
    let world = World::new(company()).await;
    let metrics = Metrics::new();
    let (running, shutdown) = world.run_with(&json!({"page_limit": 20, "feeds": ["item_usages"]}), &metrics).await;
    world.caught_up(Feed::ItemUsages).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    let text = metrics.encode();
    let taken =
        text.lines().find(|line| line.contains("fetcher_budget_messages_total{work=\"live\",outcome=\"taken\"}"));
    let messages: usize = taken.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let requests = pages_asked(&world);
    println!("{messages} messages for {requests} requests");
    assert!(requests > 60 && messages * 4 < requests, "{messages} messages for {requests} requests");
    assert!(!text.contains("outcome=\"alone\""));
}
