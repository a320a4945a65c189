//! The whole of a sink's life against a naive one: whatever crashes where, each event is in exactly one object.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use latchkey_contracts::{
    SourceId,
    batch::Batch,
    delivery::Delivery,
    event::{Event, EventBatch},
};
use proptest::prelude::*;

use super::*;

const EPOCH: &str = "692202fd";
const DAY: i64 = 86_400 * 1_000_000_000;

fn sink() -> SourceId {
    "files".parse().unwrap()
}

fn stream(last: u64) -> Stream {
    Stream { epoch: EPOCH.into(), last }
}

/// Two events per part, on a day and of a type that depend on the page.
fn batch(page: u64, part: u32) -> EventBatch {
    let event = |index: u64| Event {
        row_id: format!("{page}.{part}.{index}"),
        event_time_unix_nano: i64::try_from((page + index) % 3).unwrap() * DAY,
        record: Bytes::from(format!(r#"{{"row":"{page}.{part}.{index}"}}"#)),
    };
    EventBatch {
        page_id: format!("page {page}"),
        log_type: ["OnePassword.SignInAttempt", "OnePassword.AuditEvent"][usize::try_from(page % 2).unwrap()].into(),
        page_sequence: page,
        part,
        part_count: u32::try_from(page % 2).unwrap() + 1,
        // Every fifth page has no event left after validation.
        events: if page.is_multiple_of(5) { Vec::new() } else { vec![event(0), event(1)] },
        ..EventBatch::default()
    }
}

/// What a sink's processes share: the object store and the sink's message in DELIVERIES.
#[derive(Default)]
struct World {
    objects: BTreeMap<String, Vec<u8>>,
    delivery: Option<Delivery>,
}

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Crash {
    BeforePlan,
    AfterObjects(usize),
    Never,
}

/// One process: resumes, then delivers loads of `messages` messages until the stream's end or its own.
fn process(world: &mut World, events: &[Option<EventBatch>], messages: u64, crash: Crash) {
    let last = events.len() as u64;
    let resumed = Progress::resume(&sink(), world.delivery.clone(), &stream(last)).unwrap();
    let mut progress = match resumed.state {
        State::Settled(progress) => progress,
        State::Open(planned) => {
            let mut load = Load::new(planned.progress());
            (planned.plan().first..=planned.plan().last).for_each(|sequence| fill(&mut load, events, sequence));
            let Some(progress) = write(world, planned, load, crash) else { return };
            progress
        }
    };
    while progress.next() <= last {
        let mut load = Load::new(&progress);
        (progress.next()..=last.min(progress.committed() + messages))
            .for_each(|sequence| fill(&mut load, events, sequence));
        if load.counts().objects == 0 {
            progress = progress.pass(load);
            world.delivery = Some(progress.write(&sink()));
            continue;
        }
        if crash == Crash::BeforePlan {
            return;
        }
        let planned = progress.plan(&load, Compression::None);
        world.delivery = Some(planned.write(&sink()));
        match write(world, planned, load, crash) {
            Some(committed) => progress = committed,
            None => return,
        }
    }
}

fn fill(load: &mut Load, events: &[Option<EventBatch>], sequence: u64) {
    let message = events[usize::try_from(sequence).unwrap() - 1].clone();
    assert_eq!(load.add(sequence, message.map(Batch::from)).missing, 0);
}

fn write(world: &mut World, planned: Planned, load: Load, crash: Crash) -> Option<Progress> {
    let (objects, manifest) = load.into_objects(planned.plan(), EPOCH);
    for (written, object) in objects.into_iter().enumerate() {
        if crash == Crash::AfterObjects(written) {
            return None;
        }
        let content = object.content.concat();
        assert_eq!(content.len() as u64, object.bytes);
        let before = world.objects.insert(object.name, content.clone());
        assert!(before.is_none_or(|before| before == content), "an object was written again with other content");
    }
    if matches!(crash, Crash::AfterObjects(_)) {
        return None;
    }
    let progress = planned.commit(manifest);
    world.delivery = Some(progress.write(&sink()));
    Some(progress)
}

fn crashes() -> impl Strategy<Value = (u64, Crash)> {
    let crash = prop_oneof![Just(Crash::BeforePlan), (0_usize..6).prop_map(Crash::AfterObjects), Just(Crash::Never),];
    (1_u64..20, crash)
}

/// Messages of EVENTS: pages in some order, some repeated, one in thirty damaged.
fn events() -> impl Strategy<Value = Vec<Option<EventBatch>>> {
    let message = (1_u64..30, 0_u32..2, 0_u8..30).prop_map(|(page, part, fate)| {
        let part = part.min(u32::try_from(page % 2).unwrap());
        (fate > 0).then(|| batch(page, part))
    });
    proptest::collection::vec(message, 0..80)
}

proptest! {
    #[test]
    fn each_event_is_in_exactly_one_object(
        events in events(),
        lives in proptest::collection::vec(crashes(), 0..8),
    ) {
        let mut world = World::default();
        for (messages, crash) in lives {
            process(&mut world, &events, messages, crash);
        }
        process(&mut world, &events, 7, Crash::Never);

        let mut expected: Vec<String> = Vec::new();
        let distinct: BTreeSet<_> = events.iter().flatten().map(|batch| (batch.page_sequence, batch.part)).collect();
        for (page, part) in distinct {
            expected.extend(batch(page, part).events.into_iter().map(|event| event.row_id));
        }
        let mut delivered = Vec::new();
        for (name, content) in &world.objects {
            for line in std::str::from_utf8(content).unwrap().lines() {
                let row = line.trim_start_matches(r#"{"row":""#).trim_end_matches(r#""}"#).to_owned();
                let page: u64 = row.split('.').next().unwrap().parse().unwrap();
                prop_assert!(name.starts_with(&batch(page, 0).log_type));
                delivered.push(row);
            }
        }
        expected.sort();
        delivered.sort();
        prop_assert_eq!(&delivered, &expected);

        let end = world.delivery.unwrap_or_default();
        prop_assert_eq!(end.committed, events.len() as u64);
        prop_assert_eq!(end.events_total, delivered.len() as u64);
        prop_assert_eq!(end.plan, None);
    }
}

#[test]
fn names_carry_the_plan_and_the_partition() {
    let mut load = Load::new(&Progress::new(EPOCH.into()));
    load.add(1, Some(batch(1, 0).into()));
    load.add(2, Some(batch(1, 1).into()));
    let planned = Progress::new(EPOCH.into()).plan(&load, Compression::Zstd);
    let (objects, _) = load.into_objects(planned.plan(), EPOCH);
    let names: Vec<_> = objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "OnePassword.AuditEvent/1970-01-02/00000000000000000001-00000000000000000002.692202fd.ndjson.zst",
            "OnePassword.AuditEvent/1970-01-03/00000000000000000001-00000000000000000002.692202fd.ndjson.zst",
        ]
    );
    assert_eq!(objects[0].content.concat(), b"{\"row\":\"1.0.0\"}\n{\"row\":\"1.1.0\"}\n");
}

#[test]
fn what_retention_took_is_counted_not_waited_for() {
    let mut load = Load::new(&Progress::new(EPOCH.into()));
    assert_eq!(load.add(4, Some(batch(1, 0).into())), Arrival { missing: 3, repeated: false });
    assert_eq!(load.add(5, Some(batch(1, 0).into())), Arrival { missing: 0, repeated: true });
    assert_eq!(load.reach(9), 4);
    assert_eq!(load.range(), (1, 9));
    let Counts { messages, batches, repeated, missing, events, .. } = *load.counts();
    assert_eq!((messages, batches, repeated, missing, events), (2, 1, 1, 7, 2));
}

#[test]
fn a_load_is_full_by_bytes_objects_or_messages() {
    let mut load = Load::new(&Progress::new(EPOCH.into()));
    load.add(1, Some(batch(1, 0).into()));
    assert!(load.is_full(load.counts().bytes) && !load.is_full(load.counts().bytes + 1));
    let mut sequence = 1;
    while !load.is_full(u64::MAX) {
        sequence += 1;
        load.add(sequence, None);
    }
    assert_eq!(load.counts().messages, MAX_MESSAGES);
    let mut load = Load::new(&Progress::new(EPOCH.into()));
    let days = (0..i64::try_from(MAX_OBJECTS).unwrap())
        .map(|day| Event { event_time_unix_nano: day * DAY, ..Event::default() });
    load.add(1, Some(EventBatch { events: days.collect(), ..batch(1, 0) }.into()));
    assert!(load.is_full(u64::MAX));
}

#[test]
fn large_objects_come_in_chunks_that_hold_whole_lines() {
    let mut load = Load::new(&Progress::new(EPOCH.into()));
    let record = Bytes::from(vec![b'x'; 300_000]);
    let events = vec![Event { record, ..Event::default() }; 20];
    load.add(1, Some(EventBatch { events, ..batch(1, 0) }.into()));
    let planned = Progress::new(EPOCH.into()).plan(&load, Compression::None);
    let (objects, _) = load.into_objects(planned.plan(), EPOCH);
    assert!(objects[0].content.len() > 1);
    assert!(objects[0].content.iter().all(|chunk| chunk.last() == Some(&b'\n') && chunk.len() <= 1 << 20));
    assert_eq!(objects[0].events, 20);
}

#[test]
fn a_stream_that_was_set_back_or_replaced_is_refused() {
    let mut load = Load::new(&Progress::new(EPOCH.into()));
    load.add(1, Some(batch(1, 0).into()));
    let planned = Progress::new(EPOCH.into()).plan(&load, Compression::Zstd);
    let (_, manifest) = load.into_objects(planned.plan(), EPOCH);
    let resume = |stored: &Delivery, last| Progress::resume(&sink(), Some(stored.clone()), &stream(last));
    assert_eq!(resume(&planned.write(&sink()), 1).unwrap().state, State::Open(planned.clone()));
    assert!(matches!(resume(&planned.write(&sink()), 0), Err(Error::SetBack { committed: 1, last: 0, .. })));

    let progress = planned.commit(manifest);
    let stored = progress.write(&sink());
    assert_eq!(resume(&stored, 1).unwrap().state, State::Settled(progress.clone()));
    assert!(matches!(resume(&stored, 0), Err(Error::SetBack { .. })));
    assert_eq!(progress.verify(&sink(), "page 1"), Ok(()));
    let error = progress.verify(&sink(), "page 2").unwrap_err().to_string();
    assert!(error.contains("nats stream purge DELIVERIES --subject latchkey.v1.delivery.files"), "{error}");
}

#[test]
fn a_new_life_of_the_stream_begins_at_its_beginning() {
    let former = Delivery { epoch: "1".into(), committed: 99, events_total: 12, ..Delivery::default() };
    let resumed = Progress::resume(&sink(), Some(former), &stream(3)).unwrap();
    assert_eq!(resumed.left.as_deref(), Some("1"));
    let State::Settled(progress) = resumed.state else { panic!("nothing is planned") };
    assert_eq!((progress.next(), progress.events_total(), progress.epoch()), (1, 12, EPOCH));
}

#[test]
fn a_progress_that_breaks_its_contract_is_refused() {
    let plan = |first, last, compression: &str| {
        let plan = latchkey_contracts::delivery::Plan { first, last, compression: compression.into() };
        Delivery { epoch: EPOCH.into(), committed: 4, plan: Some(plan), ..Delivery::default() }
    };
    let refused = |stored| matches!(Progress::resume(&sink(), Some(stored), &stream(9)), Err(Error::Invalid { .. }));
    assert!(!refused(plan(5, 5, "zstd")));
    assert!(refused(plan(6, 7, "zstd")));
    assert!(refused(plan(5, 4, "none")));
    assert!(refused(plan(5, 5, "lz4")));
}
