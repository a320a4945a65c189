//! Looks at streams, their readers and lookup tables, on a schedule.
//!
//! A task of its own, so that a server which answers slowly holds back no verdict about chains. It asks with time-outs, and what
//! cannot be seen is left out. What another alerter has just looked at is left to it: the looks of all go into the same windows, and
//! those are what is judged.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use latchkey_bus::{Advisories, Bus, ConsumerState, Error, Item, Reader, StreamState};
use latchkey_contracts::{
    SourceId,
    delivery::Delivery,
    topology::{
        ALERTS, Consumer, DESTINATION, Discard, EVENTS, FETCHER, NORMALIZER, NOTIFIER, PAGES, STREAMS, Stream, TASKS,
        consumer_of,
    },
};
use latchkey_core::{
    alert::{board::Timing, reader::Role},
    delivery,
    verdict::{
        lag::{Given, Look},
        room::Fill,
    },
};
use latchkey_runtime::{Shutdown, clock};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use crate::{
    heartbeat::Pulse,
    tables::{self, Tables},
    windows::Windows,
};

/// How often lookup tables are looked at, in looks at everything else.
const TABLES_EVERY: u32 = 10;

/// How often what was heard of messages that the server gives up is stored: a consumer with a limit gives up many at once.
const STORED_EVERY: Duration = Duration::from_secs(1);

/// Durable consumers that are judged by their lag, beside those of destinations.
const CONSUMERS: [(Consumer, Stream, Role); 3] =
    [(FETCHER, TASKS, Role::Duties), (NORMALIZER, PAGES, Role::Consumer), (NOTIFIER, ALERTS, Role::Consumer)];

/// The most sinks that are looked at.
const MAX_SINKS: usize = 1_000;

