//! Version 3's audit events: a feed that is paged by tokens, and leads nowhere at its end.

use std::{collections::BTreeSet, time::Duration};

use futures::StreamExt;
use latchkey_contracts::{Feed, checkpoint::Checkpoint, checkpoint::outcome::Kind};
use latchkey_runtime::{Metrics, Shutdown, shutdown::Reason};
use latchkey_simulator::{AccountConfig, BadItem, Fault, Plan, Profile, RequestKind, Rule, When};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{PATIENCE, World, chain, company, kind, stored};

const V3: Feed = Feed::AuditEventsV3;
const AUDIT: latchkey_simulator::Feed = latchkey_simulator::Feed::AuditEvents;

impl World {
    /// Runs a fetcher with pages small enough for the made-up week to have many.
    async fn run_v3(&self) -> (JoinHandle<()>, Shutdown) {
        self.run_within(100_000, &json!({"feeds": ["audit_events_v3"], "page_limit": 20})).await
    }

    /// Waits until everything the account has is stored, and whatever was wrong is over.
    async fn caught_up_with_all(&self) -> Checkpoint {
        let exist = self.simulator.dataset("acme", AUDIT).unwrap().len() as u64;
        self.checkpoint_where(V3, |checkpoint| checkpoint.events_total >= exist && kind(checkpoint) == Kind::Quiet)
            .await
    }
}

