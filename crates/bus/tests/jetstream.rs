//! The adapter against a real nats-server: what the services rely on, and what happens when the server dies.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::time::Duration;

use latchkey_bus::{Bus, Error, Publication, operator, server};
use latchkey_contracts::{
    Chain, Feed,
    alert::Alert,
    checkpoint::Checkpoint,
    event::{Event, EventBatch},
    page::RawPage,
    topology::{ALERTS, CHECKPOINTS, EVENTS, FETCHER, Limits, NORMALIZER, PAGES, consumer_of},
};

/// Longer than any healing takes on a busy machine; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_mins(1);

async fn provisioned(server: &server::Scratch) -> Bus {
    let bus = Bus::connect(server.connect_options("test")).await.unwrap();
    bus.provision(Limits::default()).await.unwrap();
    bus
}

fn chain() -> Chain {
    Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages }
}

fn page(id: &str, previous_sequence: u64) -> RawPage {
    RawPage { page_id: id.into(), previous_sequence, next_cursor: "next".into(), ..RawPage::default() }
}

fn batch(id: &str, records: usize) -> EventBatch {
    let event = Event { row_id: "row".into(), event_time_unix_nano: 1, record: "{}".into() };
    EventBatch { page_id: id.into(), events: vec![event; records], ..EventBatch::default() }
}

async fn within_patience<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("the bus heals in time")
}

/// What a call answers that is dropped and made again every few milliseconds.
async fn in_slices<T>(mut call: impl AsyncFnMut() -> T) -> T {
    within_patience(async {
        loop {
            if let Ok(answer) = tokio::time::timeout(Duration::from_millis(20), call()).await {
                break answer;
            }
        }
    })
    .await
}

#[tokio::test]
async fn provisioning_is_repeatable_and_drift_is_an_error() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    bus.provision(Limits::default()).await.unwrap();
    let other = Limits { max_bytes: Limits::default().max_bytes / 2, ..Limits::default() };
    let error = bus.provision(other).await.unwrap_err();
    assert!(matches!(&error, Error::Drift { field: "max_bytes", .. }), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn what_the_server_cannot_have_is_not_tried_again() {
    let server = server::scratch().await.unwrap();
    let bus = Bus::connect(server.connect_options("test")).await.unwrap();
    let check = async |limits: Limits, code: &str| {
        let error = bus.provision(limits).await.unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains(code), "{error}");
    };
    check(Limits { replicas: 3, ..Limits::default() }, "10074").await;
    check(Limits { max_bytes: i64::MAX / 2, ..Limits::default() }, "10047").await;
}

#[tokio::test]
async fn a_chain_grows_only_at_its_end() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    let (chain, other) = (chain(), Chain { feed: Feed::AuditEvents, ..chain() });
    assert!(bus.last_page(&chain).await.unwrap().is_none());

    let first = bus.publish_page(&chain, &page("first", 0), 0).await.unwrap();
    assert_eq!(first, Publication::Stored { sequence: 1 });
    // The same again, and somebody with a stale memory.
    assert_eq!(bus.publish_page(&chain, &page("first", 0), 0).await.unwrap(), Publication::Conflict);
    // Another chain does not matter.
    assert_eq!(bus.publish_page(&other, &page("other", 0), 0).await.unwrap(), Publication::Stored { sequence: 2 });
    assert_eq!(bus.publish_page(&chain, &page("second", 1), 1).await.unwrap(), Publication::Stored { sequence: 3 });

    let last = bus.last_page(&chain).await.unwrap().unwrap();
    assert_eq!((last.sequence, last.message.page_id.as_str()), (3, "second"));
    let before = bus.page_at(last.message.previous_sequence).await.unwrap().unwrap();
    assert_eq!(before.message.page_id, "first");
    assert!(bus.page_at(99).await.unwrap().is_none());
}

