//! Looks at streams, their readers and lookup tables, on a schedule.
//!
//! A task of its own, so that a server which answers slowly holds back no verdict about chains. It asks with time-outs, and what
//! cannot be seen is left out: a reader that was not looked at is judged by the looks before.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use latchkey_bus::{Bus, Error, Item, LookupFile, Reader, StreamState};
use latchkey_contracts::{
    delivery::Delivery,
    topology::{ALERTS, Consumer, Discard, EVENTS, NORMALIZER, NOTIFIER, PAGES, STREAMS, Stream},
};
use latchkey_core::{
    alert::board::{Seen, Survey, Waiting},
    delivery,
    lookup::{Definitions, MAX_DEFINITION_BYTES, Staleness, staleness},
    verdict::lag::Look,
};
use latchkey_runtime::{Shutdown, clock};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use crate::heartbeat::Pulse;

/// How often lookup tables are looked at, in looks at everything else.
const TABLES_EVERY: u32 = 10;

/// Durable consumers that are judged by their lag. The fetchers' is none: every chain's task is always open there, asleep in a delayed
/// nak, and a chain that is not polled is told of by its checkpoint.
const CONSUMERS: [(Consumer, Stream); 2] = [(NORMALIZER, PAGES), (NOTIFIER, ALERTS)];

/// The most sinks that are looked at.
const MAX_SINKS: usize = 1_000;

pub(crate) struct Surveyor {
    bus: Bus,
    every: Duration,
    deliveries: Reader<Delivery>,
    sinks: BTreeMap<String, Sink>,
    looks: u32,
    /// Names of destinations.
    destinations: Vec<String>,
    pulse: Pulse,
}

/// A sink's progress, and when it last made some.
struct Sink {
    epoch: String,
    committed: u64,
    moved_at: Timestamp,
}

impl Surveyor {
    pub(crate) async fn open(
        bus: Bus,
        every: Duration,
        destinations: Vec<String>,
        pulse: Pulse,
    ) -> Result<Self, Error> {
        let deliveries = bus.watch_deliveries().await?;
        Ok(Self { bus, every, deliveries, sinks: BTreeMap::new(), looks: 0, destinations, pulse })
    }