async fn end(running: JoinHandle<()>, shutdown: Shutdown) {
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_comes_by_tokens_and_what_is_new_by_its_insertion_time() {
    let world = World::new(AccountConfig { repeat_rate: 0.1, ..company() }).await;
    let (running, shutdown) = world.run_v3().await;
    world.caught_up_with_all().await;
    world.assert_complete(V3).await;
    let pages = world.pages(V3).await;
    assert!(pages.len() > 5 && pages.iter().all(|page| page.api_version == "v3"), "{}", pages.len());
    let asked = world.simulator.requests();
    let asked: BTreeSet<_> =
        asked.iter().filter(|record| record.feed.is_some()).map(|record| &*record.endpoint).collect();
    assert_eq!(asked, BTreeSet::from(["GET /api/v3/auditevents"]));

    for _ in 0..3 {
        // They arrive at one moment, and the last of the poll before may have arrived at it too.
        world.simulator.append_sample("acme", AUDIT, 30).unwrap();
        world.caught_up_with_all().await;
    }
    world.assert_complete(V3).await;

    // Idle polls bring the overlap again, and store nothing.
    let stored = world.pages(V3).await.len();
    let since = world.simulator.requests().last().map_or(0, |record| record.number);
    for _ in 0..2 {
        let polled = world.caught_up(V3).await.polled_at_unix_nano;
        world.checkpoint_where(V3, |checkpoint| checkpoint.polled_at_unix_nano > polled).await;
    }
    let again = world.simulator.requests();
    assert!(again.iter().any(|record| record.number > since && record.events > 0), "an overlap is read");
    assert_eq!(world.pages(V3).await.len(), stored);
    end(running, shutdown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_off_unless_it_is_named() {
    let world = World::new(company()).await;
    let (running, shutdown) = world.run().await;
    for feed in Feed::USUAL {
        world.caught_up(feed).await;
    }
    assert!(world.bus.last_checkpoint(&chain(V3)).await.unwrap().is_none());
    assert!(world.simulator.requests().iter().all(|record| !record.endpoint.contains("v3")));
    end(running, shutdown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_of_the_audit_events_go_side_by_side() {
    let world = World::new(company()).await;
    let changes = json!({"feeds": ["audit_events", "audit_events_v3"], "page_limit": 100});
    let (running, shutdown) = world.run_within(100_000, &changes).await;
    world.caught_up_with_all().await;
    world.caught_up(Feed::AuditEvents).await;
    end(running, shutdown).await;
    world.assert_complete(V3).await;
    world.assert_complete(Feed::AuditEvents).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_without_the_scope_turns_it_off() {
    let world = World::new(company()).await;
    world.simulator.set_features("acme", &[latchkey_simulator::Feed::ItemUsages]).unwrap();
    let (running, shutdown) = world.run_v3().await;
    let off = world.checkpoint_where(V3, |checkpoint| kind(checkpoint) == Kind::Off).await;
    assert_eq!(off.outcome.unwrap().reason, "out_of_scope");
    end(running, shutdown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_loses_or_doubles_anything() {
    let faults = [
        Fault::Status { code: 429, retry_after: None },
        Fault::Status { code: 500, retry_after: None },
        Fault::Status { code: 400, retry_after: None },
        Fault::Html,
        Fault::Truncated,
        Fault::EmptyPage,
        Fault::SamePage,
        Fault::RepeatedCursor,
        Fault::NullItems,
        // The page has more behind it and no token.
        Fault::NoCursor,
        Fault::Doubled { share: 0.5, across: true },
        Fault::Shuffled,
        Fault::Late { share: 0.3, by: Duration::from_secs(2) },
        Fault::Skipped { share: 0.3 },
        Fault::BadItem(BadItem::NotAnObject),
        Fault::RejectCursor,
    ];
    futures::stream::iter(faults).for_each_concurrent(4, passes).await;
}

async fn passes(fault: Fault) {
    let name = format!("{fault:?}");
    let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
    let (running, shutdown) = world.run_v3().await;
    world.caught_up(V3).await;
    // The second page, and the first of a later poll: what a fault hides has an overlap to come back in.
    let strike = |on, fault| Rule { feed: Some(AUDIT), on: Some(on), when: When::first(1), ..Rule::new(fault) };
    let rules = [strike(RequestKind::Cursor, fault.clone()), strike(RequestKind::Reset, fault)];
    world.simulator.append_sample("acme", AUDIT, 70).unwrap();
    world.simulator.set_plan(Plan::new(rules)).unwrap();
    world.caught_up_with_all().await;
    world.simulator.append_sample("acme", AUDIT, 5).unwrap();
    world.caught_up_with_all().await;
    end(running, shutdown).await;
    let stored = stored(&world.bus, &world.simulator, &chain(V3)).await;
    // An item that is no event is stored as one, for validation to refuse.
    let bad = stored.events - 75;
    assert_eq!((stored.lost, stored.doubled), (0, 0), "{name}");
    assert!(bad == 0 || name.contains("BadItem"), "{name}: {bad}");
    let struck = world.simulator.requests().iter().filter(|record| !record.faults.is_empty()).count();
    assert!(struck > 0, "{name}: never struck");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetchers_that_die_in_the_middle_lose_and_double_nothing() {
    let world = World::new(AccountConfig { repeat_rate: 0.05, ..company() }).await;
    for life in 1..=4 {
        let (running, _shutdown) = world.run_v3().await;
        let (second, _shutdown_too) = world.run_v3().await;
        let grown = async {
            while world.pages(V3).await.len() < life * 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, grown).await.expect("pages arrive");
        running.abort();
        second.abort();
        world.simulator.append_sample("acme", AUDIT, 25).unwrap();
    }
    let (running, shutdown) = world.run_v3().await;
    world.caught_up_with_all().await;
    end(running, shutdown).await;
    world.assert_complete(V3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_refused_for_good_is_given_up() {
    let world = World::new(company()).await;
    let refuse = Rule { on: Some(RequestKind::Cursor), when: When::first(1), ..Rule::new(Fault::RejectCursor) };
    world.simulator.set_plan(Plan::new([refuse])).unwrap();
    let (running, shutdown) = world.run_v3().await;
    let told = world.caught_up_with_all().await;
    assert_eq!(told.recoveries, 1);
    end(running, shutdown).await;
    world.assert_complete(V3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_finds_nothing_missing_where_nothing_is() {
    let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
    let often = json!({
        "requests_per_minute": 100_000,
        "audit": {"lag": "0s", "recent_every": "1s", "wide_every": "1h", "older_every": "1h"},
    });
    let changes = json!({"feeds": ["audit_events_v3"], "page_limit": 20});
    let (running, shutdown) = world.run_as(&changes, &often, &Metrics::new()).await;
    world.caught_up(V3).await;
    world.simulator.append_sample("acme", AUDIT, 70).unwrap();
    world.caught_up_with_all().await;
    let audited = async {
        loop {
            let stored = world.bus.last_reread("audit", &chain(V3)).await.unwrap();
            let found = stored.and_then(|stored| stored.message.found);
            if let Some(found) = found.filter(|found| found.present == 70) {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, audited).await.expect("an audit of all");
    assert_eq!((found.missing, found.events), (0, 70), "{found:?}");
    end(running, shutdown).await;
    world.assert_complete(V3).await;
}
