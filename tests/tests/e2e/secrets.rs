//! Tokens, addresses and titles are in the delivered files and nowhere else, however much is logged.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use latchkey_bus::server;
use latchkey_contracts::topology::REJECTIONS;
use latchkey_simulator::{Fault, Feed, NewEvent, Simulator, clock};
use latchkey_tests::{ACCOUNT, Collector, Line, Nats, Service, Settings, company, objects, records, until};
use serde_json::{Value, json};

/// How long one failure may take to be met: a poll a second, and a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// In an event that is refused.
const WITNESS: &str = "witness@example.com";

/// A title as short as a common word would be found in any log.
const SHORTEST: usize = 6;

#[tokio::test]
async fn what_people_would_mind_stays_out_of_logs_metrics_and_traces() {
    let nats = server::scratch().await.unwrap();
    let simulator = company(0.1).await.unwrap();
    let collector = Collector::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        page_limit: 100,
        log_level: "debug",
        otlp_endpoint: Some(collector.endpoint()),
        ..Settings::default()
    };
    let mut line = Line::start(directory.path(), &Nats::of(&nats), &simulator, &settings).await.unwrap();
    line.settled(&simulator).await.unwrap();
    provoke_failures(&simulator, &line, directory.path()).await;

    let mut told = Vec::new();
    for service in Service::ALL {
        let metrics = line.ask(service, "/metrics").await.unwrap();
        assert!(metrics.contains("latchkey_"), "{} has metrics", service.program());
        told.push((format!("the metrics of {}", service.program()), metrics));
    }
    line.stop().await;
    for folder in [directory.path().to_owned(), nats.directory().join("nats")] {
        told.extend(logs(&folder));
    }
    assert!(!collector.spans().is_empty());
    told.push(("the traces".into(), collector.text()));
    for program in Service::ALL.map(Service::program).into_iter().chain(["nats-server"]) {
        let name = format!("{program}.log");
        assert!(told.iter().any(|(place, text)| place.ends_with(&name) && !text.is_empty()), "{name} was not read");
    }

    let secrets = secrets(&simulator, &line.output(), &nats.token_file());
    for (place, text) in &told {
        let found = secrets.iter().filter(|secret| text.contains(&secret.text)).collect::<Vec<_>>();
        let kinds: BTreeSet<_> = found.iter().map(|secret| secret.kind).collect();
        assert!(found.is_empty(), "{place}: {} secrets of kinds {kinds:?}", found.len());
    }
}

/// Failures are where secrets slip out: an event that is none, a refusal, an answer that is no page.
async fn provoke_failures(simulator: &Simulator, line: &Line, directory: &Path) {
    let event = json!({ "uuid": "NO-EVENT", "timestamp": clock::now(), "target_user": WITNESS, "client": WITNESS });
    let event = NewEvent::from_json(event.to_string()).unwrap();
    simulator.append(ACCOUNT, Feed::SignInAttempts, [event]).unwrap();
    until("the rejection", LIMIT, async || {
        let state = line.bus().stream_state(&REJECTIONS).await.ok()?;
        (state.last > 0).then_some(())
    })
    .await;

    let refusal = Fault::Status { code: 401, retry_after: None };
    for (feed, fault) in [(Feed::SignInAttempts, refusal), (Feed::ItemUsages, Fault::Html)] {
        simulator.set_fault(ACCOUNT, Some(feed), fault).unwrap();
        until("the refused poll", LIMIT, async || {
            let log = fs::read_to_string(directory.join("latchkey-fetcher.log")).unwrap();
            let refused = |line: &str| line.contains("poll refused") && line.contains(feed.as_str());
            log.lines().any(refused).then_some(())
        })
        .await;
    }
}

struct Secret {
    kind: &'static str,
    text: String,
}

/// What must not be told. The kinds are shown when a test fails, the texts never.
fn secrets(simulator: &Simulator, output: &Path, nats_token: &Path) -> Vec<Secret> {
    let mut found = BTreeSet::from([
        ("e-mail", WITNESS.to_owned()),
        ("token", simulator.token(ACCOUNT).unwrap()),
        ("token of nats", fs::read_to_string(nats_token).unwrap()),
    ]);
    for object in objects(output).unwrap() {
        for record in records::<Value>(&object).unwrap() {
            for (kind, list) in [("e-mail", "p_any_emails"), ("address", "p_any_ip_addresses")] {
                let values = record[list].as_array().into_iter().flatten().filter_map(Value::as_str);
                found.extend(values.map(|value| (kind, value.to_owned())));
            }
        }
    }
    for line in simulator.lookups(ACCOUNT).unwrap().items.lines() {
        let item: Value = serde_json::from_str(line).unwrap();
        found.insert(("title", item["title"].as_str().unwrap().to_owned()));
    }
    for kind in ["e-mail", "address", "title"] {
        let count = found.iter().filter(|secret| secret.0 == kind).count();
        assert!(count > 5, "only {count} of kind {kind}: nothing is tested");
    }
    found.into_iter().map(|(kind, text)| Secret { kind, text }).filter(|secret| secret.text.len() >= SHORTEST).collect()
}

/// Everything that a process of the directory has written about itself.
fn logs(directory: &Path) -> Vec<(String, String)> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let written = |path: &PathBuf| {
        path.extension().is_some_and(|extension| ["log", "out", "err"].iter().any(|other| extension == *other))
    };
    let texts = paths.filter(written).map(|path| (path.display().to_string(), fs::read(path).unwrap()));
    texts.map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned())).collect()
}
