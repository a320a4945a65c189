//! Feeds that nobody polls or that are refused, tokens that end, clocks that differ.

use jiff::SignedDuration;
use latchkey_simulator::{Fault, clock};

use super::*;

const POLLED: [Service; 2] = [Service::Fetcher, Service::Alerter];

#[tokio::test]
async fn lk101_a_feed_whose_fetcher_was_killed() {
    let one_feed = Settings { source: json!({ "feeds": ["item_usages"] }), ..settings(&POLLED, alerter(&json!({}))) };
    let mut watched = Watched::start(simulator(account()).await, &one_feed).await;
    watched.checkpoint(Feed::ItemUsages, |checkpoint| outcome_of(checkpoint) == outcome::Kind::Quiet).await;
    watched.line.kill(Service::Fetcher);
    watched.raised(Kind::PollDead, &usages()).await;
    watched.begin(Service::Fetcher).await;
    watched.resolved(Kind::PollDead, &usages()).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk202_all_feeds_whose_fetcher_was_killed() {
    let settings = settings(&POLLED, alerter(&json!({})));
    let mut watched = Watched::start(simulator(account()).await, &settings).await;
    watched.caught_up().await;
    watched.line.kill(Service::Fetcher);
    watched.raised(Kind::PollingStopped, &About::Line).await;
    watched.begin(Service::Fetcher).await;
    watched.resolved(Kind::PollingStopped, &About::Line).await;
    // One cause is one alert.
    for feed in Feed::USUAL {
        assert_eq!(watched.last(Kind::PollDead, &About::Chain(chain(feed))).await, None, "{feed}");
    }
    watched.stop().await;
}

#[tokio::test]
async fn lk102_a_token_that_is_revoked() {
    let settings = settings(&POLLED, alerter(&json!({})));
    let watched = Watched::start(simulator(account()).await, &settings).await;
    watched.caught_up().await;
    watched.simulator.revoke(ACCOUNT).unwrap();
    let raised = watched.raised(Kind::PollRefused, &usages()).await;
    assert_eq!(raised.reason, "unauthorized");
    let token = watched.simulator.issue_token(ACCOUNT, &simulator::Feed::ALL).unwrap();
    watched.write("acme.token", &token);
    watched.resolved(Kind::PollRefused, &usages()).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk201_an_api_that_answers_nobody() {
    let settings = settings(&POLLED, alerter(&json!({})));
    let watched = Watched::start(simulator(account()).await, &settings).await;
    watched.caught_up().await;
    watched.simulator.set_fault(ACCOUNT, None, Fault::Status { code: 503, retry_after: None }).unwrap();
    let raised = watched.raised(Kind::Outage, &About::Line).await;
    assert_eq!(raised.reason, "server_error");
    for feed in Feed::USUAL {
        assert_eq!(watched.last(Kind::PollRefused, &About::Chain(chain(feed))).await, None, "{feed}");
    }
    watched.simulator.set_fault(ACCOUNT, None, Fault::None).unwrap();
    watched.resolved(Kind::Outage, &About::Line).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk105_a_token_that_ends_tomorrow() {
    let tomorrow = clock::now() + SignedDuration::from_hours(24);
    let account = AccountConfig { expires_at: Some(tomorrow), ..account() };
    let settings = settings(&POLLED, alerter(&json!({})));
    let watched = Watched::start(simulator(account).await, &settings).await;
    let raised = watched.raised(Kind::DataAtRisk, &usages()).await;
    assert_eq!(raised.reason, "token_expiry");
    let later = clock::now() + SignedDuration::from_hours(90 * 24);
    let token = watched.simulator.issue_token_until(ACCOUNT, &simulator::Feed::ALL, later).unwrap();
    watched.write("acme.token", &token);
    watched.resolved(Kind::DataAtRisk, &usages()).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk106_a_clock_that_is_five_minutes_ahead() {
    let watched = Watched::start(simulator(account()).await, &settings(&POLLED, alerter(&json!({})))).await;
    watched.simulator.set_fault(ACCOUNT, None, Fault::DateSkew { seconds: -300 }).unwrap();
    let raised = watched.raised(Kind::ClockSkew, &About::Line).await;
    assert!(raised.summary.contains(" s ahead of 1Password's."), "{}", raised.summary);
    watched.simulator.set_fault(ACCOUNT, None, Fault::None).unwrap();
    watched.resolved(Kind::ClockSkew, &About::Line).await;
    watched.stop().await;
}
