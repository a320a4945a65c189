//! The past read again: audits, backfills, comparisons.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use latchkey_bus::operator;
use latchkey_contracts::{
    Feed,
    reread::Reread,
    task::{Task, task::Kind},
};
use latchkey_core::instant;
use latchkey_runtime::{Metrics, Shutdown, clock, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Fault, NewEvent, Plan, Profile, RequestKind, Rule, When};
use serde_json::json;

use crate::support::{PATIENCE, World, chain, company};

/// A reading whose reader died is left alone for half a minute, by each that meets it there.
const PATIENCE_WITH_THE_DEAD: Duration = PATIENCE.saturating_mul(3);

const USAGES: latchkey_simulator::Feed = latchkey_simulator::Feed::ItemUsages;

impl World {
    /// Waits for a reading of item usages to be as wanted.
    pub(crate) async fn reread_where(&self, kind: &str, condition: impl Fn(&Reread) -> bool) -> Reread {
        let deadline = Instant::now() + PATIENCE_WITH_THE_DEAD;
        loop {
            let stored = self.bus.last_reread(kind, &chain(Feed::ItemUsages)).await.unwrap();
            match stored.map(|stored| stored.message) {
                Some(reread) if condition(&reread) => break reread,
                stored => assert!(Instant::now() < deadline, "{kind}: {stored:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn order(&self, kind: Kind, id: &str) {
        let nano = |text: &str| instant::to_unix_nano(text.parse().unwrap());
        let order = Task {
            kind: kind.into(),
            source: "acme".into(),
            feed: "item_usages".into(),
            id: id.into(),
            from_unix_nano: nano("2026-01-01T00:00:00Z"),
            to_unix_nano: nano("2026-03-01T00:00:00Z"),
        };
        self.bus.order_reread(&chain(Feed::ItemUsages), &order).await.unwrap();
    }

    async fn finished(&self, kind: Kind, id: &str) -> Reread {
        let word = if kind == Kind::Backfill { "backfill" } else { "compare" };
        self.reread_where(word, |reread| reread.id == id && reread.finished_at_unix_nano > 0).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_delivers_what_the_cursor_never_brought_once() {
    let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
    let (metrics, feeds) = (Metrics::new(), json!({"feeds": ["item_usages"], "poll_interval": "1s"}));
    let often = json!({"audit": {"lag": "0s", "recent_every": "1s", "wide_every": "1h", "older_every": "1h"}});
    let (running, shutdown) = world.run_as(&feeds, &often, &metrics).await;
    world.caught_up(Feed::ItemUsages).await;
    let skipped =
        Rule { feed: Some(USAGES), on: Some(RequestKind::Cursor), ..Rule::new(Fault::Skipped { share: 0.5 }) };
    world.simulator.set_plan(Plan::new([skipped])).unwrap();
    let uuids: BTreeSet<String> = world.simulator.append_sample("acme", USAGES, 40).unwrap().into_iter().collect();

    let audited = world.reread_where("audit", |audit| audit.missing_total > 0).await;
    let delivered = world.unmarked(Feed::ItemUsages).await;
    assert_eq!(delivered.len(), 40);
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), uuids);
    let found = audited.found.unwrap();
    assert!(found.missing < 40 && found.repaired == found.missing && found.events == 40, "{found:?}");
    let text = metrics.encode();
    let counted =
        format!("audit_events_missing_total{{kind=\"audit\",source=\"acme\",feed=\"item_usages\"}} {}", found.missing);
    assert!(text.contains(&counted), "{text}");
    assert!(text.contains("audit_completeness_ratio{") && text.contains("audit_lateness_seconds_count"));

    // All of them come again when the chain is read again from a point in time, and newer ones go on as usual.
    let refused = Rule { when: When::first(2), on: Some(RequestKind::Cursor), ..Rule::new(Fault::RejectCursor) };
    world.simulator.set_plan(Plan::new([refused])).unwrap();
    world.simulator.append_sample("acme", USAGES, 5).unwrap();
    world
        .checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.recoveries == 1 && checkpoint.events_total == 45)
        .await;
    let audits = world.reread_where("audit", |_| true).await.windows_total;
    let later = world.reread_where("audit", |audit| audit.windows_total >= audits + 2).await;
    assert_eq!(later.missing_total, found.missing);
    world.assert_complete(Feed::ItemUsages).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_doubles_nothing_of_a_device_whose_clock_was_ahead() {
    let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
    let (now, hours) = (clock::now(), SignedDuration::from_hours);
    let event = json!({"uuid": "AHEAD000000000000000000000", "timestamp": now - hours(28)}).to_string();
    world.simulator.append("acme", USAGES, [NewEvent::from_json(event).unwrap()]).unwrap();
    let feeds = json!({"feeds": ["item_usages"]});
    let (running, shutdown) = world.run_with(&feeds, &Metrics::new()).await;
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.events_total == 1).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    // It was stored two hours before it says that it happened.
    let chain = chain(Feed::ItemUsages);
    let mut page = world.bus.last_page(&chain).await.unwrap().unwrap().message;
    page.fetched_at_unix_nano = instant::to_unix_nano(now - hours(30));
    operator::purge_pages(&world.bus, &chain).await.unwrap();
    world.bus.publish_page(&chain, &page, 0).await.unwrap();
    // Where audits were off, they would come back to it after minutes.
    world.bus.delete_tasks(&chain).await.unwrap();

    // The audits begin between the two.
    let often = json!({"audit": {"lag": "0s", "recent_every": "1s", "recent_reach": "29h", "wide_reach": "0s", "older_reach": "0s"}});
    let (running, shutdown) = world.run_as(&feeds, &often, &Metrics::new()).await;
    let audited = world.reread_where("audit", |audit| audit.windows_total >= 2).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    assert_eq!(audited.missing_total, 0, "{audited:?}");
    world.assert_complete(Feed::ItemUsages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_that_is_killed_loses_and_doubles_nothing() {
    let world = World::new(company()).await;
    let changes = json!({"feeds": ["item_usages"], "start_time": "2026-01-29T00:00:00Z", "page_limit": 40});
    // The past is read five times over within the minute: more than 1Password's limits allow.
    let service = json!({"requests_per_minute": 100_000, "requests_per_hour": 100_000, "audit": {"enabled": false}});
    let (running, shutdown) = world.run_as(&changes, &service, &Metrics::new()).await;
    world.caught_up(Feed::ItemUsages).await;
    let before = world.pages(Feed::ItemUsages).await.len();
    let live = world.unmarked(Feed::ItemUsages).await.len() as u64;

    world.order(Kind::Compare, "c1").await;
    let compared = world.finished(Kind::Compare, "c1").await.found.unwrap();
    assert_eq!((compared.present, compared.repaired, compared.unjudged), (live, 0, 0));
    assert!(compared.missing > 200, "{compared:?}");
    assert_eq!(world.pages(Feed::ItemUsages).await.len(), before, "a comparison changes nothing");
    shutdown.begin(Reason::Finished);
    running.await.unwrap();

    // Each life ends in the middle, without a word. Ordering the same again spares the next one the wait for the lease.
    for life in 1..=3 {
        world.order(Kind::Backfill, "b1").await;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // Its connection dies with it.
        let entered = runtime.enter();
        let fetcher = world.fetcher(&changes, &service, &Metrics::new()).await;
        drop(entered);
        runtime.spawn(fetcher.run(Shutdown::new()));
        let grown = async {
            while world.pages(Feed::ItemUsages).await.len() < before + 2 * life {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE_WITH_THE_DEAD, grown).await.expect("the backfill goes on");
        runtime.shutdown_background();
    }
    world.order(Kind::Backfill, "b1").await;
    let (running, shutdown) = world.run_as(&changes, &service, &Metrics::new()).await;
    let finished = world.finished(Kind::Backfill, "b1").await;
    assert_eq!(finished.trouble, "");
    world.assert_complete(Feed::ItemUsages).await;

    // What comes while the chain holds a backfill comes once, and so does what is asked for again.
    world.simulator.append_sample("acme", USAGES, 7).unwrap();
    let total = live + compared.missing + 7;
    world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.events_total == total).await;
    world.order(Kind::Backfill, "b2").await;
    let again = world.finished(Kind::Backfill, "b2").await.found.unwrap();
    assert_eq!((again.present, again.missing), (live + compared.missing, 0));
    world.assert_complete(Feed::ItemUsages).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

/// Events of the beginning of the window, one a second, each with so many bytes that do not compress.
fn events(bytes: impl IntoIterator<Item = usize>) -> impl Iterator<Item = NewEvent> {
    (0..).zip(bytes).map(|(number, bytes)| {
        let time = "2026-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap() + SignedDuration::from_secs(number);
        let mut noise = u32::try_from(number).unwrap();
        let letters = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'0' + u8::try_from(noise >> 26).unwrap())
        });
        let filler: String = letters.take(bytes).filter(|letter| *letter != '\\').collect();
        let text = json!({"uuid": format!("PAST{number:022}"), "timestamp": time, "filler": filler}).to_string();
        NewEvent::from_json(text).unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_that_needs_ever_smaller_pages_far_into_it_is_read_to_its_end() {
    let world = World::of_messages_up_to(12_000, AccountConfig::new("acme", Profile::Empty)).await;
    // Two at the end of 140 fit on a page each, and not on one: a turn's 64 pages of two events end before them.
    world.simulator.append("acme", USAGES, events([1; 140].into_iter().chain([10_000; 2]))).unwrap();
    let changes = json!({"feeds": ["item_usages"], "start_time": "2026-01-29T00:00:00Z", "page_limit": 4});
    let service = json!({"requests_per_minute": 100_000, "requests_per_hour": 100_000, "audit": {"enabled": false}});
    let (running, shutdown) = world.run_as(&changes, &service, &Metrics::new()).await;
    world.caught_up(Feed::ItemUsages).await;
    world.order(Kind::Backfill, "b1").await;
    let found = world.finished(Kind::Backfill, "b1").await.found.unwrap();
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    assert_eq!((found.missing, found.repaired), (142, 142));
    world.assert_complete(Feed::ItemUsages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_too_large_to_be_read_is_asked_for_in_smaller_pages() {
    let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
    world.simulator.append("acme", USAGES, events([1; 30])).unwrap();
    let changes = json!({"feeds": ["item_usages"], "start_time": "2026-01-29T00:00:00Z", "page_limit": 40});
    let service = json!({"requests_per_minute": 100_000, "requests_per_hour": 100_000, "audit": {"enabled": false}});
    let (running, shutdown) = world.run_as(&changes, &service, &Metrics::new()).await;
    world.caught_up(Feed::ItemUsages).await;
    let huge = Fault::HugeBody { bytes: 33 << 20 };
    let huge = Rule { feed: Some(USAGES), on: Some(RequestKind::Reset), when: When::first(1), ..Rule::new(huge) };
    world.simulator.set_plan(Plan::new([huge])).unwrap();
    world.order(Kind::Backfill, "b1").await;
    world.finished(Kind::Backfill, "b1").await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    let items: Vec<u32> = world.pages(Feed::ItemUsages).await.iter().map(|page| page.item_count).collect();
    assert_eq!(items, [20, 10]);
    world.assert_complete(Feed::ItemUsages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_moved_makes_a_backfill_double_nothing() {
    let world = World::new(company()).await;
    let exist = world.simulator.dataset("acme", USAGES).unwrap().len();
    let from = |start: &str| json!({"feeds": ["item_usages"], "start_time": start});
    let (running, shutdown) = world.run_with(&from("2026-01-28T00:00:00Z"), &Metrics::new()).await;
    world.caught_up(Feed::ItemUsages).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
    let polled = world.unmarked(Feed::ItemUsages).await.len();
    assert!(0 < polled && polled < exist, "{polled} of {exist}");

    // What lies between where it began and the later start has been polled; what lies before it has not.
    for (id, start) in [("later", "2026-01-30T00:00:00Z"), ("earlier", "2026-01-01T00:00:00Z")] {
        let (running, shutdown) = world.run_with(&from(start), &Metrics::new()).await;
        world.order(Kind::Backfill, id).await;
        world.finished(Kind::Backfill, id).await;
        shutdown.begin(Reason::Finished);
        running.await.unwrap();
        world.assert_complete(Feed::ItemUsages).await;
    }
}
