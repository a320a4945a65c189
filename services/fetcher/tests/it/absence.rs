//! Chains that nobody comes back to before their pages are gone.

use std::{collections::BTreeSet, time::Instant};

use latchkey_bus::operator;
use latchkey_contracts::{
    Feed,
    checkpoint::{Checkpoint, outcome::Kind},
    topology::PAGES,
};
use latchkey_runtime::{Metrics, clock, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Fault, Plan, Profile, RequestKind, Rule, When};
use serde_json::{Value, json};

use crate::support::{PATIENCE, World, chain, company, kind, unmarked};

const EVENTS: u64 = 2_000;

fn settings() -> Value {
    json!({"feeds": ["item_usages"], "page_limit": 20})
}

impl World {
    /// The chain's newest page has this sequence, and its head knows of it.
    async fn has_head(&self, sequence: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.bus.last_head(&chain(Feed::ItemUsages)).await.unwrap().map(|head| head.message.page_sequence)
            != Some(sequence)
        {
            assert!(Instant::now() < deadline, "no head for page {sequence}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// Purging the stream stands for the week after which it has removed everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_turn_has_stored_before_its_fetcher_died_does_not_come_again_after_a_week() {
    // In the chain's first turn, and in one that has a checkpoint behind it.
    for (stored, checkpoint) in [(5, None), (70, Some(64))] {
        let until = clock::now();
        let world = World::new(AccountConfig::new("acme", Profile::Bulk { events_per_feed: EVENTS, until })).await;
        let hang = Rule {
            feed: Some(latchkey_simulator::Feed::ItemUsages),
            when: When { nth: stored + 1, ..When::first(1) },
            ..Rule::new(Fault::Hang)
        };
        world.simulator.set_plan(Plan::new([hang])).unwrap();
        let (running, _shutdown) = world.run_within(100_000, &settings()).await;
        world.has_head(stored).await;
        running.abort();
        let chain = chain(Feed::ItemUsages);
        let left = world.bus.last_checkpoint(&chain).await.unwrap();
        assert_eq!(left.map(|left| left.message.page_sequence), checkpoint, "it died in the middle of a turn");
        let before = world.unmarked(Feed::ItemUsages).await;
        assert_eq!(before.len() as u64, stored * 20);

        operator::purge(&world.bus, &PAGES).await.unwrap();
        // Its lease would end in half a minute.
        world.bus.delete_tasks(&chain).await.unwrap();
        let (running, shutdown) = world.run_within(100_000, &settings()).await;
        let after = world.caught_up(Feed::ItemUsages).await;
        shutdown.begin(Reason::Finished);
        running.await.unwrap();
        let all = [before, world.unmarked(Feed::ItemUsages).await].concat();
        let distinct: BTreeSet<&String> = all.iter().collect();
        assert_eq!((distinct.len() as u64, all.len() - distinct.len()), (EVENTS, 0), "events, doubled");
        assert_eq!((after.events_total, after.recoveries), (EVENTS, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_that_has_lost_a_part_of_what_it_recognises_begins_again() {
    let until = clock::now();
    let world = World::new(AccountConfig::new("acme", Profile::Bulk { events_per_feed: EVENTS, until })).await;
    let (running, shutdown) = world.run_within(100_000, &settings()).await;
    let stood = world.caught_up(Feed::ItemUsages).await.page_sequence;
    let usages = Some(latchkey_simulator::Feed::ItemUsages);
    let refuse =
        Rule { feed: usages, on: Some(RequestKind::Cursor), when: When::first(1), ..Rule::new(Fault::RejectCursor) };
    // The cursor twice, and two pages of the six that the last 26 hours have.
    let hang = Rule { feed: usages, when: When { nth: 5, ..When::first(1) }, ..Rule::new(Fault::Hang) };
    world.simulator.set_plan(Plan::new([refuse, hang])).unwrap();
    world.has_head(stood + 2).await;
    running.abort();
    drop(shutdown);
    let chain = chain(Feed::ItemUsages);
    let before = world.pages(Feed::ItemUsages).await;
    assert_eq!(before.len() as u64, stood + 2);
    assert!(before.last().unwrap().recovering_from_unix_nano > 0, "a recovery is under way");

    operator::purge_pages_before(&world.bus, &chain, stood).await.unwrap();
    world.bus.delete_tasks(&chain).await.unwrap();
    let (running, shutdown) = world.run_within(100_000, &settings()).await;
    let is_over = |checkpoint: &Checkpoint| kind(checkpoint) == Kind::Quiet && checkpoint.recoveries > 0;
    let after = world.checkpoint_where(Feed::ItemUsages, is_over).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    let mut pages = world.pages(Feed::ItemUsages).await;
    pages.retain(|page| !before.contains(page));
    let all = [unmarked(&before), unmarked(&pages)].concat();
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!((distinct.len() as u64, all.len() - distinct.len()), (EVENTS, 0), "events, doubled");
    assert_eq!((after.events_total, after.recoveries), (EVENTS, 2));
    assert_eq!(after.last_recovery.unwrap().reason, "pages_gone");
}

/// A power cut may take the newest pages and leave what was written beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_of_a_page_that_was_never_there_or_is_lost_hides_nothing() {
    let world = World::new(company()).await;
    let (running, shutdown) = world.run_with(&settings(), &Metrics::new()).await;
    let found = world.caught_up(Feed::ItemUsages).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();

    let elsewhere = World::new(company()).await;
    let chain = chain(Feed::ItemUsages);
    let head = Checkpoint { outcome: None, ..found };
    elsewhere.bus.leave_head(&chain, &head).await.unwrap();
    elsewhere.has_head(head.page_sequence).await;
    let (running, shutdown) = elsewhere.run_with(&settings(), &Metrics::new()).await;
    elsewhere.caught_up(Feed::ItemUsages).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    elsewhere.assert_complete(Feed::ItemUsages).await;
}
