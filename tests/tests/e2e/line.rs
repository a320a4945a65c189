//! Four processes deliver what 1Password has: all of it, once, enriched, and every page under one trace.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
    time::Duration,
};

use anyhow::Result;
use latchkey_bus::server;
use latchkey_contracts::topology::{ALERTS, PAGES, REJECTIONS};
use latchkey_simulator::{Feed, Simulator};
use latchkey_tests::{ACCOUNT, Collector, Delivered, Line, Nats, Service, Settings, company, objects, records, until};
use serde_json::Value;

/// Spans leave their process within five seconds.
const EXPORT_LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn everything_is_delivered_once_enriched_and_traced() {
    let nats = server::scratch().await.unwrap();
    let simulator = company(0.3).await.unwrap();
    let collector = Collector::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    // Small pages: events that come again then do so within a page and across pages.
    let settings = Settings { page_limit: 250, otlp_endpoint: Some(collector.endpoint()), ..Settings::default() };
    let mut line = Line::start(directory.path(), &Nats::of(&nats), &simulator, &settings).await.unwrap();
    line.settled(&simulator).await.unwrap();

    Delivered::read(&line.output()).unwrap().check(&simulator).unwrap();
    check_that_the_data_were_hard(&simulator);
    check_records(&line.output(), &directory.path().join("lookups"));

    let ready = line.ask(Service::Forwarder, "/readyz").await.unwrap();
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert_eq!(line.bus().stream_state(&ALERTS).await.unwrap().last, 0, "nothing is wrong, so nothing is raised");
    assert_eq!(line.bus().stream_state(&REJECTIONS).await.unwrap().last, 0, "believable events are valid");
    let pages = line.bus().stream_state(&PAGES).await.unwrap().last;
    line.stop().await;
    check_traces(&collector, pages).await;
}

/// A test of late and repeated events is worth nothing without any.
fn check_that_the_data_were_hard(simulator: &Simulator) {
    for feed in Feed::ALL {
        let exist = simulator.dataset(ACCOUNT, feed).unwrap();
        let late = exist.windows(2).filter(|pair| pair[1].timestamp < pair[0].timestamp).count();
        let again = simulator.ledger(ACCOUNT, feed).unwrap().iter().filter(|entry| entry.served > 1).count();
        assert!(late > 0 && again > 0, "{feed}: {late} events came after a younger one and {again} came again");
    }
}

fn check_records(output: &Path, lookups: &Path) {
    let (items, vaults) = (titles(lookups, "items.jsonl", "title"), titles(lookups, "vaults.jsonl", "name"));
    let mut enriched = BTreeMap::<&str, usize>::new();
    for object in objects(output).unwrap() {
        for record in records::<Value>(&object).unwrap() {
            let row = &record["p_row_id"];
            assert_eq!(record["p_source_id"], ACCOUNT, "{row}");
            match record["p_log_type"].as_str() {
                Some("OnePassword.ItemUsage") => {
                    for (table, selector, name, names) in
                        [("items", "item_uuid", "title", &items), ("vaults", "vault_uuid", "name", &vaults)]
                    {
                        let known = names.get(record[selector].as_str().unwrap());
                        let found = record["p_enrichment"][table][selector][name].as_str();
                        assert_eq!(found.is_some(), known.is_some(), "{table} of {row}");
                        assert!(found == known.map(String::as_str), "{table} of {row} has another name");
                        *enriched.entry(table).or_default() += usize::from(known.is_some());
                    }
                    assert!(holds(&record["p_any_emails"], &record["user"]["email"]), "{row}");
                    assert!(holds(&record["p_any_ip_addresses"], &record["client"]["ip_address"]), "{row}");
                }
                Some("OnePassword.SignInAttempt") => {
                    assert!(holds(&record["p_any_emails"], &record["target_user"]["email"]), "{row}");
                    assert!(holds(&record["p_any_ip_addresses"], &record["client"]["ip_address"]), "{row}");
                }
                Some("OnePassword.AuditEvent") => {
                    assert!(holds(&record["p_any_actor_ids"], &record["actor_uuid"]), "{row}");
                }
                other => panic!("{row} is of type {other:?}"),
            }
        }
    }
    assert!(enriched.values().all(|count| *count > 100) && enriched.len() == 2, "{enriched:?}");
}

/// Whether a list of indicators holds a field's value, which may have been absent.
fn holds(list: &Value, value: &Value) -> bool {
    value.is_null() || list.as_array().is_some_and(|list| list.contains(value))
}

fn titles(lookups: &Path, file: &str, column: &str) -> HashMap<String, String> {
    let text = fs::read_to_string(lookups.join(file)).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| (row["uuid"].as_str().unwrap().into(), row[column].as_str().unwrap().into())).collect()
}

/// Every stored page has one trace through three processes.
async fn check_traces(collector: &Collector, pages: u64) {
    let whole = BTreeSet::from(["latchkey-fetcher", "latchkey-normalizer", "latchkey-forwarder"].map(String::from));
    let count = || -> Result<(usize, usize)> {
        let mut traces = BTreeMap::<Vec<u8>, BTreeSet<String>>::new();
        for span in collector.spans() {
            if ["page", "normalize", "deliver"].contains(&span.name.as_str()) {
                traces.entry(span.trace).or_default().insert(span.service);
            }
        }
        let complete = traces.values().filter(|services| **services == whole).count();
        let orphans = traces.values().filter(|services| !services.contains("latchkey-fetcher")).count();
        Ok((complete, orphans))
    };
    let pages = usize::try_from(pages).unwrap();
    until("one trace per page", EXPORT_LIMIT, async || (count().unwrap().0 >= pages).then_some(())).await;
    assert_eq!(count().unwrap(), (pages, 0), "of {pages} pages: traces through all three, and without a fetch");
}
