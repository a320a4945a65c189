//! Chains that cannot go on as they did, and addresses that give no answer.

use latchkey_contracts::{
    Feed,
    checkpoint::{Checkpoint, Recovery, outcome::Kind},
};
use latchkey_core::{duplicates, instant};
use latchkey_runtime::{Metrics, clock, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Fault, NewEvent, Plan, Profile, RequestKind, Rule, When};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{World, chain, company, kind};

const USAGES: latchkey_simulator::Feed = latchkey_simulator::Feed::ItemUsages;

fn refuse_the_cursor(times: u64) -> Plan {
    Plan::new([Rule {
        feed: Some(USAGES),
        on: Some(RequestKind::Cursor),
        when: When::first(times),
        ..Rule::new(Fault::RejectCursor)
    }])
}

fn recovered(checkpoint: &Checkpoint) -> bool {
    checkpoint.recoveries == 1 && matches!(kind(checkpoint), Kind::Quiet | Kind::Active)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_cursor_at_the_feeds_end_doubles_nothing_and_leaves_a_trace() {
    let world = World::new(company()).await;
    let metrics = Metrics::new();
    let (running, shutdown) = world.run_with(&json!({"feeds": ["item_usages"]}), &metrics).await;
    let before = world.caught_up(Feed::ItemUsages).await;
    world.simulator.set_plan(refuse_the_cursor(1)).unwrap();
    let refused = world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Refused).await;
    assert_eq!(refused.outcome.unwrap().reason, "cursor_refused");
    let uuids = world.simulator.append_sample("acme", USAGES, 3).unwrap();

    let after = world.checkpoint_where(Feed::ItemUsages, recovered).await;
    assert_eq!(after.events_total, before.events_total + 3);
    assert!(world.unmarked(Feed::ItemUsages).await.ends_with(&uuids));
    world.assert_complete(Feed::ItemUsages).await;
    let recovery = after.last_recovery.unwrap();
    assert_eq!(recovery.reason, "cursor_refused");
    assert!(before.polled_at_unix_nano < recovery.at_unix_nano && recovery.from_unix_nano < recovery.at_unix_nano);
    assert!(metrics.encode().contains("fetcher_recoveries_total{source=\"acme\",feed=\"item_usages\"} 1"));
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_whose_clock_is_ahead_hides_nothing_from_a_recovery() {
    let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
    let (now, hours) = (clock::now(), jiff::SignedDuration::from_hours);
    // Twenty days of the past, and among the oldest an event of the day before yesterday.
    let event = |number: i64| {
        let ago = if number == 30 { hours(48) } else { hours(2 * (240 - number)) };
        let text = json!({"uuid": format!("AHEAD{number:021}"), "timestamp": now - ago}).to_string();
        NewEvent::from_json(text).unwrap()
    };
    world.simulator.append("acme", USAGES, (0..240).map(event)).unwrap();
    let fifth = Rule { when: When { nth: 5, ..When::first(1) }, ..refuse_the_cursor(1).rules[0].clone() };
    world.simulator.set_plan(Plan::new([fifth])).unwrap();
    let changes = json!({"feeds": ["item_usages"], "page_limit": 10, "start_time": now - hours(24 * 30)});
    let (running, shutdown) = world.run_within(100_000, &changes).await;
    world.checkpoint_where(Feed::ItemUsages, recovered).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    world.assert_complete(Feed::ItemUsages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_recovery_has_passed_by_is_read_whether_or_not_audits_are_on_a_schedule() {
    for enabled in [true, false] {
        let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
        let changes = json!({"feeds": ["item_usages"]});
        let (running, shutdown) = world.run_with(&changes, &Metrics::new()).await;
        world.caught_up(Feed::ItemUsages).await;
        let began = clock::now();
        let skipped =
            Rule { feed: Some(USAGES), on: Some(RequestKind::Cursor), ..Rule::new(Fault::Skipped { share: 0.5 }) };
        world.simulator.set_plan(Plan::new([skipped])).unwrap();
        world.simulator.append_sample("acme", USAGES, 40).unwrap();
        world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.events_total > 0).await;
        shutdown.begin(Reason::Finished);
        running.await.unwrap();
        assert!(world.unmarked(Feed::ItemUsages).await.len() < 40);

        // As a recovery leaves it that remembers too little.
        let chain = chain(Feed::ItemUsages);
        let before = world.bus.last_checkpoint(&chain).await.unwrap().unwrap().message;
        let now = instant::to_unix_nano(clock::now());
        let left = Checkpoint {
            recoveries: 1,
            last_recovery: Some(Recovery { at_unix_nano: now, from_unix_nano: now, reason: "cursor_refused".into() }),
            passed_by_from_unix_nano: instant::to_unix_nano(began),
            passed_by_to_unix_nano: now,
            ..before
        };
        world.bus.publish_checkpoint(&chain, &left).await.unwrap();
        // Where audits were off, they would come back to it after minutes.
        world.bus.delete_tasks(&chain).await.unwrap();
        // No window of the schedule reaches back.
        let none = json!({"audit": {"enabled": enabled, "recent_every": "1s", "recent_reach": "0s", "wide_reach": "0s", "older_reach": "0s"}});
        let (running, shutdown) = world.run_as(&changes, &none, &Metrics::new()).await;
        world.reread_where("audit", |audit| audit.missing_total > 0 && audit.finished_at_unix_nano > 0).await;
        shutdown.begin(Reason::Finished);
        running.await.unwrap();
        world.assert_complete(Feed::ItemUsages).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_chain_recognises_more_than_the_usual_window_holds() {
    // Some 28,000 events in 26 hours, and twice as many stored.
    let now = clock::now();
    let profile = Profile::Bulk { events_per_feed: 520_000, until: now };
    let world = World::new(AccountConfig::new("acme", profile)).await;
    let start = now - jiff::SignedDuration::from_hours(48);
    let changes = json!({"feeds": ["item_usages"], "page_limit": 1000, "start_time": start});
    let (running, shutdown) = world.run_with(&changes, &Metrics::new()).await;
    let before = world.caught_up(Feed::ItemUsages).await;
    assert!(before.events_total > 2 * duplicates::MAX_UUIDS as u64, "{}", before.events_total);

    world.simulator.set_plan(refuse_the_cursor(1)).unwrap();
    let after = world.checkpoint_where(Feed::ItemUsages, recovered).await;
    assert_eq!(after.events_total, before.events_total, "nothing counts twice");
    let pages = world.pages(Feed::ItemUsages).await;
    let marked: usize = pages.iter().map(|page| page.duplicates.len()).sum();
    assert!(marked > duplicates::MAX_UUIDS, "{marked} events came again");
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetchers_that_die_during_a_recovery_double_nothing() {
    let now = clock::now();
    let world = World::new(AccountConfig::new("acme", Profile::Bulk { events_per_feed: 30_000, until: now })).await;
    let start = now - jiff::SignedDuration::from_hours(48);
    let changes = json!({"feeds": ["item_usages"], "page_limit": 20, "start_time": start});
    let (running, _shutdown) = world.run_with(&changes, &Metrics::new()).await;
    let before = world.caught_up(Feed::ItemUsages).await;
    running.abort();
    let stored = world.pages(Feed::ItemUsages).await.len();

    world.simulator.set_plan(refuse_the_cursor(1)).unwrap();
    for life in 1..=3 {
        let (running, _shutdown) = world.run_with(&changes, &Metrics::new()).await;
        let grown = async {
            while world.pages(Feed::ItemUsages).await.len() < stored + 5 * life {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(crate::support::PATIENCE, grown).await.expect("pages come again");
        running.abort();
    }
    let (running, shutdown) = world.run_with(&changes, &Metrics::new()).await;
    let after = world.checkpoint_where(Feed::ItemUsages, recovered).await;
    assert_eq!(after.events_total, before.events_total, "nothing counts twice");
    assert_eq!(after.recovering_from_unix_nano, 0);
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_does_not_resolve_is_named() {
    let world = World::new(company()).await;
    assert_eq!(refusal(&world, &json!({"events_api_url": "http://nowhere.invalid"})).await, "dns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_not_trusted_is_named_until_it_is() {
    let world = World::new(company()).await;
    let url = world.simulator.https_url();
    assert_eq!(refusal(&world, &json!({"events_api_url": url})).await, "tls");
    let ca_file = world.token_file.with_extension("pem");
    std::fs::write(&ca_file, world.simulator.ca_pem()).unwrap();
    let changes = json!({"events_api_url": url, "ca_file": ca_file});
    let (running, shutdown) = world.run_with(&changes, &Metrics::new()).await;
    world.caught_up(Feed::ItemUsages).await;
    world.assert_complete(Feed::ItemUsages).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_without_a_server_is_named_until_there_is_one() {
    let world = World::new(company()).await;
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let changes = json!({"events_api_url": format!("http://{address}")});
    let (running, shutdown) = world.run_with(&changes, &Metrics::new()).await;
    let refused = world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Refused).await;
    assert_eq!(refused.outcome.unwrap().reason, "connect");
    let forwarder = tokio::spawn(forward(address, world.simulator.http_url().replace("http://", "")));
    world.caught_up(Feed::ItemUsages).await;
    world.assert_complete(Feed::ItemUsages).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    forwarder.abort();
}

/// The word of the first turn that is refused.
async fn refusal(world: &World, changes: &serde_json::Value) -> String {
    let (running, shutdown) = world.run_with(changes, &Metrics::new()).await;
    let refused = world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Refused).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    assert!(world.bus.last_page(&chain(Feed::ItemUsages)).await.unwrap().is_none());
    refused.outcome.unwrap().reason
}

async fn forward(listen: std::net::SocketAddr, to: String) {
    let listener = TcpListener::bind(listen).await.unwrap();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let to = to.clone();
        tokio::spawn(async move {
            let mut far = TcpStream::connect(to).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
    }
}
