//! Reading a stream in order without answering: for sinks, which keep their own progress, and for watchers.

use std::{marker::PhantomData, time::Duration};

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use futures::StreamExt;
use jiff::Timestamp;
use latchkey_contracts::topology::Stream;
use opentelemetry::Context;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    connect::Bus,
    error::{Error, Undecodable},
    healing::Healing,
    stored::{date_time, timestamp},
    trace,
    wire::Wire,
};

/// Messages asked for at once. The client asks again when half of them are read, so up to half as many again wait here: 8 MB of
/// event batches, some milliseconds' work each. The client's own default, 500, is a hundred.
const BATCH: i64 = 32;

/// How long a message that is there may take to come.
const NEXT_WITHIN: Duration = Duration::from_secs(30);

/// How long nothing comes until the server is asked whether what was there still is.
const GONE_AFTER: Duration = Duration::from_secs(1);

/// How long nothing comes until the server is asked whether there is something: a request for messages that was lost with a server is
/// not noticed by the client every time.
const SILENCE: Duration = Duration::from_secs(15);

/// One message read in order.
#[derive(Debug)]
pub struct Item<T> {
    /// Sequence in the stream.
    pub sequence: u64,
    /// When the server stored it.
    pub published_at: Timestamp,
    /// The subject it was published on.
    pub subject: String,
    /// The message, or why it is none.
    pub message: Result<T, Undecodable>,
    /// The trace it belongs to.
    pub context: Context,
    /// Messages behind this one when it was sent; 0 at the stream's end.
    pub pending: u64,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    Sequence(u64),
    Time(Timestamp),
    LastPerSubject,
}

impl From {
    fn is_after(self, sequence: u64) -> bool {
        matches!(self, Self::Sequence(first) if sequence < first)
    }
}

/// Messages of a stream, each once and in order, also over reconnections and restarts of the server.
#[must_use = "nothing is read until somebody waits for it"]
pub struct Reader<T> {
    bus: Bus,
    stream: Stream,
    /// Where reading began.
    start: From,
    /// Where it goes on.
    from: From,
    reading: Healing<Reading>,
    /// When something came last, or the server was asked.
    heard_at: Instant,
    /// When somebody last began to wait.
    waited_at: Instant,
    kind: PhantomData<fn() -> T>,
}

/// One ordered consumer, and where it begins.
struct Reading {
    messages: pull::Ordered,
    from: From,
}

impl<T: Wire> Reader<T> {
    pub(crate) fn new(bus: &Bus, stream: Stream, start: From) -> Self {
        let (bus, now) = (bus.clone(), Instant::now());
        let reading = Healing::new();
        Self { bus, stream, start, from: start, reading, heard_at: now, waited_at: now, kind: PhantomData }
    }

    /// The next message; waits for one to be published. Errs if the stream does not exist.
    ///
    /// Cancel-safe: a message is either returned or still here.
    pub async fn next(&mut self) -> Result<Item<T>, Error> {
        if self.waited_at.elapsed() >= SILENCE {
            // Nobody has listened.
            self.heard_at = Instant::now();
        }
        self.waited_at = Instant::now();
        loop {
            let reading = self.reading.stream(|| read(self.bus.clone(), self.stream, self.start, self.from)).await?;
            let Ok(next) = timeout_at(self.heard_at + SILENCE, reading.messages.next()).await else {
                self.heard_at = Instant::now();
                self.reading.check(is_read(self.bus.clone(), self.stream, self.start, self.from));
                continue;
            };
            self.heard_at = Instant::now();
            match next {
                // The client's ordered consumer begins at the stream's beginning when it has to heal before its first message.
                Some(Ok(message)) => match item(&message)? {
                    item if reading.from.is_after(item.sequence) => self.reading.broken(),
                    item => {
                        self.reading.works();
                        self.from = From::Sequence(item.sequence + 1);
                        return Ok(item);
                    }
                },
                // The ordered consumer heals from some errors by itself and not from others; a fresh one heals from all.
                Some(Err(error)) => {
                    tracing::debug!(stream = self.stream.name, %error, "reading failed; starting again");
                    self.reading.broken();
                }
                None => self.reading.broken(),
            }
        }
    }
}

impl<T: Wire> Reader<T> {
    /// What is there by now, where `messages` says how many the stream holds: of an empty one nothing would ever come.
    pub(crate) async fn up_to(mut self, messages: u64) -> Result<Vec<Item<T>>, Error> {
        let mut items = Vec::new();
        if messages == 0 {
            return Ok(items);
        }
        let mut heard_at = Instant::now();
        loop {
            let Ok(item) = timeout(GONE_AFTER, self.next()).await else {
                // What was there may have been removed since.
                if !has_more(&self.bus, &self.stream, self.start, self.from).await? {
                    return Ok(items);
                }
                if heard_at.elapsed() >= NEXT_WITHIN {
                    return Err(Error::unavailable("reading a stream", "no message in time"));
                }
                continue;
            };
            let item = item?;
            heard_at = Instant::now();
            let is_last = item.pending == 0;
            items.push(item);
            if is_last {
                return Ok(items);
            }
        }
    }
}