#[tokio::test]
async fn a_full_stream_refuses_and_evicts_nothing() {
    let server = server::scratch().await.unwrap();
    let bus = Bus::connect(server.connect_options("test")).await.unwrap();
    // PAGES gets 40 % of it: two pages of 100 kB.
    bus.provision(Limits { max_bytes: 625_000, replicas: 1 }).await.unwrap();
    let large = |id: &str| RawPage { body: vec![7; 100_000].into(), ..page(id, 0) };
    let mut expected = 0;
    let refused = loop {
        match bus.publish_page(&chain(), &large("large"), expected).await.unwrap() {
            Publication::Stored { sequence } => expected = sequence,
            other => break other,
        }
    };
    assert_eq!(refused, Publication::Full);
    let state = bus.stream_state(&PAGES).await.unwrap();
    assert_eq!((state.first, state.last), (1, 2));
    // The chain can still say that it is stuck.
    bus.publish_checkpoint(&chain(), &Checkpoint::default()).await.unwrap();
    assert_eq!(bus.stream_state(&CHECKPOINTS).await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_with_both_sizes() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    let max = bus.max_payload();
    let large = RawPage { body: vec![7; max + 1].into(), ..page("large", 0) };
    match bus.publish_page(&chain(), &large, 0).await.unwrap() {
        Publication::TooLarge { size, max: said } => assert!(size > max && said == max),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn events_of_a_page_are_stored_once() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    let source = chain().source;
    let log_type = Feed::ItemUsages.log_type();
    let publish = |batch: EventBatch| {
        let (bus, source) = (bus.clone(), source.clone());
        async move { bus.publish_events(&source, log_type, &batch.into()).await.unwrap() }
    };
    assert_eq!(publish(batch("a", 2)).await, Publication::Stored { sequence: 1 });
    assert_eq!(publish(batch("a", 2)).await, Publication::Repeated { sequence: 1 });
    assert_eq!(publish(EventBatch { part: 1, ..batch("a", 2) }).await, Publication::Stored { sequence: 2 });

    let mut events = bus.events_from(1);
    let first = within_patience(events.next()).await.unwrap();
    assert_eq!((first.sequence, first.pending, first.message.unwrap().records.len()), (1, 1, 2));
    let second = within_patience(events.next()).await.unwrap();
    assert_eq!((second.sequence, second.pending), (2, 0));
}

#[tokio::test]
async fn a_task_exists_once_and_comes_back_after_its_delay() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    bus.ensure_poll_task(&chain()).await.unwrap();
    bus.ensure_poll_task(&chain()).await.unwrap();
    let mut tasks = bus.tasks();
    let task = within_patience(tasks.next()).await.unwrap();
    assert_eq!(task.message.as_ref().unwrap().source, "acme");
    task.nak(Duration::from_millis(300)).await.unwrap();
    let state = bus.consumer_state(&FETCHER).await.unwrap();
    assert_eq!((state.pending, state.ack_pending), (0, 1));
    let again = within_patience(tasks.next()).await.unwrap();
    assert_eq!((again.sequence, again.deliveries), (task.sequence, 2));
}

#[tokio::test]
async fn who_stops_keeps_nothing_until_its_lease_ends() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    for sequence in 0..4 {
        bus.publish_page(&chain(), &page(&sequence.to_string(), sequence), sequence).await.unwrap();
    }
    let mut stopping = bus.pages();
    let first = within_patience(stopping.next()).await.unwrap();
    // The others are held here, or will be by the time they are asked for.
    within_patience(async {
        while bus.consumer_state(&NORMALIZER).await.unwrap().pending > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stopping.close().await;
    first.nak(Duration::ZERO).await.unwrap();

    let mut other = bus.pages();
    let mut seen = Vec::new();
    let all = async {
        while seen.len() < 4 {
            seen.push(other.next().await.unwrap().sequence);
        }
    };
    assert!(tokio::time::timeout(NORMALIZER.ack_wait / 2, all).await.is_ok(), "a page waits for its lease to end");
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_watcher_sees_the_last_checkpoint_of_each_chain_and_then_each_further_one() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    let publish = async |feed: Feed, events_total: u64| {
        let checkpoint = Checkpoint { feed: feed.to_string(), events_total, ..Checkpoint::default() };
        bus.publish_checkpoint(&Chain { feed, ..chain() }, &checkpoint).await.unwrap();
    };
    publish(Feed::ItemUsages, 1).await;
    publish(Feed::AuditEvents, 2).await;
    publish(Feed::ItemUsages, 3).await;
    let mut checkpoints = bus.watch_checkpoints();
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(within_patience(checkpoints.next()).await.unwrap().message.unwrap().events_total);
    }
    publish(Feed::AuditEvents, 4).await;
    seen.push(within_patience(checkpoints.next()).await.unwrap().message.unwrap().events_total);
    assert_eq!(seen, [2, 3, 4]);
}

#[tokio::test]
async fn everything_heals_after_the_server_is_killed() {
    let mut server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    let source = chain().source;
    let log_type = Feed::ItemUsages.log_type();
    bus.publish_events(&source, log_type, &batch("a", 1).into()).await.unwrap();
    bus.publish_page(&chain(), &page("first", 0), 0).await.unwrap();
    let mut events = bus.events_from(1);
    let mut pages = bus.pages();
    assert_eq!(within_patience(events.next()).await.unwrap().sequence, 1);
    let delivered = within_patience(pages.next()).await.unwrap();
    delivered.ack().await.unwrap();

    server.kill().await.unwrap();
    // Nobody answers, so nothing is known.
    let blind = bus.publish_page(&chain(), &page("second", 1), 1).await;
    assert!(matches!(blind, Ok(Publication::Unknown) | Err(Error::Unavailable { .. })), "{blind:?}");
    server.restart().await.unwrap();

    // The blind publish may have been stored after all; the chain's end tells, and the fence holds.
    let second = within_patience(async {
        loop {
            match bus.publish_page(&chain(), &page("second", 1), 1).await {
                Ok(Publication::Stored { sequence }) => break sequence,
                Ok(Publication::Conflict) => break bus.last_page(&chain()).await.unwrap().unwrap().sequence,
                _ => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    assert_eq!(second, 2);
    assert_eq!(bus.stream_state(&PAGES).await.unwrap().messages, 2);

    within_patience(async {
        while !matches!(
            bus.publish_events(&source, log_type, &batch("b", 1).into()).await,
            Ok(Publication::Stored { .. } | Publication::Repeated { .. })
        ) {}
    })
    .await;
    // Who has other things to do drops its calls, however long they have waited.
    let sequence = in_slices(async || events.next().await.unwrap().sequence).await;
    assert_eq!(sequence, 2, "the reader goes on where it was");
    // What is acknowledged comes again if nats-server was killed before it had written that down.
    let unread = async || loop {
        let delivered = pages.next().await.unwrap();
        if delivered.sequence != 1 {
            break delivered.sequence;
        }
    };
    assert_eq!(in_slices(unread).await, 2, "the deliveries go on");
    assert_eq!(bus.stream_state(&EVENTS).await.unwrap().messages, 2);
}

/// Who waits for what is gone would wait for ever, and nobody would know.
#[tokio::test]
async fn what_is_removed_while_it_is_read_is_missing() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    bus.publish_page(&chain(), &page("first", 0), 0).await.unwrap();
    bus.publish_checkpoint(&chain(), &Checkpoint::default()).await.unwrap();
    let (mut pages, mut checkpoints) = (bus.pages(), bus.watch_checkpoints());
    within_patience(pages.next()).await.unwrap().ack().await.unwrap();
    within_patience(checkpoints.next()).await.unwrap();

    operator::remove(&bus, &NORMALIZER).await.unwrap();
    operator::remove_stream(&bus, &CHECKPOINTS).await.unwrap();
    let (pages, checkpoints) = tokio::join!(within_patience(pages.next()), within_patience(checkpoints.next()));
    for (error, object) in
        [(pages.err().unwrap(), "consumer normalizer"), (checkpoints.err().unwrap(), "stream CHECKPOINTS")]
    {
        assert!(!error.is_transient() && error.to_string().starts_with(object), "{error}");
    }
}

#[tokio::test]
async fn lookup_files_are_replaced_as_a_whole() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    assert_eq!(bus.lookup_files().await.unwrap(), []);

    // More than one piece of the store's.
    let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    bus.put_lookup_file("items.jsonl", &large).await.unwrap();
    bus.put_lookup_file("1Password Translation.jsonl", b"").await.unwrap();
    let files = bus.lookup_files().await.unwrap();
    let names: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.size)).collect();
    assert_eq!(names, [("1Password Translation.jsonl", 0), ("items.jsonl", 1_200_000)]);
    assert_eq!(bus.lookup_file(&files[1]).await.unwrap().unwrap(), large);
    assert_eq!(bus.lookup_file(&files[0]).await.unwrap().unwrap(), b""[..]);

    bus.put_lookup_file("items.jsonl", b"new").await.unwrap();
    assert_eq!(bus.lookup_file(&files[1]).await.unwrap(), None);
    let files = bus.lookup_files().await.unwrap();
    assert_eq!(bus.lookup_file(&files[1]).await.unwrap().unwrap(), b"new"[..]);

    assert!(bus.delete_lookup_file("items.jsonl").await.unwrap());
    assert!(!bus.delete_lookup_file("items.jsonl").await.unwrap());
    assert_eq!(bus.lookup_files().await.unwrap().len(), 1);
    assert_eq!(bus.lookup_file(&files[1]).await.unwrap(), None);
    // Safe to call again, with files in the bucket.
    bus.provision(Limits::default()).await.unwrap();
}

/// What the alerter's judgement of lag and loss leans on: where a consumer's floor stands, and how messages are dated.
#[tokio::test]
async fn a_consumers_state_says_what_is_unread() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    let before = bus.consumer_state(&NORMALIZER).await.unwrap();
    assert_eq!((before.floor, before.pending, before.ack_pending, before.moved_at), (0, 0, 0, None));
    assert_eq!(bus.stored_at_or_after(&PAGES, 1).await.unwrap(), None);

    for sequence in 0..3 {
        bus.publish_page(&chain(), &page(&format!("page {sequence}"), sequence), sequence).await.unwrap();
    }
    let first = bus.page_at(1).await.unwrap().unwrap().published_at;
    assert_eq!(bus.stored_at_or_after(&PAGES, 0).await.unwrap(), Some(first));
    assert!(bus.stored_at_or_after(&PAGES, 3).await.unwrap() > Some(first));
    assert_eq!(bus.stored_at_or_after(&PAGES, 4).await.unwrap(), None);

    let mut pages = bus.pages();
    let (one, two) = (pages.next().await.unwrap(), pages.next().await.unwrap());
    // Out of order: the floor waits for the oldest.
    two.ack().await.unwrap();
    let open = bus.consumer_state(&NORMALIZER).await.unwrap();
    assert_eq!((open.floor, open.ack_pending + open.pending), (0, 2));
    one.ack().await.unwrap();
    let after = bus.consumer_state(&NORMALIZER).await.unwrap();
    assert_eq!((after.floor, after.ack_pending + after.pending), (2, 1));
    assert!(after.moved_at > Some(first));

    // Each says when it was true, by the clock that dates messages.
    let stream = bus.stream_state(&PAGES).await.unwrap();
    assert!(before.at < first && first < open.at && open.at < after.at && after.at < stream.at);
    assert!(after.moved_at.unwrap() <= after.at);
}

