//! What alerters keep of streams and their readers, for each other and for the one that starts next: bucket WINDOWS.
//!
//! Whoever looks takes its look into the value that is there, and stores it if nobody else was faster. So the looks of all are one
//! window, a reader is looked at once an interval however many alerters there are, and what only one has heard of is known to all.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use latchkey_bus::{Bus, Error, GivenUp, Item, Publication, Reader, patiently};
use latchkey_contracts::{
    Object,
    topology::{STREAMS, WINDOWS},
    window::{Window, reader::Role as KeptRole, window::Of},
};
use latchkey_core::{
    alert::{
        board::{MAX_READERS, Timing},
        reader::{Role, Watched},
    },
    verdict::{
        lag::Look,
        room::{Fill, Room},
    },
};
use tokio::time::timeout;

use crate::nats_clock::NatsClock;

/// The most that is heard of messages that were given up and is not stored yet: what comes beyond is one of so many.
const MAX_HEARD: usize = 10_000;

/// How long a value that is there may take to come, before the first look.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// A stream, and its reader as a subject names it; empty for the stream itself. Readers whose names differ only in what a subject cannot
/// hold share a value, as they share their alerts.
type Key = (&'static str, String);

pub(crate) struct Windows {
    bus: Bus,
    values: Reader<Window>,
    /// As this alerter has last seen or stored them.
    known: BTreeMap<Key, Known>,
    /// Sequences that the server has given up on, until they are stored.
    heard: BTreeMap<Key, BTreeSet<u64>>,
    timing: Timing,
    clock: NatsClock,
}

struct Known {
    of: Option<Of>,
    /// In the bucket: what the next one is stored onto.
    sequence: u64,
}

impl Windows {
    /// Reads what is there, and follows it from then on.
    pub(crate) async fn open(bus: Bus, timing: Timing, clock: NatsClock) -> Result<Self, Error> {
        let there = patiently(|| bus.stream_state(&WINDOWS.stream)).await?.messages;
        let values = bus.watch_windows();
        let (known, heard) = (BTreeMap::new(), BTreeMap::new());
        let mut windows = Self { bus, values, known, heard, timing, clock };
        for _ in 0..there {
            // What does not come in time is met when it is to be replaced.
            let Ok(item) = timeout(READ_WITHIN, windows.next()).await else { break };
            let item = item?;
            let is_last = item.pending == 0;
            windows.note(item);
            if is_last {
                break;
            }
        }
        Ok(windows)
    }

    /// The next value, of this alerter or another. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Item<Window>, Error> {
        self.values.next().await
    }

    /// Takes in a value. One that cannot be read is met when it is to be replaced.
    pub(crate) fn note(&mut self, item: Item<Window>) {
        if let Ok(window) = item.message {
            self.learn(window, item.sequence);
        }
    }

    fn learn(&mut self, window: Window, sequence: u64) {
        let Some(key) = key(&window) else { return };
        let is_news = self.known.get(&key).is_none_or(|known| known.sequence < sequence);
        if is_news && self.has_room_for(&key) {
            self.known.insert(key, Known { of: window.of, sequence });
        }
    }

    fn has_room_for(&self, key: &Key) -> bool {
        self.known.len() < MAX_READERS + STREAMS.len() || self.known.contains_key(key)
    }

    /// What is known of a reader.
    pub(crate) fn reader(&self, stream: &'static str, name: &str) -> Watched {
        match self.of(&key_of(stream, name)) {
            Some(Of::Reader(reader)) => Watched::recall(reader),
            _ => Watched::default(),
        }
    }

    /// What is known of a stream's room.
    pub(crate) fn room(&self, stream: &'static str) -> Room {
        match self.of(&(stream, String::new())) {
            Some(Of::Room(room)) => Room::recall(room),
            _ => Room::default(),
        }
    }

    fn of(&self, key: &Key) -> Option<&Of> {
        self.known.get(key)?.of.as_ref()
    }

    /// Whether nobody has looked at the reader lately.
    pub(crate) fn is_reader_due(&self, stream: &'static str, name: &str) -> bool {
        self.reader(stream, name).is_due(self.timing.looks_every, self.clock.now_of(stream))
    }

    /// Whether nobody has looked at the stream lately.
    pub(crate) fn is_room_due(&self, stream: &'static str) -> bool {
        self.room(stream).are_due(self.timing.looks_every, self.clock.now_of(stream))
    }

    /// Stores a look at a reader.
    pub(crate) async fn add_look(&mut self, stream: &'static str, name: &str, role: Role, look: Look) {
        let mut watched = Watched { role, ..self.reader(stream, name) };
        watched.window.settle(self.timing.reader.loss_is_told_for, look.at);
        if watched.look(look, self.timing.reader.window) {
            self.store(key_of(stream, name), Of::Reader(watched.keep(name))).await;
        }
    }

    /// Stores that a reader did not exist at this moment.
    pub(crate) async fn add_miss(&mut self, stream: &'static str, name: &str, role: Role, at: Timestamp) {
        let mut watched = Watched { role, ..self.reader(stream, name) };
        watched.miss(at);
        self.store(key_of(stream, name), Of::Reader(watched.keep(name))).await;
    }

    /// Sinks that somebody has looked at, and nobody has forgotten.
    pub(crate) fn sinks(&self) -> impl Iterator<Item = &str> {
        self.known.values().filter_map(|known| match &known.of {
            Some(Of::Reader(reader)) if reader.role() == KeptRole::Sink && !reader.looks.is_empty() => {
                Some(reader.name.as_str())
            }
            _ => None,
        })
    }

    /// Stores that a reader is not there any more, and is not to be.
    pub(crate) async fn forget(&mut self, stream: &'static str, name: &str) {
        let before = self.reader(stream, name);
        if !before.is_empty() {
            let nothing = Watched { role: before.role, ..Watched::default() };
            self.store(key_of(stream, name), Of::Reader(nothing.keep(name))).await;
        }
    }

    /// Stores a look at a stream.
    pub(crate) async fn add_fill(&mut self, stream: &'static str, fill: Fill) {
        let mut room = self.room(stream);
        if room.add(fill, self.timing.reader.window) {
            self.store((stream, String::new()), Of::Room(room.keep())).await;
        }
    }

    /// Takes in that the server has given up on a message. What is about no stream of ours is nobody's business.
    pub(crate) fn hear(&mut self, GivenUp { stream, consumer, sequence }: GivenUp) {
        let Some(stream) = STREAMS.iter().find(|ours| ours.name == stream) else { return };
        let key = key_of(stream.name, &consumer);
        let heard: usize = self.heard.values().map(BTreeSet::len).sum();
        if heard < MAX_HEARD && self.has_room_for(&key) {
            self.heard.entry(key).or_default().insert(sequence);
        }
    }

    /// Whether something was heard that is not stored yet.
    pub(crate) fn have_heard(&self) -> bool {
        !self.heard.is_empty()
    }

    /// Stores what was heard; what cannot be stored stays, and is tried again.
    pub(crate) async fn store_heard(&mut self) {
        for (key, sequences) in std::mem::take(&mut self.heard) {
            let mut watched = self.reader(key.0, &key.1);
            let is_new =
                watched.give_up(sequences.iter().copied(), self.timing.settles_after, self.clock.now_of(key.0));
            let name = match self.of(&key) {
                Some(Of::Reader(reader)) => reader.name.clone(),
                _ => key.1.clone(),
            };
            // Another alerter has heard the same.
            if is_new && !self.store(key.clone(), Of::Reader(watched.keep(&name))).await {
                self.heard.insert(key, sequences);
            }
        }
    }

    /// Stores a value onto the one that is known, and says whether it did.
    async fn store(&mut self, key: Key, of: Of) -> bool {
        if !self.has_room_for(&key) {
            return false;
        }
        let expected = self.known.get(&key).map_or(0, |known| known.sequence);
        let window = Window { stream: key.0.into(), of: Some(of) };
        match self.bus.publish_window(&window, expected).await {
            Ok(Publication::Stored { sequence } | Publication::Repeated { sequence }) => {
                self.known.insert(key, Known { of: window.of, sequence });
                return true;
            }
            // Another alerter was faster, and has looked as well. Or the value has left the bucket, of which nobody is told.
            Ok(Publication::Conflict) => self.read_again(key, &window).await,
            Ok(other) => warn(&key, &format!("{other:?}")),
            Err(error) => warn(&key, &error.to_string()),
        }
        false
    }

    async fn read_again(&mut self, key: Key, like: &Window) {
        match self.bus.last_window(like).await {
            // Whatever it is, the next one is stored onto it: also onto the mark of a deletion, which names nobody, and onto what is older
            // than what was known, because the server has lost its newest messages.
            Ok(Some(stored)) => {
                let names_it = self::key(&stored.message).is_some_and(|other| other == key);
                let of = stored.message.of.filter(|_| names_it);
                self.known.insert(key, Known { of, sequence: stored.sequence });
            }
            Ok(None) => _ = self.known.remove(&key),
            // Nobody can make sense of it: the window begins anew after it.
            Err(Error::Undecodable { sequence, .. }) => _ = self.known.insert(key, Known { of: None, sequence }),
            Err(error) => warn(&key, &error.to_string()),
        }
    }
}

