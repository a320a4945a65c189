use std::sync::atomic::{AtomicI64, Ordering};

use jiff::SignedDuration;
use latchkey_bus::server::{self, Scratch};
use latchkey_contracts::{
    Feed,
    checkpoint::{Outcome as Ended, outcome},
    topology::Limits,
};
use latchkey_core::instant;

use super::*;

const FIVE_HOURS: SignedDuration = SignedDuration::from_hours(5);

/// How far the clock is ahead that a test sets.
static SET_TO: AtomicI64 = AtomicI64::new(0);

/// Of a feed that was polled a moment ago, and is silent for so many hours.
async fn silent_for(hours: i64) -> (Scratch, Bus, Timestamp) {
    let nats = server::scratch().await.unwrap();
    let bus = Bus::connect(nats.connect_options("test")).await.unwrap();
    bus.provision(Limits::default()).await.unwrap();
    let began = clock::now();
    let hours_ago = |hours| instant::to_unix_nano(began - SignedDuration::from_hours(hours));
    let chain = Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages };
    let checkpoint = Checkpoint {
        source: chain.source.to_string(),
        feed: chain.feed.to_string(),
        polled_at_unix_nano: hours_ago(0),
        next_poll_at_unix_nano: hours_ago(0) + 60_000_000_000,
        first_polled_at_unix_nano: hours_ago(1_000),
        last_success_at_unix_nano: hours_ago(0),
        last_arrival_at_unix_nano: hours_ago(hours),
        caught_up_at_unix_nano: hours_ago(0),
        // In three hours it is worth a warning.
        token_expires_at_unix_nano: hours_ago(-14 * 24 - 3),
        outcome: Some(Ended { kind: outcome::Kind::Quiet.into(), ..Ended::default() }),
        ..Checkpoint::default()
    };
    bus.publish_checkpoint(&chain, &checkpoint).await.unwrap();
    (nats, bus, began)
}

async fn watcher(bus: &Bus, ours: fn() -> Timestamp) -> Watcher {
    let metrics = Metrics::new(&latchkey_runtime::Metrics::new());
    let nats_clock = NatsClock::beside(ours, metrics.clone());
    let watching = (Policies::default(), Timing::default(), &[][..]);
    let (keeper, _) = mpsc::channel(1);
    let tick = Duration::from_secs(5);
    let opened = Watcher::open(bus.clone(), watching, tick, nats_clock, Pulse::default(), metrics, keeper);
    Box::pin(opened).await.unwrap()
}

#[tokio::test]
async fn when_its_clock_is_set_an_alerter_judges_nothing_by_it() {
    let ours = || clock::now() + SignedDuration::from_secs(SET_TO.load(Ordering::Relaxed));
    let (_nats, bus, _) = silent_for(20).await;
    for set_to in [FIVE_HOURS, -FIVE_HOURS] {
        SET_TO.store(0, Ordering::Relaxed);
        let mut watcher = watcher(&bus, ours).await;
        let item = watcher.checkpoints.next().await.unwrap();
        let again = watcher.bus.watch_checkpoints().next().await.unwrap();
        let now = watcher.clock.now();
        assert!(watcher.take_in(Event::Checkpoint(Box::new(item)), now).is_empty());
        SET_TO.store(set_to.as_secs(), Ordering::Relaxed);
        let now = watcher.clock.now();
        assert!(watcher.take_in(Event::Checkpoint(Box::new(again)), now).is_empty());
        // Before NATS has said what its clock shows, and after.
        watcher.clock.ours_was_set();
        assert!(watcher.take_in(Event::Tick, now).is_empty());
        watcher.ask_the_time().await;
        let now = watcher.clock.now();
        assert!(now.duration_since(clock::now()).abs() < SignedDuration::from_secs(1), "{now}");
        assert!(watcher.take_in(Event::Tick, now).is_empty());
        assert_eq!(watcher.last_tick, now);
        SET_TO.store(-set_to.as_secs(), Ordering::Relaxed);
        watcher.ask_the_time().await;
        let now = watcher.clock.now();
        assert!(now.duration_since(clock::now()).abs() < SignedDuration::from_secs(1), "{now}");
    }
}

#[tokio::test]
async fn an_alerter_whose_clock_is_wrong_judges_feeds_as_the_others_do() {
    // Longer than since yesterday's same hour.
    let (_nats, bus, began) = silent_for(26).await;
    let clocks: [fn() -> Timestamp; 3] = [clock::now, || clock::now() + FIVE_HOURS, || clock::now() - FIVE_HOURS];
    for (number, ours) in clocks.into_iter().enumerate() {
        let mut watcher = watcher(&bus, ours).await;
        let item = watcher.checkpoints.next().await.unwrap();
        let now = watcher.clock.now();
        let steps = watcher.take_in(Event::Checkpoint(Box::new(item)), now);
        let [Step::Publish { kind: Kind::DropOff, alert, .. }] = &steps[..] else {
            panic!("clock {number}: {steps:?}")
        };
        let judged_at = instant::from_unix_nano(alert.judged_at_unix_nano);
        assert!(judged_at >= began - SignedDuration::from_secs(1), "clock {number}: {judged_at}");
        assert!(judged_at <= clock::now() + SignedDuration::from_secs(1), "clock {number}: {judged_at}");
    }
}
