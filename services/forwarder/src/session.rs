//! One session: take up what is stored, then read, plan, write, commit, again and again.
//!
//! The fence is the sequence of the sink's newest message in DELIVERIES. Every plan and commit is published onto it, so a session
//! that somebody has overtaken learns it with its next step and has done nothing that another would not have done alike.

use std::sync::atomic::Ordering;

use latchkey_bus::{Error as BusError, Item, Publication, Reader, StreamState, trace};
use latchkey_contracts::{batch::Batch, delivery::Delivery, topology::EVENTS};
use latchkey_core::delivery::{self, Load, Planned, Progress, State, Stream};
use latchkey_runtime::Shutdown;
use tokio::time::{Instant, sleep_until};

use crate::{
    error::Error,
    forwarder::Forwarder,
    write::{Author, write},
};

/// How a session ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The shutdown.
    Stopped,
    /// Another forwarder published first.
    Outrun,
}

pub(crate) struct Session<'a> {
    forwarder: &'a Forwarder,
    shutdown: &'a Shutdown,
    /// Failures in a row; a commit ends the row.
    failures: &'a mut u32,
    fence: u64,
}

/// A load with the traces of the pages in it, each open until the commit.
struct Held {
    load: Load,
    spans: Vec<tracing::Span>,
}

impl Held {
    fn after(progress: &Progress) -> Self {
        Self { load: Load::new(progress), spans: Vec::new() }
    }
}

impl<'a> Session<'a> {
    pub(crate) fn new(forwarder: &'a Forwarder, shutdown: &'a Shutdown, failures: &'a mut u32) -> Self {
        Self { forwarder, shutdown, failures, fence: 0 }
    }

    pub(crate) async fn run(mut self) -> Result<End, Error> {
        let (state, events) = self.take_up().await?;
        let mut progress = match state {
            State::Settled(progress) => progress,
            State::Open(planned) => match self.finish(planned, &events).await? {
                Ok(progress) => progress,
                Err(end) => return Ok(end),
            },
        };
        self.forwarder.arrived(&progress);
        self.forwarder.output.ready();
        let mut reader = self.forwarder.bus.events_from(progress.next());
        loop {
            let mut held = Held::after(&progress);
            if events.first > progress.next() {
                // Reported at once, because an empty stream may stay silent for long.
                self.lost(held.load.reach(events.first - 1), events.first);
            }
            let more = held.load.is_empty() && self.fill(&mut reader, &mut held).await?;
            if !held.load.is_empty() {
                match self.deliver(progress, held).await? {
                    Some(committed) => progress = committed,
                    None => return Ok(End::Outrun),
                }
            } else if !more {
                return Ok(End::Stopped);
            }
        }
    }

