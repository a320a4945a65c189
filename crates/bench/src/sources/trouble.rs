//! The two sources that are to disturb the others: one whose events never end, and one that takes its time.

use std::time::Duration;

use anyhow::Result;
use latchkey_contracts::Feed;
use latchkey_runtime::clock;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::made_up;

/// Events a second on each feed of the loud source: a dozen full pages a minute.
const EVENTS: usize = 200;

/// How late the slow source answers.
const DELAY: &str = "20s";

/// Trouble made for as long as this lives.
pub(super) struct Trouble(#[expect(dead_code, reason = "it ends when this is dropped")] AbortOnDropHandle<()>);

impl Trouble {
    /// Begins to make it, through the simulator's own address.
    pub(super) async fn begin(url: &str, loud: &str, slow: &str) -> Result<Self> {
        let http = made_up::client()?;
        let plan = json!({ "rules": [{ "account": slow, "fault": { "delay": DELAY } }] });
        let faults = format!("{url}/_simulator/faults");
        http.put(faults).body(plan.to_string()).send().await?.error_for_status()?;
        let urls = Feed::ALL.map(|feed| made_up::place(url, loud, feed));
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
            let events = made_up::events(&format!("LOUD{number:08}"), &[clock::now(); EVENTS]);
            let _ = http.post(url).body(events).send().await;
        }
    }
}
