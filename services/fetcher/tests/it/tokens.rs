//! Tokens come, change and go while pages are read.

use latchkey_contracts::{Feed, checkpoint::outcome::Kind};
use latchkey_runtime::{Metrics, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Fault, Profile};
use serde_json::json;

use crate::support::{World, chain, company, kind};

const USAGES: latchkey_simulator::Feed = latchkey_simulator::Feed::ItemUsages;
const AUDIT: latchkey_simulator::Feed = latchkey_simulator::Feed::AuditEvents;

fn nothing_yet() -> AccountConfig {
    AccountConfig::new("acme", Profile::Empty)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_replaced_and_revoked_between_two_polls_costs_no_poll() {
    let world = World::new(company()).await;
    let old = world.simulator.token("acme").unwrap();
    let (running, shutdown) = world.run().await;
    world.caught_up(Feed::ItemUsages).await;
    for round in 1..=3 {
        let before = world.simulator.token("acme").unwrap();
        let new = world.simulator.issue_token("acme", &latchkey_simulator::Feed::ALL).unwrap();
        std::fs::write(&world.token_file, &new).unwrap();
        world.simulator.revoke_token(&before);
        world.simulator.append_sample("acme", USAGES, 2).unwrap();
        let exist = world.simulator.dataset("acme", USAGES).unwrap().len() as u64;
        let stored = |checkpoint: &latchkey_contracts::checkpoint::Checkpoint| {
            assert_ne!(kind(checkpoint), Kind::Refused, "round {round}: {:?}", checkpoint.outcome);
            checkpoint.events_total == exist
        };
        world.checkpoint_where(Feed::ItemUsages, stored).await;
    }
    assert_ne!(world.simulator.token("acme").unwrap(), old);
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    world.assert_complete(Feed::ItemUsages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_lost_turns_the_feed_off_and_a_scope_gained_turns_it_on() {
    let world = World::new(nothing_yet()).await;
    let (running, shutdown) = world.run().await;
    world.caught_up(Feed::AuditEvents).await;
    let replace = |features: &[latchkey_simulator::Feed]| {
        let before = world.simulator.token("acme").unwrap();
        std::fs::write(&world.token_file, world.simulator.issue_token("acme", features).unwrap()).unwrap();
        world.simulator.revoke_token(&before);
    };

    replace(&[USAGES]);
    let off = world.checkpoint_where(Feed::AuditEvents, |checkpoint| kind(checkpoint) == Kind::Off).await;
    assert!(!off.cursor.is_empty(), "the feed keeps its place");
    let missed = world.simulator.append_sample("acme", AUDIT, 3).unwrap();

    replace(&[USAGES, AUDIT]);
    world.checkpoint_where(Feed::AuditEvents, |checkpoint| checkpoint.events_total == 3).await;
    assert_eq!(world.unmarked(Feed::AuditEvents).await, missed);
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_that_fails_means_unknown_and_not_denied() {
    let world = World::new(company()).await;
    let failing = Fault::Status { code: 500, retry_after: None };
    world.simulator.set_fault("acme", None, failing).unwrap();
    for feed in latchkey_simulator::Feed::ALL {
        world.simulator.set_fault("acme", Some(feed), Fault::None).unwrap();
    }
    let (running, shutdown) = world.run().await;
    for feed in Feed::USUAL {
        world.caught_up(feed).await;
    }
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_a_usable_token_changes_nothing() {
    let world = World::new(nothing_yet()).await;
    let (running, shutdown) = world.run().await;
    world.caught_up(Feed::ItemUsages).await;
    for nonsense in ["", "ops_eyJzaWduSW5BZGRyZXNz", "not a token"] {
        std::fs::write(&world.token_file, nonsense).unwrap();
        let uuids = world.simulator.append_sample("acme", USAGES, 1).unwrap();
        let more = world.bus.last_checkpoint(&chain(Feed::ItemUsages)).await.unwrap().unwrap().message.events_total + 1;
        world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.events_total >= more).await;
        assert!(world.unmarked(Feed::ItemUsages).await.ends_with(&uuids));
    }
    std::fs::remove_file(&world.token_file).unwrap();
    let polled = world.caught_up(Feed::ItemUsages).await.polled_at_unix_nano;
    let later = |checkpoint: &latchkey_contracts::checkpoint::Checkpoint| checkpoint.polled_at_unix_nano > polled;
    assert_eq!(kind(&world.checkpoint_where(Feed::ItemUsages, later).await), Kind::Quiet);
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_revoked_for_good_is_refused_by_name() {
    let world = World::new(nothing_yet()).await;
    world.simulator.revoke("acme").unwrap();
    let (running, shutdown) = world.run().await;
    let refused = world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Refused).await;
    let outcome = refused.outcome.unwrap();
    assert_eq!((outcome.reason.as_str(), outcome.http_status), ("unauthorized", 401));
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry_and_clock_are_told_in_checkpoints_and_metrics() {
    let expires_at = "2099-01-01T00:00:00Z".parse().unwrap();
    let world = World::new(AccountConfig { expires_at: Some(expires_at), ..nothing_yet() }).await;
    let metrics = Metrics::new();
    let (running, shutdown) = world.run_with(&json!({}), &metrics).await;
    let quiet = world.caught_up(Feed::ItemUsages).await;
    assert_eq!(quiet.token_expires_at_unix_nano, latchkey_core::instant::to_unix_nano(expires_at));
    // The stand-in runs on this machine.
    let skew = quiet.clock_skew_nano.expect("its answers have a date");
    assert!(skew.abs() < 5_000_000_000, "{skew} ns");
    let told = metrics.encode();
    let expiry = format!("fetcher_token_expiry_timestamp_seconds{{source=\"acme\"}} {}", expires_at.as_second());
    assert!(told.contains(&expiry) && told.contains("fetcher_clock_skew_seconds{source=\"acme\"}"), "{told}");
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}