/// Errs if the stream holds what was not read, or does not hold what was.
async fn is_read(bus: Bus, stream: Stream, start: From, from: From) -> Result<(), Error> {
    match has_more(&bus, &stream, start, from).await {
        Ok(true) => {
            tracing::warn!(stream = stream.name, "messages are there and do not come; reading begins anew");
            Err(Error::unavailable("reading a stream", stream.name))
        }
        Err(error) if !error.is_transient() => Err(error),
        // Who does not answer has not said that there is more.
        Ok(false) | Err(_) => Ok(()),
    }
}

async fn has_more(bus: &Bus, stream: &Stream, start: From, from: From) -> Result<bool, Error> {
    let state = bus.stream_state(stream).await?;
    let unread = match from {
        From::Sequence(next) => state.last >= next && bus.stored_at_or_after(stream, next).await?.is_some(),
        From::Time(since) => bus.stored_at_or_after(stream, state.last).await?.is_some_and(|last| last >= since),
        From::LastPerSubject => state.messages > 0,
    };
    Ok(unread || has_gone_back(bus, stream, start, from).await?)
}

async fn read(bus: Bus, stream: Stream, start: From, from: From) -> Result<Reading, Error> {
    let failed =
        |error: &dyn std::fmt::Display| Error::unavailable("reading a stream", format!("{}: {error}", stream.name));
    let from = if has_gone_back(&bus, &stream, start, from).await? { start } else { from };
    let config = pull::OrderedConfig {
        deliver_policy: match from {
            From::Sequence(sequence) => DeliverPolicy::ByStartSequence { start_sequence: sequence.max(1) },
            From::Time(since) => DeliverPolicy::ByStartTime { start_time: date_time(since) },
            From::LastPerSubject => DeliverPolicy::LastPerSubject,
        },
        // The last per subject are only delivered to a consumer that names its subjects.
        filter_subjects: stream.subjects.iter().map(ToString::to_string).collect(),
        max_batch: BATCH,
        ..pull::OrderedConfig::default()
    };
    let missing = |error| Error::of_consumer("reading a stream", &format!("stream {}", stream.name), &error);
    let consumer = bus.stream(&stream).await?.create_consumer(config).await.map_err(missing)?;
    let messages = consumer.messages().await.map_err(|error| failed(&error))?;
    Ok(Reading { messages, from })
}

/// Whether a server that lost what it had acknowledged last gives numbers again that were read with other messages: a power cut can do
/// that. Who watches begins anew. Who began at a number keeps its place by numbers, and no other is its place.
async fn has_gone_back(bus: &Bus, stream: &Stream, start: From, from: From) -> Result<bool, Error> {
    match (start, from) {
        (From::Time(_) | From::LastPerSubject, From::Sequence(next)) => {
            Ok(bus.stream_state(stream).await?.last.saturating_add(1) < next)
        }
        _ => Ok(false),
    }
}

fn item<T: Wire>(message: &async_nats::jetstream::Message) -> Result<Item<T>, Error> {
    let info = message.info().map_err(|error| Error::unavailable("reading a message's address", error))?;
    Ok(Item {
        sequence: info.stream_sequence,
        published_at: timestamp(info.published),
        pending: info.pending,
        subject: message.subject.to_string(),
        context: trace::extract(message.headers.as_ref()),
        message: T::from_payload(message.payload.clone()),
    })
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::{
        Chain, Feed,
        checkpoint::Checkpoint,
        topology::{CHECKPOINTS, Limits},
    };

    use super::*;
    use crate::server;

    #[tokio::test]
    async fn what_is_removed_before_it_is_read_is_not_waited_for() {
        let server = server::scratch().await.unwrap();
        let bus = Bus::connect(server.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        let began = Instant::now();
        // One was there when somebody counted.
        assert_eq!(bus.watch_checkpoints().up_to(1).await.unwrap().len(), 0);
        assert!(began.elapsed() < NEXT_WITHIN);
    }

    #[tokio::test]
    async fn what_does_not_come_is_told_from_what_is_not_there() {
        let server = server::scratch().await.unwrap();
        let bus = Bus::connect(server.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        let check = async |start: From, from: From, expect: bool| {
            assert_eq!(has_more(&bus, &CHECKPOINTS, start, from).await.unwrap(), expect, "{start:?} {from:?}");
        };
        let (latest, next) = (From::LastPerSubject, From::Sequence);
        check(latest, latest, false).await;
        for feed in [Feed::ItemUsages, Feed::AuditEvents] {
            let chain = Chain { source: "acme".parse().unwrap(), feed };
            bus.publish_checkpoint(&chain, &Checkpoint::default()).await.unwrap();
        }
        let stored_at = bus.stored_at_or_after(&CHECKPOINTS, 2).await.unwrap().unwrap();
        let after = stored_at + Duration::from_nanos(1);
        check(latest, latest, true).await;
        check(latest, next(2), true).await;
        check(latest, next(3), false).await;
        check(From::Time(stored_at), From::Time(stored_at), true).await;
        // What was over before somebody began to read does not come, however long they wait.
        check(From::Time(after), From::Time(after), false).await;
        // The server has forgotten what a watcher has read; who counts keeps its place.
        check(latest, next(4), true).await;
        check(next(1), next(4), false).await;
    }
}
