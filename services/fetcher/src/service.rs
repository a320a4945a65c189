//! Takes tasks, as many at once as there are permits, and answers each.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc, time::Duration};

use latchkey_bus::{Bus, Delivered};
use latchkey_contracts::{Chain, SourceId, task::Task};
use latchkey_core::polling::{Outcome, Report};
use latchkey_runtime::{Shutdown, clock};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::{memory::Memories, metrics::Metrics, performer::Performer, source::Source};

/// How often a long turn extends its lease: three times within the consumer's `ack_wait` of 30 s.
const LEASE_RENEWAL: Duration = Duration::from_secs(10);

/// When a task for a source that this fetcher does not know is offered again, perhaps to one that does.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);

/// Polls chains.
pub struct Fetcher(Arc<Inner>);

struct Inner {
    sources: HashMap<SourceId, Source>,
    permits: Arc<Semaphore>,
    bus: Bus,
    metrics: Metrics,
    memories: Memories,
}

impl Fetcher {
    pub(crate) fn new(sources: Vec<Source>, concurrency: NonZeroUsize, bus: Bus, metrics: Metrics) -> Self {
        Self(Arc::new(Inner {
            sources: sources.into_iter().map(|source| (source.id.clone(), source)).collect(),
            permits: Arc::new(Semaphore::new(concurrency.get())),
            bus,
            metrics,
            memories: Memories::default(),
        }))
    }

    /// Every chain this fetcher is configured for.
    pub fn chains(&self) -> impl Iterator<Item = Chain> {
        self.0.sources.values().flat_map(Source::chains)
    }

    /// Creates the tasks that are missing and works until the soft shutdown; then finishes or hands back what it holds.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), latchkey_bus::Error> {
        for chain in self.chains().collect::<Vec<_>>() {
            self.0.bus.ensure_poll_task(&chain).await?;
        }
        let mut tasks = self.0.bus.tasks().await?;
        let turns = TaskTracker::new();
        loop {
            let permit = tokio::select! {
                () = shutdown.soft().cancelled() => break,
                permit = Arc::clone(&self.0.permits).acquire_owned() => permit.expect("the semaphore is never closed"),
            };
            let task = tokio::select! {
                () = shutdown.soft().cancelled() => break,
                task = tasks.next() => task?,
            };
            let (inner, shutdown) = (Arc::clone(&self.0), shutdown.clone());
            turns.spawn(async move {
                inner.answer(task, &shutdown).await;
                drop(permit);
            });
        }
        tasks.close().await;
        turns.close();
        tokio::select! {
            () = turns.wait() => {}
            () = shutdown.hard().cancelled() => {}
        }
        Ok(())
    }
}

impl Inner {
    async fn answer(&self, task: Delivered<Task>, shutdown: &Shutdown) {
        let delay = match self.chain(&task) {
            Some((chain, source)) => self.turn(&task, &chain, source, shutdown).await,
            None => UNKNOWN_PAUSE,
        };
        if let Err(error) = task.nak(delay).await {
            // Nobody hears the answer, so the task comes again when its lease ends.
            tracing::warn!(subject = task.subject, %error, "a task could not be handed back");
        }
    }

    fn chain(&self, task: &Delivered<Task>) -> Option<(Chain, &Source)> {
        let message = task.message.as_ref().ok()?;
        let chain = Chain { source: message.source.parse().ok()?, feed: message.feed.parse().ok()? };
        let source = self.sources.get(&chain.source)?;
        source.feeds.contains(&chain.feed).then_some((chain, source))
    }

    /// Runs one turn while extending its lease. Returns when the chain is due again.
    async fn turn(&self, task: &Delivered<Task>, chain: &Chain, source: &Source, shutdown: &Shutdown) -> Duration {
        let memory = self.memories.take(chain);
        let performer = Performer::new(chain, source, &self.bus, &self.metrics, memory);
        let work = async {
            let (report, memory) = performer.run(rand::random(), shutdown.soft()).await;
            self.memories.keep(chain.clone(), memory);
            self.record(chain, source, &report).await;
            report.delay
        };
        tokio::select! {
            delay = work => delay,
            never = renew(task) => never,
        }
    }

    async fn record(&self, chain: &Chain, source: &Source, report: &Report) {
        let Some(outcome) = &report.outcome else { return };
        self.metrics.turn_ended(chain, outcome);
        log(chain, outcome, report);
        let Some(checkpoint) = report.checkpoint(chain, &source.label, clock::now()) else { return };
        if let Err(error) = self.bus.publish_checkpoint(chain, &checkpoint).await {
            tracing::warn!(source = %chain.source, feed = %chain.feed, %error, "the checkpoint could not be written");
        }
    }
}

async fn renew(task: &Delivered<Task>) -> Duration {
    loop {
        tokio::time::sleep(LEASE_RENEWAL).await;
        if let Err(error) = task.progress().await {
            tracing::debug!(%error, "the lease could not be extended; the expected sequence protects the chain all the same");
        }
    }
}

/// A change of state is worth a line; a poll that went as the one before is not.
fn log(chain: &Chain, outcome: &Outcome, report: &Report) {
    let (source, feed) = (&chain.source, chain.feed);
    match outcome {
        Outcome::Refused(failure) => tracing::warn!(
            %source, %feed, reason = failure.reason, status = failure.http_status, failures = report.history.consecutive_failures,
            retry_in = ?report.delay, "poll refused: {}", failure.detail
        ),
        Outcome::Quiet | Outcome::Active | Outcome::Behind => {
            tracing::debug!(%source, %feed, events_total = report.history.events_total, "polled");
        }
    }
}
