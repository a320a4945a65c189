//! Polling goes on as if nobody read the past, and what both bring comes once.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use latchkey_contracts::{
    Feed,
    checkpoint::outcome::Kind,
    task::{Task, task::Kind as Duty},
};
use latchkey_core::instant;
use latchkey_runtime::{Metrics, clock, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Fault, NewEvent, Plan, Profile, RequestKind, Rule};
use serde_json::json;

use crate::support::{PATIENCE, World, chain, company, kind};

const USAGES: latchkey_simulator::Feed = latchkey_simulator::Feed::ItemUsages;

/// Requests a minute: of them a backfill leaves a quarter to polling, which needs sixty.
const PER_MINUTE: u32 = 240;

/// Polls to be seen while the backfill has used up what it may take.
const POLLS: usize = 10;

fn refused_backfills(metrics: &Metrics) -> bool {
    metrics.encode().contains("fetcher_budget_messages_total{work=\"backfill\",outcome=\"refused\"}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_keep_their_interval_while_a_backfill_has_used_up_its_share() {
    let world = World::new(company()).await;
    // So few events on a page that the past takes more requests than a minute has.
    let changes = json!({"feeds": ["item_usages"], "start_time": "2026-01-30T20:00:00Z", "page_limit": 1});
    let service = json!({"requests_per_minute": PER_MINUTE, "requests_per_hour": 100_000, "audit": {"enabled": false}});
    let metrics = Metrics::new();
    let (running, shutdown) = world.run_as(&changes, &service, &metrics).await;
    world.caught_up(Feed::ItemUsages).await;
    let order = Task {
        kind: Duty::Backfill.into(),
        source: "acme".into(),
        feed: "item_usages".into(),
        id: "b1".into(),
        from_unix_nano: instant::to_unix_nano("2026-01-01T00:00:00Z".parse().unwrap()),
        to_unix_nano: instant::to_unix_nano("2026-01-30T20:00:00Z".parse().unwrap()),
    };
    world.bus.order_reread(&chain(Feed::ItemUsages), &order).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !refused_backfills(&metrics) {
        assert!(Instant::now() < deadline, "the backfill uses up what it may take");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let mut polled_at = 0;
    for _ in 0..POLLS {
        let poll =
            world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.polled_at_unix_nano > polled_at).await;
        assert_ne!(kind(&poll), Kind::Refused, "{:?}", poll.outcome);
        // The next is due an interval later, and not when the budget has room again.
        let wait = poll.next_poll_at_unix_nano - poll.polled_at_unix_nano;
        assert!(wait <= 1_100_000_000, "{wait}");
        polled_at = poll.polled_at_unix_nano;
    }
    let backfill = world.bus.last_reread("backfill", &chain(Feed::ItemUsages)).await.unwrap().unwrap().message;
    assert_eq!(backfill.finished_at_unix_nano, 0, "the backfill waits meanwhile");
    assert!(!metrics.encode().contains("fetcher_budget_messages_total{work=\"live\",outcome=\"refused\"}"));
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

/// Events of an hour ago, which an audit may look for.
fn late(round: usize) -> Vec<NewEvent> {
    let happened = clock::now() - SignedDuration::from_hours(1);
    let event = |number| {
        let uuid = format!("LATE{round:06}{number:016}");
        NewEvent::from_json(json!({"uuid": uuid, "timestamp": happened}).to_string()).unwrap()
    };
    (0..20).map(event).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_and_a_poll_that_bring_the_same_events_bring_them_once() {
    let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
    let (metrics, feeds) = (Metrics::new(), json!({"feeds": ["item_usages"]}));
    let often = json!({
        "requests_per_minute": 100_000,
        "requests_per_hour": 100_000,
        "audit": {"lag": "0s", "recent_every": "1s", "wide_every": "24h", "older_every": "24h"},
    });
    let (running, shutdown) = world.run_as(&feeds, &often, &metrics).await;
    world.caught_up(Feed::ItemUsages).await;
    // A poll holds its page for long, and audits come and go meanwhile.
    let slow = Rule { on: Some(RequestKind::Cursor), ..Rule::new(Fault::Delay(Duration::from_secs(3))) };
    world.simulator.set_plan(Plan::new([slow])).unwrap();

    let (mut rounds, mut raced) = (0, false);
    let deadline = Instant::now() + PATIENCE;
    while !raced || rounds < 3 {
        assert!(Instant::now() < deadline, "no audit is faster than a poll");
        world.simulator.append("acme", USAGES, late(rounds)).unwrap();
        rounds += 1;
        let expect = 20 * rounds;
        world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.events_total == expect as u64).await;
        // What the audit had published, the poll brought again.
        let pages = world.pages(Feed::ItemUsages).await;
        raced = pages.iter().any(|page| page.duplicates.len() == 20);
    }
    world.simulator.set_plan(Plan::default()).unwrap();
    let delivered = world.unmarked(Feed::ItemUsages).await;
    let distinct: BTreeSet<&String> = delivered.iter().collect();
    assert_eq!((delivered.len(), distinct.len()), (20 * rounds, 20 * rounds));
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}