pub(crate) struct Surveyor {
    bus: Bus,
    every: Duration,
    windows: Windows,
    advisories: Advisories,
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
        timing: Timing,
        destinations: Vec<String>,
        pulse: Pulse,
    ) -> Result<Self, Error> {
        let windows = Windows::open(bus.clone(), timing).await?;
        let (advisories, deliveries) = (bus.advisories().await?, bus.watch_deliveries());
        let sinks = BTreeMap::new();
        Ok(Self { bus, every, windows, advisories, deliveries, sinks, looks: 0, destinations, pulse })
    }

    /// Looks until the soft shutdown, or until nobody wants to know.
    pub(crate) async fn run(mut self, seen: mpsc::Sender<Tables>, shutdown: &Shutdown) -> Result<(), Error> {
        let (mut tick, mut store) = (interval(self.every), interval(STORED_EVERY));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        store.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.soft().cancelled() => return Ok(()),
                item = self.deliveries.next() => self.note(item?),
                window = self.windows.next() => self.windows.note(window?),
                given_up = self.advisories.next() => self.windows.hear(given_up?),
                _ = store.tick(), if self.windows.have_heard() => self.windows.store_heard().await,
                _ = tick.tick() => {
                    let tables = tokio::select! {
                        () = shutdown.soft().cancelled() => return Ok(()),
                        tables = self.look() => tables,
                    };
                    if let Some(tables) = tables
                        && seen.send(tables).await.is_err()
                    {
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

    /// Looks at everything, and says how fresh tables are if they were looked at.
    async fn look(&mut self) -> Option<Tables> {
        if !self.bus.is_connected() {
            return None;
        }
        for stream in STREAMS {
            self.look_at(&stream).await;
        }
        let is_due = self.looks.is_multiple_of(TABLES_EVERY);
        let tables = if is_due { seen("lookup tables", tables::look(&self.bus).await) } else { None };
        self.looks = self.looks.wrapping_add(1);
        self.pulse.looked(clock::now());
        tables
    }

    /// Looks at a stream and its readers, as far as nobody else just has.
    async fn look_at(&mut self, stream: &Stream) {
        let now = clock::now();
        let is_room_due = stream.discard == Discard::New && self.windows.is_room_due(stream.name, now);
        let mut readers = self.readers_of(stream);
        readers.retain(|(name, _)| self.windows.is_reader_due(stream.name, name, now));
        if !is_room_due && readers.is_empty() {
            return;
        }
        let Some(state) = seen(stream.name, self.bus.stream_state(stream).await) else { return };
        if is_room_due {
            let max_bytes = u64::try_from(state.max_bytes).unwrap_or(0);
            self.windows.add_fill(stream.name, Fill { at: clock::now(), bytes: state.bytes, max_bytes }).await;
        }
        for (name, role) in readers {
            if role == Role::Sink {
                let Some(is_retired) = seen(&name, self.is_retired(&name, state).await) else { continue };
                if is_retired {
                    self.windows.forget(stream.name, &name).await;
                    continue;
                }
            }
            let look = match role {
                Role::Sink => self.of_sink(&name, state).await,
                Role::Consumer | Role::Duties | Role::Destination => of_consumer(&self.bus, &name, role, stream).await,
            };
            if let Err(Error::Missing { .. }) = look {
                self.windows.add_miss(stream.name, &name, role).await;
            }
            if let Some(look) = seen(&name, look) {
                self.windows.add_look(stream.name, &name, role, look).await;
            }
        }
    }

    fn readers_of(&self, stream: &Stream) -> Vec<(String, Role)> {
        let consumers = CONSUMERS.iter().filter(|(_, read, _)| read.name == stream.name);
        let mut readers: Vec<_> = consumers.map(|(consumer, _, role)| (consumer.name.to_owned(), *role)).collect();
        if stream.name == DESTINATION.stream {
            readers.extend(self.destinations.iter().map(|name| (consumer_of(name), Role::Destination)));
        }
        if stream.name == EVENTS.name {
            let known = self.windows.sinks().filter(|name| !self.sinks.contains_key(*name));
            readers
                .extend(self.sinks.keys().map(String::as_str).chain(known).map(|name| (name.to_owned(), Role::Sink)));
        }
        readers
    }

    /// Whether somebody has taken the sink out of use by removing its progress, of which nobody is told. So it is asked for where the sink has
    /// work before it, and where nothing is known but what was seen of it.
    async fn is_retired(&mut self, name: &str, state: StreamState) -> Result<bool, Error> {
        let Ok(id) = name.parse::<SourceId>() else { return Ok(false) };
        if self.sinks.get(name).is_some_and(|sink| sink.committed >= state.last) {
            return Ok(false);
        }
        let Some(stored) = self.bus.last_delivery(&id).await? else {
            self.sinks.remove(name);
            return Ok(true);
        };
        let (Delivery { epoch, committed, .. }, moved_at) = (stored.message, stored.published_at);
        self.sinks.entry(name.to_owned()).or_insert(Sink { epoch, committed, moved_at });
        Ok(false)
    }

    async fn of_sink(&mut self, name: &str, state: StreamState) -> Result<Look, Error> {
        let epoch = delivery::epoch(state.created);
        // Sequences of another life of the stream say nothing: the sink begins anew at its first message.
        let place = |sink: &Sink| if sink.epoch == epoch { sink.committed } else { state.first.saturating_sub(1) };
        let floor_seen = self.windows.reader(EVENTS.name, name).window.newest().map_or(0, |look| look.floor);
        if self.sinks.get(name).is_some_and(|sink| place(sink) < floor_seen) {
            // What was heard of it may be older than what another alerter has seen: only what is stored is a step back.
            self.read_again(name).await?;
        }
        let (floor, moved_at) = self.sinks.get(name).map_or((0, None), |sink| (place(sink), Some(sink.moved_at)));
        let pending = state.last.saturating_sub(floor.max(state.first.saturating_sub(1)));
        let oldest_at = if pending > 0 { self.bus.stored_at_or_after(&EVENTS, floor + 1).await? } else { None };
        Ok(Look {
            at: clock::now(),
            first: state.first,
            last: state.last,
            floor,
            delivered: floor,
            pending,
            ack_pending: 0,
            redelivered: 0,
            asleep: 0,
            waiting: None,
            max_ack_pending: None,
            max_deliver: None,
            given: None,
            oldest_at,
            moved_at,
            max_age: max_age(&EVENTS),
        })
    }

    async fn read_again(&mut self, name: &str) -> Result<(), Error> {
        let Ok(sink) = name.parse::<SourceId>() else { return Ok(()) };
        if let Some(stored) = self.bus.last_delivery(&sink).await? {
            let Delivery { epoch, committed, .. } = stored.message;
            if let Some(sink) =
                self.sinks.get_mut(name).filter(|sink| (sink.committed, &sink.epoch) != (committed, &epoch))
            {
                *sink = Sink { epoch, committed, moved_at: clock::now() };
            }
        }
        Ok(())
    }
}

async fn of_consumer(bus: &Bus, name: &str, role: Role, stream: &Stream) -> Result<Look, Error> {
    let found = bus.state_of(stream.name, name).await?;
    // Asked after the consumer: the server moves its floor over what leaves the stream, and beside an older beginning of the stream that
    // would look as if it had been read.
    let state = bus.stream_state(stream).await?;
    // What sleeps in a delayed nak is done for now.
    let (floor, ack_pending, asleep) = match role {
        Role::Duties => (found.delivered, 0, found.ack_pending),
        Role::Consumer | Role::Destination | Role::Sink => (found.floor, found.ack_pending, 0),
    };
    let ConsumerState { pending, delivered, redelivered, waiting, max_ack_pending, max_deliver, .. } = found;
    let is_unread = pending + ack_pending > 0;
    let oldest_at = if is_unread { bus.stored_at_or_after(stream, floor + 1).await? } else { None };
    Ok(Look {
        at: clock::now(),
        first: state.first,
        last: state.last,
        floor,
        delivered,
        pending,
        ack_pending,
        redelivered,
        asleep,
        waiting: Some(waiting as u64),
        max_ack_pending,
        max_deliver,
        given: Some(Given { deliveries: found.deliveries, since: found.created }),
        oldest_at,
        moved_at: found.moved_at,
        max_age: max_age(stream),
    })
}

fn max_age(stream: &Stream) -> Option<SignedDuration> {
    stream.max_age.and_then(|age| SignedDuration::try_from(age).ok())
}

fn seen<T>(what: &str, look: Result<T, Error>) -> Option<T> {
    look.inspect_err(|error| tracing::warn!(what, %error, "could not be looked at")).ok()
}
