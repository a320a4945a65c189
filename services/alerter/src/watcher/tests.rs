use jiff::SignedDuration;
use latchkey_bus::server;
use latchkey_contracts::{
    Feed,
    checkpoint::{Outcome as Ended, outcome},
    topology::Limits,
};
use latchkey_core::instant;

use super::*;

const FIVE_HOURS: SignedDuration = SignedDuration::from_hours(5);

#[tokio::test]
async fn an_alerter_whose_clock_is_wrong_judges_feeds_as_the_others_do() {
    let nats = server::scratch().await.unwrap();
    let bus = Bus::connect(nats.connect_options("test")).await.unwrap();
    bus.provision(Limits::default()).await.unwrap();
    // Polled a moment ago, and silent since before yesterday's same hour.
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
        last_arrival_at_unix_nano: hours_ago(26),
        caught_up_at_unix_nano: hours_ago(0),
        outcome: Some(Ended { kind: outcome::Kind::Quiet.into(), ..Ended::default() }),
        ..Checkpoint::default()
    };
    bus.publish_checkpoint(&chain, &checkpoint).await.unwrap();
    let clocks: [fn() -> Timestamp; 3] = [clock::now, || clock::now() + FIVE_HOURS, || clock::now() - FIVE_HOURS];
    for (number, ours) in clocks.into_iter().enumerate() {
        let metrics = Metrics::new(&latchkey_runtime::Metrics::new());
        let nats_clock = NatsClock::beside(ours, metrics.clone());
        let (keeper, _kept) = mpsc::channel(1);
        let watching = (Policies::default(), Timing::default(), &[][..]);
        let tick = Duration::from_secs(5);
        let opened = Watcher::open(bus.clone(), watching, tick, nats_clock, Pulse::default(), metrics, keeper);
        let mut watcher = opened.await.unwrap();
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
