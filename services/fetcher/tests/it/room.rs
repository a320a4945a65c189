//! Turns that find no room: in the fetcher's memory for an answer, or in stream PAGES for a page.

use std::time::Duration;

use latchkey_bus::operator;
use latchkey_contracts::{Chain, Feed, checkpoint::Checkpoint};
use latchkey_runtime::{Metrics, shutdown::Reason};
use latchkey_simulator::{Fault, Plan, Rule, When};
use serde_json::json;

use crate::support::{World, company};

fn refused_for(checkpoint: &Checkpoint, reason: &str) -> bool {
    checkpoint.outcome.as_ref().is_some_and(|outcome| outcome.reason == reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_finds_no_room_is_dropped_named_and_asked_for_again() {
    let world = World::new(company()).await;
    // One answer drips for longer than another waits for the room that it takes up: all that there is.
    let drips = Fault::SlowBody { pieces: 10, pause: Duration::from_secs(5) };
    let drips = Rule { feed: Some(latchkey_simulator::Feed::ItemUsages), when: When::first(1), ..Rule::new(drips) };
    world.simulator.set_plan(Plan::new([drips])).unwrap();
    let changes = json!({"feeds": ["item_usages", "audit_events"], "timeout": "1m"});
    let service = json!({"concurrency": 1, "audit": {"enabled": false}});
    let (running, shutdown) = world.run_as(&changes, &service, &Metrics::new()).await;

    let told = world.checkpoint_where(Feed::AuditEvents, |checkpoint| refused_for(checkpoint, "no_room")).await;
    let outcome = told.outcome.unwrap();
    assert_eq!(outcome.http_status, 0);
    assert!(outcome.detail.contains("room"), "{}", outcome.detail);
    for feed in [Feed::ItemUsages, Feed::AuditEvents] {
        world.caught_up(feed).await;
    }
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    for feed in [Feed::ItemUsages, Feed::AuditEvents] {
        world.assert_complete(feed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_finds_no_room_is_named_and_stored_once_there_is_some() {
    // PAGES has 6 MB of it.
    let world = World::of_streams_up_to(16 << 20, company()).await;
    let others = Chain { source: "others".parse().unwrap(), feed: Feed::ItemUsages };
    operator::fill_pages(&world.bus, &others).await.unwrap();
    let (running, shutdown) = world.run_with(&json!({"feeds": ["item_usages"]}), &Metrics::new()).await;
    let told = world.checkpoint_where(Feed::ItemUsages, |checkpoint| refused_for(checkpoint, "stream_full")).await;
    assert_eq!((told.cursor.as_str(), told.events_total), ("", 0), "a cursor counts with its page");

    operator::purge_pages(&world.bus, &others).await.unwrap();
    world.caught_up(Feed::ItemUsages).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    world.assert_complete(Feed::ItemUsages).await;
}
