//! Events that are made up: a small past for every feed.

use std::time::Duration;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::Feed;
use latchkey_runtime::clock;
use serde_json::json;

use super::{AT_ONCE, name};

/// Events that each feed holds: one for each of so many hours.
const PAST: i64 = 20;

/// How long the simulator may take to be told something.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

pub(super) fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(TOLD_WITHIN).build()?)
}

/// Where a feed's events are given to the simulator.
pub(super) fn place(url: &str, account: &str, feed: Feed) -> String {
    format!("{url}/_simulator/events?account={account}&feed={feed}")
}

/// Gives every feed of so many accounts its past.
pub(super) async fn give_past(url: &str, accounts: usize) -> Result<()> {
    let (http, now) = (client()?, clock::now());
    let times: Vec<_> = (1..=PAST).rev().map(|hours| now - SignedDuration::from_hours(hours)).collect();
    let chains = (1..=accounts).flat_map(|account| Feed::USUAL.map(|feed| (account, feed)));
    let give = |(account, feed): (usize, Feed)| {
        let (place, events) = (place(url, &name(account), feed), events(&format!("PAST{account:08}"), &times));
        let http = &http;
        async move { http.post(place).body(events).send().await?.error_for_status().map(|_| ()) }
    };
    Ok(futures::stream::iter(chains).map(give).buffer_unordered(AT_ONCE).try_collect().await?)
}

/// One for each time, of the length that 1Password's have, as the simulator takes them.
pub(super) fn events(id: &str, times: &[Timestamp]) -> String {
    let filler = "event ".repeat(90);
    let event = |(number, time)| json!({ "uuid": format!("{id}{number:08}"), "timestamp": time, "text": filler });
    times.iter().enumerate().map(event).fold(String::new(), |lines, event| lines + &event.to_string() + "\n")
}
