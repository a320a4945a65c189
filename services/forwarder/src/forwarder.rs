//! A sink's life: sessions, one after the other, until it is asked to stop.
//!
//! A session ends by an error, by another forwarder being faster, or by the shutdown. Whatever happened, the next one begins with
//! what the streams hold, so there is one way to recover and it is exercised at every start.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use latchkey_bus::Bus;
use latchkey_contracts::{SourceId, topology::EVENTS};
use latchkey_core::{
    backoff::Backoff,
    delivery::{Compression, Progress},
};
use latchkey_runtime::{ComponentHandle, Shutdown};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    config::Limits,
    error::Error,
    metrics::{Metrics, SinkMetrics},
    session::{End, Session},
    store::Store,
};

/// Pauses while the output or JetStream does not answer.
const BACKOFF: Backoff = match Backoff::new(Duration::from_millis(500), Duration::from_secs(30)) {
    Ok(backoff) => backoff,
    Err(_) => panic!("0 < first <= longest"),
};

/// How often the lag is measured and the stream's identity checked.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often a forwarder that stands by looks whether the other one is alive.
const STANDBY_POLL: Duration = Duration::from_millis(500);

/// The least time a forwarder stands by. Longer is idler, shorter writes objects twice (with the same content) more often.
const STANDBY_LEAST: Duration = Duration::from_secs(1);

/// Delivers to one sink.
#[derive(Debug)]
pub struct Forwarder {
    pub(crate) sink: SourceId,
    pub(crate) compression: Compression,
    pub(crate) limits: Limits,
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) metrics: SinkMetrics,
    pub(crate) output: ComponentHandle,
    /// When the stream was created that the session reads, in seconds since 1970; 0 before the first session.
    pub(crate) stream_created: AtomicI64,
    position: watch::Sender<Position>,
}

/// How far a sink is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Every sequence of EVENTS up to this one is delivered.
    pub committed: u64,
    /// Events delivered since the sink began.
    pub events_total: u64,
    /// Batches left out since the sink began, because their page had been delivered.
    pub repeated_batches_total: u64,
}

impl Forwarder {
    pub(crate) fn new(
        sink: SourceId,
        compression: Compression,
        limits: Limits,
        store: Store,
        bus: Bus,
        metrics: &Metrics,
        output: ComponentHandle,
    ) -> Self {
        let metrics = metrics.of(&sink);
        Self {
            sink,
            compression,
            limits,
            store,
            bus,
            metrics,
            output,
            stream_created: AtomicI64::new(0),
            position: watch::Sender::default(),
        }
    }

    /// How far the sink is, from now on; zeros until the first session has read it.
    #[must_use]
    pub fn position(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    /// Delivers until the soft shutdown, and then what is held; a hard shutdown leaves an open plan to the next start.
    ///
    /// Waits out everything transient. Returns an error only for what somebody has to decide.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        tokio::select! {
            biased;
            () = shutdown.hard().cancelled() => Ok(()),
            result = self.deliver(&shutdown) => result,
        }
    }

    /// The sink has come to stand here.
    pub(crate) fn arrived(&self, progress: &Progress) {
        self.metrics.at(progress.committed());
        self.position.send_replace(Position {
            committed: progress.committed(),
            events_total: progress.events_total(),
            repeated_batches_total: progress.repeated_batches_total(),
        });
    }

    async fn deliver(&self, shutdown: &Shutdown) -> Result<(), Error> {
        let mut failures = 0;
        loop {
            let ended = tokio::select! {
                ended = Session::new(self, shutdown, &mut failures).run() => ended,
                // Whatever the session was at, the next one takes it up.
                () = self.stream_changes() => continue,
            };
            let pause = match ended {
                Ok(End::Stopped) => return Ok(()),
                Ok(End::Outrun) => {
                    tracing::info!(sink = %self.sink, "another forwarder delivers to this sink; standing by");
                    tokio::select! {
                        () = shutdown.soft().cancelled() => return Ok(()),
                        result = self.stand_by() => result.err().map(|error| self.failed(&error, &mut failures)),
                    }
                }
                Err(error) if error.is_transient() => Some(self.failed(&error, &mut failures)),
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = shutdown.soft().cancelled() => return Ok(()),
                () = sleep(pause.unwrap_or_default()) => {}
            }
        }
    }

    /// Waits while the other forwarder makes progress. One that does not has died or has nothing to do; then there may be a plan to
    /// finish.
    async fn stand_by(&self) -> Result<(), Error> {
        let patience = (self.limits.max_delay * 4).max(STANDBY_LEAST);
        // Of several that stand by, one should come first.
        let patience = patience.mul_f64(1.0 + rand::random::<f64>());
        let mut seen = None;
        let mut since = Instant::now();
        while since.elapsed() < patience {
            let last = self.bus.last_delivery(&self.sink).await?.map(|stored| stored.sequence);
            if last != seen {
                (seen, since) = (last, Instant::now());
            }
            sleep(STANDBY_POLL).await;
        }
        Ok(())
    }

    fn failed(&self, error: &Error, failures: &mut u32) -> Duration {
        *failures = failures.saturating_add(1);
        let pause = BACKOFF.pause(*failures, rand::random());
        tracing::warn!(sink = %self.sink, %error, failures, pause = pause.as_secs_f64(), "delivery failed; trying again");
        self.output.not_ready(error.to_string());
        pause
    }

    /// Measures the lag, until the stream is not the one that is being read: it was created anew or set back. A reader would wait
    /// there for a sequence that may never come.
    async fn stream_changes(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            // While JetStream does not answer, the last value stands; the session says what is wrong.
            let Ok(events) = self.bus.stream_state(&EVENTS).await else { continue };
            let committed = self.position.borrow().committed;
            self.metrics.lag(events.last.saturating_sub(committed));
            let read = self.stream_created.load(Ordering::Relaxed);
            if read != 0 && read != events.created.as_second() || events.last < committed {
                return;
            }
        }
    }
}
