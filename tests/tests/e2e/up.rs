//! `latchkey up`: the whole line in one process, again and again, whatever ends it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use latchkey_contracts::Feed;
use latchkey_simulator::{self as simulator, Fault, Simulator};
use latchkey_tests::{ACCOUNT, Delivered, Process, command, company, existing, objects, records, until, write_account};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long one run may take: a lease of 30 s that a killed run left, a redelivery of 60 s, and a busy machine.
const RUN_LIMIT: Duration = Duration::from_mins(4);

/// How long the first events may take to be delivered.
const FIRST_LIMIT: Duration = Duration::from_mins(1);

/// How long nats-server may take to be gone after its latchkey was killed: it may finish its writes for five seconds.
const ORPHAN_LIMIT: Duration = Duration::from_secs(15);

/// Slows each page down, so that a run is seen in its middle.
const PACE: Fault = Fault::Delay(Duration::from_millis(300));

/// A company, a data directory, and a command that collects the one into the other.
struct Account {
    simulator: Simulator,
    directory: TempDir,
}

impl Account {
    async fn open(factor: f64) -> Self {
        Self { simulator: company(factor).await.unwrap(), directory: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn start(&self, more: &[&str]) -> Process {
        let files = write_account(&self.simulator, self.directory.path()).unwrap();
        let mut command = command("latchkey");
        command
            .args(["up", "--until-caught-up", "--poll-interval", "1s", "--log-level", "info", "--source", ACCOUNT])
            .args(["--events-api-url", &self.simulator.https_url()])
            .arg("--ca-file")
            .arg(files.ca)
            .arg("--token-file")
            .arg(files.token)
            .arg("--lookups")
            .arg(files.lookups)
            .arg("--data-dir")
            .arg(self.data())
            .args(more);
        Process::start("latchkey", &mut command, self.directory.path()).unwrap()
    }

    async fn run(&self, more: &[&str]) -> (Option<i32>, Process) {
        let mut process = self.start(more);
        let status = process.ended(RUN_LIMIT).await;
        (status.code(), process)
    }

    fn delivered(&self) -> Delivered {
        Delivered::read(&self.data().join("events")).unwrap()
    }

    /// Starts a slowed run and waits until it has delivered something, and not everything.
    async fn start_and_reach_the_middle(&self) -> Process {
        self.simulator.set_fault(ACCOUNT, None, PACE).unwrap();
        let process = self.start(&[]);
        let events = self.data().join("events");
        until("the first events", FIRST_LIMIT, async || (!objects(&events).unwrap().is_empty()).then_some(())).await;
        process
    }

    /// Runs to the end, at full speed.
    async fn finish(&self) {
        self.simulator.set_fault(ACCOUNT, None, Fault::None).unwrap();
        let (code, process) = self.run(&[]).await;
        assert_eq!(code, Some(0), "{}", process.said().unwrap());
        self.delivered().check(&self.simulator).unwrap();
    }
}

#[tokio::test]
async fn a_second_run_adds_what_is_new() {
    let account = Account::open(0.2).await;
    let zstd = ["--output-compression", "zstd"];
    let (code, process) = account.run(&zstd).await;
    assert_eq!(code, Some(0));
    assert!(process.said().unwrap().starts_with("Everything is delivered"), "{}", process.said().unwrap());
    let first = account.delivered();
    first.check(&account.simulator).unwrap();
    assert!(first.objects.iter().all(|object| object.extension().is_some_and(|extension| extension == "zst")));
    let written = contents(&first);

    for feed in simulator::Feed::ALL {
        account.simulator.append_sample(ACCOUNT, feed, 40).unwrap();
    }
    let (code, process) = account.run(&zstd).await;
    assert_eq!(code, Some(0));
    let second = account.delivered();
    second.check(&account.simulator).unwrap();
    assert_eq!(second.events(), first.events() + 120);
    assert!(process.said().unwrap().contains("120 new events fetched"), "{}", process.said().unwrap());
    assert!(contents(&second).still_holds(&written), "what was delivered stays as it was");
}

#[tokio::test]
async fn own_schemas_take_the_place_of_shipped_ones() {
    let account = Account::open(0.02).await;
    let schemas = account.directory.path().join("schemas");
    fs::create_dir(&schemas).unwrap();
    let own =
        "schema: OnePassword.ItemUsage\nfields: [{name: uuid, type: string, required: true, indicators: [trace_id]}]\n";
    fs::write(schemas.join("usages.yml"), own).unwrap();
    let own = ["--schemas", schemas.to_str().unwrap(), "--unknown-fields", "drop"];
    let (code, process) = account.run(&own).await;
    assert_eq!(code, Some(0), "{}", process.said().unwrap());
    let delivered = account.delivered();
    delivered.check(&account.simulator).unwrap();
    let records: Vec<Value> = delivered.objects.iter().flat_map(|object| records(object).unwrap()).collect();
    let usages: Vec<&Value> = records.iter().filter(|record| record["p_log_type"] == "OnePassword.ItemUsage").collect();
    assert!(!usages.is_empty() && usages.len() < records.len());
    for usage in usages {
        assert_eq!(usage["p_any_trace_ids"], json!([usage["uuid"]]), "{usage}");
        assert_eq!(usage.get("vault_uuid"), None, "{usage}");
    }
}

#[tokio::test]
async fn a_refused_feed_leaves_the_others_running_and_is_said() {
    let account = Account::open(0.1).await;
    let refusal = Fault::Status { code: 401, retry_after: None };
    account.simulator.set_fault(ACCOUNT, Some(simulator::Feed::AuditEvents), refusal).unwrap();
    let (code, process) = account.run(&[]).await;
    let log = process.log().unwrap();
    assert_eq!(code, Some(69));
    assert!(log.contains("audit_events: unauthorized"), "the log does not say which feed is refused and why");
    let delivered = account.delivered();
    delivered.check_feed(&account.simulator, Feed::SignInAttempts).unwrap();
    delivered.check_feed(&account.simulator, Feed::ItemUsages).unwrap();
    delivered.check_once().unwrap();
}

#[tokio::test]
async fn kill_9_leaves_no_nats_server_and_loses_nothing() {
    let account = Account::open(1.0).await;
    let mut process = account.start_and_reach_the_middle().await;
    let nats = nats_server(&account.data());
    assert!(runs(nats), "nats-server runs while latchkey does");
    process.kill();
    until("the end of nats-server", ORPHAN_LIMIT, async || (!runs(nats)).then_some(())).await;
    assert!(account.delivered().events() < existing(&account.simulator).unwrap(), "the kill came after the end");
    account.finish().await;
}

#[tokio::test]
async fn ctrl_c_ends_well_and_loses_nothing() {
    let account = Account::open(1.0).await;
    let mut process = account.start_and_reach_the_middle().await;
    let status = process.interrupt().await;
    assert_eq!(status.code(), Some(0));
    assert!(process.said().unwrap().starts_with("Stopped"), "{}", process.said().unwrap());
    assert!(account.delivered().events() < existing(&account.simulator).unwrap(), "the signal came after the end");
    account.finish().await;
}

/// The records of each object.
fn contents(delivered: &Delivered) -> Contents {
    Contents(delivered.objects.iter().map(|object| (object.clone(), records(object).unwrap())).collect())
}

struct Contents(BTreeMap<PathBuf, Vec<Value>>);

impl Contents {
    fn still_holds(&self, other: &Self) -> bool {
        other.0.iter().all(|(object, records)| self.0.get(object) == Some(records))
    }
}

/// The process id in the name of the file in which nats-server tells its ports.
fn nats_server(data: &Path) -> u32 {
    let mut paths = fs::read_dir(data.join("nats")).unwrap().map(|entry| entry.unwrap().path());
    let path = paths.find(|path| path.extension().is_some_and(|extension| extension == "ports"));
    let path = path.expect("a running server has told its ports");
    path.file_stem().unwrap().to_str().unwrap().rsplit_once('_').unwrap().1.parse().unwrap()
}

fn runs(pid: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::test_kill_process(pid).is_ok()
}
