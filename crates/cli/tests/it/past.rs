//! `latchkey audit` and `latchkey backfill` beside a fetcher, the simulator and a real nats-server.

use std::time::Duration;

use latchkey_bus::{Bus, server};
use latchkey_contracts::{Chain, Feed, checkpoint::outcome::Kind, topology::Limits};
use latchkey_fetcher::{Config, Metrics, SourceConfig};
use latchkey_runtime::{Shutdown, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Profile, Simulator};
use serde_json::json;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

async fn latchkey(server: &server::Scratch, verb: &str) -> (bool, String) {
    let options = server.connect_options("test");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.env_clear().args([verb, "acme", "--from", "2026-01-01T00:00:00Z", "--to", "2026-03-01T00:00:00Z"]);
    command.args(["--feed", "audit_events", "--nats-url", &options.servers.join(",")]);
    if let Some(token) = &options.token {
        let file = server.directory().join("nats-token");
        std::fs::write(&file, secrecy::ExposeSecret::expose_secret(token)).unwrap();
        command.arg("--nats-token-file").arg(file);
    }
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap() + &err)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_audit_finds_missing_a_backfill_fetches() {
    latchkey_runtime::install_crypto();
    let until = "2026-01-31T00:00:00Z".parse().unwrap();
    let account = AccountConfig::new("acme", Profile::Company { weeks: 1, until, factor: 0.5 });
    let simulator = Simulator::builder().seed(7).account(account).start().await.unwrap();
    let server = server::scratch().await.unwrap();
    let bus = Bus::connect(server.connect_options("test")).await.unwrap();
    bus.provision(Limits::default()).await.unwrap();
    let token_file = server.directory().join("token");
    std::fs::write(&token_file, simulator.token("acme").unwrap()).unwrap();
    let source: SourceConfig = serde_json::from_value(json!({
        "id": "acme", "token_file": token_file, "events_api_url": simulator.http_url(), "feeds": ["audit_events"],
        "start_time": "2026-01-29T00:00:00Z", "poll_interval": "1s",
    }))
    .unwrap();
    let config = Config { sources: vec![source], ..Config::default() };
    let fetcher = config.build(bus.clone(), Metrics::new(&latchkey_runtime::Metrics::new())).unwrap();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(fetcher.run(shutdown.clone()));
    let chain = Chain { source: "acme".parse().unwrap(), feed: Feed::AuditEvents };
    let caught_up = async {
        loop {
            let stored = bus.last_checkpoint(&chain).await.unwrap().and_then(|stored| stored.message.outcome);
            if stored.is_some_and(|outcome| outcome.kind() == Kind::Quiet) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, caught_up).await.expect("the chain catches up");

    let all = simulator.dataset("acme", "audit_events".parse().unwrap()).unwrap().len();
    let (ok, said) = latchkey(&server, "audit").await;
    assert!(ok && said.contains(&format!("acme/audit_events: {all} events at 1Password")), "{said}");
    assert!(said.contains("INCOMPLETE"), "{said}");
    let (ok, said) = latchkey(&server, "backfill").await;
    assert!(ok && said.contains("events fetched"), "{said}");
    let (ok, said) = latchkey(&server, "audit").await;
    assert!(
        ok && said.contains(&format!("{all} stored, 0 missing, 0 not judged")) && said.contains(": complete"),
        "{said}"
    );
    shutdown.begin(Reason::Finished);
    running.await.unwrap().unwrap();
}
