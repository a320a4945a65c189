//! Looks at streams, their readers and lookup tables, on a schedule.
//!
//! A task of its own, so that a server which answers slowly holds back no verdict about chains. It asks with time-outs, and what
//! cannot be seen is left out. What another alerter has just looked at is left to it: the looks of all go into the same windows, and
//! those are what is judged.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use latchkey_bus::{Advisories, Bus, Error, Item, Reader, StreamState};
use latchkey_contracts::{
    SourceId,
    delivery::Delivery,
    topology::{
        ALERTS, Consumer, DESTINATION, Discard, EVENTS, FETCHER, NORMALIZER, NOTIFIER, PAGES, STREAMS, Stream, TASKS,
        WINDOWS, consumer_of,
    },
};
use latchkey_core::{
    alert::{board::Timing, reader::Role},
    delivery,
    verdict::{lag::Look, room::Fill},
};
use latchkey_runtime::{Shutdown, clock};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    heartbeat::Pulse,
    look::{at_consumer, max_age},
    nats_clock::NatsClock,
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
    clock: NatsClock,
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
        clock: NatsClock,
        pulse: Pulse,
    ) -> Result<Self, Error> {
        let windows = Windows::open(bus.clone(), timing, clock.clone()).await?;
        let (advisories, deliveries) = (bus.advisories().await?, bus.watch_deliveries());
        let sinks = BTreeMap::new();
        Ok(Self { bus, every, windows, advisories, deliveries, sinks, looks: 0, destinations, clock, pulse })
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
        // Also where others look in its place, an alerter knows what NATS's clock shows.
        seen("NATS's clock", ask(&self.bus, &WINDOWS.stream, &self.clock).await);
        for stream in STREAMS {
            self.look_at(&stream).await;
        }
        self.clock.compare();
        let is_due = self.looks.is_multiple_of(TABLES_EVERY);
        let tables = if is_due { seen("lookup tables", tables::look(&self.bus).await) } else { None };
        self.looks = self.looks.wrapping_add(1);
        self.pulse.looked(clock::now());
        tables
    }

    /// Looks at a stream and its readers, as far as nobody else just has.
    async fn look_at(&mut self, stream: &Stream) {
        let is_room_due = stream.discard == Discard::New && self.windows.is_room_due(stream.name);
        let mut readers = self.readers_of(stream);
        readers.retain(|(name, _)| self.windows.is_reader_due(stream.name, name));
        if !is_room_due && readers.is_empty() {
            return;
        }
        let Some(mut state) = seen(stream.name, ask(&self.bus, stream, &self.clock).await) else { return };
        let mut asked = Instant::now();
        if is_room_due {
            let max_bytes = u64::try_from(state.max_bytes).unwrap_or(0);
            self.windows.add_fill(stream.name, Fill { at: state.at, bytes: state.bytes, max_bytes }).await;
        }
        for (name, role) in readers {
            // Of many readers, and a server that answers slowly, the last ones would be looked at as of long ago.
            if asked.elapsed() >= self.every {
                let Some(later) = seen(stream.name, ask(&self.bus, stream, &self.clock).await) else { return };
                (state, asked) = (later, Instant::now());
            }
            if role == Role::Sink {
                let Some(is_retired) = seen(&name, self.is_retired(&name, state).await) else { continue };
                if is_retired {
                    self.windows.forget(stream.name, &name).await;
                    continue;
                }
            }
            let look = match role {
                Role::Sink => self.of_sink(&name, state).await,
                Role::Consumer | Role::Duties | Role::Destination => at_consumer(&self.bus, stream, &name, role).await,
            };
            if let Err(Error::Missing { .. }) = look {
                self.windows.add_miss(stream.name, &name, role, state.at).await;
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
            at: state.at,
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
                *sink = Sink { epoch, committed, moved_at: self.clock.now_of(EVENTS.name) };
            }
        }
        Ok(())
    }
}

/// Asks for a stream's state, and compares the clocks.
pub(crate) async fn ask(bus: &Bus, stream: &Stream, clock: &NatsClock) -> Result<StreamState, Error> {
    let asked_at = clock.ours();
    let state = bus.stream_state(stream).await?;
    clock.answered(stream.name, state.at, asked_at);
    Ok(state)
}

