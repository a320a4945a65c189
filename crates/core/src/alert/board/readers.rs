//! Streams and their readers, as all alerters together see them.
//!
//! The board judges by what was kept of everybody's looks, never by its own: two alerters judge alike, and one that has just started knows
//! what the others know. Where nobody has looked for a while nothing can be said, so nothing is raised and nothing ends. All times of a
//! stream are those of the server that leads it: of looks, of messages, and `now`, which is brought to its clock.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use latchkey_contracts::{
    About, Object,
    topology::{CONSUMERS, FETCHER, STREAMS, consumer_of, destination_of},
    window::{self, window::Of},
};

use super::{Board, Found, Lag, SeenReader, SeenStream};
use crate::{
    alert::{
        Finding, Kind, destination, given_up, is_raised,
        reader::{self, Role, Watched},
    },
    verdict::{
        outage::{self, Cause, Stage},
        room::Room,
    },
};

/// The most readers that are watched: as many sinks as are looked at, and as many consumers of other people as anybody has.
pub const MAX_READERS: usize = 2_000;

/// Who tells that duties are not taken up: the fetchers' own alert, or those about feeds that are not polled for it. It is one cause.
#[derive(Clone, Debug)]
pub(super) struct Duties {
    finding: Finding,
    /// Whether the alert about the fetchers tells, or has told, of it.
    told: bool,
    is_raised: bool,
    line_is_raised: bool,
}

impl Duties {
    /// What follows for the alert that most feeds are not polled.
    pub(super) fn unless_told(&self, finding: Finding) -> Finding {
        match finding {
            Finding::Alarm(_) if self.told && !self.line_is_raised => Finding::Unsure,
            finding => finding,
        }
    }

    /// How far the common cause of deaths has come, for alerts about single feeds. They do not begin just as another one ends: of many feeds
    /// some are polled later than others.
    pub(super) fn stage(&self, deaths: Stage) -> Stage {
        if self.told || self.line_is_raised { deaths.max(Stage::Forming) } else { deaths }
    }

    /// What is found for the fetchers' alert. Once it is raised it ends when feeds are polled again: their own alerts are not to begin
    /// just before.
    fn finding(&self, deaths: Stage) -> Finding {
        match &self.finding {
            Finding::Alarm(_) if !self.told => Finding::Unsure,
            Finding::Clear if self.is_raised && deaths != Stage::None => Finding::Unsure,
            finding => finding.clone(),
        }
    }
}

/// The consumers that every line has, and those of these destinations.
pub(super) fn in_use<'d>(destinations: impl IntoIterator<Item = &'d str>) -> HashSet<Object> {
    let ours = CONSUMERS.iter().map(|consumer| Object::named(consumer.name));
    ours.chain(destinations.into_iter().map(|destination| Object::named(&consumer_of(destination)))).collect()
}

/// One finding for each alert: readers of one name, of two streams, share theirs. An alarm of either stands, and only both are clear or gone.
fn merged(found: Vec<Found>) -> Vec<Found> {
    let rank = |found: &Found| match found.finding {
        Finding::Gone => 0,
        Finding::Clear => 1,
        Finding::Covered => 2,
        Finding::Unsure => 3,
        Finding::Alarm(_) => 4,
    };
    let (mut all, mut places) = (Vec::<Found>::with_capacity(found.len()), HashMap::new());
    for found in found {
        let place = *places.entry((found.kind, found.about.clone())).or_insert(all.len());
        match all.get_mut(place) {
            Some(before) if rank(before) >= rank(&found) => {}
            Some(before) => *before = found,
            None => all.push(found),
        }
    }
    all
}

