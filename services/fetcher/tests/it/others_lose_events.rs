//! The sixteen ways in which other collectors of these events lose or double them, each tried on ours.

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use latchkey_contracts::{Feed, checkpoint::Checkpoint, checkpoint::outcome::Kind, page::raw_page::Request};
use latchkey_core::{body, page};
use latchkey_runtime::{Metrics, Shutdown, clock, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Fault, NewEvent, Plan, Profile, Rule, When};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{PATIENCE, World, chain, company, kind};

const USAGES: latchkey_simulator::Feed = latchkey_simulator::Feed::ItemUsages;

fn empty() -> AccountConfig {
    AccountConfig::new("acme", Profile::Empty)
}

/// Small pages of one feed.
async fn run(world: &World, page_limit: u32) -> (JoinHandle<()>, Shutdown) {
    world.run_with(&json!({"feeds": ["item_usages"], "page_limit": page_limit}), &Metrics::new()).await
}

async fn stop((running, shutdown): (JoinHandle<()>, Shutdown)) {
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

async fn stored(world: &World, events: usize) -> Checkpoint {
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.events_total >= events as u64).await
}

fn first(times: u64, fault: Fault) -> Rule {
    Rule { feed: Some(USAGES), when: When::first(times), ..Rule::new(fault) }
}

/// What is stored of the chain, as one text.
async fn text(world: &World) -> String {
    let mut text = Vec::new();
    for page in world.pages(Feed::ItemUsages).await {
        body::unpack(&page.body, body::MAX_BYTES, |body| text.extend_from_slice(body)).unwrap();
    }
    String::from_utf8(text).unwrap()
}

