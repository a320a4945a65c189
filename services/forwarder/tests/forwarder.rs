//! A forwarder between a real nats-server and a store, through crashes, rivals and faults.

mod support;

use std::{collections::BTreeSet, fs, sync::Arc, time::Duration};

use jiff::SignedDuration;
use latchkey_contracts::delivery::{Delivery, Plan};
use latchkey_core::delivery::{Compression, Error as ProgressError, epoch};
use latchkey_forwarder::{Config, Error, Store};
use object_store::memory::InMemory;

use support::{Fault, Faulty, Line, Running, batch, config, rows, until};

/// A batch of each kind that matters: several days, two parts, no events left.
const PAGES: std::ops::RangeInclusive<u64> = 1..=24;

#[tokio::test]
async fn every_event_is_in_exactly_one_file() {
    let line = Line::start().await;
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("events");
    let config = Config { output: output.to_str().unwrap().into(), ..config("files") };
    let expected = line.publish_pages(PAGES).await;
    // The same page under another id: a repetition that the stream's duplicate window lets pass.
    for page in [1, 2] {
        line.publish(&latchkey_contracts::event::EventBatch { page_id: format!("again {page}"), ..batch(page, 0) })
            .await;
    }
    line.publish_garbage().await;
    let last = line.last().await;

    let forwarder = Running::build(&line, config.clone());
    forwarder.reaches(last).await;
    let position = *forwarder.position.borrow();
    assert_eq!(position.events_total, expected.len() as u64);
    assert_eq!(position.repeated_batches_total, 2);
    let text = forwarder.metrics.encode();
    for metric in [
        format!("latchkey_forwarder_events_total{{sink=\"files\"}} {}", expected.len()),
        "latchkey_forwarder_repeated_batches_total{sink=\"files\"} 2".into(),
        "latchkey_forwarder_undecodable_batches_total{sink=\"files\"} 1".into(),
        "latchkey_forwarder_lost_batches_total{sink=\"files\"} 0".into(),
        format!("latchkey_forwarder_committed_sequence{{sink=\"files\"}} {last}"),
    ] {
        assert!(text.contains(&metric), "{metric} is missing in {text}");
    }
    forwarder.stop().await;

    // A second life continues: more events come, none comes again.
    let expected = [expected, line.publish_pages(25..=30).await].concat();
    let forwarder = Running::build(&line, config);
    forwarder.reaches(line.last().await).await;
    forwarder.stop().await;

    let store = object_store::local::LocalFileSystem::new_with_prefix(&output).unwrap();
    assert_eq!(rows(&store).await, sorted(expected));
    let epoch = epoch(line.events().await.created);
    for log_type in fs::read_dir(&output).unwrap() {
        for date in fs::read_dir(log_type.unwrap().path()).unwrap() {
            let date = date.unwrap();
            assert!(date.file_name().to_str().unwrap().parse::<jiff::civil::Date>().is_ok());
            for file in fs::read_dir(date.path()).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                let (range, rest) = name.split_once('.').unwrap();
                assert!(range.len() == 41 && rest == format!("{epoch}.ndjson"), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_point_changes_nothing() {
    let line = Line::start().await;
    let expected = sorted(line.publish_pages(PAGES).await);
    let last = line.last().await;
    // One plan covers everything, so the number of puts is the number of objects.
    let objects = {
        let memory = Arc::new(InMemory::new());
        let forwarder = Running::on(&line, config("undisturbed"), Store::new(memory.clone()));
        forwarder.reaches(last).await;
        forwarder.stop().await;
        assert_eq!(rows(&*memory).await, expected);
        support::objects(&*memory).await.len()
    };
    assert!(objects > 3);
    for put in 1..=objects {
        for fault in [Fault::HangBefore(put), Fault::HangAfter(put)] {
            let sink = format!("{fault:?}").replace(['(', ')'], "-").to_lowercase();
            let memory = Arc::new(InMemory::new());
            let faulty = Faulty::new(memory.clone(), fault);
            let crashing = Running::on(&line, config(&sink), Store::new(faulty.clone()));
            faulty.struck().await;
            crashing.crash().await;
            assert!(line.delivery(&sink).await.unwrap().plan.is_some(), "{sink}: nothing was planned");

            // Other settings than the planner's: the plan is finished as it was planned.
            let config = Config { compression: Compression::Zstd, max_bytes: 1, ..config(&sink) };
            let forwarder = Running::on(&line, config, Store::new(memory.clone()));
            forwarder.reaches(last).await;
            forwarder.stop().await;
            assert_eq!(rows(&*memory).await, expected, "{sink}");
            assert_eq!(support::objects(&*memory).await.len(), objects, "{sink}");
        }
    }
}

#[tokio::test]
async fn rivals_on_one_sink_deliver_each_event_once() {
    let line = Line::start().await;
    let memory = Arc::new(InMemory::new());
    // Each cuts the stream into other ranges, so that a plan of one is never by chance the plan of another.
    let rivals: Vec<_> = [(1, 0), (1_500, 3), (4_000, 7)]
        .into_iter()
        .map(|(max_bytes, milliseconds)| {
            let delay = SignedDuration::from_millis(milliseconds);
            let config = Config { max_bytes, max_delay: delay, min_delay: delay, ..config("shared") };
            Running::on(&line, config, Store::new(memory.clone()))
        })
        .collect();
    let mut expected = Vec::new();
    for tens in 0..30 {
        expected.extend(line.publish_pages(tens * 10 + 1..=tens * 10 + 10).await);
    }
    let last = line.last().await;
    until("all is committed", async || line.delivery("shared").await.is_some_and(|state| state.committed == last))
        .await;
    for rival in rivals {
        rival.stop().await;
    }
    let state = line.delivery("shared").await.unwrap();
    assert_eq!((state.events_total, state.plan), (expected.len() as u64, None));
    assert_eq!(rows(&*memory).await, sorted(expected));
}

#[tokio::test]
async fn compressed_objects_read_back() {
    let line = Line::start().await;
    let expected = sorted(line.publish_pages(PAGES).await);
    let memory = Arc::new(InMemory::new());
    let config = Config { compression: Compression::Zstd, max_bytes: 3_000, ..config("compressed") };
    let forwarder = Running::on(&line, config, Store::new(memory.clone()));
    forwarder.reaches(line.last().await).await;
    forwarder.stop().await;
    assert_eq!(rows(&*memory).await, expected);
    let names = support::objects(&*memory).await;
    assert!(names.iter().all(|name| name.ends_with(".ndjson.zst")), "{names:?}");
    let ranges: BTreeSet<_> = names.iter().map(|name| name.rsplit('/').next().unwrap()).collect();
    assert!(ranges.len() > 1, "max_bytes was passed over: {ranges:?}");
}

#[tokio::test]
async fn an_output_that_fails_holds_back_only_readiness() {
    let line = Line::start().await;
    let expected = sorted(line.publish_pages(1..=3).await);
    let memory = Arc::new(InMemory::new());
    let faulty = Faulty::new(memory.clone(), Fault::Refuse(2));
    let forwarder = Running::on(&line, config("refused"), Store::new(faulty.clone()));
    faulty.struck().await;
    until("the forwarder is not ready", async || !forwarder.health.is_ready()).await;
    forwarder.reaches(line.last().await).await;
    assert!(forwarder.health.is_ready());
    forwarder.stop().await;
    assert_eq!(rows(&*memory).await, expected);
}

#[tokio::test]
async fn a_killed_server_loses_and_repeats_nothing() {
    let mut line = Line::start().await;
    let memory = Arc::new(InMemory::new());
    let config = Config { max_bytes: 3_000, min_delay: SignedDuration::ZERO, ..config("survivor") };
    let forwarder = Running::on(&line, config, Store::new(memory.clone()));
    let mut expected = Vec::new();
    for round in 0..3 {
        expected.extend(line.publish_pages(round * 40 + 1..=round * 40 + 40).await);
        line.server.restart().await.unwrap();
        until("the bus is back", async || line.bus.stream_state(&latchkey_contracts::topology::EVENTS).await.is_ok())
            .await;
    }
    forwarder.reaches(line.last().await).await;
    forwarder.stop().await;
    assert_eq!(rows(&*memory).await, sorted(expected));
}

#[tokio::test]
async fn a_shutdown_delivers_what_is_held() {
    let line = Line::start().await;
    let memory = Arc::new(InMemory::new());
    let hour = SignedDuration::from_hours(1);
    let config = Config { max_delay: hour, min_delay: hour, ..config("patient") };
    let expected = line.publish_pages(1..=4).await;
    let last = line.last().await;
    // What is in hand shows only at the end: each life gets a little longer than the one before to read everything.
    let mut patience = Duration::ZERO;
    while line.delivery("patient").await.is_none_or(|state| state.committed < last) {
        patience += Duration::from_millis(20);
        assert!(patience < Duration::from_secs(1), "no life delivered what it held");
        let forwarder = Running::on(&line, config.clone(), Store::new(memory.clone()));
        until("the forwarder is ready", async || forwarder.health.is_ready()).await;
        let read = line.delivery("patient").await;
        tokio::time::sleep(patience).await;
        assert_eq!(line.delivery("patient").await, read, "delivered before it was due");
        forwarder.stop().await;
    }
    assert_eq!(rows(&*memory).await, sorted(expected));
}

#[tokio::test]
async fn what_retention_took_is_counted_and_passed() {
    let line = Line::start().await;
    line.publish_pages(1..=4).await;
    let lost = line.last().await;
    line.purge_before(lost + 1).await;
    let memory = Arc::new(InMemory::new());
    let forwarder = Running::on(&line, config("late"), Store::new(memory.clone()));
    // Nothing is left to read, and still the loss is told and passed.
    forwarder.reaches(lost).await;
    let expected = line.publish_pages(5..=6).await;
    forwarder.reaches(line.last().await).await;
    let metric = format!("latchkey_forwarder_lost_batches_total{{sink=\"late\"}} {lost}");
    assert!(forwarder.metrics.encode().contains(&metric), "{metric} is missing");
    forwarder.stop().await;
    assert_eq!(rows(&*memory).await, sorted(expected));
}

#[tokio::test]
async fn a_plan_outlives_the_events_it_was_made_of() {
    let line = Line::start().await;
    let expected = sorted(line.publish_pages(PAGES).await);
    let memory = Arc::new(InMemory::new());
    let last = line.last().await;
    let faulty = Faulty::new(memory.clone(), Fault::HangAfter(2));
    let crashing = Running::on(&line, config("orphaned"), Store::new(faulty.clone()));
    faulty.struck().await;
    crashing.crash().await;
    let written = rows(&*memory).await;
    assert!(!written.is_empty() && written.len() < expected.len());
    line.purge_before(last / 2).await;
    let forwarder = Running::on(&line, config("orphaned"), Store::new(memory.clone()));
    forwarder.reaches(last).await;
    forwarder.stop().await;
    let delivered = rows(&*memory).await;
    let distinct: BTreeSet<_> = delivered.iter().collect();
    assert!(
        written.iter().all(|row| distinct.contains(row)),
        "an object was written again without the events that are gone"
    );
    assert_eq!(distinct.len(), delivered.len());
    assert!(written.len() < delivered.len() && delivered.len() < expected.len());
}

#[tokio::test]
async fn a_stream_created_anew_is_another_stream() {
    let mut line = Line::start().await;
    let memory = Arc::new(InMemory::new());
    let first = line.publish_pages(1..=3).await;
    let forwarder = Running::on(&line, config("steady"), Store::new(memory.clone()));
    forwarder.reaches(line.last().await).await;
    let former = epoch(line.events().await.created);
    line.recreate_events().await;
    assert_ne!(epoch(line.events().await.created), former);
    // Fewer than before, so that whoever waits at the former end waits in vain.
    let second = line.publish_pages(4..=5).await;
    let expected = sorted([first, second].concat());
    until("the new stream is delivered", async || rows(&*memory).await == expected).await;
    forwarder.stop().await;
    assert_eq!(rows(&*memory).await, expected);
}

#[tokio::test]
async fn a_stream_that_was_set_back_or_replaced_stops_the_sink() {
    let line = Line::start().await;
    line.publish_pages(1..=3).await;
    let epoch = epoch(line.events().await.created);
    let stored = Delivery { epoch, committed: 99, ..Delivery::default() };
    let replaced = Delivery { committed: 2, committed_page_id: "another".into(), ..stored.clone() };
    let invalid = Delivery { plan: Some(Plan { first: 7, last: 9, compression: "none".into() }), ..replaced.clone() };
    for (sink, delivery) in [("setback", stored), ("replaced", replaced), ("invalid", invalid)] {
        let id = sink.parse().unwrap();
        line.bus.publish_delivery(&id, &delivery, 0).await.unwrap();
        let forwarder = Running::on(&line, config(sink), Store::new(Arc::new(InMemory::new())));
        let error = tokio::time::timeout(Duration::from_secs(20), forwarder.task).await.unwrap().unwrap().unwrap_err();
        let expected = matches!(
            (sink, &error),
            ("setback", Error::Progress(ProgressError::SetBack { committed: 99, .. }))
                | ("replaced", Error::Progress(ProgressError::Replaced { committed: 2, .. }))
                | ("invalid", Error::Progress(ProgressError::Invalid { .. }))
        );
        assert!(expected && !error.is_transient(), "{sink}: {error}");
    }
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}
