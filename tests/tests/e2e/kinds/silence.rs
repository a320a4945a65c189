//! Feeds and sources that have fallen silent.
//!
//! A silence that is worth an alert takes a quarter of an hour at least. These tests do not wait for it: while no fetcher runs, they
//! change when the last arrival was in the feed's checkpoint, which is all that anybody remembers of it.

use jiff::SignedDuration;

use super::*;

/// A fetcher that has polled everything and goes on as if the last events of these feeds had come an hour ago.
async fn silent(feeds: &[Feed], changes: &Value) -> Watched {
    let settings = settings(&[Service::Fetcher], alerter(changes));
    let mut watched = Watched::start(simulator(account()).await, &settings).await;
    watched.caught_up().await;
    watched.line.kill(Service::Fetcher);
    let hour = i64::try_from(SignedDuration::from_hours(1).as_nanos()).unwrap();
    for feed in feeds {
        let mut checkpoint = watched.checkpoint(*feed, |_| true).await;
        checkpoint.last_arrival_at_unix_nano -= hour;
        checkpoint.first_polled_at_unix_nano -= hour;
        watched.line.bus().publish_checkpoint(&chain(*feed), &checkpoint).await.unwrap();
    }
    watched.begin(Service::Fetcher).await;
    watched.begin(Service::Alerter).await;
    watched
}

#[tokio::test]
async fn lk103_a_feed_that_is_silent_on_a_workday() {
    let hours = json!({ "time_zone": "UTC", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "until": "00:00" });
    let drop_off = json!({ "drop_off": { "after": "15m", "hours": hours } });
    let watched = silent(&[Feed::ItemUsages], &drop_off).await;
    let raised = watched.raised(Kind::DropOff, &usages()).await;
    assert!(raised.summary.contains("is polled without fault, but no event has arrived since"), "{}", raised.summary);
    watched.simulator.append_sample(ACCOUNT, USAGES, 1).unwrap();
    watched.resolved(Kind::DropOff, &usages()).await;
    assert_eq!(watched.last(Kind::DropOff, &About::Chain(chain(Feed::AuditEvents))).await, None);
    watched.stop().await;
}

#[tokio::test]
async fn lk104_a_source_that_is_silent_as_a_whole() {
    let watched = silent(&Feed::USUAL, &json!({ "drop_off": { "after": "15m" } })).await;
    let source = About::Source(chain(Feed::ItemUsages).source);
    watched.raised(Kind::SourceDropOff, &source).await;
    // Its feeds are not told of one by one.
    for feed in Feed::USUAL {
        assert_eq!(watched.last(Kind::DropOff, &About::Chain(chain(feed))).await, None, "{feed}");
    }
    for feed in simulator::Feed::ALL {
        watched.simulator.append_sample(ACCOUNT, feed, 1).unwrap();
    }
    watched.resolved(Kind::SourceDropOff, &source).await;
    watched.stop().await;
}