fn event(number: usize, timestamp: &str) -> String {
    json!({"uuid": format!("EVENT{number}"), "timestamp": timestamp, "action": "fill"}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_01_cursor_saved_before_the_events_are_durable() {
    let world = World::new(company()).await;
    for life in 1..=4 {
        let (running, _shutdown) = run(&world, 100).await;
        let grown = async {
            while world.pages(Feed::ItemUsages).await.len() < life * 2 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, grown).await.expect("pages arrive");
        // Dies wherever it stands: between the answer and the page, or between the page and the checkpoint.
        running.abort();
    }
    let running = run(&world, 100).await;
    world.caught_up(Feed::ItemUsages).await;
    stop(running).await;
    world.assert_complete(Feed::ItemUsages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_02_first_event_of_a_page_carries_the_next_pages_cursor() {
    let world = World::new(company()).await;
    let running = run(&world, 100).await;
    world.caught_up(Feed::ItemUsages).await;
    stop(running).await;
    let pages = world.pages(Feed::ItemUsages).await;
    assert!(pages.len() > 3);
    for page in &pages {
        // The cursor and every event before it are one message: there is no inside to crash in.
        let items =
            body::unpack(&page.body, body::MAX_BYTES, |body| page::read(Feed::ItemUsages, body).unwrap().items.len())
                .unwrap();
        assert_eq!(items, page.item_count as usize);
    }
    for pair in pages.windows(2) {
        assert_eq!(pair[1].request, Some(Request::Cursor(pair[0].next_cursor.clone())));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_03_no_value_stored_as_a_cursor_after_a_failed_or_empty_first_run() {
    let world = World::new(empty()).await;
    let status = Fault::Status { code: 500, retry_after: None };
    world.simulator.set_plan(Plan::new([first(1, Fault::NoCursor), first(2, status)])).unwrap();
    let running = run(&world, 100).await;
    let refused = world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Refused).await;
    assert_eq!(refused.cursor, "");
    // Then the feed is empty, and its cursor counts.
    let quiet = world.caught_up(Feed::ItemUsages).await;
    assert!(quiet.cursor.len() > 100, "{:?}", quiet.cursor);
    let uuids = world.simulator.append_sample("acme", USAGES, 2).unwrap();
    stored(&world, 2).await;
    stop(running).await;
    assert_eq!(world.unmarked(Feed::ItemUsages).await, uuids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_04_an_error_body_read_as_no_events() {
    for (fault, reason) in [
        (Fault::Status { code: 401, retry_after: None }, "unauthorized"),
        (Fault::Status { code: 503, retry_after: None }, "server_error"),
        (Fault::Html, "malformed"),
        (Fault::NoHasMore, "malformed"),
        (Fault::CutShort, "malformed"),
    ] {
        let world = World::new(company()).await;
        world.simulator.set_fault("acme", Some(USAGES), fault).unwrap();
        let running = run(&world, 100).await;
        let told = world.checkpoint_where(Feed::ItemUsages, |_| true).await;
        assert_eq!((kind(&told), told.outcome.unwrap().reason.as_str()), (Kind::Refused, reason));
        assert_eq!((told.last_success_at_unix_nano, told.caught_up_at_unix_nano), (0, 0));
        stop(running).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_05_resuming_at_the_newest_timestamp() {
    let world = World::new(empty()).await;
    let running = run(&world, 10).await;
    world.caught_up(Feed::ItemUsages).await;
    // Many in one second, more than a page of them in the same nanosecond, in several portions.
    for portion in 0..3 {
        let stamp = |number: usize| {
            if number.is_multiple_of(2) { "2026-03-01T10:00:00.000000001Z" } else { "2026-03-01T10:00:00.5Z" }
        };
        let events = (0..25).map(|number| portion * 25 + number);
        let events = events.map(|number| NewEvent::from_json(event(number, stamp(number))).unwrap());
        world.simulator.append("acme", USAGES, events).unwrap();
        stored(&world, (portion + 1) * 25).await;
    }
    stop(running).await;
    world.assert_complete(Feed::ItemUsages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_06_has_more_ignored() {
    let world = World::new(company()).await;
    let events = world.simulator.dataset("acme", USAGES).unwrap().len();
    let interval = json!({"feeds": ["item_usages"], "page_limit": 100, "poll_interval": "1h"});
    let running = world.run_with(&interval, &Metrics::new()).await;
    // Were it one page per interval, this would take half a day; were it a loop, it would never end.
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Active).await;
    stop(running).await;
    world.assert_complete(Feed::ItemUsages).await;
    let asked = world.simulator.requests().iter().filter(|record| record.feed.is_some()).count();
    assert!((events.div_ceil(100)..=events / 100 + 2).contains(&asked), "{asked} requests for {events} events");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_07_one_feeds_401_stops_all_feeds() {
    let world = World::new(company()).await;
    world.simulator.set_fault("acme", Some(USAGES), Fault::Status { code: 401, retry_after: None }).unwrap();
    let running = world.run().await;
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Refused).await;
    for feed in [Feed::SignInAttempts, Feed::AuditEvents] {
        world.caught_up(feed).await;
        world.assert_complete(feed).await;
    }
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_08_a_single_event_page_dropped() {
    let world = World::new(empty()).await;
    let running = run(&world, 100).await;
    world.caught_up(Feed::ItemUsages).await;
    for events in 1..=3 {
        world.simulator.append_sample("acme", USAGES, 1).unwrap();
        stored(&world, events).await;
    }
    stop(running).await;
    world.assert_complete(Feed::ItemUsages).await;
    assert!(world.pages(Feed::ItemUsages).await.iter().all(|page| page.item_count == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_09_no_timeout() {
    let world = World::new(company()).await;
    world.simulator.set_plan(Plan::new([first(1, Fault::Hang)])).unwrap();
    let running = world.run_with(&json!({"timeout": "1s"}), &Metrics::new()).await;
    let told = world.checkpoint_where(Feed::ItemUsages, |_| true).await;
    assert_eq!(told.outcome.unwrap().reason, "timeout");
    for feed in Feed::USUAL {
        world.caught_up(feed).await;
        world.assert_complete(feed).await;
    }
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_10_fixed_time_windows() {
    let world = World::new(company()).await;
    let running = run(&world, 100).await;
    let before = world.caught_up(Feed::ItemUsages).await;
    // Happened weeks ago on a device that was offline; one even before all that is stored.
    let stamps = ["2026-01-02T00:00:00Z", "2026-01-20T00:00:00Z", "2026-01-29T23:59:59.999Z"];
    let late = stamps.iter().enumerate().map(|(number, stamp)| NewEvent::from_json(event(number, stamp)).unwrap());
    world.simulator.append("acme", USAGES, late).unwrap();
    stored(&world, usize::try_from(before.events_total).unwrap() + 3).await;
    stop(running).await;
    world.assert_complete(Feed::ItemUsages).await;
}

/// Appends one event of any text and waits until it is stored; what is stored then.
async fn as_it_came(json: &str) -> String {
    let world = World::new(empty()).await;
    let new = NewEvent { uuid: "ODD".into(), timestamp: clock::now(), arrival: None, json: json.into() };
    world.simulator.append("acme", USAGES, [new]).unwrap();
    let running = run(&world, 100).await;
    stored(&world, 1).await;
    stop(running).await;
    text(&world).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_11_unknown_fields_dropped_and_a_null_object_that_breaks_the_page() {
    for details in ["null", r#"{"value":"Europe"}"#, r#""Europe""#] {
        let odd = format!(r#"{{"uuid":"ODD","timestamp":"2026-03-01T00:00:00Z","details":{details},"brand_new":[1]}}"#);
        assert!(as_it_came(&odd).await.contains(&odd));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_12_events_without_timestamp_dropped() {
    let odd = r#"{"uuid":"ODD","action":"fill"}"#;
    assert!(as_it_came(odd).await.contains(odd));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_13_fixed_structs_serialised_again() {
    let odd = r#"{"uuid":"ODD",  "timestamp":"2026-03-01T00:00:00.123456789Z","a":1.00,"b":12345678901234567890123,"c":"\u00e9\/","a":2}"#;
    assert!(as_it_came(odd).await.contains(odd));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_14_a_past_held_whole_in_memory() {
    let now = clock::now();
    let world = World::new(AccountConfig::new("acme", Profile::Bulk { events_per_feed: 2_000, until: now })).await;
    let running = run(&world, 10).await;
    // A turn hands the chain back in the middle of a long past, with what it has stored so far.
    let behind = world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Behind).await;
    assert!((1..2_000).contains(&behind.events_total), "{}", behind.events_total);
    world.caught_up(Feed::ItemUsages).await;
    stop(running).await;
    world.assert_complete(Feed::ItemUsages).await;
    assert!(world.pages(Feed::ItemUsages).await.iter().all(|page| page.item_count <= 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_15_a_lock_without_fencing() {
    let world = World::new(AccountConfig { repeat_rate: 0.05, ..company() }).await;
    let runners = [run(&world, 50).await, run(&world, 50).await, run(&world, 50).await];
    for _ in 0..5 {
        world.simulator.append_sample("acme", USAGES, 20).unwrap();
        let exist = world.simulator.dataset("acme", USAGES).unwrap().len();
        stored(&world, exist).await;
    }
    for runner in runners {
        stop(runner).await;
    }
    world.assert_complete(Feed::ItemUsages).await;
    // Every page was stored onto the one before it.
    let sequences: Vec<u64> = world.pages(Feed::ItemUsages).await.iter().map(|page| page.previous_sequence).collect();
    assert_eq!(sequences.iter().collect::<BTreeSet<_>>().len(), sequences.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn way_16_a_restart_starts_at_now() {
    let world = World::new(company()).await;
    // The first run fails altogether.
    world.simulator.set_fault("acme", None, Fault::Html).unwrap();
    let running = run(&world, 100).await;
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Refused).await;
    stop(running).await;
    world.simulator.set_fault("acme", None, Fault::None).unwrap();
    for _ in 0..2 {
        let running = run(&world, 100).await;
        let exist = world.simulator.dataset("acme", USAGES).unwrap().len();
        stored(&world, exist).await;
        stop(running).await;
        // Nobody runs while these come, days late.
        let stamp = (clock::now() - SignedDuration::from_hours(72)).to_string();
        let missed = NewEvent::from_json(event(exist, &stamp)).unwrap();
        world.simulator.append("acme", USAGES, [missed]).unwrap();
    }
    let running = run(&world, 100).await;
    stored(&world, world.simulator.dataset("acme", USAGES).unwrap().len()).await;
    stop(running).await;
    assert!(world.bus.last_page(&chain(Feed::ItemUsages)).await.unwrap().is_some());
    world.assert_complete(Feed::ItemUsages).await;
}
