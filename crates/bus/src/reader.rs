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
    healing::Pause,
    stored::{date_time, timestamp},
    trace,
    wire::Wire,
};

/// Messages asked for at once. The client asks again when half of them are read, so up to half as many again wait here: 8 MB of
/// event batches, some milliseconds' work each. The client's own default, 500, is a hundred.
const BATCH: i64 = 32;

/// How long a message that is there may take to come.
const NEXT_WITHIN: Duration = Duration::from_secs(30);

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
pub struct Reader<T> {
    bus: Bus,
    stream: Stream,
    from: From,
    messages: Option<pull::Ordered>,
    /// When something came last, or the server was asked.
    heard_at: Instant,
    /// When somebody last began to wait.
    waited_at: Instant,
    pause: Pause,
    kind: PhantomData<fn() -> T>,
}

impl<T: Wire> Reader<T> {
    pub(crate) async fn open(bus: &Bus, stream: Stream, from: From) -> Result<Self, Error> {
        let messages = Some(read(bus, &stream, from).await?);
        let (bus, now) = (bus.clone(), Instant::now());
        Ok(Self {
            bus,
            stream,
            from,
            messages,
            heard_at: now,
            waited_at: now,
            pause: Pause::default(),
            kind: PhantomData,
        })
    }

    /// The next message; waits for one to be published.
    ///
    /// Cancel-safe: a message is either returned or still here.
    pub async fn next(&mut self) -> Result<Item<T>, Error> {
        if self.waited_at.elapsed() >= SILENCE {
            // Nobody has listened.
            self.heard_at = Instant::now();
        }
        self.waited_at = Instant::now();
        loop {
            self.pause.wait().await;
            let messages = match &mut self.messages {
                Some(messages) => messages,
                empty => match read(&self.bus, &self.stream, self.from).await {
                    Ok(messages) => empty.insert(messages),
                    Err(error) if error.is_transient() => {
                        self.pause.lengthen();
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            let Ok(next) = timeout_at(self.heard_at + SILENCE, messages.next()).await else {
                self.heard_at = Instant::now();
                if has_more(&self.bus, &self.stream, self.from).await {
                    tracing::warn!(
                        stream = self.stream.name,
                        "messages are there and do not come; reading begins anew"
                    );
                    self.messages = None;
                }
                continue;
            };
            self.heard_at = Instant::now();
            match next {
                Some(Ok(message)) => {
                    let item = item(&message)?;
                    if self.from.is_after(item.sequence) {
                        // The client's ordered consumer begins at the stream's beginning when it has to heal before its first message.
                        self.messages = None;
                        self.pause.lengthen();
                        continue;
                    }
                    self.pause.clear();
                    self.from = From::Sequence(item.sequence + 1);
                    return Ok(item);
                }
                // The ordered consumer heals from some errors by itself and not from others; a fresh one heals from all.
                Some(Err(error)) => {
                    tracing::debug!(stream = self.stream.name, %error, "reading failed; starting again");
                    self.messages = None;
                    self.pause.lengthen();
                }
                None => {
                    self.messages = None;
                    self.pause.lengthen();
                }
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
        loop {
            let item = timeout(NEXT_WITHIN, self.next()).await;
            let item = item.unwrap_or_else(|_| Err(Error::unavailable("reading a stream", "no message in time")))?;
            let is_last = item.pending == 0;
            items.push(item);
            if is_last {
                return Ok(items);
            }
        }
    }
}

/// Whether the stream holds what was not read.
async fn has_more(bus: &Bus, stream: &Stream, from: From) -> bool {
    let Ok(state) = bus.stream_state(stream).await else { return false };
    match from {
        From::Sequence(first) => state.messages > 0 && state.last >= first,
        From::Time(_) | From::LastPerSubject => state.messages > 0,
    }
}

async fn read(bus: &Bus, stream: &Stream, from: From) -> Result<pull::Ordered, Error> {
    let failed =
        |error: &dyn std::fmt::Display| Error::unavailable("reading a stream", format!("{}: {error}", stream.name));
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
    let missing = |error| Error::of_consumer("reading a stream", stream.name, &error);
    let consumer = bus.stream(stream).await?.create_consumer(config).await.map_err(missing)?;
    consumer.messages().await.map_err(|error| failed(&error))
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
