//! Shared work: messages of a durable consumer, each answered explicitly.

use std::{marker::PhantomData, time::Duration};

use async_nats::jetstream::{self, AckKind, consumer::pull};
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use opentelemetry::Context;

use crate::{
    connect::Bus,
    error::{Error, Undecodable},
    healing::Healing,
    stored::timestamp,
    trace,
    wire::Wire,
};

/// How often the server must show a sign of life while there is nothing to deliver.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long one pull request stands at the server.
const EXPIRES: Duration = Duration::from_secs(30);

/// One delivery. Unanswered, it goes to somebody else after the consumer's `ack_wait`.
pub struct Delivered<T> {
    /// Sequence in the stream.
    pub sequence: u64,
    /// When the server stored it.
    pub published_at: Timestamp,
    /// How often it has been delivered, this time included.
    pub deliveries: u64,
    /// The subject it was published on.
    pub subject: String,
    /// The message, or why it is none; such a one is [`Delivered::term`]inated after it has been put on record.
    pub message: Result<T, Undecodable>,
    /// The payload as it came.
    pub payload: bytes::Bytes,
    /// The trace it belongs to.
    pub context: Context,
    acker: jetstream::message::Acker,
}

impl<T> Delivered<T> {
    /// Done. Waits until the server knows, because an unconfirmed acknowledgement is silently lost while disconnected.
    pub async fn ack(&self) -> Result<(), Error> {
        let answer = self.acker.double_ack().await;
        answer.map_err(|error| Error::unavailable("acknowledging a message", error))
    }

    /// Deliver it again after `delay`. Waits until the server knows, as [`Self::ack`] does: who ends right after would leave the message to
    /// its lease.
    pub async fn nak(&self, delay: Duration) -> Result<(), Error> {
        let answer = self.acker.double_ack_with(AckKind::Nak(Some(delay))).await;
        answer.map_err(|error| Error::unavailable("handing a message back", error))
    }

    /// Still at it: the lease starts anew.
    pub async fn progress(&self) -> Result<(), Error> {
        let answer = self.acker.ack_with(AckKind::Progress).await;
        answer.map_err(|error| Error::unavailable("extending a lease", error))
    }

    /// Never deliver it again.
    pub async fn term(&self) -> Result<(), Error> {
        let answer = self.acker.double_ack_with(AckKind::Term).await;
        answer.map_err(|error| Error::unavailable("terminating a message", error))
    }
}

/// The deliveries of a durable consumer to this process.
#[must_use = "nothing is pulled until somebody waits for it"]
pub struct Deliveries<T> {
    bus: Bus,
    consumer: String,
    stream: &'static str,
    /// Messages held here while their lease runs: few, because the lease of a waiting message runs too.
    prefetch: usize,
    messages: Healing<pull::Stream>,
    kind: PhantomData<fn() -> T>,
}

impl<T: Wire> Deliveries<T> {
    pub(crate) fn new(bus: &Bus, consumer: &str, stream: &'static str, prefetch: usize) -> Self {
        let (bus, consumer) = (bus.clone(), consumer.to_owned());
        Self { bus, consumer, stream, prefetch, messages: Healing::new(), kind: PhantomData }
    }

    /// The next delivery. Waits over disconnections and server restarts; errs only if the consumer no longer exists.
    ///
    /// Cancel-safe: a delivery is either returned or still here.
    pub async fn next(&mut self) -> Result<Delivered<T>, Error> {
        loop {
            let open = || pull(self.bus.clone(), self.consumer.clone(), self.stream, self.prefetch);
            let messages = self.messages.stream(open).await?;
            match messages.next().await {
                Some(Ok(message)) => {
                    self.messages.works();
                    return delivered(message);
                }
                Some(Err(error)) => {
                    tracing::debug!(consumer = self.consumer, %error, "pulling failed; trying again");
                    self.messages.rest();
                    // One that was removed between two pull requests has nobody who would say so.
                    self.messages.check(exists(self.bus.clone(), self.consumer.clone(), self.stream));
                }
                None => self.messages.broken(),
            }
        }
    }

    /// Takes nothing more, and hands back at once what is held here unread.
    ///
    /// To be called before the last deliveries are answered: while a pull request stands, a message that is handed back comes right
    /// back to the one who stops, and stays lost until its lease ends.
    pub async fn close(self) {
        let Some(mut messages) = self.messages.into_stream() else { return };
        let mut held = Vec::new();
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            held.push(message);
        }
        drop(messages);
        for message in held {
            if let Err(error) = message.ack_with(AckKind::Nak(None)).await {
                tracing::debug!(consumer = self.consumer, %error, "an unread message was not handed back; it comes again");
            }
        }
    }
}

async fn pull(bus: Bus, consumer: String, stream: &str, prefetch: usize) -> Result<pull::Stream, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::unavailable("pulling messages", format!("{consumer}: {error}"));
    let handle = handle(&bus, &consumer, stream).await?;
    let messages =
        handle.stream().max_messages_per_batch(prefetch).heartbeat(HEARTBEAT).expires(EXPIRES).messages().await;
    messages.map_err(|error| failed(&error))
}

async fn exists(bus: Bus, consumer: String, stream: &str) -> Result<(), Error> {
    handle(&bus, &consumer, stream).await.map(drop)
}

async fn handle(bus: &Bus, consumer: &str, stream: &str) -> Result<jetstream::consumer::PullConsumer, Error> {
    let missing = |error| Error::of_consumer("pulling messages", &format!("consumer {consumer}"), &error);
    bus.jetstream.get_consumer_from_stream(consumer, stream).await.map_err(missing)
}

fn delivered<T: Wire>(message: jetstream::Message) -> Result<Delivered<T>, Error> {
    let info = message.info().map_err(|error| Error::unavailable("reading a delivery's address", error))?;
    let (sequence, published_at) = (info.stream_sequence, timestamp(info.published));
    let deliveries = u64::try_from(info.delivered).unwrap_or(1);
    let (message, acker) = message.split();
    Ok(Delivered {
        sequence,
        published_at,
        deliveries,
        subject: message.subject.to_string(),
        message: T::from_payload(message.payload.clone()),
        payload: message.payload,
        context: trace::extract(message.headers.as_ref()),
        acker,
    })
}