impl Board {
    /// Takes in which destinations the configuration has. Who has one knows that it has not left, also where its consumer cannot be looked at.
    pub fn set_destinations<'d>(&mut self, names: impl IntoIterator<Item = &'d str>) {
        self.in_use = in_use(names);
    }

    /// Takes in what is kept of a stream or a reader. What is about no stream of ours is nobody's business.
    pub fn see(&mut self, kept: &window::Window) {
        let Some(stream) = STREAMS.iter().find(|stream| stream.name == kept.stream) else { return };
        match &kept.of {
            Some(Of::Reader(reader)) => {
                let key = (stream.name, reader.name.clone());
                let watched = Watched::recall(reader);
                if watched.is_empty() {
                    self.readers.remove(&key);
                } else if self.readers.len() < MAX_READERS || self.readers.contains_key(&key) {
                    self.readers.insert(key, watched);
                }
            }
            Some(Of::Room(room)) => _ = self.rooms.insert(stream.name, Room::recall(room)),
            None => {}
        }
    }

    /// The same moment by the clock of the server that leads the stream.
    fn by_nats(&self, stream: &str, moment: Timestamp) -> Timestamp {
        moment.saturating_sub(self.ahead.of(stream)).unwrap_or(moment)
    }

    /// The same moment, which that clock shows, by the clock of the times that the board is given.
    fn by_ours(&self, stream: &str, moment: Timestamp) -> Timestamp {
        moment.saturating_add(self.ahead.of(stream)).unwrap_or(moment)
    }

    /// Of one that does not exist, looks say how it was.
    fn is_fresh(&self, reader: &Watched, now: Timestamp) -> bool {
        reader.missing.is_none() && reader.window.looks().are_fresh(self.timing.fresh_for(), now)
    }

    /// What is found of duties that nobody takes up.
    pub(super) fn find_duties(&self, deaths: &Cause, now: Timestamp) -> Duties {
        let (kind, name, stream) = (Kind::ReaderStopped, FETCHER.name, FETCHER.stream);
        let is_raised = self.is_raised_about(kind, &About::Object(Object::named(name)));
        let line_is_raised = self.is_raised(Kind::PollingStopped);
        let reader = self.readers.get(&(stream, name.to_owned()));
        let finding = reader.map_or(Finding::Unsure, |reader| self.find_of(kind, stream, name, reader, now));
        let is_theirs =
            || line_is_raised || outage::is_shared(self.dead_and_told().max(deaths.failing), self.chains.len());
        let told = is_raised || matches!(finding, Finding::Alarm(_)) && !is_theirs();
        Duties { finding, told, is_raised, line_is_raised }
    }

    /// Chains whose death people know of.
    fn dead_and_told(&self) -> usize {
        let dead = self.alerts.iter().filter(|((kind, _), _)| *kind == Kind::PollDead);
        dead.filter(|(_, slot)| slot.known.last.as_ref().is_some_and(is_raised)).count()
    }

    fn find_of(&self, kind: Kind, stream: &str, name: &str, reader: &Watched, now: Timestamp) -> Finding {
        let (who, now) = (reader::Reader { name, stream, role: reader.role }, self.by_nats(stream, now));
        if let Some(since) = reader.missing_since(self.timing.fresh_for(), now).filter(|_| kind == Kind::ReaderStopped)
        {
            return reader::missing(who, since);
        }
        if !self.is_fresh(reader, now) {
            return Finding::Unsure;
        }
        // What the looks say is true as of the newest one.
        let at = reader.window.newest().map(|look| look.at);
        at.map_or(Finding::Unsure, |at| reader::find(kind, who, &reader.window, self.timing.reader, at))
    }

    /// Findings about readers of streams, where `duties` says what of the fetchers' is told of elsewhere.
    pub(super) fn find_readers(&self, deaths: Stage, duties: &Duties, now: Timestamp, all: &mut Vec<Found>) {
        let found = &mut Vec::new();
        for ((stream, name), reader) in &self.readers {
            let by_nats = self.by_nats(stream, now);
            let first = found.len();
            let is_fresh = self.is_fresh(reader, by_nats);
            for kind in reader.role.kinds() {
                let finding = if (*kind, reader.role) == (Kind::ReaderStopped, Role::Duties) {
                    duties.finding(deaths)
                } else {
                    self.find_of(*kind, stream, name, reader, now)
                };
                found.push(Found::object(*kind, name, finding));
            }
            if let Some(destination) = destination_of(name).filter(|_| reader.role == Role::Destination) {
                let finding = if is_fresh { self.find_failing(stream, destination, reader) } else { Finding::Unsure };
                found.push(Found::object(Kind::DestinationFailing, destination, finding));
            }
            if reader.role != Role::Sink {
                let settles_after = self.timing.settles_after;
                let (given_up, is_seen) = (reader.given_up.as_ref(), is_fresh || reader.window.looks().is_empty());
                let window = is_seen.then_some(&reader.window);
                let finding = given_up::find((stream, name), given_up, window, settles_after, by_nats);
                found.push(Found::object(Kind::DeliveriesExhausted, name, finding));
            }
            if self.has_left(stream, name, reader, now) {
                for found in &mut found[first..] {
                    found.finding = Finding::Gone;
                }
            }
        }
        all.extend(merged(std::mem::take(found)));
    }

    /// Whether it is the consumer of a destination that is in nobody's configuration any more: nobody has looked at it for long, and at others of
    /// its stream somebody does. While one alerter has the destination it looks, and so for none it has left.
    fn has_left(&self, stream: &str, name: &str, reader: &Watched, now: Timestamp) -> bool {
        let patience = self.timing.settles_after.max(self.timing.fresh_for());
        // Who has just started may be the one that looks at it.
        let is_new = now.duration_since(self.watched_since) < patience;
        if reader.role != Role::Destination || is_new || self.in_use.contains(&Object::named(name)) {
            return false;
        }
        let now = self.by_nats(stream, now);
        let others = || self.readers.iter().filter(|((of, _), _)| *of == stream).map(|(_, other)| other);
        reader.looked_at().is_some_and(|at| now.duration_since(at) >= patience)
            && others().any(|other| self.is_fresh(other, now))
    }

    /// Whether nobody keeps anything of the reader that this is about, for whoever has read what is kept.
    pub(super) fn is_retired(&self, object: &Object) -> bool {
        !self.in_use.contains(object) && !self.readers.keys().any(|(_, name)| Object::named(name) == *object)
    }

    fn find_failing(&self, stream: &str, destination: &str, reader: &Watched) -> Finding {
        let Some(newest) = reader.window.newest() else { return Finding::Unsure };
        let (watched_since, patience) = (self.by_nats(stream, self.watched_since), self.timing.reader.stands_still);
        destination::failing(destination, newest.oldest_at, watched_since, patience, newest.at)
    }

    /// Findings about the room of streams.
    pub(super) fn find_streams(&self, now: Timestamp, found: &mut Vec<Found>) {
        for (stream, room) in &self.rooms {
            let now = self.by_nats(stream, now);
            let newest = room.newest().filter(|_| room.are_fresh(self.timing.fresh_for(), now));
            let finding =
                newest.map_or(Finding::Unsure, |fill| reader::filling(stream, fill.bytes, fill.max_bytes, now));
            found.push(Found::object(Kind::StreamFilling, stream, finding));
        }
    }

    pub(super) fn seen_readers(&self, now: Timestamp) -> Vec<SeenReader> {
        let looked_at = self.readers.iter().filter(|(_, reader)| !reader.window.looks().is_empty());
        let seen = looked_at.map(|((stream, name), reader)| {
            let newest = reader.window.newest().filter(|_| self.is_fresh(reader, self.by_nats(stream, now)));
            let lag = newest.map(|look| Lag {
                messages: look.lag(),
                age: look.age(),
                repeats: reader.window.repeats().filter(|_| reader.role == Role::Consumer),
                evicts_at: reader.window.evicts_at().map(|at| self.by_ours(stream, at)),
            });
            SeenReader { name: name.clone(), stream, now: lag }
        });
        seen.collect()
    }

    pub(super) fn seen_streams(&self, now: Timestamp) -> Vec<SeenStream> {
        let seen = |(name, room): (&&'static str, &Room)| {
            let fresh = room.newest().filter(|_| room.are_fresh(self.timing.fresh_for(), self.by_nats(name, now)));
            let full_at = || room.full_at(self.timing.reader).map(|at| self.by_ours(name, at));
            SeenStream { name, now: fresh.map(|fill| (*fill, full_at())) }
        };
        self.rooms.iter().map(seen).collect()
    }
}
