//! How far away the API is, and the two sources that are to disturb the others: one whose events never end, and one that takes its time.

use std::time::Duration;

use anyhow::Result;
use latchkey_contracts::Feed;
use latchkey_runtime::clock;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::made_up;

/// Events a second on each feed of the loud source: a dozen full pages a minute.
const EVENTS: usize = 200;

/// How late every answer comes, as from another part of the world: waiting takes turns up.
const DISTANCE: &str = "200ms";

/// How late the slow source answers.
const DELAY: &str = "20s";

/// Trouble made for as long as this lives.
pub(super) struct Trouble(#[expect(dead_code, reason = "it ends when this is dropped")] AbortOnDropHandle<()>);

impl Trouble {
    /// Begins to make it, through the simulator's own address.
    pub(super) async fn begin(url: &str, loud: &str, slow: &str) -> Result<Self> {
        let http = made_up::client()?;
        plan(&http, url, &json!([{ "account": slow, "fault": { "delay": DELAY } }, distance()])).await?;
        let urls = Feed::USUAL.map(|feed| made_up::place(url, loud, feed));
        Ok(Self(AbortOnDropHandle::new(tokio::spawn(make_noise(http, urls)))))
    }
}

/// Moves the API away.
pub(super) async fn go_far(url: &str) -> Result<()> {
    plan(&made_up::client()?, url, &json!([distance()])).await
}

fn distance() -> Value {
    json!({ "fault": { "delay": DISTANCE } })
}

async fn plan(http: &reqwest::Client, url: &str, rules: &Value) -> Result<()> {
    let put = http.put(format!("{url}/_simulator/faults")).body(json!({ "rules": rules }).to_string());
    put.send().await?.error_for_status()?;
    Ok(())
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
