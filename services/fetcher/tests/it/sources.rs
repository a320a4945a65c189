//! Sources come, change and go while a fetcher runs.

use std::time::{Duration, Instant};

use latchkey_bus::{BucketValue, Publication};
use latchkey_contracts::{Chain, Feed, SourceId, checkpoint::Checkpoint, checkpoint::outcome::Kind};
use latchkey_runtime::shutdown::Reason;
use serde_json::{Value, json};

use crate::support::{PATIENCE, World, chain, company, kind};

const USAGES: latchkey_simulator::Feed = latchkey_simulator::Feed::ItemUsages;

impl World {
    /// Writes a source's value as `latchkey source` does; `null` removes it. The interval is so long that only a wake explains a poll.
    async fn say(&self, id: &str, changes: &Value) {
        let id: SourceId = id.parse().unwrap();
        let mut value = json!({
            "id": id,
            "token_file": self.token_file,
            "events_api_url": self.simulator.http_url(),
            "start_time": "2026-01-01T00:00:00Z",
            "poll_interval": "1h",
        });
        for (key, changed) in changes.as_object().into_iter().flatten() {
            value[key] = changed.clone();
        }
        let value = if changes.is_null() { BucketValue::removed() } else { BucketValue::new(value.to_string()) };
        self.write(&id, &value).await;
    }

    async fn write(&self, id: &SourceId, value: &BucketValue) {
        let expected = self.bus.source(id).await.unwrap().map_or(0, |stored| stored.sequence);
        let written = self.bus.publish_source(id, value, expected).await.unwrap();
        assert!(matches!(written, Publication::Stored { .. }), "{written:?}");
    }

    async fn duties(&self, id: &str) -> Vec<Feed> {
        let mut duties = Vec::new();
        for feed in Feed::USUAL {
            let chain = Chain { source: id.parse().unwrap(), feed };
            if self.bus.has_poll_task(&chain).await.unwrap() {
                duties.push(feed);
            }
        }
        duties
    }

    async fn until_duties_are(&self, id: &str, expect: &[Feed]) {
        let deadline = Instant::now() + PATIENCE;
        while self.duties(id).await != expect {
            assert!(Instant::now() < deadline, "{:?}", self.duties(id).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_goes_to_no_address_that_only_the_bucket_names() {
    let world = World::new(company()).await;
    let (running, shutdown) = world.run_empty().await;
    world.say("acme", &json!({ "events_api_url": "https://192.0.2.1" })).await;
    let refused = world.checkpoint_where(Feed::ItemUsages, |checkpoint| reason(checkpoint) == "misconfigured").await;
    assert!(refused.outcome.unwrap().detail.contains("fetcher.events_api_urls"));
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

fn reason(checkpoint: &Checkpoint) -> &str {
    checkpoint.outcome.as_ref().map_or("", |outcome| &outcome.reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_added_paused_resumed_changed_and_removed_without_a_restart() {
    let world = World::new(company()).await;
    let (running, shutdown) = world.run_empty().await;
    let (other, other_shutdown) = world.run_empty().await;

    world.say("acme", &json!({})).await;
    for feed in Feed::USUAL {
        world.checkpoint_where(feed, |checkpoint| checkpoint.caught_up_at_unix_nano > 0).await;
    }

    world.say("acme", &json!({ "paused": true })).await;
    let paused = world.checkpoint_where(Feed::ItemUsages, |checkpoint| reason(checkpoint) == "paused").await;
    assert_eq!(kind(&paused), Kind::Off);
    assert!(!paused.cursor.is_empty(), "the feed keeps its place");
    let before = paused.events_total;
    world.simulator.append_sample("acme", USAGES, 3).unwrap();

    world.say("acme", &json!({ "label": "Acme" })).await;
    let resumed = world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.events_total == before + 3).await;
    assert_eq!(resumed.source_label, "Acme");

    world.say("acme", &json!({ "feeds": ["item_usages"] })).await;
    world.until_duties_are("acme", &[Feed::ItemUsages]).await;
    world.checkpoint_where(Feed::AuditEvents, |checkpoint| reason(checkpoint) == "removed").await;

    world.say("acme", &Value::Null).await;
    world.until_duties_are("acme", &[]).await;
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| reason(checkpoint) == "removed").await;

    // Added again, it goes on where it was.
    world.simulator.append_sample("acme", USAGES, 2).unwrap();
    world.say("acme", &json!({})).await;
    world.until_duties_are("acme", &Feed::USUAL).await;
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.events_total == before + 5).await;
    for shutdown in [shutdown, other_shutdown] {
        shutdown.begin(Reason::Finished);
    }
    running.await.unwrap();
    other.await.unwrap();
    for feed in Feed::USUAL {
        world.assert_complete(feed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_in_one_source_is_told_of_and_hurts_no_other() {
    let world = World::new(company()).await;
    world.write(&"garbage".parse().unwrap(), &BucketValue::new("nonsense")).await;
    world.say("elsewhere", &json!({ "token_file": "/nowhere/token" })).await;
    world.say("typo", &json!({ "tokenfile": "a" })).await;
    world.say("acme", &json!({})).await;
    let (running, shutdown) = world.run_empty().await;
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.caught_up_at_unix_nano > 0).await;

    let elsewhere = Chain { source: "elsewhere".parse().unwrap(), ..chain(Feed::ItemUsages) };
    let deadline = Instant::now() + PATIENCE;
    let outcome = loop {
        match world.bus.last_checkpoint(&elsewhere).await.unwrap() {
            Some(last) => break last.message.outcome.unwrap(),
            None => assert!(Instant::now() < deadline, "a source that cannot be polled says so"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((outcome.kind(), outcome.reason.as_str()), (Kind::Refused, "misconfigured"));
    assert!(outcome.detail.contains("token_file: /nowhere/token"), "{}", outcome.detail);

    world.say("elsewhere", &json!({})).await;
    let polled = async {
        while world.bus.last_page(&elsewhere).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, polled).await.expect("once repaired it is polled");
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_left_the_configuration_file_can_be_removed() {
    let world = World::new(company()).await;
    let (running, shutdown) = world.run().await;
    world.caught_up(Feed::ItemUsages).await;
    // While the file names it, it is the file's.
    world.say("acme", &Value::Null).await;
    let polled_at = world.caught_up(Feed::ItemUsages).await.polled_at_unix_nano;
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.polled_at_unix_nano > polled_at).await;
    assert_eq!(world.duties("acme").await, Feed::USUAL);
    shutdown.begin(Reason::Finished);
    running.await.unwrap();

    let (running, shutdown) = world.run_empty().await;
    world.until_duties_are("acme", &[]).await;
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| reason(checkpoint) == "removed").await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}
