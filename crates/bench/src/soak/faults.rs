//! What goes wrong at the API, and how often it did.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use latchkey_simulator::{BadItem, Fault, Plan, RetryAfter, Rule, When};
use serde::Deserialize;

/// How long the simulator may take to be told or asked something.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The share of requests that each fault strikes. Together they strike one request in ten.
const RATE: f64 = 0.003;

/// Faults that are costly, or after which a chain rests for half a minute and more, come more seldom.
const SELDOM: f64 = 0.000_5;

/// Every kind of fault there is, at random.
pub(super) fn plan() -> Plan {
    let pause = Duration::from_millis;
    let seldom = [
        status(401, None),
        status(403, None),
        status(404, None),
        status(429, Some(RetryAfter::Seconds(2))),
        status(429, Some(RetryAfter::DateIn(2))),
        Fault::HugeBody { bytes: 33 << 20 },
        Fault::BigItems { bytes: 100_000 },
        Fault::RejectCursor,
    ];
    let often = [
        status(400, None),
        status(500, None),
        status(503, None),
        Fault::Html,
        Fault::Hang,
        Fault::Reset,
        Fault::EmptyPage,
        Fault::SamePage,
        Fault::RepeatedCursor,
        Fault::NullItems,
        Fault::NoHasMore,
        Fault::NoCursor,
        Fault::Doubled { share: 0.3, across: false },
        Fault::Doubled { share: 0.3, across: true },
        Fault::Shuffled,
        Fault::Late { share: 0.3, by: Duration::from_secs(20) },
        Fault::Skipped { share: 0.3 },
        Fault::BadItem(BadItem::WrongTypes),
        Fault::BadItem(BadItem::NotAnObject),
        Fault::BadItem(BadItem::Broken),
        Fault::Delay(pause(700)),
        Fault::SlowBody { pieces: 4, pause: pause(200) },
        Fault::Truncated,
        Fault::CutShort,
        Fault::ResetInBody,
        Fault::Gzip,
        Fault::CorruptGzip,
        Fault::DateSkew { seconds: 86_400 },
    ];
    let at = |rate| move |fault| Rule { when: When { rate, ..When::default() }, ..Rule::new(fault) };
    Plan { seed: 24, rules: often.into_iter().map(at(RATE)).chain(seldom.into_iter().map(at(SELDOM))).collect() }
}

fn status(code: u16, retry_after: Option<RetryAfter>) -> Fault {
    Fault::Status { code, retry_after }
}

/// Requests that were made, and the faults among them by name.
#[derive(Default)]
pub(super) struct Struck {
    pub(super) requests: u64,
    pub(super) faults: BTreeMap<String, u64>,
    /// The newest request that is counted.
    newest: u64,
}

/// The simulator's own address.
pub(super) struct Admin {
    url: String,
    http: reqwest::Client,
}

/// What matters of a request.
#[derive(Deserialize)]
struct Request {
    number: u64,
    faults: Vec<String>,
}

impl Admin {
    pub(super) fn new(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build()?;
        Ok(Self { url: format!("{url}/_simulator"), http })
    }

    pub(super) async fn begin(&self, plan: &Plan) -> Result<()> {
        let put = self.http.put(format!("{}/faults", self.url)).body(serde_json::to_string(plan)?);
        put.send().await?.error_for_status()?;
        Ok(())
    }

    pub(super) async fn end(&self) -> Result<()> {
        self.http.delete(format!("{}/faults", self.url)).send().await?.error_for_status()?;
        Ok(())
    }

    /// Counts the requests since the last look.
    pub(super) async fn requests(&self, struck: &mut Struck) -> Result<()> {
        let text = self.get(&format!("requests?after={}", struck.newest)).await?;
        for line in text.lines() {
            let request: Request = serde_json::from_str(line)?;
            struck.requests += 1;
            struck.newest = request.number;
            for fault in request.faults {
                *struck.faults.entry(fault).or_default() += 1;
            }
        }
        Ok(())
    }

    pub(super) async fn get(&self, what: &str) -> Result<String> {
        let answer = self.http.get(format!("{}/{what}", self.url)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_is_among_them() {
        let planned: BTreeSet<&str> = plan().rules.iter().map(|rule| rule.fault.name()).collect();
        assert_eq!(planned, Fault::NAMES.into_iter().filter(|name| *name != "none").collect());
    }
}