    /// Reads where the sink stands and makes sure that the stream is the one it stands in.
    async fn take_up(&mut self) -> Result<(State, StreamState), Error> {
        let Forwarder { sink, bus, store, .. } = self.forwarder;
        // In this order: a stream read first might be older than the progress read after it, and seem to have been set back.
        let stored = bus.last_delivery(sink).await?;
        let events = bus.stream_state(&EVENTS).await?;
        self.fence = stored.as_ref().map_or(0, |stored| stored.sequence);
        self.forwarder.stream_created.store(events.created.as_second(), Ordering::Relaxed);
        self.forwarder
            .metrics
            .lag(events.last.saturating_sub(stored.as_ref().map_or(0, |stored| stored.message.committed)));
        let stream = Stream { epoch: delivery::epoch(events.created), last: events.last };
        let resumed = Progress::resume(sink, stored.map(|stored| stored.message), &stream)?;
        if let Some(left) = &resumed.left {
            tracing::warn!(
                %sink, left, epoch = stream.epoch,
                "stream EVENTS was created anew; delivering it from its beginning, what was not delivered of the former one is gone"
            );
        }
        let (progress, plan) = match &resumed.state {
            State::Settled(progress) => (progress, None),
            State::Open(planned) => (planned.progress(), Some(planned.plan())),
        };
        if progress.committed() >= events.first {
            match bus.events_at(progress.committed()).await {
                Ok(Some(stored)) => progress.verify(sink, &stored.message.header.page_id)?,
                // Removed by hand, or damaged: no evidence against the stream.
                Ok(None) | Err(BusError::Undecodable { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        tracing::info!(%sink, output = %store, committed = progress.committed(), last = events.last, ?plan, "delivering");
        Ok((resumed.state, events))
    }

    /// Writes what is missing of somebody's plan and commits it.
    async fn finish(&mut self, planned: Planned, events: &StreamState) -> Result<Result<Progress, End>, Error> {
        let plan = *planned.plan();
        let mut held = Held::after(planned.progress());
        if events.first <= plan.last {
            let mut reader = self.forwarder.bus.events_from(plan.first);
            loop {
                let item = tokio::select! {
                    biased;
                    () = self.shutdown.soft().cancelled() => return Ok(Err(End::Stopped)),
                    item = reader.next() => item?,
                };
                if item.sequence > plan.last {
                    break;
                }
                let last = item.sequence == plan.last || item.pending == 0;
                self.take(&mut held, item);
                if last {
                    break;
                }
            }
        }
        let missing = held.load.reach(plan.last);
        self.lost(missing, plan.last + 1);
        Ok(self.write(planned, held, Author::Somebody).await?.ok_or(End::Outrun))
    }

    /// Reads until the load should be written; `false` if the shutdown came first.
    async fn fill(&self, reader: &mut Reader<Batch>, held: &mut Held) -> Result<bool, Error> {
        let limits = &self.forwarder.limits;
        let mut began = None;
        let mut due = None;
        loop {
            let item = tokio::select! {
                biased;
                () = self.shutdown.soft().cancelled() => return Ok(false),
                item = reader.next() => item?,
                () = until(due) => return Ok(true),
            };
            let at_end = item.pending == 0;
            self.take(held, item);
            let began = *began.get_or_insert_with(Instant::now);
            let at = began + if at_end { limits.min_delay } else { limits.max_delay };
            if held.load.is_full(limits.max_bytes) || Instant::now() >= at {
                return Ok(true);
            }
            due = Some(at);
        }
    }

    fn take(&self, held: &mut Held, item: Item<Batch>) {
        let sink = &self.forwarder.sink;
        let sequence = item.sequence;
        let batch = match item.message {
            Ok(batch) => {
                let header = &batch.header;
                let span = tracing::info_span!(
                    parent: None, "deliver", %sink, source = header.source, feed = header.feed,
                    page_sequence = header.page_sequence, part = header.part, events = batch.records.len()
                );
                trace::set_parent(&span, item.context);
                held.spans.push(span);
                Some(batch)
            }
            Err(error) => {
                // One damaged message must not hold back all that follow it; it stays in EVENTS to be looked into.
                tracing::error!(%sink, sequence, subject = item.subject, %error, "message of EVENTS passed over: cannot be decoded");
                None
            }
        };
        let arrival = held.load.add(sequence, batch);
        self.lost(arrival.missing, sequence);
        if arrival.repeated {
            tracing::debug!(%sink, sequence, "batch left out: its page had been delivered");
        }
    }

    /// Says that retention or somebody's hand was faster than the sink.
    fn lost(&self, missing: u64, before: u64) {
        if missing > 0 {
            let (first, last) = (before - missing, before - 1);
            tracing::error!(
                sink = %self.forwarder.sink, missing, first, last,
                "messages of EVENTS were removed before they could be delivered; their pages may still be in PAGES"
            );
        }
    }

    /// Plans, writes and commits a load; `None` if another forwarder was faster.
    async fn deliver(&mut self, progress: Progress, held: Held) -> Result<Option<Progress>, Error> {
        if held.load.counts().objects == 0 {
            let counts = *held.load.counts();
            let progress = progress.pass(held.load);
            return self.commit(progress, &counts).await;
        }
        let planned = progress.plan(&held.load, self.forwarder.compression);
        if !self.publish(&planned.write(&self.forwarder.sink)).await? {
            return Ok(None);
        }
        self.write(planned, held, Author::Me).await
    }

    async fn write(&mut self, planned: Planned, held: Held, author: Author) -> Result<Option<Progress>, Error> {
        let began = Instant::now();
        let plan = *planned.plan();
        let (objects, manifest) = held.load.into_objects(&plan, planned.progress().epoch());
        write(&self.forwarder.store, objects, plan.compression, author).await?;
        let counts = manifest.counts;
        let committed = self.commit(planned.commit(manifest), &counts).await?;
        self.forwarder.metrics.flushed(began.elapsed());
        // Only now are the pages delivered: their spans end here.
        drop(held.spans);
        Ok(committed)
    }

    async fn commit(&mut self, progress: Progress, counts: &delivery::Counts) -> Result<Option<Progress>, Error> {
        let delivery = progress.write(&self.forwarder.sink);
        if !self.publish(&delivery).await? {
            return Ok(None);
        }
        *self.failures = 0;
        self.forwarder.metrics.committed(counts, progress.committed());
        self.forwarder.arrived(&progress);
        tracing::debug!(sink = %self.forwarder.sink, committed = progress.committed(), ?counts, "committed");
        Ok(Some(progress))
    }

    /// Publishes onto the fence; `false` if it is not the sink's newest message any more.
    async fn publish(&mut self, delivery: &Delivery) -> Result<bool, Error> {
        let Forwarder { bus, sink, .. } = self.forwarder;
        let publication = bus.publish_delivery(sink, delivery, self.fence).await?;
        if let Publication::Stored { sequence } | Publication::Repeated { sequence } = publication {
            self.fence = sequence;
            return Ok(true);
        }
        // The very message may have arrived all the same, by an earlier try. Somebody else's with the same words is as good.
        match bus.last_delivery(sink).await? {
            Some(stored) if stored.sequence > self.fence && stored.message == *delivery => {
                self.fence = stored.sequence;
                Ok(true)
            }
            _ if publication == Publication::Conflict => Ok(false),
            _ => Err(Error::Unconfirmed(publication)),
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