    /// Looks until the soft shutdown, or until nobody wants to know.
    pub(crate) async fn run(mut self, surveys: mpsc::Sender<Survey>, shutdown: &Shutdown) -> Result<(), Error> {
        let mut tick = interval(self.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.soft().cancelled() => return Ok(()),
                item = self.deliveries.next() => self.note(item?),
                _ = tick.tick() => {
                    let survey = tokio::select! {
                        () = shutdown.soft().cancelled() => return Ok(()),
                        survey = self.look() => survey,
                    };
                    if surveys.send(survey).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn note(&mut self, item: Item<Delivery>) {
        let Ok(delivery) = item.message else { return };
        let progress = Sink { epoch: delivery.epoch, committed: delivery.committed, moved_at: item.published_at };
        match self.sinks.get(&delivery.sink) {
            // A plan that is made again and again is no progress.
            Some(sink) if sink.committed == progress.committed && sink.epoch == progress.epoch => {}
            None if self.sinks.len() >= MAX_SINKS => tracing::error!("more than {MAX_SINKS} sinks: one is not watched"),
            _ => _ = self.sinks.insert(delivery.sink, progress),
        }
    }

    async fn look(&mut self) -> Survey {
        let mut survey = Survey::default();
        if !self.bus.is_connected() {
            return survey;
        }
        let mut events = None;
        for stream in STREAMS {
            let Some(state) = seen(stream.name, self.bus.stream_state(&stream).await) else { continue };
            if stream.discard == Discard::New {
                let max_bytes = u64::try_from(state.max_bytes).unwrap_or(0);
                survey.streams.push((stream.name, (state.bytes, max_bytes)));
            }
            if stream.name == EVENTS.name {
                events = Some(state);
            }
            if let Some((consumer, _)) = CONSUMERS.iter().find(|(_, read)| read.name == stream.name) {
                let look = seen(consumer.name, of_consumer(&self.bus, consumer, &stream, state).await);
                let reader = |look| Seen { name: consumer.name.into(), stream: stream.name, is_sink: false, look };
                survey.readers.extend(look.map(reader));
            }
        }
        if let Some(state) = events {
            for (name, sink) in &self.sinks {
                let look = seen(name, of_sink(&self.bus, sink, state).await);
                let reader = |look| Seen { name: name.clone(), stream: EVENTS.name, is_sink: true, look };
                survey.readers.extend(look.map(reader));
            }
        }
        if self.looks.is_multiple_of(TABLES_EVERY) {
            survey.tables = seen("lookup tables", tables(&self.bus).await);
        }
        for name in &self.destinations {
            let waiting = seen(name, of_destination(&self.bus, name).await);
            survey.destinations.extend(waiting.map(|waiting| (name.clone(), waiting)));
        }
        self.looks = self.looks.wrapping_add(1);
        self.pulse.looked(clock::now());
        survey
    }
}

async fn of_consumer(bus: &Bus, consumer: &Consumer, stream: &Stream, state: StreamState) -> Result<Look, Error> {
    let found = bus.consumer_state(consumer).await?;
    let unread = found.pending + found.ack_pending > 0;
    let oldest_at = if unread { bus.stored_at_or_after(stream, found.floor + 1).await? } else { None };
    Ok(Look {
        at: clock::now(),
        first: state.first,
        last: state.last,
        floor: found.floor,
        delivered: found.delivered,
        pending: found.pending,
        ack_pending: found.ack_pending,
        redelivered: found.redelivered,
        waiting: Some(found.waiting as u64),
        max_ack_pending: u64::try_from(consumer.max_ack_pending).ok(),
        oldest_at,
        moved_at: found.moved_at,
        max_age: max_age(stream),
    })
}

async fn of_destination(bus: &Bus, name: &str) -> Result<Waiting, Error> {
    let state = bus.destination_state(name).await?;
    let since = if state.waiting > 0 { bus.stored_at_or_after(&ALERTS, state.floor + 1).await? } else { None };
    Ok(Waiting { since, at: clock::now() })
}

async fn of_sink(bus: &Bus, sink: &Sink, state: StreamState) -> Result<Look, Error> {
    let epoch = delivery::epoch(state.created);
    // Sequences of another life of the stream say nothing: the sink begins anew at its first message.
    let floor = if sink.epoch == epoch { sink.committed } else { state.first.saturating_sub(1) };
    let pending = state.last.saturating_sub(floor.max(state.first.saturating_sub(1)));
    let oldest_at = if pending > 0 { bus.stored_at_or_after(&EVENTS, floor + 1).await? } else { None };
    Ok(Look {
        at: clock::now(),
        first: state.first,
        last: state.last,
        floor,
        delivered: floor,
        pending,
        ack_pending: 0,
        redelivered: 0,
        waiting: None,
        max_ack_pending: None,
        oldest_at,
        moved_at: Some(sink.moved_at),
        max_age: max_age(&EVENTS),
    })
}

/// Tables of the bucket whose definition says how young they should be.
async fn tables(bus: &Bus) -> Result<Vec<(String, Staleness)>, Error> {
    let files = bus.lookup_files().await?;
    let mut texts = Vec::new();
    for file in files.iter().filter(|file| is_definition(file)) {
        let content = bus.lookup_file(file).await?;
        let text = content.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        texts.extend(text.map(|text| (file.name.clone(), text)));
    }
    let named: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    // What normalizers refuse they have an alert for.
    let Ok(definitions) = Definitions::load(&named) else { return Ok(Vec::new()) };
    let now = clock::now();
    let stale = definitions.tables().filter(|table| table.enabled && table.refresh().is_some()).filter_map(|table| {
        let file = files.iter().find(|file| !is_definition(file) && table.has_data_in(&file.name))?;
        let age = Duration::try_from(now.duration_since(file.modified?)).unwrap_or_default();
        Some((table.name.clone(), staleness(age, table.refresh())))
    });
    Ok(stale.collect())
}

fn is_definition(file: &LookupFile) -> bool {
    let extension = file.name.rsplit_once('.').map(|(_, extension)| extension);
    matches!(extension, Some("yml" | "yaml")) && file.size <= MAX_DEFINITION_BYTES as u64
}

fn max_age(stream: &Stream) -> Option<SignedDuration> {
    stream.max_age.and_then(|age| SignedDuration::try_from(age).ok())
}

fn seen<T>(what: &str, look: Result<T, Error>) -> Option<T> {
    look.inspect_err(|error| tracing::warn!(what, %error, "could not be looked at")).ok()
}
