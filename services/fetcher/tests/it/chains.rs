//! What ends up in PAGES is what the simulator has, each event once.

use std::{collections::BTreeSet, time::Duration};

use latchkey_bus::BucketValue;
use latchkey_contracts::{Chain, Feed, checkpoint::Checkpoint, checkpoint::outcome::Kind};
use latchkey_runtime::{Metrics, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Fault, Plan, Profile, RetryAfter, Rule, When};
use serde_json::json;

use crate::support::{PATIENCE, World, company, kind};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_of_every_feed_is_stored_once() {
    // The API repeats one event in ten.
    let world = World::new(AccountConfig { repeat_rate: 0.1, ..company() }).await;
    let (running, shutdown) = world.run().await;
    for feed in Feed::USUAL {
        world.caught_up(feed).await;
    }
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    for feed in Feed::USUAL {
        world.assert_complete(feed).await;
        let marked: usize = world.pages(feed).await.iter().map(|page| page.duplicates.len()).sum();
        assert!(marked > 0, "{feed}: repeats are marked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetchers_that_die_or_work_side_by_side_lose_and_double_nothing() {
    let world = World::new(AccountConfig { repeat_rate: 0.05, ..company() }).await;
    // Each life ends, without a word, once a few more pages are stored.
    for life in 1..=3 {
        let (running, _shutdown) = world.run().await;
        let (second, _shutdown_too) = world.run().await;
        let grown = async {
            while world.pages(Feed::ItemUsages).await.len() < life * 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, grown).await.expect("pages arrive");
        running.abort();
        second.abort();
    }
    let (running, shutdown) = world.run().await;
    for feed in Feed::USUAL {
        world.caught_up(feed).await;
    }
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    for feed in Feed::USUAL {
        world.assert_complete(feed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_owner_recognises_what_came_hundreds_of_pages_ago() {
    let world = World::new(company()).await;
    let small = json!({"feeds": ["item_usages"], "page_limit": 2, "start_time": "2026-01-28T00:00:00Z"});
    let service = json!({"requests_per_minute": 100_000, "requests_per_hour": 100_000, "audit": {"enabled": false}});
    let (running, shutdown) = world.run_as(&small, &service, &Metrics::new()).await;
    let before = world.caught_up(Feed::ItemUsages).await.events_total;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    let pages = world.pages(Feed::ItemUsages).await;
    let carrying = pages.iter().filter(|page| !page.recent.is_empty()).count();
    assert!(
        pages.len() > 400 && (pages.len() / 70..=pages.len() / 64).contains(&carrying),
        "{carrying} of {}",
        pages.len()
    );

    // Each event comes with one of the last 1,500.
    let doubled = Rule::new(Fault::Doubled { share: 1.0, across: true });
    world.simulator.set_plan(Plan::new([doubled])).unwrap();
    let (running, shutdown) = world.run_as(&small, &service, &Metrics::new()).await;
    world.simulator.append_sample("acme", "item_usages".parse().unwrap(), 30).unwrap();
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.events_total == before + 30).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    let uuids = world.unmarked(Feed::ItemUsages).await;
    let distinct: BTreeSet<&String> = uuids.iter().collect();
    assert_eq!(uuids.len(), distinct.len(), "events doubled");
    let marked: usize = world.pages(Feed::ItemUsages).await.iter().map(|page| page.duplicates.len()).sum();
    assert!(marked >= 30, "{marked} came again");
}

/// Of messages of this size, a page of ten events takes up less than half, and with the uuids of 640 more than all.
const LARGEST_MESSAGE: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_fits_is_not_too_large_for_what_it_was_to_carry() {
    let world = World::of_messages_up_to(LARGEST_MESSAGE, company()).await;
    let small = json!({"feeds": ["item_usages"], "page_limit": 10});
    let service = json!({"requests_per_minute": 100_000, "requests_per_hour": 100_000, "audit": {"enabled": false}});
    let (running, shutdown) = world.run_as(&small, &service, &Metrics::new()).await;
    let told = world.caught_up(Feed::ItemUsages).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    world.assert_complete(Feed::ItemUsages).await;
    let pages = world.pages(Feed::ItemUsages).await;
    assert!(pages.len() > 70, "{}", pages.len());
    assert_eq!((told.recoveries, pages.iter().filter(|page| !page.recent.is_empty()).count()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_polls_store_no_page_and_new_events_arrive() {
    let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
    let (running, shutdown) = world.run().await;
    let first = world.caught_up(Feed::AuditEvents).await;
    let polled_at = first.polled_at_unix_nano;
    let second = world.checkpoint_where(Feed::AuditEvents, |later| later.polled_at_unix_nano > polled_at).await;
    assert_eq!((kind(&second), second.page_sequence, second.last_arrival_at_unix_nano), (Kind::Quiet, 0, 0));
    assert!(!second.cursor.is_empty(), "the cursor of an empty page counts");

    let uuids = world.simulator.append_sample("acme", "audit_events".parse().unwrap(), 3).unwrap();
    let active = world.checkpoint_where(Feed::AuditEvents, |checkpoint| checkpoint.events_total == 3).await;
    assert!(active.last_arrival_at_unix_nano > 0);
    assert_eq!(world.unmarked(Feed::AuditEvents).await, uuids);
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_the_token_is_not_made_for_leaves_the_others_running() {
    let world = World::new(company()).await;
    let (usages, audit) = ("item_usages".parse().unwrap(), "audit_events".parse().unwrap());
    world.simulator.set_features("acme", &[usages, audit]).unwrap();
    let (running, shutdown) = world.run().await;
    world.caught_up(Feed::ItemUsages).await;
    world.caught_up(Feed::AuditEvents).await;
    let off = world.checkpoint_where(Feed::SignInAttempts, |checkpoint| kind(checkpoint) == Kind::Off).await;
    assert_eq!(off.outcome.unwrap().reason, "out_of_scope");
    assert_eq!((off.cursor.as_str(), off.last_success_at_unix_nano), ("", 0));
    world.assert_complete(Feed::ItemUsages).await;
    assert!(world.pages(Feed::SignInAttempts).await.is_empty());
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_faults_delay_a_feed_and_nothing_else() {
    let world = World::new(company()).await;
    let faults = [
        (Fault::Status { code: 503, retry_after: None }, "server_error"),
        (Fault::Status { code: 429, retry_after: Some(RetryAfter::Seconds(1)) }, "rate_limited"),
        (Fault::Html, "malformed"),
        (Fault::Truncated, "body"),
    ];
    let (running, shutdown) = world.run().await;
    for (fault, reason) in faults {
        world.simulator.set_fault("acme", None, fault).unwrap();
        let refused = |checkpoint: &Checkpoint| checkpoint.outcome.as_ref().unwrap().reason == reason;
        world.checkpoint_where(Feed::ItemUsages, refused).await;
        world.simulator.set_fault("acme", None, Fault::None).unwrap();
        world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) != Kind::Refused).await;
    }
    for feed in Feed::USUAL {
        world.caught_up(feed).await;
    }
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    for feed in Feed::USUAL {
        world.assert_complete(feed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_room_is_no_slowness_of_the_api() {
    let world = World::new(company()).await;
    // One page at a time, and the first takes longer to come than the second may take.
    let drip = Fault::SlowBody { pieces: 4, pause: Duration::from_secs(1) };
    let rule = Rule { feed: "item_usages".parse().ok(), when: When::first(1), ..Rule::new(drip) };
    world.simulator.set_plan(Plan::new([rule])).unwrap();
    let service = json!({
        "concurrency": 1, "events_api_urls": [world.simulator.http_url()], "audit": {"enabled": false},
    });
    let (running, shutdown) = world.run_as(&json!({"feeds": ["item_usages"]}), &service, &Metrics::new()).await;
    let asked = || world.simulator.requests().iter().any(|record| record.feed.is_some());
    let begun = async {
        while !asked() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("the slow page is asked for");
    let quick = json!({
        "id": "quick", "token_file": world.token_file, "events_api_url": world.simulator.http_url(),
        "start_time": "2026-01-01T00:00:00Z", "feeds": ["audit_events"], "timeout": "1s",
    });
    world.bus.publish_source(&"quick".parse().unwrap(), &BucketValue::new(quick.to_string()), 0).await.unwrap();
    let chain = Chain { source: "quick".parse().unwrap(), feed: Feed::AuditEvents };
    let polled = async {
        loop {
            match world.bus.last_checkpoint(&chain).await.unwrap() {
                Some(stored) => break stored.message,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, polled).await.expect("the quick source is polled");
    assert_eq!(told.outcome.unwrap().reason, "", "it waited, and was answered");
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}