#[tokio::test]
async fn what_is_not_there_is_told_apart_from_what_cannot_be_asked() {
    let mut server = server::scratch().await.unwrap();
    let bus = Bus::connect(server.connect_options("test")).await.unwrap();
    let (stream, consumer) = (bus.stream_state(&PAGES).await, bus.consumer_state(&NORMALIZER).await);
    assert!(matches!(&stream, Err(Error::Missing { object }) if object == "stream PAGES"), "{stream:?}");
    assert!(!matches!(&consumer, Err(Error::Missing { .. })), "its stream is not there either: {consumer:?}");
    bus.provision(Limits::default()).await.unwrap();
    operator::remove(&bus, &NORMALIZER).await.unwrap();
    let consumer = bus.consumer_state(&NORMALIZER).await;
    assert!(matches!(&consumer, Err(Error::Missing { object }) if object == "consumer normalizer"), "{consumer:?}");
    server.kill().await.unwrap();
    let stream = bus.stream_state(&PAGES).await;
    assert!(matches!(&stream, Err(error) if error.is_transient()), "{stream:?}");
}

/// What the notifiers lean on: a destination has its own progress, hears of things in their order, and begins with what there is.
#[tokio::test]
async fn a_destination_has_its_own_progress_in_order() {
    let server = server::scratch().await.unwrap();
    let bus = provisioned(&server).await;
    for expected in 0..2 {
        bus.publish_alert("outage", None, None, &Alert::default(), expected).await.unwrap();
    }
    let since = bus.ensure_destination("chat").await.unwrap();
    assert_eq!(bus.ensure_destination("chat").await.unwrap(), since);
    bus.ensure_destination("mail").await.unwrap();
    bus.publish_alert("outage", None, None, &Alert::default(), 2).await.unwrap();

    // Two alerters share it.
    let (mut one, mut other) = (bus.destination("chat"), bus.destination("chat"));
    let mut next = async || {
        tokio::select! {
            delivered = one.next() => delivered.unwrap(),
            delivered = other.next() => delivered.unwrap(),
        }
    };
    let first = within_patience(next()).await;
    assert_eq!((first.sequence, first.deliveries), (2, 1));
    first.nak(Duration::from_millis(100)).await.unwrap();
    let again = within_patience(next()).await;
    assert_eq!((again.sequence, again.deliveries), (2, 2));
    assert_eq!(bus.state_of(ALERTS.name, &consumer_of("chat")).await.unwrap().unread(), 2);
    again.ack().await.unwrap();
    let last = within_patience(next()).await;
    assert_eq!(last.sequence, 3);
    last.ack().await.unwrap();
    let (chat, mail) = (
        bus.state_of(ALERTS.name, &consumer_of("chat")).await.unwrap(),
        bus.state_of(ALERTS.name, &consumer_of("mail")).await.unwrap(),
    );
    assert_eq!((chat.unread(), chat.floor, mail.unread()), (0, 3, 2));
    // Every delivery counts, the repeated one too.
    assert_eq!((chat.deliveries, chat.delivered, chat.max_deliver), (3, 3, None));
}
