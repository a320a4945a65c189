//! The two sources that are to disturb the others: one whose events never end, and one that takes its time.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use latchkey_contracts::Feed;
use latchkey_runtime::clock;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

/// Events a second on each feed of the loud source: a dozen full pages a minute.
const EVENTS: u32 = 200;

/// How late the slow source answers.
const DELAY: &str = "20s";

/// How long the simulator may take to be told something.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Trouble made for as long as this lives.
pub(super) struct Trouble(#[expect(dead_code, reason = "it ends when this is dropped")] AbortOnDropHandle<()>);

impl Trouble {
    /// Begins to make it, through the simulator's own address.
    pub(super) async fn begin(url: &str, loud: &str, slow: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(TOLD_WITHIN).build()?;
        let plan = json!({ "rules": [{ "account": slow, "fault": { "delay": DELAY } }] });
        let faults = format!("{url}/_simulator/faults");
        http.put(faults).body(plan.to_string()).send().await?.error_for_status()?;
        let urls = Feed::ALL.map(|feed| format!("{url}/_simulator/events?account={loud}&feed={feed}"));
        Ok(Self(AbortOnDropHandle::new(tokio::spawn(make_noise(http, urls)))))
    }
}

async fn make_noise<const FEEDS: usize>(http: reqwest::Client, urls: [String; FEEDS]) {
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for number in 0_u32.. {
        second.tick().await;
        for url in &urls {
            // A second without noise is no harm.
            let _ = http.post(url).body(events(number, clock::now())).send().await;
        }
    }
}

/// Of the length that 1Password's have.
fn events(second: u32, now: Timestamp) -> String {
    let filler = "event ".repeat(90);
    let event = |number| json!({ "uuid": format!("LOUD{second:010}{number:012}"), "timestamp": now, "text": filler });
    (0..EVENTS).map(|number| event(number).to_string() + "\n").collect()
}
