//! What is learned of a feed, over the alerter's restarts.

use latchkey_alerter::{DropOffConfig, PolicyConfig};
use latchkey_contracts::About;
use latchkey_core::verdict::{Calendar, ChainWindow, Habit};

use super::*;

const SLOT: SignedDuration = SignedDuration::from_mins(5);

/// A habit of three weeks in which something came in every slot until six hours ago, and the checkpoint that goes with it.
fn learned(now: Timestamp) -> (Habit, Checkpoint) {
    let (mut habit, silent_since) = (Habit::default(), now - SignedDuration::from_hours(6));
    let mut at = now - SignedDuration::from_hours(3 * 7 * 24);
    let mut checkpoint = Checkpoint {
        source: "acme".into(),
        feed: "item_usages".into(),
        first_polled_at_unix_nano: nanos(at),
        outcome: Some(quiet()),
        ..Checkpoint::default()
    };
    while at < now {
        checkpoint.polled_at_unix_nano = nanos(at);
        checkpoint.next_poll_at_unix_nano = nanos(now) + 60_000_000_000;
        checkpoint.last_success_at_unix_nano = nanos(at);
        if at < silent_since {
            checkpoint.last_arrival_at_unix_nano = nanos(at);
        }
        let window = ChainWindow::read(chain(), &checkpoint).unwrap();
        habit.observe(&window, &Calendar::default(), &jiff::tz::TimeZone::UTC);
        at += SLOT;
    }
    (habit, checkpoint)
}

fn adaptive(line: &Line) -> Config {
    Config { drop_off: DropOffConfig { policy: PolicyConfig::Adaptive, ..DropOffConfig::default() }, ..line.config() }
}

#[tokio::test]
async fn an_alerter_that_starts_knows_what_the_one_before_had_learned() {
    let line = Line::start().await;
    let now = clock::now();
    let (habit, checkpoint) = learned(now);
    line.bus.publish_checkpoint(&chain(), &checkpoint).await.unwrap();
    line.bus.publish_habit(&chain(), &habit.keep(&chain(), now)).await.unwrap();
    let alerter = line.alerter(adaptive(&line)).await;
    let about = About::Chain(chain());
    eventually("the silence is unusual", async || {
        let last = line.bus.last_alert_about("drop_off", &about).await.unwrap();
        last.is_some_and(|last| last.message.state() == State::Raised && last.message.reason == "unusual")
    })
    .await;
    alerter.stop().await;
}

#[tokio::test]
async fn an_alerter_keeps_what_it_learns() {
    let line = Line::start().await;
    let alerter = line.alerter(adaptive(&line)).await;
    line.report(quiet()).await;
    eventually("it is kept", async || !line.bus.habits().await.unwrap().is_empty()).await;
    alerter.stop().await;
    let kept = line.bus.habits().await.unwrap().remove(0);
    assert_eq!((kept.source.as_str(), kept.feed.as_str()), ("acme", "item_usages"));
    assert!(Habit::recall(&kept).is_some());
}

#[tokio::test]
async fn nothing_is_kept_of_feeds_with_a_fixed_threshold() {
    let line = Line::start().await;
    let alerter = line.alerter(line.config()).await;
    line.report(refused()).await;
    alerter.shows(&verdict("refused")).await;
    eventually("it is judged", async || line.transitions().await > 0).await;
    alerter.stop().await;
    assert!(line.bus.habits().await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_kept_of_feeds_that_were_removed() {
    let line = Line::start().await;
    let alerter = line.alerter(adaptive(&line)).await;
    line.report(quiet()).await;
    eventually("it is kept", async || !line.bus.habits().await.unwrap().is_empty()).await;
    line.report(Outcome { kind: Kind::Off.into(), reason: "removed".into(), ..Outcome::default() }).await;
    eventually("it is kept no longer", async || line.bus.habits().await.unwrap().is_empty()).await;
    alerter.stop().await;
}