fn seen<T>(what: &str, look: Result<T, Error>) -> Option<T> {
    look.inspect_err(|error| tracing::warn!(what, %error, "could not be looked at")).ok()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use latchkey_bus::server;
    use latchkey_contracts::topology::Limits;

    use super::*;
    use crate::metrics::Metrics;

    const FIVE_HOURS: SignedDuration = SignedDuration::from_hours(5);

    /// An alerter's, whose clock is ours.
    async fn surveyor(bus: &Bus, every: Duration, timing: Timing) -> Surveyor {
        let clock = NatsClock::new(Metrics::new(&latchkey_runtime::Metrics::new()));
        Surveyor::open(bus.clone(), every, timing, Vec::new(), clock, Pulse::default()).await.unwrap()
    }

    #[tokio::test]
    async fn a_look_is_as_of_when_it_was_taken_in_a_round_that_takes_long() {
        let nats = server::scratch().await.unwrap();
        let bus = Bus::connect(nats.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        for sink in ["a", "b", "c"] {
            let delivery = Delivery { sink: sink.into(), ..Delivery::default() };
            bus.publish_delivery(&sink.parse().unwrap(), &delivery, 0).await.unwrap();
        }
        // Any round takes longer than no time at all.
        let mut surveyor = surveyor(&bus, Duration::ZERO, Timing::default()).await;
        while surveyor.sinks.len() < 3 {
            let item = surveyor.deliveries.next().await.unwrap();
            surveyor.note(item);
        }
        surveyor.look().await;
        let at = ["a", "b", "c"].map(|sink| surveyor.windows.reader(EVENTS.name, sink).window.newest().unwrap().at);
        assert!(at[0] < at[1] && at[1] < at[2], "{at:?}");
    }

    #[tokio::test]
    async fn alerters_whose_clocks_are_wrong_look_as_the_others_do() {
        let nats = server::scratch().await.unwrap();
        let bus = Bus::connect(nats.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        let clocks: [fn() -> Timestamp; 3] = [clock::now, || clock::now() + FIVE_HOURS, || clock::now() - FIVE_HOURS];
        let timing = Timing { looks_every: SignedDuration::ZERO, ..Timing::default() };
        let mut surveyors = Vec::new();
        for ours in clocks {
            let metrics = latchkey_runtime::Metrics::new();
            let clock = NatsClock::beside(ours, Metrics::new(&metrics));
            let every = Duration::from_secs(1);
            let surveyor = Surveyor::open(bus.clone(), every, timing, Vec::new(), clock.clone(), Pulse::default());
            surveyors.push((surveyor.await.unwrap(), clock, metrics));
        }
        let began = clock::now();
        for round in 1..=9 {
            let (surveyor, ..) = &mut surveyors[round % 3];
            // The first attempt meets what another has stored since.
            for _ in 0..2 {
                surveyor.look().await;
            }
            let kept = surveyor.windows.reader(PAGES.name, NORMALIZER.name);
            let (looks, room) = (kept.window.looks(), surveyor.windows.room(PAGES.name));
            assert!(looks.len() >= round && room.len() >= round, "round {round}: {looks:?} {room:?}");
            // The same machine: by its own clock or NATS's, nothing was seen before the test.
            assert!(looks.iter().all(|look| look.at >= began && look.at <= clock::now()), "{looks:?}");
        }
        for ((_, clock, metrics), ahead) in surveyors.iter().zip([0, 18_000, -18_000]) {
            let seen = clock.ours().duration_since(clock.now()).as_secs_f64();
            assert!((seen - f64::from(ahead)).abs() <= 1.0, "{seen} s ahead, not {ahead}");
            let metrics = metrics.encode();
            let shown = metrics.lines().find_map(|line| line.strip_prefix("latchkey_alerter_nats_clock_skew_seconds "));
            let shown: f64 = shown.unwrap().parse().unwrap();
            assert!((shown - seen).abs() < 1.0, "{shown}");
        }
    }
}