fn key(window: &Window) -> Option<Key> {
    let stream = STREAMS.iter().find(|stream| stream.name == window.stream)?;
    match &window.of {
        Some(Of::Reader(reader)) => Some(key_of(stream.name, &reader.name)),
        Some(Of::Room(_)) => Some((stream.name, String::new())),
        None => None,
    }
}

fn key_of(stream: &'static str, reader: &str) -> Key {
    (stream, Object::named(reader).as_str().into())
}

fn warn((stream, reader): &Key, failure: &str) {
    tracing::warn!(stream, reader, failure, "what was seen of a stream or its reader could not be kept");
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use latchkey_core::verdict::{lag::Given, looks::MAX_LOOKS};
    use prost::Message;

    use super::*;

    const MOST: u64 = u64::MAX / 4;

    fn look(second: i64) -> Look {
        let at = Timestamp::from_second(1_700_000_000 + second).unwrap();
        Look {
            at,
            first: MOST,
            last: MOST,
            floor: MOST,
            delivered: MOST,
            pending: MOST,
            ack_pending: MOST,
            redelivered: MOST,
            asleep: MOST,
            waiting: Some(MOST),
            max_ack_pending: Some(MOST),
            max_deliver: Some(MOST),
            given: Some(Given { deliveries: MOST, since: at }),
            oldest_at: Some(at),
            moved_at: Some(at),
            max_age: Some(SignedDuration::MAX),
        }
    }

    #[test]
    fn readers_of_one_subject_have_one_value() {
        let reader = |name: &str| {
            let of = Of::Reader(Watched::default().keep(name));
            Window { stream: "PAGES".into(), of: Some(of) }
        };
        assert_eq!(key(&reader("their+consumer")), key(&reader("their=consumer")));
        assert_ne!(key(&reader("their+consumer")), key(&reader("theirconsumer")));
        assert_eq!(key(&Window::default()), None);
    }

    #[test]
    fn a_value_is_of_bounded_size() {
        let window = (0..1_000).map(look).collect::<latchkey_core::verdict::lag::Window>();
        assert!(window.looks().len() > MAX_LOOKS / 2);
        let mut watched = Watched { window, ..Watched::default() };
        let given_up = (0..1_000).map(|step| MOST + step);
        watched.give_up(given_up, SignedDuration::from_hours(1), look(0).at);
        let size = watched.keep(&"n".repeat(255)).encoded_len();
        assert!(size < 32 << 10, "{size} bytes");
    }
}
